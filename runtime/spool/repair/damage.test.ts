// What a start makes of a damaged folder: each kind of damage on each kind of file.
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  closeSync,
  cpSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { seededRandom } from '../../../kernel/random.ts';
import { quickFolder } from '../../../kernel/testing/quick-folder.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { decodeBody } from '../../../wire/body.ts';
import type { Outgoing } from '../../uplink/lanes.ts';
import { openSpool, type Spool } from '../spool.ts';
import { change, closed, readingsIn, takeAll, window } from '../testing/open-test-spool.ts';

const root = quickFolder('damage');
const template = join(root, 'template');
// The same amid its third life, as a kill -9 leaves it.
const killed = join(root, 'killed');
const sent = new Map<string, string>();
let copies = 0;

// A disk too full for the ballast: writing it anew for each case would take most of the time.
const open = (folder: string) =>
  openSpool({
    folder,
    clock: new VirtualClock(),
    random: seededRandom(1),
    log: silentLog,
    metrics: noMetrics,
    retention: { reserveBytes: 0 },
    freeBytes: async () => 1e6,
  });

const hashOf = ({ message }: Outgoing) => createHash('sha1').update(message.body).digest('hex');

const journal = (start: number, from: number, end: number) => ({
  batchId: 'open',
  index: 'sequence' as const,
  closed: [],
  restart: false,
  append: { start, end, readings: readingsIn(window(from, end)) },
});

// Three lives, so that there are tables, a log and a MANIFEST with a history.
beforeAll(async () => {
  for (let life = 0; life < 3; life++) {
    const spool = await open(template);
    for (let n = life * 40; n < (life + 1) * 40; n++) {
      await spool.commitWindows([change('a', [closed('a', window(n * 10, n * 10 + 10))])]);
    }
    await spool.putSetting('config', { life });
    if (life === 1) await spool.acknowledge(await spool.take('live', { messages: 10, bytes: 1e9 }));
    if (life === 2) {
      for (let n = 0; n < 5; n++) await spool.commitWindows([journal(0, n * 10, n * 10 + 10)]);
      cpSync(template, killed, { recursive: true, filter: (path) => !/\/(ballast|reserve)$/.test(path) });
    }
    await spool.close();
  }
  writeFileSync(join(template, 'ballast'), Buffer.alloc(1000));
  const whole = await open(copyOfTemplate());
  for (const entry of await takeAll(whole, 'backlog')) sent.set(entry.message.messageId, hashOf(entry));
  await whole.close();
  expect(sent.size).toBe(111);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function copyOfTemplate(from = template): string {
  const folder = join(root, `copy-${copies++}`);
  cpSync(from, folder, { recursive: true });
  return folder;
}

const files = (folder: string, pattern: RegExp, inside = 'store') =>
  readdirSync(join(folder, inside))
    .filter((name) => pattern.test(name))
    .map((name) => join(folder, inside, name));

const targets: Readonly<Record<string, (folder: string) => readonly string[]>> = {
  CURRENT: (folder) => files(folder, /^CURRENT$/),
  MANIFEST: (folder) => files(folder, /^MANIFEST/),
  "the index's log": (folder) => files(folder, /\.log$/),
  'all of the index': (folder) => files(folder, /^CURRENT$|^MANIFEST|\.(log|ldb)$/),
  'the write-ahead log': (folder) => files(join(folder, 'store'), /\.wal$/, 'wal'),
  'the value log': (folder) => files(join(folder, 'store'), /\.values$/, 'values'),
  'the first table': (folder) => files(folder, /\.ldb$/).slice(0, 1),
  'the last table': (folder) => files(folder, /\.ldb$/).slice(-1),
  'all tables': (folder) => files(folder, /\.ldb$/),
  'FORMAT.json': (folder) => [join(folder, 'FORMAT.json')],
  'the lock store': (folder) => readdirSync(join(folder, 'lock')).map((name) => join(folder, 'lock', name)),
  'the ballast': (folder) => [join(folder, 'ballast')],
};

function flip(file: string, share: number): void {
  const bytes = readFileSync(file);
  if (bytes.byteLength === 0) return;
  const at = Math.min(bytes.byteLength - 1, Math.floor(bytes.byteLength * share));
  bytes[at] = bytes[at]! ^ 0x10;
  writeFileSync(file, bytes);
}

const damages: Readonly<Record<string, (file: string) => void>> = {
  'a bit flipped at the start': (file) => flip(file, 0),
  'a bit flipped in the middle': (file) => flip(file, 0.5),
  'a bit flipped near the end': (file) => flip(file, 0.98),
  'cut in half': (file) => truncateSync(file, Math.floor(statSync(file).size / 2)),
  'cut by one byte': (file) => truncateSync(file, Math.max(0, statSync(file).size - 1)),
  'bytes appended': (file) => appendFileSync(file, createHash('sha512').update(file).digest()),
  'zero length': (file) => truncateSync(file, 0),
  gone: (file) => rmSync(file),
  noise: (file) => writeFileSync(file, createHash('sha512').update(file).digest()),
};

// In place: LevelDB maps its tables into memory, and a file that shrinks under a map kills the process.
function overwrite(file: string): void {
  const handle = openSync(file, 'r+');
  writeSync(handle, Buffer.alloc(statSync(file).size, 0xa5));
  closeSync(handle);
}

/** Everything that comes out is as it went in, and the open window claims no reading that is gone. */
async function checkTruth(spool: Spool): Promise<number> {
  const out = [...(await takeAll(spool, 'backlog')), ...(await takeAll(spool, 'live'))];
  let known = 0;
  for (const entry of out) {
    const { messageId, properties, body, contentEncoding } = entry.message;
    if (properties.batchId === 'open') {
      const range = window(Number(properties.startWindow), Number(properties.endWindow));
      const options = { schema: properties.schema ?? '', contentEncoding, index: 'sequence' as const };
      expect(decodeBody(body, options), messageId).toEqual(readingsIn(range));
    } else {
      // What was acknowledged may come back, since the deletion may be what is lost.
      if (sent.has(messageId)) expect(hashOf(entry), messageId).toBe(sent.get(messageId));
      expect(messageId).toMatch(/^a[;/]\d+-\d+0$/);
    }
    known++;
  }
  await spool.acknowledge(out);
  return known;
}

const ends = [
  ...Object.keys(targets).map((target) => [target, 'a proper end', template] as const),
  // Only these differ while a module runs.
  ...["the index's log", 'the write-ahead log', 'the value log'].map(
    (target) => [target, 'a kill -9', killed] as const,
  ),
];

describe.each(ends)('%s, after %s', (target, _end, from) => {
  it.each(Object.keys(damages))(
    '%s: the spool opens, tells the truth, says what it lost, and works',
    async (damage) => {
      const folder = copyOfTemplate(from);
      const hit = targets[target]!(folder);
      expect(hit.length).toBeGreaterThan(0);
      for (const file of hit) damages[damage]!(file);

      const spool = await open(folder);
      const known = await checkTruth(spool);
      const told = () => spool.stats().damaged + (spool.stats().repair === undefined ? 0 : 1);
      const lost = known < sent.size;
      // What a reader comes across is counted when it has been quarantined.
      for (let tries = 0; lost && told() === 0 && tries < 200; tries++) await wait(5);
      if (lost) expect(told()).toBeGreaterThan(0);

      await spool.commitWindows([change('a', [closed('a', window(9000, 9010))])]);
      await spool.putSetting('after', damage);
      await spool.close();
      const next = await open(folder);
      expect(await next.getSetting('after')).toBe(damage);
      expect((await takeAll(next, 'backlog')).map((entry) => entry.message.messageId)).toEqual([
        expect.stringMatching(/^a[;/]9000-9010$/),
      ]);
      expect(next.stats().repair).toBeUndefined();
      await next.close();
      rmSync(folder, { recursive: true });
    },
  );
});

describe('what survives', () => {
  it.each(['CURRENT', 'MANIFEST'])('a lost %s costs nothing that was not sent', async (target) => {
    for (const damage of ['gone', 'zero length', 'cut in half', 'noise']) {
      const folder = copyOfTemplate();
      for (const file of targets[target]!(folder)) damages[damage]!(file);
      const spool = await open(folder);
      const ids = (await takeAll(spool, 'backlog')).map((entry) => entry.message.messageId);
      for (const id of sent.keys()) expect(ids, `${target}, ${damage}`).toContain(id);
      expect(await spool.getSetting('config')).toEqual({ life: 2 });
      expect(spool.stats().repair?.reason).toMatch(new RegExp(`${target}|the index went back`));
      await spool.close();
    }
  });

  it.each(Object.keys(damages))(
    "the index's log, %s after a power cut, costs nothing and is no damage",
    async (damage) => {
      const folder = copyOfTemplate(killed);
      for (const file of targets["the index's log"]!(folder)) damages[damage]!(file);
      const spool = await open(folder);
      expect(spool.stats()).toMatchObject({ damaged: 0 });
      expect(spool.stats().repair).toBeUndefined();
      expect(await checkTruth(spool)).toBeGreaterThanOrEqual(sent.size);
      await spool.close();
    },
  );

  it.each([true, false])(
    'a table with bytes appended costs nothing, with its MANIFEST: %s',
    async (hasManifest) => {
      const folder = copyOfTemplate();
      for (const file of targets['all tables']!(folder)) appendFileSync(file, Buffer.alloc(3000, 'x'));
      if (!hasManifest) for (const file of targets.MANIFEST!(folder)) rmSync(file);
      const spool = await open(folder);
      if (hasManifest) expect(spool.stats().repair).toBeUndefined();
      expect(await checkTruth(spool)).toBeGreaterThanOrEqual(sent.size);
      expect(spool.stats().repair?.salvaged?.lostMessages ?? 0).toBe(0);
      await spool.close();
    },
  );

  it('one flipped bit in a table costs at most the records of its block', async () => {
    const folder = copyOfTemplate();
    damages['a bit flipped in the middle']!(targets['the first table']!(folder)[0]!);
    const spool = await open(folder);
    const known = await checkTruth(spool);
    expect(known).toBeGreaterThan(sent.size - 20);
    await spool.close();
  });
});

// Over such a log LevelDB, whose assertions are on, would end the process: at each start again.
describe('a log of the index whose sums are right, and which holds no writes in their order', () => {
  const contents: Readonly<Record<string, (folder: string) => Buffer>> = {
    'its writes twice': (folder) => {
      const bytes = readFileSync(files(folder, /\.log$/)[0]!);
      return Buffer.concat([bytes, bytes]);
    },
    'the MANIFEST': (folder) => readFileSync(files(folder, /^MANIFEST/)[0]!),
  };

  it.each(Object.keys(contents))('%s: costs nothing, and is told', async (kind) => {
    const folder = copyOfTemplate(killed);
    writeFileSync(files(folder, /\.log$/)[0]!, contents[kind]!(folder));
    const spool = await open(folder);
    expect(spool.stats().repair?.reason).toMatch(/\.log: LevelDB cannot bear its writes/);
    expect(await checkTruth(spool)).toBeGreaterThanOrEqual(sent.size);
    await spool.close();
  });

  it.each(Object.keys(contents))('%s, in the lock: the lock is made anew', async (kind) => {
    const folder = copyOfTemplate(killed);
    writeFileSync(files(folder, /\.log$/, 'lock')[0]!, contents[kind]!(folder));
    const spool = await open(folder);
    expect(spool.stats()).toMatchObject({ damaged: 0 });
    expect(await checkTruth(spool)).toBe(sent.size);
    await spool.close();
  });
});

describe('a folder that is not ours to use', () => {
  it('is refused while another process holds it, by name, and taken once it lets go', async () => {
    const folder = copyOfTemplate();
    const first = await open(folder);
    await expect(open(folder)).rejects.toMatchObject({ code: 'spool-locked' });
    await first.close();
    await (await open(folder)).close();
  });

  it('of a newer format is quarantined untouched, and a new spool begun', async () => {
    const folder = copyOfTemplate();
    writeFileSync(join(folder, 'FORMAT.json'), '{"holdfast":"spool","format":3}\n');
    const before = readdirSync(join(folder, 'store')).filter((name) => /ldb$/.test(name));
    const spool = await open(folder);
    expect(spool.depth('backlog').messages).toBe(0);
    expect(spool.stats().repair?.reason).toMatch(/newer/);
    const quarantine = readdirSync(join(folder, 'quarantine'));
    expect(quarantine).toHaveLength(1);
    expect(readdirSync(join(folder, 'quarantine', quarantine[0]!))).toEqual(expect.arrayContaining(before));
    await spool.close();
  });

  it('with something else in its place goes on beside it', async () => {
    const folder = join(root, 'foreign');
    cpSync(join(import.meta.dirname, '..', 'testing'), join(folder, 'store'), { recursive: true });
    writeFileSync(join(folder, 'notes.txt'), 'not ours');
    const spool = await open(folder);
    await spool.commitWindows([change('a', [closed('a', window(0, 1))])]);
    await spool.close();
    expect(readFileSync(join(folder, 'notes.txt'), 'utf8')).toBe('not ours');
    const [quarantine] = readdirSync(join(folder, 'quarantine'));
    expect(readdirSync(join(folder, 'quarantine', quarantine!))).toContain('claims.ts');
  });

  it('left by a salvage that was interrupted is salvaged again', async () => {
    const folder = copyOfTemplate();
    const { renameSync, mkdirSync } = await import('node:fs');
    mkdirSync(join(folder, 'quarantine'));
    renameSync(join(folder, 'store'), join(folder, 'quarantine', '2026-11-21T000000.000Z-unsalvaged'));
    mkdirSync(join(folder, 'store.new'));
    writeFileSync(join(folder, 'store.new', 'CURRENT'), 'half');
    const spool = await open(folder);
    expect(await checkTruth(spool)).toBe(sent.size);
    await spool.close();
  });
});

describe('a process that dies again and again', () => {
  it('has its tables looked through at the next start, before LevelDB reads them', async () => {
    const folder = copyOfTemplate();
    damages['a bit flipped in the middle']!(targets['the first table']!(folder)[0]!);
    const now = new VirtualClock().now();
    writeFileSync(join(folder, 'starts.json'), JSON.stringify([now - 3000, now - 2000, now - 1000]));
    const spool = await open(folder);
    expect(spool.stats().repair?.salvaged).toBeDefined();
    await spool.close();
    expect(readdirSync(folder)).not.toContain('starts.json');
  });
});

describe('damage that shows while the spool runs', () => {
  it('is repaired under way: what waits goes on, what is committed meanwhile is kept', async () => {
    const folder = copyOfTemplate();
    // LevelDB opens a table when it is first read, long after it has opened the store.
    const spool = await open(folder);
    for (const file of files(folder, /\.ldb$/)) overwrite(file);
    await spool.commitWindows([change('a', [closed('a', window(8000, 8010))])]);
    const ids: string[] = [];
    for (let tries = 0; tries < 50 && !ids.some((id) => id.includes('8000')); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      for (const lane of ['backlog', 'live'] as const) {
        const taken = await takeAll(spool, lane).catch(() => []);
        ids.push(...taken.map((entry) => entry.message.messageId));
      }
    }
    expect(ids.some((id) => id.includes('8000-8010'))).toBe(true);
    expect(spool.stats().repair).toBeDefined();
    await spool.commitWindows([change('a', [closed('a', window(8010, 8020))])]);
    await spool.close();
    const next = await open(folder);
    expect((await next.find('a', window(8000, 8020), 9)).map((found) => found.window.start)).toEqual([
      8000, 8010,
    ]);
    expect(next.openStream('a', 'sequence')).toMatchObject({ floor: 8020, continuity: 'proven' });
    await next.close();
  });
});
