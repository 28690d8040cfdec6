// The peer: a row a window, `insert .. on conflict do nothing`, and the offset, in one transaction a batch. It
// reads three properties and judges nothing: what any store of messages costs at the least. It knows no gaps.
import type { Database } from '../../../cloud-lite/database/database.ts';
import type { HubEvent } from '../../../cloud-lite/ingest/event-hub-client.ts';

export async function createBareTable(database: Database) {
  await database.script(
    `create table bare_window (device text, stream text, starts int8, ends int8, primary key (device, stream, starts, ends));
     create table bare_offset (partition_id text primary key, taken int8);`,
  );
  return (partitionId: string, events: readonly HubEvent[]) =>
    database.transaction(async (session) => {
      await session.query(
        `insert into bare_window select * from unnest($1::text[], $2::text[], $3::int8[], $4::int8[])
         on conflict do nothing`,
        [
          events.map(({ systemProperties }) => systemProperties?.['iothub-connection-device-id']),
          events.map(({ properties }) => properties?.batchId),
          events.map(({ properties }) => Date.parse(properties?.startWindow)),
          events.map(({ properties }) => Date.parse(properties?.endWindow)),
        ],
      );
      await session.query(
        `insert into bare_offset values ($1, $2) on conflict (partition_id) do update set taken = excluded.taken`,
        [partitionId, events[events.length - 1]!.sequenceNumber],
      );
    });
}
