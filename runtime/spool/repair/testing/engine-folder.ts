// Folders of the engine with small segments, so that a few hundred batches have checkpoints, segments used again and
// values in many segments.
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Random, randomInt } from '../../../../kernel/random.ts';
import { openDiskFiles } from '../../engine/disk-files.ts';
import { openEngine } from '../../engine/engine.ts';
import { openLevelStore } from '../../engine/leveldb/level-store.ts';
import { defaultLimits } from '../../engine/limits.ts';
import { valuesFolder, walFolder } from '../../engine/open-engine.ts';
import type { BatchOp, Store } from '../../engine/store.ts';
import { idKey, journalKey, stateKey } from '../../format/keys.ts';
import { spoolKeySpaces } from '../../format/spool-engine.ts';
import { makeFolder } from '../../testing/folders.ts';

const limits = {
  ...defaultLimits,
  walSegmentBytes: 20_000,
  valueSegmentBytes: 15_000,
  checkpointBytes: 40_000,
};

export async function openSmallEngine(folder: string): Promise<Store> {
  mkdirSync(folder, { recursive: true });
  const index = await openLevelStore({ folder, writeBufferBytes: 64 * 1024 });
  const wal = await openDiskFiles(join(folder, walFolder));
  const values = await openDiskFiles(join(folder, valuesFolder));
  const { store, problem } = await openEngine({
    index,
    wal,
    values,
    spaces: spoolKeySpaces,
    limits: { ...limits, directValueBytes: 2000 },
  });
  if (problem !== undefined) throw new Error(problem);
  return store;
}

/** As the death of the process leaves it. */
export function copyOf(folder: string): string {
  const copy = join(makeFolder(), 'store');
  cpSync(folder, copy, { recursive: true });
  return copy;
}

/** Batches like the spool's: messages large and small, pointers, a journal that ends, the state. */
export async function writeBatches(store: Store, random: Random, count: number): Promise<void> {
  let [id, sequence, oldest, journal] = [1, 1, 1, 1];
  for (let n = 0; n < count; n++) {
    const ops: BatchOp[] = [];
    const put = (key: Uint8Array, bytes: number) => {
      const value = Buffer.alloc(1 + randomInt(random, bytes), randomInt(random, 256));
      value[0] = 1;
      ops.push({ type: 'put', key, value });
    };
    for (let more = randomInt(random, 3); more > 0; more--) {
      put(idKey('r', id), random.next() < 0.3 ? 100 : 3000);
      put(idKey('u', id++), 10);
    }
    put(journalKey(1 + (n % 3), sequence++), 300);
    if (random.next() < 0.2) {
      for (; journal < sequence - 3; journal++) {
        for (const stream of [1, 2, 3]) ops.push({ type: 'del', key: journalKey(stream, journal) });
      }
    }
    if (random.next() < 0.3 && oldest < id - 5) {
      ops.push({ type: 'del', key: idKey('r', oldest) }, { type: 'del', key: idKey('u', oldest++) });
    }
    put(stateKey, 30);
    await store.batch(ops, { sync: random.next() < 0.5 });
  }
}
