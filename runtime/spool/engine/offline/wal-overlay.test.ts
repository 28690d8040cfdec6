// Two readers of one format: what a stopped store shows to who looks, and what the module finds after its replay.
import { expect, it } from 'vitest';
import { randomInt, seededRandom } from '../../../../kernel/random.ts';
import { decodeDurable, durableKey } from '../state.ts';
import type { BatchOp } from '../store.ts';
import { MemoryDisk } from '../testing/memory-engine.ts';
import {
  del,
  hotKey,
  largeKey,
  largeValue,
  plainKey,
  put,
  testSpaces,
  walKey,
} from '../testing/test-engine.ts';
import { valueSegmentName } from '../value-log.ts';
import { decodeValuePointer, valueHeadBytes } from '../value-record.ts';
import { walOverlayOf } from './wal-overlay.ts';

async function killedAfterWork(seed: number): Promise<MemoryDisk> {
  const random = seededRandom(seed);
  const disk = new MemoryDisk({ checkpointBytes: 3000 + randomInt(random, 8000), directValueBytes: 1500 });
  const { store } = await disk.open();
  let counter = 0;
  for (let batches = 20 + randomInt(random, 60); batches > 0; batches--) {
    const ops: BatchOp[] = [put(hotKey, `state ${batches}`)];
    for (let more = 1 + randomInt(random, 4); more > 0; more--) {
      const id = randomInt(random, 12);
      const choice = random.next();
      if (choice < 0.3) ops.push(put(largeKey(id), largeValue(id + batches, 100 + randomInt(random, 900))));
      else if (choice < 0.45) ops.push(del(largeKey(id)));
      else if (choice < 0.7) ops.push(put(walKey(id % 3, counter++), `journal ${counter}`));
      else if (choice < 0.8) ops.push(del(walKey(id % 3, Math.max(0, counter - 1 - randomInt(random, 5)))));
      else ops.push(random.next() < 0.7 ? put(plainKey(`${id}`), `${batches}`) : del(plainKey(`${id}`)));
    }
    await store.batch(ops, { sync: random.next() < 0.6 });
  }
  return disk.killed();
}

const shown = (entries: Iterable<{ key: Uint8Array; value: Uint8Array }>) =>
  [...entries].map(
    ({ key, value }) => `${Buffer.from(key).toString('hex')} ${Buffer.from(value).toString('hex')}`,
  );

it.each(Array.from({ length: 40 }, (_, seed) => seed))(
  'the log laid over the index is what an opening finds (seed %i)',
  async (seed) => {
    const disk = await killedAfterWork(seed);
    const files = [...disk.wal.contents].map(([name, bytes]) => ({ name, bytes }));
    const durable = decodeDurable(await disk.index.get(durableKey));
    const { entries, losses, wentBack } = walOverlayOf(files, durable, testSpaces);
    expect([losses, wentBack]).toEqual([[], undefined]);
    const found = new Map<string, { key: Uint8Array; value: Uint8Array }>();
    const nameOf = (key: Uint8Array) => Buffer.from(key).toString('latin1');
    for (const entry of disk.index.entries)
      if (!durableKey.equals(entry.key)) found.set(nameOf(entry.key), entry);
    for (const { key, value, separated } of entries) {
      if (value === undefined) found.delete(nameOf(key));
      else found.set(nameOf(key), { key, value: separated ?? value });
    }
    const looked = [...found.values()].map(({ key, value }) => {
      const pointer = decodeValuePointer(key, value);
      if (pointer === undefined) return { key, value };
      const from = pointer.offset + valueHeadBytes(key);
      const segment = disk.values.contents.get(valueSegmentName(pointer.segment))!;
      return { key, value: segment.subarray(from, from + pointer.length) };
    });
    looked.sort((a, b) => Buffer.compare(a.key, b.key));
    const { store, problem } = await disk.open();
    expect(problem).toBeUndefined();
    const opened = await store.range({ gte: Buffer.of(0), lt: Buffer.of(255), limit: 10_000 });
    expect(shown(looked)).toEqual(shown(opened));
    expect(opened.length).toBeGreaterThan(3);
  },
);
