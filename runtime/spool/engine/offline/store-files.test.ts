import { cpSync, existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../../../../kernel/random.ts';
import { idKey } from '../../format/keys.ts';
import { readSpoolFiles } from '../../format/spool-engine.ts';
import { copyOf, openSmallEngine, writeBatches } from '../../repair/testing/engine-folder.ts';
import { damageFile, filesOf, fingerprint, makeFolder, removeFolders } from '../../testing/folders.ts';
import type { Entry } from '../store.ts';
import { recordsIn } from '../wal-record.ts';
import type { StoreFiles } from './store-files.ts';

afterAll(removeFolders);

const everything = [Buffer.of(0), Buffer.of(255)] as const;
const shown = (entries: Iterable<Entry>) =>
  [...entries].map(({ key, value }) => [
    Buffer.from(key).toString('latin1'),
    Buffer.from(value).toString('base64'),
  ]);

async function makeStore(seed: number, count: number): Promise<{ folder: string; truth: string[][] }> {
  const folder = join(makeFolder(), 'store');
  const store = await openSmallEngine(folder);
  await writeBatches(store, seededRandom(seed), count);
  const truth = shown(await store.range({ gte: everything[0], lt: everything[1], limit: 1e6 }));
  const killed = copyOf(folder);
  await store.close();
  return { folder: killed, truth };
}
const damageIn = (files: StoreFiles) => files.problems.filter(({ severity }) => severity === 'damage');

describe('the files of an engine', () => {
  it.each([1, 2, 3, 4])(
    'are read as its next start would find them, and nothing in the folder changes (seed %i)',
    async (seed) => {
      const { folder, truth } = await makeStore(seed, 60 * seed);
      const before = fingerprint(folder);
      const files = readSpoolFiles(folder);
      expect(shown(files.scan(...everything))).toEqual(truth);
      for (const [key, value] of truth) {
        const found = files.get(Buffer.from(key!, 'latin1'));
        expect(Buffer.from(found!).toString('base64')).toBe(value);
      }
      expect(files.get(Buffer.from('\0durable'))).toBeUndefined();
      expect(files.get(idKey('r', 99_999))).toBeUndefined();
      files.check();
      expect(damageIn(files)).toEqual([]);
      files.close();
      expect(fingerprint(folder)).toEqual(before);
      const next = await openSmallEngine(folder);
      expect(shown(await next.range({ gte: everything[0], lt: everything[1], limit: 1e6 }))).toEqual(truth);
      await next.close();
    },
  );

  it('give ranges with both ends right', async () => {
    const { folder, truth } = await makeStore(5, 80);
    const files = readSpoolFiles(folder);
    const keys = truth.map(([key]) => key!);
    const [from, to] = [keys[10]!, keys[keys.length - 10]!];
    const found = shown(files.scan(Buffer.from(from, 'latin1'), Buffer.from(to, 'latin1')));
    expect(found).toEqual(truth.slice(10, -10));
    for (const _ of files.scan(...everything)) break;
    files.close();
  });

  it('say of each file what is damaged, and give the rest', async () => {
    const { folder, truth } = await makeStore(6, 200);
    const [first, second] = filesOf(join(folder, 'values'), /values$/);
    damageFile(first!, (bytes) => bytes.fill(0, 0, 4));
    truncateSync(second!, 700);
    const files = readSpoolFiles(folder);
    expect(shown(files.scan(...everything)).map(([key]) => key)).toEqual(truth.map(([key]) => key));
    const reasons = damageIn(files).map(({ file, reason }) => `${file}: ${reason}`);
    expect(
      reasons.some((text) => /^values\/\d+\.values: .*another record than the pointer says/.test(text)),
    ).toBe(true);
    expect(reasons.some((text) => /^values\/\d+\.values: it ends within the record/.test(text))).toBe(true);
    files.close();
    rmSync(first!);
    const without = readSpoolFiles(folder);
    for (const _ of without.scan(...everything));
    expect(damageIn(without).map(({ reason }) => reason)).toContain('the file is missing');
    without.close();
  });

  it('say what the write-ahead log lost: a record amid others, its end, all of it', async () => {
    const { folder } = await makeStore(7, 150);
    const newest = filesOf(join(folder, 'wal'), /wal$/)
      .flatMap((path) => [...recordsIn(readFileSync(path))].map((record) => ({ ...record, path })))
      .filter(({ kind }) => kind === 'batch')
      .sort((a, b) => b.sequence - a.sequence);
    const cases: [string, (copy: string) => void, RegExp][] = [
      [
        'amid others',
        (copy) => {
          const { path, offset } = newest.filter(({ synced }) => synced)[2]!;
          const name = path.slice(folder.length);
          damageFile(join(copy, name), (bytes) => bytes.fill(0xee, offset, offset + 4));
        },
        /1 records of the write-ahead log cannot be read/,
      ],
      [
        'all of it',
        (copy) => rmSync(join(copy, 'wal'), { recursive: true }),
        /the end of the write-ahead log is missing/,
      ],
    ];
    for (const [what, damage, reason] of cases) {
      const copy = copyOf(folder);
      damage(copy);
      const files = readSpoolFiles(copy);
      expect(
        damageIn(files)
          .map((problem) => problem.reason)
          .join(),
        what,
      ).toMatch(reason);
      expect(shown(files.scan(...everything)).length).toBeGreaterThan(20);
      files.close();
    }
  });

  it('give the large values although the index is gone', async () => {
    const { folder, truth } = await makeStore(8, 150);
    for (const path of filesOf(folder, /^(CURRENT|MANIFEST-|\d+\.)/)) rmSync(path);
    const files = readSpoolFiles(folder);
    expect(damageIn(files)).toMatchObject([{ file: 'CURRENT' }]);
    const values = new Map(shown(files.values()) as [string, string][]);
    const large = truth.filter(([key, value]) => key!.startsWith('r') && value!.length > 400);
    expect(large.length).toBeGreaterThan(10);
    for (const [key, value] of large) expect(values.get(key!)).toBe(value);
    files.close();
  });

  it('of a folder that holds none of them are refused', () => {
    expect(() => readSpoolFiles(makeFolder())).toThrow(/holds no store/);
  });
});

it('that a replay leaves without a value, and began again before it was cut off, are nothing that an opening refuses', async () => {
  const folder = join(makeFolder(), 'store');
  const store = await openSmallEngine(folder);
  const put = (id: number) => ({ type: 'put', key: idKey('r', id), value: Buffer.alloc(1000, id) }) as const;
  await store.batch([put(1)], { sync: true });
  await store.compactRange(idKey('r', 0), idKey('r', 99));
  // The index is as old as that, the logs are not.
  const cut = copyOf(folder);
  for (let id = 2; id < 20; id++) await store.batch([put(id)], { sync: true });
  const all = Array.from({ length: 19 }, (_, n) => ({ type: 'del', key: idKey('r', n + 1) }) as const);
  await store.batch(all, { sync: true });
  await store.batch([put(50)], { sync: true });
  const [later, removed] = [copyOf(folder), join('values', '00000001.values')];
  await store.close();
  expect(existsSync(join(later, removed))).toBe(false);
  for (const part of ['wal', 'values']) {
    rmSync(join(cut, part), { recursive: true });
    cpSync(join(later, part), join(cut, part), { recursive: true });
  }
  writeFileSync(join(cut, removed), '');
  const files = readSpoolFiles(cut);
  expect(files.strayValue()).toBeUndefined();
  files.close();
  const next = await openSmallEngine(cut);
  expect(await next.get(idKey('r', 50))).toEqual(put(50).value);
  await next.close();
});
