// The model: a sorted map. Whatever is flushed when, and wherever a range begins and ends, reads see the same.
import { describe, expect, it } from 'vitest';
import { randomInt, seededRandom } from '../../../kernel/random.ts';
import { Memtable } from './memtable.ts';
import type { BatchOp } from './store.ts';
import { MemoryIndex } from './testing/memory-engine.ts';
import { del, hotKey, plainKey, put, testSpaces } from './testing/test-engine.ts';

const text = (value: Uint8Array | undefined) => value && Buffer.from(value).toString();

describe('the memtable', () => {
  it('reads as if all of it were in the index, forwards and backwards', async () => {
    const random = seededRandom(5);
    const table = new Memtable(new MemoryIndex(), testSpaces);
    const model = new Map<string, string>();
    for (let round = 0; round < 400; round++) {
      const ops = Array.from({ length: 1 + randomInt(random, 4) }, (_, n): BatchOp => {
        const key = plainKey(String(randomInt(random, 30)).padStart(2, '0'));
        if (random.next() < 0.3) return del(key);
        return put(key, `${round}.${n}`);
      });
      table.add(ops);
      for (const op of ops) {
        if (op.type === 'put') model.set(text(op.key)!, text(op.value)!);
        else model.delete(text(op.key)!);
      }
      if (random.next() < 0.2) await table.flush([]);
      const [from, to] = [randomInt(random, 30), randomInt(random, 31)].sort((a, b) => a - b);
      const bounds = [from!, to!].map((n) => `p${String(n).padStart(2, '0')}`);
      const [limit, reverse] = [1 + randomInt(random, 12), random.next() < 0.5];
      const expected = [...model.entries()]
        .filter(([key]) => key >= bounds[0]! && key < bounds[1]!)
        .sort(([a], [b]) => (a < b ? -1 : 1));
      const wanted = (reverse ? expected.reverse() : expected).slice(0, limit);
      const range = { gte: Buffer.from(bounds[0]!), lt: Buffer.from(bounds[1]!), limit, reverse };
      const found = await table.range(range);
      expect(found.map(({ key, value }) => [text(key), text(value)])).toEqual(wanted);
      const keys = [...model.keys(), 'p99'];
      const values = await table.getMany(keys.map((key) => Buffer.from(key)));
      expect(values.map(text)).toEqual([...model.values(), undefined]);
    }
  });

  it('gives the index nothing before a flush, and then everything in one batch', async () => {
    const index = new MemoryIndex();
    const table = new Memtable(index, testSpaces);
    table.add([put(plainKey('a'), '1'), del(plainKey('a')), put(plainKey('b'), '2')]);
    expect(index.unsyncedBatches).toBe(0);
    await table.flush([put(plainKey('c'), '3')]);
    expect(index.unsyncedBatches).toBe(1);
    expect(index.entries.map(({ key }) => text(key))).toEqual(['pb', 'pc']);
    expect(table.bytes).toBe(0);
  });

  it('writes a value that changes with every batch only once, and never for its own sake', async () => {
    const index = new MemoryIndex();
    const table = new Memtable(index, testSpaces);
    for (let n = 0; n < 100; n++) table.add([put(hotKey, String(n))]);
    expect(table.bytes).toBe(0);
    expect(text(await table.get(hotKey))).toBe('99');
    const written: number[] = [];
    const batch = index.batch.bind(index);
    index.batch = (ops, options) => {
      written.push(ops.length);
      return batch(ops, options);
    };
    table.add([put(plainKey('a'), '1')]);
    await table.flush([]);
    expect(written).toEqual([2]);
    expect(text(await table.get(hotKey))).toBe('99');
  });

  it('that could not be flushed still has all of it', async () => {
    const index = new MemoryIndex();
    const table = new Memtable(index, testSpaces);
    table.add([put(plainKey('a'), '1')]);
    index.faults.failBatches = { count: 1, apply: false };
    await expect(table.flush([])).rejects.toMatchObject({ code: 'store-write-failed' });
    expect(text(await table.get(plainKey('a')))).toBe('1');
    await index.reopen();
    await table.flush([]);
    expect(index.entries).toHaveLength(1);
  });
});
