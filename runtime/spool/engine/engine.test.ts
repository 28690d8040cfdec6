// The engine on a real disk: its contract, and what its files look like as it goes along.
import {
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { openLevelStore } from './leveldb/level-store.ts';
import { openEngineFolder } from './open-engine.ts';
import type { Store } from './store.ts';
import { describeStore } from './testing/store-contract.ts';
import {
  closeEngines,
  crashCopy,
  del,
  filesIn,
  hotKey,
  largeKey,
  largeValue,
  newFolder,
  openTestEngine,
  plainKey,
  put,
  putLarge,
  removeFolders,
  smallLimits,
  testSpaces,
  walKey,
} from './testing/test-engine.ts';

afterEach(closeEngines);
afterAll(removeFolders);

describeStore('the engine', async () => {
  const folder = newFolder();
  const open = async () => (await openEngineFolder({ folder, spaces: testSpaces })).store;
  return {
    open,
    async restart(store) {
      await store.close();
      return open();
    },
  };
});

const walValue = (counter: number) => `${counter} ${'x'.repeat(300)}`;
const putWal = (group: number, counter: number) => put(walKey(group, counter), walValue(counter));
const text = (value: Uint8Array | undefined) => value && Buffer.from(value).toString();

async function countersIn(store: Store, group: number): Promise<number[]> {
  const range = { gte: walKey(group, 0), lt: walKey(group + 1, 0), limit: 10_000 };
  return (await store.range(range)).map(({ value }) => Number(text(value)!.split(' ')[0]));
}

describe('the write-ahead log', () => {
  it('uses its segments again, however long the store runs, and never one with a value that counts', async () => {
    const folder = newFolder();
    const { store } = await openTestEngine(folder);
    await store.batch([putWal(7, 0), putWal(7, 1)], { sync: true });
    for (let n = 0; n < 300; n++) {
      const ops = [putWal(1, n), put(hotKey, `state ${n}`)];
      if (n % 10 === 9) for (let old = n - 9; old <= n; old++) ops.push(del(walKey(1, old)));
      await store.batch(ops, { sync: true });
    }
    // 100 KB of records went through it.
    expect(filesIn(folder, 'wal').length).toBeLessThanOrEqual(6);
    expect(await countersIn(store, 7)).toEqual([0, 1]);
    expect(await countersIn(store, 1)).toEqual([]);
    expect(text(await store.get(hotKey))).toBe('state 299');
    const { store: killed, problem } = await openTestEngine(crashCopy(folder));
    expect(problem).toBeUndefined();
    expect(await countersIn(killed, 7)).toEqual([0, 1]);
    expect(await countersIn(killed, 1)).toEqual([]);
    expect(text(await killed.get(hotKey))).toBe('state 299');
  });

  it('brings the index up to date after a kill, values and deletions', async () => {
    const folder = newFolder();
    const { store } = await openTestEngine(folder, { ...smallLimits, checkpointBytes: 1e9 });
    await store.batch([putLarge(1), putLarge(2, 100), putLarge(3)], { sync: true });
    await store.batch([del(largeKey(3))], { sync: false });
    const copy = crashCopy(folder);
    // What the index had is gone, all of it: nothing of it was ever synced.
    for (const name of readdirSync(copy)) if (/^\d+\.log$/.test(name)) truncateSync(join(copy, name), 0);
    const { store: again, problem } = await openTestEngine(copy);
    expect(problem).toBeUndefined();
    expect(await again.get(largeKey(1))).toEqual(largeValue(1));
    expect(await again.get(largeKey(2))).toEqual(largeValue(2, 100));
    expect(await again.get(largeKey(3))).toBeUndefined();
  });

  it('writes values again that the disk did not have, when they went through it', async () => {
    const folder = newFolder();
    const { store } = await openTestEngine(folder);
    await store.batch([putLarge(1), putLarge(2)], { sync: true });
    const copy = crashCopy(folder);
    rmSync(join(copy, 'values'), { recursive: true });
    const { store: again, problem } = await openTestEngine(copy);
    expect(problem).toBeUndefined();
    expect(await again.get(largeKey(2))).toEqual(largeValue(2));
  });

  it('that lost its end is shown by the index, and the store goes on', async () => {
    const folder = newFolder();
    const { store } = await openTestEngine(folder, { ...smallLimits, directValueBytes: 1 });
    for (let n = 1; n <= 5; n++) await store.batch([putLarge(n)], { sync: true });
    await store.batch([putWal(1, 0)], { sync: true });
    const copy = crashCopy(folder);
    for (const name of filesIn(copy, 'wal')) truncateSync(join(copy, 'wal', name), 0);
    const { store: again, problem } = await openTestEngine(copy);
    expect(problem).toMatch(/the end of the write-ahead log is missing/);
    expect(await again.get(largeKey(5))).toEqual(largeValue(5));
    await again.batch([putLarge(6)], { sync: true });
    await again.close();
    expect((await openTestEngine(copy)).problem).toBeUndefined();
  });
});

describe('key spaces', () => {
  it('are read as one ordered store, forwards and backwards, wherever their values are', async () => {
    const { store } = await openTestEngine(newFolder());
    await store.batch([putLarge(1), putWal(1, 5), put(plainKey('a'), 'a'), put(hotKey, 'h')], { sync: true });
    await store.batch([putLarge(2), putWal(1, 6), put(plainKey('b'), 'b')], { sync: false });
    const keys = [largeKey(1), largeKey(2), walKey(1, 5), walKey(1, 6), hotKey, plainKey('a'), plainKey('b')];
    const all = { gte: Buffer.of(0), lt: Buffer.of(255), limit: 100 };
    expect((await store.range(all)).map(({ key }) => Buffer.from(key))).toEqual(keys);
    const backwards = await store.range({ ...all, reverse: true });
    expect(backwards.map(({ key }) => Buffer.from(key))).toEqual(keys.toReversed());
    for (let limit = 1; limit <= keys.length; limit++) {
      const some = await store.range({ ...all, limit, reverse: true, keysOnly: true });
      expect(some.map(({ key }) => Buffer.from(key))).toEqual(keys.toReversed().slice(0, limit));
    }
    const values = await store.getMany([walKey(1, 6), largeKey(2), hotKey, plainKey('none')]);
    expect(values.map((value) => value?.byteLength)).toEqual([302, 1000, 1, undefined]);
  });

  it('leave a key of another length in the index', async () => {
    const folder = newFolder();
    const { store } = await openTestEngine(folder);
    const odd = [Buffer.from('L1'), Buffer.from('W1'), Buffer.from('hotter')];
    await store.batch(
      odd.map((key) => put(key, 'v'.repeat(500))),
      { sync: true },
    );
    await store.close();
    const index = await openLevelStore({ folder });
    for (const key of odd) expect((await index.get(key))?.byteLength).toBe(500);
    await index.close();
  });
});

describe('the value log', () => {
  it('has the large values, and the index pointers to them', async () => {
    const folder = newFolder();
    const { store } = await openTestEngine(folder, { ...smallLimits, directValueBytes: 4000 });
    await store.batch([putLarge(1), putLarge(2), putLarge(3), putLarge(4)], { sync: true });
    await store.batch([putLarge(5), putLarge(6, 255)], { sync: false });
    expect(await store.get(largeKey(4))).toEqual(largeValue(4));
    expect(await store.getMany([largeKey(5), largeKey(6)])).toEqual([largeValue(5), largeValue(6, 255)]);
    const page = await store.range({ gte: largeKey(2), lt: largeKey(9), limit: 9, maxBytes: 1500 });
    expect(page.map(({ value }) => value.byteLength)).toEqual([1000, 1000]);
    await store.close();
    const index = await openLevelStore({ folder });
    expect((await index.get(largeKey(1)))?.byteLength).toBe(17);
    expect((await index.get(largeKey(6)))?.byteLength).toBe(255);
    await index.close();
  });

  it('removes a segment once all in it is deleted, and not before that is on the disk', async () => {
    const folder = newFolder();
    const { store } = await openTestEngine(folder);
    for (let n = 1; n <= 12; n++) await store.batch([putLarge(n)], { sync: true });
    const [first] = filesIn(folder, 'values');
    await store.batch(
      [1, 2, 3, 4, 5].map((n) => del(largeKey(n))),
      { sync: false },
    );
    expect(existsSync(join(folder, 'values', first!))).toBe(true);
    await store.batch([putLarge(13)], { sync: true });
    expect(existsSync(join(folder, 'values', first!))).toBe(false);
    expect(await store.get(largeKey(6))).toEqual(largeValue(6));
  });

  it('keeps a segment as long as one value in it is referenced, though a value was written twice in one batch', async () => {
    const folder = newFolder();
    const { store } = await openTestEngine(folder);
    await store.batch([putLarge(1), putLarge(1, 900), del(largeKey(2)), putLarge(3)], { sync: true });
    await store.batch([del(largeKey(3)), del(largeKey(3))], { sync: true });
    for (let n = 4; n <= 12; n++) await store.batch([putLarge(n)], { sync: true });
    expect(await store.get(largeKey(1))).toEqual(largeValue(1, 900));
    const { store: again, problem } = await openTestEngine(crashCopy(folder));
    expect(problem).toBeUndefined();
    expect(await again.get(largeKey(1))).toEqual(largeValue(1, 900));
    expect(await again.get(largeKey(3))).toBeUndefined();
  });

  it('rewrites segments that are mostly garbage, so that their space comes back', async () => {
    const folder = newFolder();
    const { store } = await openTestEngine(folder);
    for (let n = 1; n <= 60; n++) await store.batch([putLarge(n)], { sync: true });
    const before = filesIn(folder, 'values').length;
    const kept = [3, 17, 31, 44, 58];
    const ops = Array.from({ length: 60 }, (_, n) => n + 1)
      .filter((n) => !kept.includes(n))
      .map((n) => del(largeKey(n)));
    await store.batch(ops, { sync: true });
    for (let n = 0; n < 20; n++) await store.collectGarbage();
    expect(before).toBeGreaterThan(10);
    expect(filesIn(folder, 'values').length).toBeLessThanOrEqual(5);
    for (const n of kept) expect(await store.get(largeKey(n))).toEqual(largeValue(n));
    const { store: again, problem } = await openTestEngine(crashCopy(folder));
    expect(problem).toBeUndefined();
    for (const n of kept) expect(await again.get(largeKey(n))).toEqual(largeValue(n));
  });

  it('is rid of orphans at the next start: segments of a process that died before it referred to them', async () => {
    const folder = newFolder();
    const { store } = await openTestEngine(folder);
    for (let n = 1; n <= 12; n++) await store.batch([putLarge(n)], { sync: true });
    const [first] = filesIn(folder, 'values');
    const orphan = readFileSync(join(folder, 'values', first!));
    const early = [1, 2, 3, 4, 5].map((n) => del(largeKey(n)));
    await store.batch(early, { sync: true });
    const copy = crashCopy(folder);
    writeFileSync(join(copy, 'values', first!), orphan);
    const { store: again, problem } = await openTestEngine(copy);
    expect(problem).toBeUndefined();
    expect(filesIn(copy, 'values')).not.toContain(first);
    expect(await again.get(largeKey(6))).toEqual(largeValue(6));
    expect(await again.get(largeKey(1))).toBeUndefined();
  });
});

describe('a clean close', () => {
  it('leaves nothing to replay, and an idle store is not written to', async () => {
    const folder = newFolder();
    const first = await openTestEngine(folder);
    await first.store.batch([putLarge(1), putWal(1, 0)], { sync: true });
    await first.store.close();
    const facts = () => filesIn(folder, 'wal').map((name) => statSync(join(folder, 'wal', name)).mtimeMs);
    const bytes = () => filesIn(folder, 'wal').map((name) => readFileSync(join(folder, 'wal', name)));
    const closed = bytes();
    const second = await openTestEngine(folder);
    // What the log ends with was written once more, as it was.
    const before = facts();
    expect(await second.store.get(largeKey(1))).toEqual(largeValue(1));
    expect(await countersIn(second.store, 1)).toEqual([0]);
    await second.store.close();
    expect(facts()).toEqual(before);
    expect(bytes()).toEqual(closed);
  });
});
