// Messages that are not for the ledger: counted for ever, the newest kept for a person to look at.
import type { Session } from '../database/database.ts';
import type { SetAsideReason } from './classify.ts';
import type { PartitionRef, ReceivedEvent } from './event-source.ts';

export interface SetAsideEvent {
  readonly event: ReceivedEvent;
  readonly reason: SetAsideReason;
  readonly detail: string;
}

/** Rows kept; of one batch no more than a tenth of them is written. */
const maxKept = 1000;
const maxWritten = maxKept / 10;
const maxDetailLength = 500;
const maxPropertiesLength = 4096;

export async function setAside(
  session: Session,
  partition: PartitionRef,
  events: readonly SetAsideEvent[],
  now: number,
): Promise<void> {
  if (events.length === 0) return;
  const kept = events.slice(-maxWritten);
  await session.query(
    `insert into set_aside (at, partition_id, sequence_number, device_id, module_id, reason, detail, properties)
     select $1::int8, $2, sequence_number, device_id, module_id, reason, detail, properties::jsonb
       from unnest($3::int8[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
            as t(sequence_number, device_id, module_id, reason, detail, properties)`,
    [
      now,
      partition.partitionId,
      kept.map(({ event }) => event.sequenceNumber),
      kept.map(({ event }) => clean(event.annotations['iothub-connection-device-id'])),
      kept.map(({ event }) => clean(event.annotations['iothub-connection-module-id'])),
      kept.map(({ reason }) => reason),
      kept.map(({ detail }) => withoutNul(detail.slice(0, maxDetailLength))),
      kept.map(({ event }) => boundedJson(event.properties)),
    ],
  );
  await session.query('delete from set_aside where id <= (select max(id) from set_aside) - $1', [maxKept]);
  await session.query(
    `insert into set_aside_count as c (partition_id, reason, messages)
     select $1, reason, count(*) from unnest($2::text[]) as reason group by reason
     on conflict (partition_id, reason) do update set messages = c.messages + excluded.messages`,
    [partition.partitionId, events.map(({ reason }) => reason)],
  );
}

// PostgreSQL's text and jsonb cannot hold NUL.
const withoutNul = (text: string) => text.replaceAll('\0', '\ufffd');
const clean = (value: unknown) => (typeof value === 'string' ? withoutNul(value.slice(0, 128)) : null);

function boundedJson(properties: Readonly<Record<string, unknown>>): string {
  const json = JSON.stringify(properties, (_, value) => {
    if (typeof value === 'bigint') return String(value);
    return typeof value === 'string' ? withoutNul(value) : value;
  }).replaceAll('\\u0000', '\\ufffd');
  return json.length <= maxPropertiesLength ? json : JSON.stringify({ truncated: json.slice(0, 1000) });
}
