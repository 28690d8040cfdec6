// What a start says of each stream: whether what it claimed before is known in full.
import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CodedFields, silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { quickFolder } from '../../../kernel/testing/quick-folder.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { openSpool, type Spool, type SpoolOptions, type SpoolStats } from '../spool.ts';
import { change, closed, readingsIn, window } from '../testing/open-test-spool.ts';

const root = quickFolder('continuity');
const template = join(root, 'template');
let copies = 0;

const open = (folder: string, more: Partial<SpoolOptions> = {}) =>
  openSpool({
    folder,
    clock: new VirtualClock(),
    log: silentLog,
    metrics: noMetrics,
    freeBytes: async () => 1e6,
    ...more,
  });

beforeAll(async () => {
  const spool = await open(template);
  expect(spool.openStream('a', 'sequence')).toMatchObject({ continuity: 'proven' });
  await spool.commitWindows([change('a', [closed('a', window(0, 10))]), change('b', [])]);
  await spool.close();
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function copyOfTemplate(): string {
  const folder = join(root, `copy-${copies++}`);
  cpSync(template, folder, { recursive: true });
  return folder;
}

function cutManifest(folder: string): void {
  const [manifest] = readdirSync(join(folder, 'store')).filter((name) => name.startsWith('MANIFEST'));
  truncateSync(join(folder, 'store', manifest!), 10);
}

describe('after the store was repaired', () => {
  it('no stream goes on, in this life or the next, until it has claimed anew', async () => {
    const folder = copyOfTemplate();
    cutManifest(folder);
    for (let life = 0; life < 2; life++) {
      const spool = await open(folder);
      expect(spool.openStream('a', 'sequence')).toMatchObject({ floor: 10, continuity: 'lost' });
      await spool.close();
    }
    const spool = await open(folder);
    await spool.commitWindows([change('a', [closed('a', window(20, 30))])]);
    expect(spool.openStream('a', 'sequence').continuity).toBe('proven');
    await spool.close();
    const last = await open(folder);
    expect(last.openStream('a', 'sequence')).toMatchObject({ floor: 30, continuity: 'proven' });
    await last.close();
  });

  it('a stream that nobody knows may have been forgotten', async () => {
    const folder = copyOfTemplate();
    for (const name of readdirSync(join(folder, 'store'))) {
      if (name !== 'CURRENT') rmSync(join(folder, 'store', name), { recursive: true });
    }
    const spool = await open(folder);
    expect(spool.openStream('a', 'sequence')).toEqual({ continuity: 'lost' });
    await spool.close();
  });
});

interface Life {
  readonly windows?: number;
  /** Commits to the journal of the window that is open at the end. */
  readonly journal?: number;
  readonly kill?: boolean;
  readonly boot?: string;
  readonly elsewhere?: string;
  readonly owners?: readonly string[];
}

let next = 0;

/** One life of a spool. Returns what it said at its start of stream `a`. `kill`: as a kill -9 leaves it. */
async function live(folder: string, life: Life = {}) {
  const { windows = 3, journal = 0, kill = false, boot = 'boot', elsewhere, owners = [] } = life;
  const spool = await open(folder, {
    boot: { id: boot, sinceStartMs: () => 0 },
    owners,
    ...(elsewhere && { noteElsewhere: elsewhere }),
  });
  const said = { ...spool.openStream('a', 'sequence'), stats: spool.stats() };
  for (let n = 0; n < windows; n++) {
    await spool.commitWindows([change('a', [closed('a', window(next, next + 10))])]);
    next += 10;
  }
  for (let n = 0; n < journal; n++) {
    const append = { start: next, end: next + n + 1, readings: readingsIn(window(next + n, next + n + 1)) };
    await spool.commitWindows([{ batchId: 'a', index: 'sequence', closed: [], restart: false, append }]);
  }
  if (kill) killed.push(spool);
  else await spool.close();
  return said;
}

// A process cannot be killed here: its spool stays open, and the lock of its folder is taken away from it.
const killed: Spool[] = [];
afterAll(async () => {
  for (const spool of killed) await spool.close();
});

/** Moves a folder that a killed process holds: the files are the same, the process no longer knows them. */
function moved(folder: string): string {
  const to = join(root, `moved-${copies++}`);
  renameSync(folder, to);
  rmSync(join(to, 'lock'), { recursive: true });
  rmSync(join(to, 'store', 'LOCK'), { force: true });
  return to;
}

const reasonOf = ({ stats }: { stats: SpoolStats }) => stats.continuity?.reason;

describe('a folder that is what was left', () => {
  it('goes on after a stop, after a kill -9, after a power cut, and when it was moved', async () => {
    let folder = join(root, 'same');
    expect((await live(folder)).continuity).toBe('proven');
    expect((await live(folder)).continuity).toBe('proven');
    expect((await live(folder, { kill: true })).continuity).toBe('proven');
    folder = moved(folder);
    expect(await live(folder, { kill: true })).toMatchObject({ continuity: 'proven', floor: next - 30 });
    folder = moved(folder);
    // The machine started anew, and the mark is as old as it was on the disk.
    writeFileSync(join(folder, 'high-water.json'), readFileSync(join(folder, 'high-water.json')));
    expect((await live(folder, { boot: 'another' })).continuity).toBe('proven');
    expect((await live(folder)).stats).toMatchObject({ damaged: 0, continuity: { state: 'proven' } });
  });
});

describe('a folder that was put back', () => {
  it.each([
    ['after a stop', false],
    ['after a kill -9', true],
  ])(
    'from a copy that was made at a stop, %s: no stream goes on, and status says why',
    async (_when, kill) => {
      const folder = join(root, `put-back-${copies++}`);
      await live(folder);
      const copy = join(root, `copy-${copies++}`);
      cpSync(folder, copy, { recursive: true, preserveTimestamps: true });
      await live(folder, { kill });
      const said = await live(copy);
      expect(said.continuity).toBe('lost');
      expect(reasonOf(said)).toMatch(/copy/);
      expect((await live(copy)).continuity).toBe('proven');
    },
  );

  it('over what was there, file by file', async () => {
    const folder = join(root, 'over');
    await live(folder);
    const copy = join(root, `copy-${copies++}`);
    cpSync(folder, copy, { recursive: true, preserveTimestamps: true });
    await live(folder);
    written(join(copy, 'high-water.json'), 60_000);
    const filesIn = (of: string) =>
      readdirSync(of, { withFileTypes: true, recursive: true })
        .filter((entry) => entry.isFile())
        .map((entry) => relative(of, join(entry.parentPath, entry.name)));
    for (const name of filesIn(folder)) if (!existsSync(join(copy, name))) rmSync(join(folder, name));
    for (const name of filesIn(copy)) {
      const [from, to] = [join(copy, name), join(folder, name)];
      // In place: the file stays the same, only what it holds is old.
      writeFileSync(to, readFileSync(from));
      utimesSync(to, statSync(from).atime, statSync(from).mtime);
    }
    const said = await live(folder);
    expect(said.continuity).toBe('lost');
    expect(reasonOf(said)).toMatch(/put back/);
  });

  it('with all that tells a copy, as an image of a disk is: what was noted elsewhere tells', async () => {
    const folder = join(root, 'image');
    const elsewhere = join(root, 'elsewhere');
    await live(folder, { elsewhere });
    await live(folder, { elsewhere });
    const copy = join(root, `copy-${copies++}`);
    cpSync(folder, copy, { recursive: true });
    expect((await live(copy, { elsewhere })).continuity).toBe('lost');
    expect((await live(copy, { elsewhere })).continuity).toBe('proven');
    // The former one is as it was left, to the last byte and time.
    const said = await live(folder, { elsewhere });
    expect(said.continuity).toBe('lost');
    expect(reasonOf(said)).toMatch(/earlier state/);
    expect(said.stats.damaged).toBe(1);
    expect((await live(folder, { elsewhere })).continuity).toBe('proven');
  });

  it('is told apart once the hub is heard, if nothing on the gateway tells: once, and for all streams', async () => {
    const folder = join(root, 'hub');
    await live(folder);
    const { life } = (await live(folder)).stats;
    const spool = await open(folder);
    let told = 0;
    spool.onLost(() => told++);
    expect(spool.openStream('a', 'sequence').continuity).toBe('proven');
    await spool.compareWithHub({ ...life!, start: life!.start + 5, commits: life!.commits + 1000 });
    expect(told).toBe(1);
    expect(spool.openStream('a', 'sequence').continuity).toBe('lost');
    expect(spool.stats()).toMatchObject({ damaged: 1, continuity: { state: 'lost' } });
    expect(spool.stats().life!.start).toBeGreaterThan(life!.start + 5);
    expect(spool.stats().life!.commits).toBeGreaterThan(life!.commits + 1000);
    // From now on the hub is told by this process.
    await spool.compareWithHub({ ...life!, start: life!.start + 500 });
    expect(told).toBe(1);
    const { life: now } = spool.stats();
    await spool.close();
    const after = await open(folder);
    after.onLost(() => told++);
    await after.compareWithHub(now);
    expect(told).toBe(1);
    await after.close();
  });

  it.each([
    ['nothing', undefined],
    ['what is no life', { spool: 7, start: 'x' } as never],
    ['what is as old as the spool', {}],
  ])('is not taken for it where the hub says %s', async (_what, change_) => {
    const folder = join(root, `says-${copies++}`);
    await live(folder);
    const { life } = (await live(folder)).stats;
    const spool = await open(folder);
    await spool.compareWithHub(change_ === undefined ? undefined : { ...life!, ...(change_ as object) });
    expect(spool.openStream('a', 'sequence').continuity).toBe('proven');
    await spool.close();
  });

  it('and a hub that knows another spool says that the whole folder is another one', async () => {
    const folder = join(root, 'another');
    const spool = await open(folder);
    await spool.compareWithHub({ spool: 'other', start: 1, commits: 1 });
    expect(spool.stats().continuity).toMatchObject({ state: 'lost', reason: expect.stringMatching(/other/) });
    // Whole, as that of a gateway that was replaced: no card is to be blamed.
    expect(spool.stats().repair).toMatchObject({ isRollback: true });
    await spool.close();
  });
});

describe('a folder of another gateway', () => {
  const takeAll = async (folder: string, ...owners: string[]) => {
    const spool = await open(folder, { owners, asksHub: true });
    const stats = spool.stats();
    const taken = await spool.take('backlog', { messages: 100, bytes: 1e6 });
    const stream = spool.openStream('a', 'sequence');
    await spool.close();
    return { sent: taken.length, floor: stream.floor, continuity: stream.continuity, stats };
  };

  it.each([
    ['after a stop', false],
    ['after a kill -9', true],
  ])(
    'has its store set aside, %s: nothing of it goes up under this name, nor goes on; both take their own again',
    async (_when, kill) => {
      const folders = ['north', 'south'].map((name) => join(root, `${name}-${copies++}`));
      for (const [n, folder] of folders.entries()) {
        await live(folder, { owners: [`${['north', 'south'][n]}/holdfast`], kill });
        if (kill) folders[n] = moved(folder);
      }
      const [north, south] = folders as [string, string];
      const found = await takeAll(south, 'north/holdfast');
      expect(found).toMatchObject({ sent: 0, floor: undefined, continuity: 'lost' });
      expect(found.stats.repair!.reason).toContain('south/holdfast');
      expect(found.stats.damaged).toBe(1);
      // As it was, with its mark, in the place of the new one.
      const aside = readdirSync(join(south, 'quarantine'));
      expect(aside).toHaveLength(2);
      rmSync(join(south, 'store'), { recursive: true });
      renameSync(
        join(south, 'quarantine', aside.find((name) => name.endsWith('-of-another'))!),
        join(south, 'store'),
      );
      renameSync(
        join(south, 'quarantine', aside.find((name) => name.endsWith('.json'))!),
        join(south, 'high-water.json'),
      );
      expect(await takeAll(south, 'south/holdfast')).toMatchObject({ sent: 3, continuity: 'proven' });
      expect(await takeAll(north, 'north/holdfast')).toMatchObject({ sent: 3, continuity: 'proven' });
    },
  );

  it('is that of the same module, where it says that it was called so, or nobody says what it is called', async () => {
    const folder = join(root, `renamed-${copies++}`);
    await live(folder, { owners: ['old/holdfast'] });
    expect(await takeAll(folder)).toMatchObject({ sent: 3, continuity: 'proven' });
    expect(await takeAll(folder, 'new/holdfast', 'old/holdfast')).toMatchObject({ sent: 3 });
    expect(await takeAll(folder, 'new/holdfast')).toMatchObject({ sent: 3, continuity: 'proven' });
    expect(await takeAll(folder, 'old/holdfast')).toMatchObject({ sent: 0 });
  });

  it('is found out also where its store is damaged, or stands beside files of our own', async () => {
    const folder = join(root, `foreign-${copies++}`);
    const ours = join(root, `ours-${copies++}`);
    await live(ours, { owners: ['north/holdfast'] });
    await live(folder, { owners: ['south/holdfast'] });
    rmSync(join(ours, 'store'), { recursive: true });
    cpSync(join(folder, 'store'), join(ours, 'store'), { recursive: true });
    expect(await takeAll(ours, 'north/holdfast')).toMatchObject({ sent: 0, continuity: 'lost' });
    truncateSync(
      join(folder, 'store', readdirSync(join(folder, 'store')).find((name) => name.startsWith('MANIFEST'))!),
      10,
    );
    expect(await takeAll(folder, 'north/holdfast')).toMatchObject({ sent: 0, continuity: 'lost' });
  });
});

describe('a part that was put back, or lost', () => {
  it('the newest file of the log, after a kill -9', async () => {
    let folder = join(root, 'log-gone');
    await live(folder, { kill: true });
    folder = moved(folder);
    for (const name of readdirSync(join(folder, 'store', 'wal'))) rmSync(join(folder, 'store', 'wal', name));
    const said = await live(folder);
    expect(said.continuity).toBe('lost');
    expect(said.stats.damaged).toBeGreaterThan(0);
  });

  it('its last records, wiped as if they had never been', async () => {
    let folder = join(root, 'log-wiped');
    await live(folder, { journal: 5, kill: true });
    folder = moved(folder);
    const commits = join(folder, 'store', 'wal');
    const log = join(commits, readdirSync(commits).sort().at(-1)!);
    const bytes = readFileSync(log);
    for (let n = 0; n < 2; n++) bytes.fill(0, bytes.lastIndexOf('HFW1'));
    writeFileSync(log, bytes);
    const said = await live(folder);
    expect(said.continuity).toBe('lost');
    expect(reasonOf(said)).toMatch(/batch \d+ was on the disk/);
    expect(said.stats).toMatchObject({ damaged: 1, repair: { reason: expect.stringMatching(/went back/) } });
  });

  it.each([
    ['missing', (mark: string) => rmSync(mark), /missing/],
    ['empty', (mark: string) => truncateSync(mark, 0), /missing/],
    ['with a flipped bit', (mark: string) => flip(mark), /damaged/],
    ['of another spool', (mark: string) => cpSync(join(template, 'high-water.json'), mark), /another/],
  ])(
    'the mark beside the store, %s: nobody can say, and nothing is called damaged',
    async (_what, hit, why) => {
      const folder = join(root, `mark-${copies++}`);
      await live(folder);
      hit(join(folder, 'high-water.json'));
      const said = await live(folder);
      expect(said.continuity).toBe('lost');
      expect(reasonOf(said)).toMatch(why);
      expect(said.stats).toMatchObject({ damaged: 0 });
      expect((await live(folder)).continuity).toBe('proven');
    },
  );
});

/** The mark as it was written so long ago. */
function written(path: string, agoMs: number): void {
  const { sum: _, ...mark } = JSON.parse(readFileSync(path, 'utf8'));
  const older = { ...mark, at: mark.at - agoMs };
  const text = JSON.stringify({ ...older, sum: crc32(JSON.stringify(older)) });
  writeFileSync(path, `${text.padEnd(511)}\n`);
}

function flip(path: string): void {
  const bytes = readFileSync(path);
  bytes[30] = bytes[30]! ^ 1;
  writeFileSync(path, bytes);
}

it.each<[string, (folder: string) => void, string]>([
  ['is damaged', (folder) => cutManifest(folder), 'spool-damage'],
  ['lost its FORMAT.json', (folder) => writeFileSync(join(folder, 'FORMAT.json'), '{'), 'spool-damage'],
  ['lost its store', (folder) => rmSync(join(folder, 'store'), { recursive: true }), 'spool-gone'],
  ['is a copy', () => {}, 'data-folder-put-back'],
])('a start on a folder that %s is logged by the code of what is to be done', async (_name, harm, code) => {
  const folder = copyOfTemplate();
  harm(folder);
  const codes: string[] = [];
  const error = ({ code }: CodedFields) => void codes.push(code);
  await (await open(folder, { log: { ...silentLog, error } })).close();
  expect(codes[0]).toBe(code);
  expect(codes).not.toContain(code === 'data-folder-put-back' ? 'spool-damage' : 'data-folder-put-back');
});
