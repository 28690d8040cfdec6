// Reads the tables of a large index through, beside the module's work. LevelDB does not check the sums of what it reads: of a
// damaged block it may show less than there was, without an error. A small index is read through before it is opened; for a
// large one that would hold up the start.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, sleep } from '../../../kernel/clock.ts';
import { LevelTable, TablePool } from '../engine/leveldb/level-table.ts';
import { TimeSlice } from './time-slice.ts';

// Behind each 5 ms of work: so it takes a fifth of a processor at most, and some 20 MB a second.
const pauseMs = 20;
// What keeps a file from being read without anything being wrong with it.
const notDamage = /\((EACCES|EPERM|EMFILE|ENFILE|ENOMEM)\)/;

/**
 * What is wrong with the tables that are there now; undefined where nothing is. Tables that LevelDB removes meanwhile do not
 * count. @throws the signal's reason.
 */
export async function checkTables(
  folder: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<string | undefined> {
  const pool = new TablePool(1);
  const slice = new TimeSlice(clock);
  try {
    for (const name of readdirSync(folder).filter((each) => /^\d+\.(ldb|sst)$/.test(each))) {
      const path = join(folder, name);
      const bad: string[] = [];
      const table = new LevelTable(path, pool, {}, ({ offset, length, reason }) => {
        if (!notDamage.test(reason)) bad.push(`${reason} (${length} bytes at byte ${offset})`);
      });
      for (const _ of table.checkSteps()) {
        if (!slice.isDue) continue;
        await sleep(clock, pauseMs, signal);
        await slice.pause();
      }
      if (bad.length > 0 && existsSync(path)) return `${name}: ${bad.slice(0, 3).join('; ')}`;
    }
    return undefined;
  } finally {
    pool.close();
  }
}
