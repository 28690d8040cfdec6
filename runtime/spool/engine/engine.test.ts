// The split store on a real disk: its contract, and what its files look like as it goes along.
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { idKey, journalKey, stateKey } from '../format/keys.ts';
import { openDiskFiles } from './disk-files.ts';
import { openSplitStore } from './engine.ts';
import { openLevelStore } from './leveldb/level-store.ts';
import type { SplitLimits } from './limits.ts';
import { openSplitFolder } from './open-engine.ts';
import type { BatchOp, Store } from './store.ts';
import { describeStore } from './testing/store-contract.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-split-'));
let folders = 0;
const newFolder = () => join(root, `store-${folders++}`);
afterAll(() => rmSync(root, { recursive: true, force: true }));

describeStore('the split store', async () => {
  const folder = newFolder();
  const open = async () => (await openSplitFolder({ folder })).store;
  return {
    open,
    async restart(store) {
      await store.close();
      return open();
    },
  };
});

const small: Partial<SplitLimits> = {
  logFileBytes: 8192,
  aheadBytes: 1024,
  bodyFileBytes: 4096,
  checkpointBytes: 16_384,
};

const opened: Store[] = [];
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
});

async function open(folder: string, limits: Partial<SplitLimits> = small) {
  const index = await openLevelStore({ folder });
  const log = await openDiskFiles(join(folder, 'commits'));
  const bodies = await openDiskFiles(join(folder, 'bodies'));
  const made = await openSplitStore({ index, log, bodies, limits });
  opened.push(made.store);
  return made;
}

/** As a kill -9 leaves it: what the process wrote is there, nothing was put in order. */
function copyOf(folder: string): string {
  const copy = newFolder();
  cpSync(folder, copy, { recursive: true, filter: (path) => !path.endsWith('LOCK') });
  return copy;
}

const filesIn = (folder: string, inside: string) => readdirSync(join(folder, inside)).sort();
const bodyOf = (id: number, length = 1000) => Buffer.alloc(length, id % 251);
const message = (id: number, length?: number): BatchOp => ({
  type: 'put',
  key: idKey('r', id),
  value: bodyOf(id, length),
});
const journal = (stream: number, sequence: number, text = 'x'.repeat(300)): BatchOp => ({
  type: 'put',
  key: journalKey(stream, sequence),
  value: Buffer.from(`${sequence} ${text}`),
});
const del = (key: Uint8Array): BatchOp => ({ type: 'del', key });
const state = (n: number): BatchOp => ({ type: 'put', key: stateKey, value: Buffer.from(`state ${n}`) });

async function journalIn(store: Store, stream: number): Promise<number[]> {
  const found = await store.range({
    gte: journalKey(stream, 0),
    lt: journalKey(stream + 1, 0),
    limit: 10_000,
  });
  return found.map(({ value }) => Number(Buffer.from(value).toString().split(' ')[0]));
}

describe('the commit log', () => {
  it('writes over its own files, however long the store runs, and never over a journal that counts', async () => {
    const folder = newFolder();
    const { store } = await open(folder);
    await store.batch([journal(7, 0), journal(7, 1)], { sync: true });
    for (let n = 0; n < 300; n++) {
      const ops = [journal(1, n), state(n)];
      if (n % 10 === 9) for (let old = n - 9; old <= n; old++) ops.push(del(journalKey(1, old)));
      await store.batch(ops, { sync: true });
    }
    // 100 KB of records went through it.
    expect(filesIn(folder, 'commits').length).toBeLessThanOrEqual(6);
    expect(await journalIn(store, 7)).toEqual([0, 1]);
    expect(await journalIn(store, 1)).toEqual([]);
    expect(Buffer.from((await store.get(stateKey))!).toString()).toBe('state 299');
    const { store: killed, problem } = await open(copyOf(folder));
    expect(problem).toBeUndefined();
    expect(await journalIn(killed, 7)).toEqual([0, 1]);
    expect(await journalIn(killed, 1)).toEqual([]);
    expect(Buffer.from((await killed.get(stateKey))!).toString()).toBe('state 299');
  });

  it('brings the index up to date after a kill, values and deletions', async () => {
    const folder = newFolder();
    const { store } = await open(folder, { ...small, checkpointBytes: 1e9 });
    await store.batch([message(1), message(2, 100), message(3)], { sync: true });
    await store.batch([del(idKey('r', 3))], { sync: false });
    const copy = copyOf(folder);
    // What the index had is gone, all of it: nothing of it was ever synced.
    for (const name of readdirSync(copy)) if (/^\d+\.log$/.test(name)) truncateSync(join(copy, name), 0);
    const { store: again, problem } = await open(copy);
    expect(problem).toBeUndefined();
    expect(await again.get(idKey('r', 1))).toEqual(bodyOf(1));
    expect(await again.get(idKey('r', 2))).toEqual(bodyOf(2, 100));
    expect(await again.get(idKey('r', 3))).toBeUndefined();
  });

  it('writes bodies again that the disk did not have, when they went through it', async () => {
    const folder = newFolder();
    const { store } = await open(folder);
    await store.batch([message(1), message(2)], { sync: true });
    const copy = copyOf(folder);
    rmSync(join(copy, 'bodies'), { recursive: true });
    const { store: again, problem } = await open(copy);
    expect(problem).toBeUndefined();
    expect(await again.get(idKey('r', 2))).toEqual(bodyOf(2));
  });

  it('that lost its end is told by the index, and the store goes on', async () => {
    const folder = newFolder();
    const { store } = await open(folder, { ...small, directBytes: 1 });
    for (let n = 1; n <= 5; n++) await store.batch([message(n)], { sync: true });
    await store.batch([journal(1, 0)], { sync: true });
    const copy = copyOf(folder);
    for (const name of filesIn(copy, 'commits')) truncateSync(join(copy, 'commits', name), 0);
    const { store: again, problem } = await open(copy);
    expect(problem).toMatch(/the end of the commit log is missing/);
    expect(await again.get(idKey('r', 5))).toEqual(bodyOf(5));
    await again.batch([message(6)], { sync: true });
    await again.close();
    expect((await open(copy)).problem).toBeUndefined();
  });
});

describe('bodies', () => {
  it('lie in files of their own, are read back, and stay out of the index', async () => {
    const folder = newFolder();
    const { store } = await open(folder, { ...small, directBytes: 4000 });
    await store.batch([message(1), message(2), message(3), message(4)], { sync: true });
    await store.batch([message(5), message(6, 255)], { sync: false });
    expect(await store.get(idKey('r', 4))).toEqual(bodyOf(4));
    expect(await store.getMany([idKey('r', 5), idKey('r', 6)])).toEqual([bodyOf(5), bodyOf(6, 255)]);
    const page = await store.range({ gte: idKey('r', 2), lt: idKey('r', 9), limit: 9, maxBytes: 1500 });
    expect(page.map(({ value }) => value.byteLength)).toEqual([1000, 1000]);
    await store.close();
    const index = await openLevelStore({ folder });
    opened.push(index);
    expect((await index.get(idKey('r', 1)))?.byteLength).toBe(17);
    expect((await index.get(idKey('r', 6)))?.byteLength).toBe(255);
  });

  it('give their files back once all in them is deleted, and not before that is on the disk', async () => {
    const folder = newFolder();
    const { store } = await open(folder);
    for (let n = 1; n <= 12; n++) await store.batch([message(n)], { sync: true });
    const [first] = filesIn(folder, 'bodies');
    await store.batch(
      [1, 2, 3, 4, 5].map((n) => del(idKey('r', n))),
      { sync: false },
    );
    expect(existsSync(join(folder, 'bodies', first!))).toBe(true);
    await store.batch([message(13)], { sync: true });
    expect(existsSync(join(folder, 'bodies', first!))).toBe(false);
    expect(await store.get(idKey('r', 6))).toEqual(bodyOf(6));
  });

  it('that are few in a file are moved out of it, so that space comes back', async () => {
    const folder = newFolder();
    const { store } = await open(folder);
    for (let n = 1; n <= 60; n++) await store.batch([message(n)], { sync: true });
    const before = filesIn(folder, 'bodies').length;
    const kept = [3, 17, 31, 44, 58];
    const ops = Array.from({ length: 60 }, (_, n) => n + 1)
      .filter((n) => !kept.includes(n))
      .map((n) => del(idKey('r', n)));
    await store.batch(ops, { sync: true });
    for (let n = 0; n < 20; n++) await store.compactRange(Buffer.from('r'), Buffer.from('s'));
    expect(before).toBeGreaterThan(10);
    expect(filesIn(folder, 'bodies').length).toBeLessThanOrEqual(5);
    for (const n of kept) expect(await store.get(idKey('r', n))).toEqual(bodyOf(n));
    const { store: again, problem } = await open(copyOf(folder));
    expect(problem).toBeUndefined();
    for (const n of kept) expect(await again.get(idKey('r', n))).toEqual(bodyOf(n));
  });

  it('left by a process that died before it named them are removed at the next start', async () => {
    const folder = newFolder();
    const { store } = await open(folder);
    for (let n = 1; n <= 12; n++) await store.batch([message(n)], { sync: true });
    const [first] = filesIn(folder, 'bodies');
    const stranger = readFileSync(join(folder, 'bodies', first!));
    const early = [1, 2, 3, 4, 5].map((n) => del(idKey('r', n)));
    await store.batch(early, { sync: true });
    const copy = copyOf(folder);
    writeFileSync(join(copy, 'bodies', first!), stranger);
    const { store: again, problem } = await open(copy);
    expect(problem).toBeUndefined();
    expect(filesIn(copy, 'bodies')).not.toContain(first);
    expect(await again.get(idKey('r', 6))).toEqual(bodyOf(6));
    expect(await again.get(idKey('r', 1))).toBeUndefined();
  });
});

describe('a proper end', () => {
  it('leaves nothing to do again, and an idle store is not written to', async () => {
    const folder = newFolder();
    const first = await open(folder);
    await first.store.batch([message(1), journal(1, 0)], { sync: true });
    await first.store.close();
    const facts = () =>
      filesIn(folder, 'commits').map((name) => statSync(join(folder, 'commits', name)).mtimeMs);
    const before = facts();
    const second = await open(folder);
    expect(await second.store.get(idKey('r', 1))).toEqual(bodyOf(1));
    expect(await journalIn(second.store, 1)).toEqual([0]);
    await second.store.close();
    expect(facts()).toEqual(before);
  });
});
