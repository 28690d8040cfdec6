// Another valid store in the place of the spool's own: consistent in itself, and not what was promised.
import {
  cpSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Log, silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { quickFolder } from '../../../kernel/testing/quick-folder.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { openStoppedSpool } from '../../cli/spool/open.ts';
import { printFindings } from '../../cli/spool-verify.ts';
import { openSpool, type Spool } from '../spool.ts';
import { change, closed, takeAll, window } from '../testing/open-test-spool.ts';

const root = quickFolder('own-store');
const template = join(root, 'template');
const other = join(root, 'other');
/** Another stream's, of another number of batches. */
const foreign = join(root, 'foreign');
const windows = 20;
let copies = 0;

const open = (folder: string, log: Log = silentLog) =>
  openSpool({
    folder,
    clock: new VirtualClock(),
    log,
    metrics: noMetrics,
    retention: { reserveBytes: 0 },
    freeBytes: async () => 1e6,
  });

async function commit(spool: Spool, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++) {
    await spool.commitWindows([change('a', [closed('a', window(n * 10, n * 10 + 10))])]);
  }
}

// Two lives: the second has tables to open.
beforeAll(async () => {
  const spool = await open(foreign);
  for (let n = 0; n < 15; n++)
    await spool.commitWindows([change('zzz', [closed('zzz', window(n * 10, n * 10 + 10))])]);
  await spool.close();
  await (await open(foreign)).close();
  for (const [folder, first] of [
    [template, 0],
    [other, 500],
  ] as const) {
    for (const from of [first, first + windows / 2]) {
      const spool = await open(folder);
      await commit(spool, from, from + windows / 2);
      await spool.close();
    }
  }
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function copyOfTemplate(): string {
  const folder = join(root, `copy-${copies++}`);
  cpSync(template, folder, { recursive: true });
  waitForTick(folder);
  return folder;
}

/** What is made from here on is younger than all that is there: a file system's clock stands still for milliseconds. */
function waitForTick(folder: string): void {
  const probe = join(folder, 'probe');
  const { birthtimeNs: before } = statSync(join(folder, 'high-water.json'), { bigint: true });
  do {
    rmSync(probe, { force: true });
    writeFileSync(probe, '');
  } while (before > 0n && statSync(probe, { bigint: true }).birthtimeNs === before);
  rmSync(probe);
}

/** A folder that is known to be what was left. */
async function prepare(): Promise<string> {
  const folder = copyOfTemplate();
  await (await open(folder)).close();
  return folder;
}

const swapped = 'the store folder belongs to another spool; it was quarantined';
const inLock = 'the lock folder held a store; it was quarantined';

/** What a start says, and what the next one does after a commit. */
async function twoLives(folder: string) {
  const errors: string[] = [];
  const log: Log = { ...silentLog, error: (_fields: object, text: string) => void errors.push(text) };
  const spool = await open(folder, log);
  const { repair, damaged } = spool.stats();
  const { continuity } = spool.openStream('a', 'sequence');
  const ids = (await takeAll(spool, 'backlog')).map(({ message }) => message.messageId);
  await commit(spool, 900, 901);
  await spool.close();
  const next = await open(folder);
  expect(next.openStream('a', 'sequence')).toMatchObject({ floor: 9010, continuity: 'proven' });
  expect(next.stats().repair).toBeUndefined();
  expect(await takeAll(next, 'backlog')).toHaveLength(ids.length + 1);
  await next.close();
  return { repair, damaged, continuity, ids, errors };
}

async function verify(folder: string) {
  const spool = await openStoppedSpool(folder);
  const lines: string[] = [];
  const line = async (text: string) => lines.push(text) > 0;
  const code = await printFindings(spool, false, { line } as never);
  await spool.close();
  return { code, text: lines.join('\n') };
}

const into = (folder: string, name: string, from: string) => {
  rmSync(join(folder, name), { recursive: true, force: true });
  cpSync(from, join(folder, name), { recursive: true });
};
const swap = (folder: string) => {
  renameSync(join(folder, 'lock'), join(folder, 'x'));
  renameSync(join(folder, 'store'), join(folder, 'lock'));
  renameSync(join(folder, 'x'), join(folder, 'store'));
};
const indexFiles = (store: string) =>
  readdirSync(store).filter((name) => name !== 'wal' && name !== 'values');
const inQuarantine = (folder: string) => readdirSync(join(folder, 'quarantine'));

describe('another store in the place of ours', () => {
  it('an empty one: all is lost, which is damage; what stood there is kept', async () => {
    const folder = copyOfTemplate();
    into(folder, 'store', join(folder, 'lock'));
    const said = await twoLives(folder);
    expect(said).toMatchObject({ continuity: 'lost', ids: [], errors: expect.arrayContaining([swapped]) });
    expect(said.repair?.reason).toMatch(/high-water\.json beside it says that \d+ batches/);
    expect(said.damaged).toBeGreaterThan(0);
    expect(inQuarantine(folder)).toHaveLength(1);
  });

  it.each([
    ['copied into what was left', prepare, cpSync],
    ['copied into a copy', async () => copyOfTemplate(), cpSync],
    ['moved into what was left', prepare, renameSync],
  ])("another spool's, %s: nothing of it is sent, and it is kept for good", async (_what, make, put) => {
    const folder = await make();
    const from = join(root, `from-${copies++}`);
    cpSync(join(other, 'store'), from, { recursive: true });
    rmSync(join(folder, 'store'), { recursive: true });
    put(from, join(folder, 'store'), { recursive: true });
    const said = await twoLives(folder);
    expect(said).toMatchObject({ continuity: 'lost', ids: [], errors: expect.arrayContaining([swapped]) });
    expect(said.repair?.reason).toMatch(/is that of spool/);
    expect(said.damaged).toBeGreaterThan(0);
    expect(inQuarantine(folder)).toEqual([expect.stringMatching(/-of-another$/)]);
  });

  it.each([
    ['in one life', [50]],
    ['in many lives, the last of which wrote little', [10, 10, 10, 10, 10]],
    ['in lives of which the log knows nothing any more', [50, 0, 0, 0]],
  ])(
    "another spool's index over our own logs, written %s: all that they hold goes up, and nothing by its names",
    async (_what, lives) => {
      const folder = join(root, `copy-${copies++}`);
      let next = 0;
      for (const life of lives) {
        const spool = await open(folder);
        await commit(spool, next, next + life);
        next += life;
        await spool.close();
      }
      const store = join(folder, 'store');
      for (const name of indexFiles(store)) rmSync(join(store, name), { recursive: true });
      for (const name of indexFiles(join(foreign, 'store')))
        cpSync(join(foreign, 'store', name), join(store, name));
      const said = await twoLives(folder);
      expect(said.ids).toHaveLength(next);
      expect(new Set(said.ids.map((id) => id.split(';')[0]))).toEqual(new Set(['a']));
      expect(said).toMatchObject({ continuity: 'lost', repair: { salvaged: { unsent: next, streams: 1 } } });
      expect(said.damaged).toBeGreaterThan(0);
    },
  );

  it('a damaged one of another spool: nothing of it is taken for ours', async () => {
    const folder = copyOfTemplate();
    into(folder, 'store', join(other, 'store'));
    rmSync(join(folder, 'store', 'values'), { recursive: true });
    const said = await twoLives(folder);
    expect(said).toMatchObject({ continuity: 'lost', ids: [] });
    expect(said.damaged).toBeGreaterThan(0);
  });

  it("is not ours because another spool's mark was put beside it: nobody can say", async () => {
    const folder = await prepare();
    into(folder, 'high-water.json', join(other, 'high-water.json'));
    expect(await verify(folder)).toMatchObject({ code: 0, text: expect.stringMatching(/1 note/) });
    const said = await twoLives(folder);
    expect(said).toMatchObject({ continuity: 'lost', repair: undefined, damaged: 0 });
    expect(said.ids).toHaveLength(windows);
  });

  it.each([
    ['the lock', 'lock'],
    ['the folder above', '..'],
    ['the folder itself', '.'],
  ])('a link to %s: the store is said to be gone', async (_what, target) => {
    const folder = join(copyOfTemplate(), 'spool');
    cpSync(template, folder, { recursive: true });
    rmSync(join(folder, 'store'), { recursive: true });
    symlinkSync(target, join(folder, 'store'));
    const said = await twoLives(folder);
    expect(said).toMatchObject({ continuity: 'lost', ids: [] });
    expect(said.repair?.reason).toBeDefined();
    expect(said.damaged).toBeGreaterThan(0);
  });

  it('none, nor a FORMAT.json, while the mark tells of a spool: is no new one', async () => {
    const folder = copyOfTemplate();
    rmSync(join(folder, 'store'), { recursive: true });
    rmSync(join(folder, 'FORMAT.json'));
    const said = await twoLives(folder);
    expect(said.repair?.reason).toMatch(/gone/);
    expect(said.damaged).toBeGreaterThan(0);
  });
});

describe('a store in the place of the lock', () => {
  it.each([
    ['swapped with it', swap],
    [
      'while there is none in its own',
      (folder: string) => {
        rmSync(join(folder, 'lock'), { recursive: true });
        renameSync(join(folder, 'store'), join(folder, 'lock'));
      },
    ],
    [
      "while another spool's stands in its own",
      (folder: string) => {
        swap(folder);
        into(folder, 'store', join(other, 'store'));
      },
    ],
  ])('ours, %s: is found, and nothing is lost', async (_what, hit) => {
    const folder = copyOfTemplate();
    hit(folder);
    const said = await twoLives(folder);
    expect(said.ids).toHaveLength(windows);
    expect(said.errors).toContain(inLock);
    expect(said).toMatchObject({ continuity: 'lost', repair: { reason: expect.any(String) } });
    expect(said.damaged).toBeGreaterThan(0);
  });

  it.each([
    ['a copy of ours', () => template],
    ["another spool's", () => other],
  ])('%s, while ours is in its own: is set aside, and ours used', async (_what, from) => {
    const folder = await prepare();
    into(folder, 'lock', join(from(), 'store'));
    const said = await twoLives(folder);
    expect(said.ids).toHaveLength(windows);
    expect(said).toMatchObject({ repair: undefined, damaged: 0, errors: expect.arrayContaining([inLock]) });
    expect(inQuarantine(folder)).toEqual([expect.stringMatching(/-kept-from-lock$/)]);
  });

  it("another spool's, while none is in its own: nothing of it is sent", async () => {
    const folder = copyOfTemplate();
    into(folder, 'lock', join(other, 'store'));
    rmSync(join(folder, 'store'), { recursive: true });
    const said = await twoLives(folder);
    expect(said).toMatchObject({
      ids: [],
      continuity: 'lost',
      repair: { reason: expect.stringMatching(/gone/) },
    });
  });
});

describe('verify', () => {
  it('finds nothing in what was left, nor in a copy of it', async () => {
    expect(await verify(template)).toMatchObject({ code: 0, text: expect.stringMatching(/^No damage/) });
    expect(await verify(copyOfTemplate())).toMatchObject({ code: 0 });
  });

  it.each([
    ['an empty store', (folder: string) => into(folder, 'store', join(folder, 'lock')), /names no spool/],
    [
      "another spool's store",
      (folder: string) => into(folder, 'store', join(other, 'store')),
      /is that of spool/,
    ],
    [
      'a store in the place of the lock',
      (folder: string) => into(folder, 'lock', join(folder, 'store')),
      /lock/,
    ],
  ])('says that there is %s, by the mark beside it', async (_what, hit, why) => {
    const folder = copyOfTemplate();
    hit(folder);
    const said = await verify(folder);
    expect(said.text).toMatch(why);
    expect(said.code).toBe(1);
  });

  it('says that the store went back', async () => {
    const folder = copyOfTemplate();
    const spool = await open(folder);
    await commit(spool, 700, 720);
    await spool.close();
    into(folder, 'store', join(template, 'store'));
    expect(await verify(folder)).toMatchObject({ code: 1, text: expect.stringMatching(/went back: start/) });
  });
});

it('is let go of by a start that fails amid the look at whose it is, so that the next try opens it', async () => {
  const folder = copyOfTemplate();
  // What was found in the lock cannot be renamed while this is there.
  const obstacle = join(folder, 'quarantine', 'x-kept-from-lock');
  for (const path of [join(folder, 'quarantine', 'x-found-in-lock'), join(obstacle, 'full')])
    mkdirSync(path, { recursive: true });
  const clock = new VirtualClock();
  const [told, abort] = [[] as unknown[], new AbortController()];
  const log: Log = {
    ...silentLog,
    error(fields) {
      // Its time is not that of a real read.
      if (fields.code === 'disk-hangs') return;
      told.push(fields.error ?? fields);
      rmSync(obstacle, { recursive: true, force: true });
      if (told.length === 5) abort.abort();
    },
  };
  const given = {
    clock,
    log,
    metrics: noMetrics,
    retention: { reserveBytes: 0 },
    freeBytes: async () => 1e6,
  };
  let isDone = false;
  const opening = openSpool({ folder, ...given, signal: abort.signal }).finally(() => {
    isDone = true;
  });
  opening.catch(() => {});
  while (!isDone) {
    await clock.advance(10_000);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const spool = await opening;
  // And a copy is told as such, by the start that opens it.
  expect(told).toMatchObject([expect.stringContaining('x-kept-from-lock'), { code: 'data-folder-put-back' }]);
  await spool.close();
});
