// Arrivals for tests, in short form, straight into the ledger.
import type { VoidReason } from '../../wire/mini-batch.ts';
import type { IndexKind } from '../../wire/window.ts';
import type { Database } from '../database/database.ts';
import type { Arrival } from '../ledger/arrival.ts';
import { applyArrivals } from '../ledger/ledger.ts';
import { createStreamRegistry } from '../ledger/stream-registry.ts';

export interface ShortArrival {
  readonly start: number;
  readonly end: number;
  readonly device?: string;
  readonly stream?: string;
  readonly index?: IndexKind;
  readonly backfill?: boolean;
  readonly requestId?: string;
  readonly part?: readonly [k: number, n: number];
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
  const arrivals = list.map(arrivalOf);
  const known = await createStreamRegistry(database).resolve(arrivals, now);
  const resolved = arrivals.map((arrival) => {
    const { deviceId, moduleId, batchId } = arrival.stream;
    return { ...arrival, streamId: known.get(`${deviceId}\n${moduleId}\n${batchId}`)!.id };
  });
  await database.transaction((session) => applyArrivals(session, resolved, now, partitionId));
}

function arrivalOf(short: ShortArrival): Arrival {
  const { start, end, part } = short;
  return {
    stream: { deviceId: short.device ?? 'd', moduleId: 'm', batchId: short.stream ?? 's' },
    index: short.index ?? 'sequence',
    window: { start, end },
    isBackfill: short.backfill ?? short.requestId !== undefined,
    ...(short.requestId === undefined ? {} : { requestId: short.requestId }),
    content:
      short.void === undefined
        ? {
            kind: 'batch',
            readings: short.readings ?? 1,
            ...(part === undefined ? {} : { part: { k: part[0], n: part[1] } }),
          }
        : { kind: 'void', reason: short.void },
  };
}
