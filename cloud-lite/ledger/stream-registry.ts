// Finds the database's id of a stream, making a row for a new one.
import type { IndexKind } from '../../wire/window.ts';
import type { Database } from '../database/database.ts';
import { type Arrival, type StreamKey, streamKeyText } from './arrival.ts';

export interface KnownStream {
  readonly id: number;
  readonly index: IndexKind;
}

export interface StreamRegistry {
  /**
   * Ids by `streamKeyText`. New streams get their row here, outside of the transaction that adds arrivals:
   * if that one fails the row stays, empty, and nothing but its id is remembered of it.
   */
  resolve(arrivals: readonly Arrival[], now: number): Promise<ReadonlyMap<string, KnownStream>>;
  /** Drops what is remembered, after `ledger-stream-gone`. */
  forget(): void;
}

/** Beyond this many streams the memory starts over: about 30 MB. */
const maxRemembered = 200_000;

export function createStreamRegistry(database: Database): StreamRegistry {
  const remembered = new Map<string, KnownStream>();
  return {
    async resolve(arrivals, now) {
      const known = new Map<string, KnownStream>();
      const unknown = new Map<string, Arrival>();
      for (const arrival of arrivals) {
        const text = streamKeyText(arrival.stream);
        const stream = remembered.get(text);
        if (stream !== undefined) known.set(text, stream);
        // The first message of a stream says what orders it.
        else if (!unknown.has(text)) unknown.set(text, arrival);
      }
      if (unknown.size === 0) return known;
      for (const { key, stream } of await findOrMake(database, [...unknown.values()], now)) {
        if (remembered.size >= maxRemembered) remembered.clear();
        remembered.set(streamKeyText(key), stream);
        known.set(streamKeyText(key), stream);
      }
      return known;
    },
    forget: () => remembered.clear(),
  };
}

async function findOrMake(database: Database, list: readonly Arrival[], now: number) {
  const params = [
    list.map((arrival) => arrival.stream.deviceId),
    list.map((arrival) => arrival.stream.moduleId),
    list.map((arrival) => arrival.stream.batchId),
  ];
  await database.query(
    `insert into stream (device_id, module_id, batch_id, index_kind, created_at, last_arrival_at)
     select *, $5::int8, $5::int8 from unnest($1::text[], $2::text[], $3::text[], $4::text[])
     on conflict do nothing`,
    [...params, list.map((arrival) => arrival.index), now],
  );
  const rows = await database.query<{
    id: number;
    device_id: string;
    module_id: string;
    batch_id: string;
    index_kind: IndexKind;
  }>(
    `select s.id, s.device_id, s.module_id, s.batch_id, s.index_kind from stream s
       join unnest($1::text[], $2::text[], $3::text[]) as t(d, m, b)
         on s.device_id = t.d and s.module_id = t.m and s.batch_id = t.b`,
    params,
  );
  return rows.map((row) => ({
    key: { deviceId: row.device_id, moduleId: row.module_id, batchId: row.batch_id } satisfies StreamKey,
    stream: { id: row.id, index: row.index_kind },
  }));
}
