import { expect } from 'vitest';
import type { Database } from '../../database/database.ts';
import { emptyLedger } from '../../database/rebuild.ts';
import { type HistoryCounts, liveThrough } from './history.ts';

/** `HOLDFAST_HISTORY_RUNS`; the default is what fits into every run of the tests. */
export const historyRuns = Number(process.env.HOLDFAST_HISTORY_RUNS ?? 30);

/** One history in so many begins with a stream of so many breaks. */
const holedEvery = 100;
/** A run that fits into every run of the tests has fewer. */
const manyHoles = historyRuns < 1000 ? 1000 : 10_000;

/**
 * Lives through `historyRuns` histories, from the seed `HOLDFAST_HISTORY_SEED` on.
 * @throws Error that names the seed.
 */
export async function historiesEndRight(database: Database): Promise<void> {
  const first = Number(process.env.HOLDFAST_HISTORY_SEED ?? 1);
  const all: HistoryCounts[] = [];
  for (let seed = first; seed < first + historyRuns; seed++) {
    await emptyLedger(database);
    try {
      all.push(await liveThrough(database, seed, seed % holedEvery === 1 ? { holes: manyHoles } : {}));
    } catch (error) {
      const how = `history ${seed} went wrong; HOLDFAST_HISTORY_SEED=${seed} HOLDFAST_HISTORY_RUNS=1 repeats it`;
      throw new Error(`${how}: ${(error as Error).message}`, { cause: error });
    }
  }
  const happened = all.reduce(add);
  if (process.env.HOLDFAST_HISTORY_RUNS !== undefined) {
    process.stderr.write(`${historyRuns} histories on ${database.engine}: ${JSON.stringify(happened)}\n`);
  }
  // Otherwise the histories were too kind to show anything.
  if (historyRuns < 30) return;
  for (const [what, times] of Object.entries(happened)) expect(times, what).toBeGreaterThan(0);
}

function add(one: HistoryCounts, other: HistoryCounts): HistoryCounts {
  const names = Object.keys(one) as (keyof HistoryCounts)[];
  return Object.fromEntries(names.map((name) => [name, one[name] + other[name]])) as unknown as HistoryCounts;
}
