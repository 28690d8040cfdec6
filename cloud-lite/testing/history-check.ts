import { expect } from 'vitest';
import type { Database } from '../database/database.ts';
import { emptyDatabase, readLedger } from './databases.ts';
import { type History, liveThrough, moduleId } from './history.ts';
import { expectedLedger } from './oracle.ts';

/** Lives through `runs` histories, from `HOLDFAST_HISTORY_SEED` on, and compares each end with the oracle. */
export async function historiesEndRight(database: Database, runs: number) {
  const first = Number(process.env.HOLDFAST_HISTORY_SEED ?? 1);
  let crashes = 0;
  let messages = 0;
  for (let seed = first; seed < first + runs; seed++) {
    await emptyDatabase(database);
    const history = await liveThrough(database, seed).catch((error: unknown): History => {
      throw new Error(`history ${seed} failed; HOLDFAST_HISTORY_SEED=${seed} repeats it`, { cause: error });
    });
    expect(await readLedger(database), `seed ${seed}`).toEqual(expectedLedger(history.partitions, moduleId));
    expect(history.askedTwice, `seed ${seed}`).toEqual([]);
    crashes += history.crashes;
    messages += history.partitions.flat().length;
  }
  return { crashes, messages };
}
