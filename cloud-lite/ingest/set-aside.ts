// Messages that the ledger does not accept: all are counted, the newest kept for a person to look at.
import { describeError } from '../../kernel/errors.ts';
import { cutText } from '../../kernel/text.ts';
import type { Window } from '../../wire/window.ts';
import type { Session } from '../database/database.ts';
import type { SetAsideReason } from './classify.ts';
import type { PartitionRef, ReceivedEvent } from './event-source.ts';
import { type AsideOf, noteSources } from './set-aside-source.ts';

export interface SetAsideEvent {
  readonly event: ReceivedEvent;
  readonly reason: SetAsideReason;
  readonly detail: string;
  /** The stream that the message names, where the name is valid. */
  readonly stream?: { readonly id: number; readonly batchId: string };
  /** The window that it claims, where that is known. */
  readonly window?: Window;
}

/** Rows kept. */
const maxKept = 1000;
const maxDetailLength = 500;
const maxIdentityLength = 128;
const maxPropertiesLength = 4096;

export async function setAside(
  session: Session,
  partition: PartitionRef,
  events: readonly SetAsideEvent[],
  now: number,
): Promise<void> {
  if (events.length === 0) return;
  const kept = events.slice(-maxKept);
  await session.query(
    `insert into set_aside (at, partition_id, sequence_number, device_id, module_id, reason, detail, properties,
                            stream_id, enqueued_at)
     select $1::int8, $2, sequence_number, device_id, module_id, reason, detail, properties, stream_id,
            enqueued_at
       from unnest($3::int8[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::int8[], $10::int8[])
            as t(sequence_number, device_id, module_id, reason, detail, properties, stream_id, enqueued_at)`,
    [
      now,
      partition.partitionId,
      kept.map(({ event }) => event.sequenceNumber),
      kept.map(({ event }) => clean(event.annotations['iothub-connection-device-id'])),
      kept.map(({ event }) => clean(event.annotations['iothub-connection-module-id'])),
      kept.map(({ reason }) => reason),
      kept.map(({ detail }) => cutText(detail, maxDetailLength)),
      kept.map(({ event }) => shown(event.properties)),
      kept.map(({ stream }) => stream?.id ?? null),
      kept.map(({ event }) => event.enqueuedAt),
    ],
  );
  await session.query('delete from set_aside where id <= (select max(id) from set_aside) - $1', [maxKept]);
  await countSetAside(
    session,
    partition,
    events.map(({ reason }) => reason),
  );
  await noteSources(session, events.map(sourceOf), now);
}

/** Counts alone: nothing that a message holds is written. */
export async function countSetAside(
  session: Session,
  partition: PartitionRef,
  reasons: readonly SetAsideReason[],
): Promise<void> {
  await session.query(
    `insert into set_aside_count as c (partition_id, reason, messages)
     select $1, reason, count(*) from unnest($2::text[]) as reason group by reason
     on conflict (partition_id, reason) do update set messages = c.messages + excluded.messages`,
    [partition.partitionId, reasons],
  );
}

function sourceOf({ event, reason, detail, stream, window }: SetAsideEvent): AsideOf {
  return {
    deviceId: clean(event.annotations['iothub-connection-device-id']) ?? '',
    moduleId: clean(event.annotations['iothub-connection-module-id']) ?? '',
    batchId: stream?.batchId ?? '',
    ...(stream === undefined ? {} : { streamId: stream.id }),
    reason,
    detail: cutText(detail, maxDetailLength),
    ...(window === undefined ? {} : { window }),
  };
}

const clean = (value: unknown) => (typeof value === 'string' ? cutText(value, maxIdentityLength) : null);

/** Properties as JSON, for a person to look at; whatever they are, text comes of it. */
function shown(properties: unknown): string {
  try {
    const json = JSON.stringify(properties, (_, value) =>
      typeof value === 'bigint' ? String(value) : value,
    );
    return json.length <= maxPropertiesLength
      ? json.toWellFormed()
      : `${cutText(json, maxPropertiesLength)}...`;
  } catch (error) {
    return `not shown: ${cutText(describeError(error), maxDetailLength)}`;
  }
}
