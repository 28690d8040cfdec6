// Arrivals for tests, in short form, straight into the ledger.
import type { VoidReason } from '../../wire/mini-batch.ts';
import type { IndexKind } from '../../wire/window.ts';
import type { Database } from '../database/database.ts';
import type { Arrival } from '../ledger/arrival.ts';
import { applyArrivals } from '../ledger/ledger.ts';
import { createStreamRegistry } from '../ledger/stream-registry.ts';
import { listStreams, type StreamView } from '../ledger/streams.ts';

export interface ShortArrival {
  readonly start: number;
  readonly end: number;
  readonly device?: string;
  readonly module?: string;
  readonly stream?: string;
  readonly index?: IndexKind;
  readonly backfill?: boolean;
  readonly requestId?: string;
  readonly part?: readonly [k: number, n: number, set?: string];
  /** Its number, where it is late; `start` and `end` mean nothing then. */
  readonly late?: number;
  readonly lateThrough?: number;
  readonly void?: VoidReason;
  readonly readings?: number;
}

/** Adds arrivals in one transaction, at `now`. By default from a partition of which nothing is known. */
export async function arrive(
  database: Database,
  list: readonly ShortArrival[],
  now = 0,
  partitionId = '',
): Promise<void> {
  const arrivals = list.map((short) => arrivalOf(short, now));
  const known = await createStreamRegistry(database).resolve(arrivals, now);
  const resolved = arrivals.map((arrival) => {
    const countId = known.countOf(arrival);
    return { ...arrival, streamId: known.of(arrival).id, ...(countId === undefined ? {} : { countId }) };
  });
  await database.transaction((session) => applyArrivals(session, resolved, now, partitionId));
}

/** Adds batches, a transaction each, and reads the first stream. */
export async function streamAfter(
  database: Database,
  ...batches: readonly (readonly ShortArrival[])[]
): Promise<StreamView> {
  for (const batch of batches) await arrive(database, batch);
  return (await listStreams(database, { limit: 10 }))[0]!;
}

function arrivalOf(short: ShortArrival, heardAt: number): Arrival {
  return {
    stream: { deviceId: short.device ?? 'd', moduleId: short.module ?? 'm', batchId: short.stream ?? 's' },
    index: short.index ?? 'sequence',
    isBackfill: short.backfill ?? (short.requestId !== undefined || short.late !== undefined),
    heardAt,
    ...(short.requestId === undefined ? {} : { requestId: short.requestId }),
    ...(short.lateThrough === undefined ? {} : { lateThrough: { series: '', number: short.lateThrough } }),
    content: contentOf(short),
  };
}

function contentOf(short: ShortArrival): Arrival['content'] {
  const { start, end, part, late } = short;
  const window = { start, end };
  if (short.void !== undefined) {
    if (late === undefined) return { kind: 'void', window, reason: short.void };
    return { kind: 'late-void', late: { series: '', first: late, last: late }, reason: short.void };
  }
  const [k, n, set] = part ?? [1, 1];
  const batch = {
    readings: short.readings ?? 1,
    ...(part === undefined ? {} : { part: { k, n, ...(set === undefined ? {} : { set }) } }),
  };
  return late === undefined
    ? { kind: 'batch', window, ...batch }
    : { kind: 'late', late: { series: '', number: late }, ...batch };
}
