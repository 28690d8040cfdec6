// Finds the database's ids of a stream and of its counts of late windows, making a row for what is new.
import { HoldfastError } from '../../kernel/errors.ts';
import type { IndexKind } from '../../wire/window.ts';
import type { Session } from '../database/database.ts';
import { type Arrival, type StreamKey, seriesOf, streamKeyText } from './arrival.ts';

export interface KnownStream {
  readonly id: number;
  readonly index: IndexKind;
}

export interface KnownStreams {
  /** Of each arrival that was given to `resolve`. */
  of(arrival: Arrival): KnownStream;
  /** The count that its late numbers are of; undefined where it names none. */
  countOf(arrival: Arrival): number | undefined;
}

export interface StreamRegistry {
  /**
   * New streams and counts get their row here, outside of the transaction that adds arrivals: if that one fails the row
   * stays, empty, and nothing but its id is remembered of it. Housekeeping deletes rows that stay empty.
   */
  resolve(arrivals: readonly Arrival[], now: number): Promise<KnownStreams>;
  /** Drops what is remembered, after `ledger-stream-gone`. */
  forget(): void;
}

/** What was remembered of a stream is out of date: given again, its messages find or make its row anew. */
export function streamGone(): HoldfastError {
  const message = 'a stream was deleted while its messages arrived';
  return new HoldfastError('ledger-stream-gone', message, { retryable: true });
}

/** Beyond this many streams the memory starts over: about 30 MB. */
const maxRemembered = 200_000;

export function createStreamRegistry(session: Session): StreamRegistry {
  const streams = new Map<string, KnownStream>();
  const counts = new Map<string, number>();
  return {
    async resolve(arrivals, now) {
      // What orders a stream, the first of its messages that is taken says: sort.ts.
      const known = await complete(
        streams,
        arrivals,
        ({ stream }) => streamKeyText(stream),
        (unknown) => findOrMakeStreams(session, unknown, now),
      );
      const counting = arrivals.filter((arrival) => seriesOf(arrival) !== undefined);
      const knownCounts = await complete(counts, counting, countKeyText, (unknown) =>
        findOrMakeCounts(
          session,
          unknown.map((arrival) => ({ arrival, of: known.get(streamKeyText(arrival.stream))!.id })),
          now,
        ),
      );
      return {
        of: ({ stream }) => known.get(streamKeyText(stream))!,
        countOf: (arrival) => knownCounts.get(countKeyText(arrival)),
      };
    },
    forget() {
      streams.clear();
      counts.clear();
    },
  };
}

const countKeyText = (arrival: Arrival) => `${streamKeyText(arrival.stream)}\n${seriesOf(arrival)}`;

/** The cached entries of `arrivals`; `find` looks up the rest, which is then cached. */
async function complete<T>(
  remembered: Map<string, T>,
  arrivals: readonly Arrival[],
  keyOf: (arrival: Arrival) => string,
  find: (unknown: readonly Arrival[]) => Promise<readonly (readonly [key: string, found: T])[]>,
): Promise<ReadonlyMap<string, T>> {
  const known = new Map<string, T>();
  const unknown = new Map<string, Arrival>();
  for (const arrival of arrivals) {
    const key = keyOf(arrival);
    const found = remembered.get(key);
    if (found !== undefined) known.set(key, found);
    else if (!unknown.has(key)) unknown.set(key, arrival);
  }
  if (unknown.size === 0) return known;
  for (const [key, found] of await find([...unknown.values()])) {
    if (remembered.size >= maxRemembered) remembered.clear();
    remembered.set(key, found);
    known.set(key, found);
  }
  return known;
}

async function findOrMakeStreams(session: Session, list: readonly Arrival[], now: number) {
  const params = [
    list.map((arrival) => arrival.stream.deviceId),
    list.map((arrival) => arrival.stream.moduleId),
    list.map((arrival) => arrival.stream.batchId),
  ];
  await session.query(
    `insert into stream (device_id, module_id, batch_id, index_kind, created_at, last_arrival_at)
     select *, $5::int8, $5::int8 from unnest($1::text[], $2::text[], $3::text[], $4::text[])
     on conflict do nothing`,
    [...params, list.map((arrival) => arrival.index), now],
  );
  const rows = await session.query<{
    id: number;
    device_id: string;
    module_id: string;
    batch_id: string;
    index_kind: IndexKind;
  }>(
    `select s.id, s.device_id, s.module_id, s.batch_id, s.index_kind from stream s
       join unnest($1::text[], $2::text[], $3::text[]) as t(d, m, b)
         on s.device_id = t.d and s.module_id = t.m and s.batch_id = t.b
      where s.late_of is null`,
    params,
  );
  return rows.map((row) => {
    const key: StreamKey = { deviceId: row.device_id, moduleId: row.module_id, batchId: row.batch_id };
    return [streamKeyText(key), { id: row.id, index: row.index_kind }] as const;
  });
}

async function findOrMakeCounts(
  session: Session,
  list: readonly { readonly arrival: Arrival; readonly of: number }[],
  now: number,
) {
  const params = [list.map(({ of }) => of), list.map(({ arrival }) => seriesOf(arrival)!)];
  await session.query(
    `insert into stream (device_id, module_id, batch_id, index_kind, created_at, last_arrival_at, late_of, late_series)
     select s.device_id, s.module_id, s.batch_id, 'sequence', $3::int8, $3::int8, s.id, t.series
       from unnest($1::int8[], $2::text[]) as t(id, series) join stream s on s.id = t.id
     on conflict do nothing`,
    [...params, now],
  );
  const rows = await session.query<{ id: number; late_of: number; late_series: string }>(
    `select c.id, c.late_of, c.late_series from stream c
       join unnest($1::int8[], $2::text[]) as t(id, series) on c.late_of = t.id and c.late_series = t.series`,
    params,
  );
  return rows.map(({ id, late_of, late_series }) => {
    const { arrival } = list.find((one) => one.of === late_of && seriesOf(one.arrival) === late_series)!;
    return [countKeyText(arrival), id] as const;
  });
}
