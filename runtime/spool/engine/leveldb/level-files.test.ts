import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { randomInt, seededRandom } from '../../../../kernel/random.ts';
import { damageFile, filesOf, fingerprint, makeFolder, removeFolders } from '../../testing/folders.ts';
import { BadBytesError } from './byte-reader.ts';
import { crc32c } from './crc32c.ts';
import { LevelFiles } from './level-files.ts';
import { readLog } from './level-log.ts';
import { readManifest } from './level-manifest.ts';
import { openLevelStore } from './level-store.ts';
import { unpackSnappy } from './snappy.ts';

afterAll(removeFolders);

const everything = [Buffer.of(0), Buffer.of(255)] as const;
const contentsOf = (files: LevelFiles) =>
  [...files.scan(...everything)].map(({ key, value }) => [
    Buffer.from(key).toString('latin1'),
    Buffer.from(value).toString('base64'),
  ]);

/** A store with tables on several levels, a log, and keys that were written and deleted many times. */
async function makeStore(seed: number, writes = 6000): Promise<{ folder: string; truth: string[][] }> {
  const random = seededRandom(seed);
  const folder = join(makeFolder(), 'store');
  const truth = new Map<string, string>();
  const store = await openLevelStore({ folder, writeBufferBytes: 64 * 1024 });
  for (let n = 0; n < writes; n += 20) {
    const ops = Array.from({ length: 20 }, () => {
      const key = Buffer.from(`r${String(randomInt(random, 900)).padStart(4, '0')}`);
      if (randomInt(random, 4) === 0) {
        truth.delete(key.toString('latin1'));
        return { type: 'del', key } as const;
      }
      const length = randomInt(random, 400);
      const value =
        randomInt(random, 2) === 0
          ? Buffer.from('abcdefg'.repeat(length).slice(0, length))
          : Buffer.from(Array.from({ length }, () => randomInt(random, 256)));
      truth.set(key.toString('latin1'), value.toString('base64'));
      return { type: 'put', key, value } as const;
    });
    await store.batch(ops, { sync: false });
  }
  await store.close();
  return { folder, truth: [...truth].sort(([a], [b]) => (a < b ? -1 : 1)) };
}

/** LevelDB may be closed before it has removed what it replaced. */
function tablesInUse(folder: string): string[] {
  const [manifest] = filesOf(folder, /^MANIFEST/);
  const { tables } = readManifest(readLog(readFileSync(manifest!)).records);
  return filesOf(folder, /\.ldb$/).filter((path) => tables.has(Number.parseInt(basename(path), 10)));
}

describe('the files of a LevelDB store', () => {
  it.each([1, 2, 3])(
    'are read as LevelDB reads them, and nothing in the folder changes (seed %i)',
    async (seed) => {
      const { folder, truth } = await makeStore(seed);
      const before = fingerprint(folder);
      const files = new LevelFiles(folder);
      expect([...files.files.keys()].filter((name) => name.endsWith('.ldb')).length).toBeGreaterThan(0);
      expect(contentsOf(files)).toEqual(truth);
      files.check();
      expect(files.problems).toEqual([]);
      for (const [key, value] of truth.slice(0, 50)) {
        expect(Buffer.from(files.get(Buffer.from(key!))!).toString('base64')).toBe(value);
      }
      expect(files.get(Buffer.from('r9999'))).toBeUndefined();
      files.close();
      expect(fingerprint(folder)).toEqual(before);
    },
  );

  it('gives ranges with both ends right, and may be left early', async () => {
    const { folder, truth } = await makeStore(4, 2000);
    const files = new LevelFiles(folder);
    const keys = truth.map(([key]) => key!);
    const [from, to] = [keys[40]!, keys[90]!];
    const found = [...files.scan(Buffer.from(from), Buffer.from(to))].map(({ key }) =>
      Buffer.from(key).toString(),
    );
    expect(found).toEqual(keys.slice(40, 90));
    for (const _ of files.scan(...everything)) break;
    files.close();
  });

  it('without CURRENT or with a broken MANIFEST are all read, and the problem is named', async () => {
    for (const spoil of ['CURRENT', 'MANIFEST'] as const) {
      const { folder, truth } = await makeStore(5);
      if (spoil === 'CURRENT') rmSync(join(folder, 'CURRENT'));
      else {
        const [manifest] = filesOf(folder, /^MANIFEST/);
        damageFile(manifest!, (bytes) => {
          bytes[20]! ^= 0xff;
          return bytes;
        });
      }
      const files = new LevelFiles(folder);
      expect(contentsOf(files)).toEqual(truth);
      expect(files.problems).toHaveLength(1);
      expect(files.problems[0]).toMatchObject({ severity: 'damage', file: expect.stringContaining(spoil) });
      files.close();
    }
  });

  it.each([
    [
      'a flipped bit in a block',
      (path: string) => damageFile(path, (b) => b.fill(b[99]! ^ 4, 99, 100)),
      /sum of a block/,
    ],
    ['a table cut in half', (path: string) => truncateSync(path, 20_000), /instead of|footer/],
    ['a table of zero length', (path: string) => truncateSync(path, 0), /too short|instead of/],
    ['a table that is gone', (path: string) => rmSync(path), /missing/],
    ['a table of noise', (path: string) => damageFile(path, (b) => b.fill(0x5a)), /footer/],
  ])('with %s give the rest, and name the place', async (_what, spoil, reason) => {
    const { folder, truth } = await makeStore(6);
    const victim = tablesInUse(folder).at(-1)!;
    spoil(victim);
    const files = new LevelFiles(folder);
    const found = new Map(contentsOf(files) as [string, string][]);
    files.check();
    expect(found.size).toBeGreaterThan(0);
    expect(files.problems.length).toBeGreaterThan(0);
    for (const problem of files.problems) expect(victim).toContain(problem.file);
    expect(files.problems.some((problem) => reason.test(problem.reason))).toBe(true);
    // What is not in the damaged table is there, as it was or as an older write left it.
    const known = new Set(truth.map(([key]) => key));
    expect([...found.keys()].filter((key) => known.has(key)).length).toBeGreaterThan(truth.length / 4);
    files.close();
  });

  it('with a damaged stretch in the log name it, while a torn end is a note', async () => {
    const folder = join(makeFolder(), 'store');
    const store = await openLevelStore({ folder });
    for (let n = 0; n < 200; n++) {
      await store.batch([{ type: 'put', key: Buffer.from(`k${n}`), value: Buffer.alloc(900, n) }], {
        sync: false,
      });
    }
    await store.close();
    const [log] = filesOf(folder, /\.log$/);
    const whole = readFileSync(log!);
    writeFileSync(log!, whole.subarray(0, whole.length - 100));
    const torn = new LevelFiles(folder);
    expect(contentsOf(torn)).toHaveLength(199);
    expect(torn.problems).toMatchObject([{ severity: 'note', reason: expect.stringContaining('power cut') }]);
    const flipped = Buffer.from(whole);
    flipped[40_000]! ^= 1;
    writeFileSync(log!, flipped);
    const damaged = new LevelFiles(folder);
    // LevelDB would pass over the rest of the block, some thirty records.
    expect(contentsOf(damaged)).toHaveLength(199);
    expect(damaged.problems).toMatchObject([{ severity: 'damage', reason: expect.stringContaining('sum') }]);
    // A length that points beyond the end of the file looks like a torn end, but for what follows it.
    const length = Buffer.from(whole);
    const [place] = [...Array(whole.length).keys()].filter(
      (at) => at > whole.length - 5000 && whole.subarray(at, at + 4).toString('latin1') === 'k197',
    );
    length.fill(0xff, place! - 17, place! - 15);
    writeFileSync(log!, length);
    const beyond = new LevelFiles(folder);
    expect(beyond.get(Buffer.from('k197'))).toBeUndefined();
    expect(contentsOf(beyond)).toHaveLength(199);
    expect(beyond.problems).toMatchObject([{ severity: 'damage' }]);
    const last = Buffer.from(whole);
    last[whole.length - 10]! ^= 1;
    writeFileSync(log!, last);
    const atTheEnd = new LevelFiles(folder);
    expect(contentsOf(atTheEnd)).toHaveLength(199);
    expect(atTheEnd.problems).toMatchObject([{ severity: 'damage', reason: expect.stringContaining('sum') }]);
    writeFileSync(log!, Buffer.concat([whole, Buffer.alloc(5000)]));
    const zeros = new LevelFiles(folder);
    expect(contentsOf(zeros)).toHaveLength(200);
    expect(zeros.problems).toMatchObject([{ severity: 'note', reason: expect.stringContaining('zeros') }]);
  });

  it('are refused, in words, where there are none', () => {
    expect(() => new LevelFiles(makeFolder())).toThrow(/holds no store/);
    expect(() => new LevelFiles('/no/such/folder')).toThrow(/cannot be read/);
  });
});

describe('the sums and packing of LevelDB', () => {
  it('has the CRC-32C of RFC 3720, B.4', () => {
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
    expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
    expect(crc32c(Buffer.from(Array.from({ length: 32 }, (_, n) => n)))).toBe(0x46dd794e);
    expect(crc32c(Buffer.from('xx123456789'), 2)).toBe(0xe3069283);
  });

  it('unpacks literals and overlapping copies, and refuses what makes no sense', () => {
    // Length 11, literal 'ab', then a copy of 9 bytes from 2 back.
    expect(unpackSnappy(Buffer.from([11, 0x04, 0x61, 0x62, 0x15, 0x02])).toString()).toBe('abababababa');
    const bad = [
      [],
      [5],
      [200],
      [11, 0x04, 0x61],
      [4, 0x15, 0x02],
      [1, 0x04, 0x61, 0x62],
      [0xff, 0xff, 0xff, 0xff, 0x0f],
    ];
    for (const bytes of bad) expect(() => unpackSnappy(Buffer.from(bytes))).toThrow(BadBytesError);
  });
});
