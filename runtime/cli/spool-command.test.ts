// `holdfast spool` on real folders: of stopped modules, and damaged ones.
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  damageFile,
  filesOf,
  fingerprint,
  makeFolder,
  makeRun,
  openRealSpool,
  pressReadings,
  pressStart,
  removeFolders,
} from '../spool/testing/folders.ts';
import { jsonLines, spool } from './testing/spool-commands.ts';

let data: string;

beforeAll(async () => {
  data = makeFolder();
  await makeRun(data, 8);
});
afterAll(removeFolders);

const iso = (at: number) => new Date(at).toISOString();

describe('holdfast spool, on a stopped module', () => {
  it('changes not a byte, not a time and no name, whatever is asked', async () => {
    const before = fingerprint(data);
    const asked = [['stats'], ['verify'], ['list'], ['show', '1'], ['export'], ['stats', '--json']];
    const codes = [];
    for (const [command, ...rest] of asked) codes.push((await spool(command!, data, ...rest)).code);
    expect(codes).toEqual([0, 0, 0, 0, 0, 0]);
    expect(fingerprint(data)).toEqual(before);
  });

  it('stats says what is there, to people and to programs, for either folder', async () => {
    const people = await spool('stats', data);
    expect(people.out).toMatch(/^unsent +\d+ +\d/m);
    expect(people.out).toMatch(/^press +\d+ .* 1 +7 s/m);
    expect(people.out).toContain(`${iso(pressStart + 30_000)} to ${iso(pressStart + 37_000)} (7 s)`);
    const { out } = await spool('stats', join(data, 'spool'), '--json');
    const stats = JSON.parse(out);
    expect(stats.lanes.unsent.messages).toBe(stats.stored.messages);
    expect(stats.problems).toEqual([]);
    expect(stats.streams.map(({ batchId }: { batchId: string }) => batchId)).toEqual(['log', 'press']);
    expect(stats.streams[1]).toMatchObject({
      index: 'time',
      span: [iso(pressStart), iso(pressStart + 87_000)],
      holeCount: 1,
      holeSize: 7000,
      holes: [[iso(pressStart + 30_000), iso(pressStart + 37_000)]],
    });
  });

  it('export gives every reading back exactly, and filters by stream and time', async () => {
    const whole = await spool('export', data);
    const readings = jsonLines(whole.out);
    const starts = Array.from({ length: 8 }, (_, n) => pressStart + n * 10_000 + (n < 3 ? 0 : 7000));
    const press = readings.filter(({ stream }) => stream === 'press');
    expect(press.map(({ time, tag, value, quality }) => ({ time, tag, value, quality }))).toEqual(
      starts.flatMap(pressReadings).map(({ index, ...rest }) => ({ time: iso(index), ...rest })),
    );
    expect(readings.filter(({ stream }) => stream === 'log')).toMatchObject([
      { index: 100, tag: 'alarm', value: 'door open', quality: 'good', window: ['100', '105'] },
    ]);
    const from = iso(pressStart + 5000);
    const to = iso(pressStart + 8000);
    const file = join(makeFolder(), 'out.jsonl');
    const filtered = await spool(
      'export',
      data,
      '--stream',
      'press',
      '--from',
      from,
      '--to',
      to,
      '--output',
      file,
    );
    expect(filtered).toMatchObject({ code: 0, out: '' });
    const times = jsonLines(readFileSync(file, 'utf8')).map(({ time }) => time);
    expect(times).toEqual([5000, 6000, 7000].map((ms) => iso(pressStart + ms)));
    expect(await spool('export', data, '--output', file)).toMatchObject({ code: 2 });
  });

  it('list and show lead from a message to its readings', async () => {
    const { out } = await spool('list', data, '--stream', 'log', '--json');
    const [message] = jsonLines(out);
    expect(message).toMatchObject({
      lanes: ['unsent'],
      batchId: 'log',
      window: ['100', '105'],
      count: 1,
      problem: null,
    });
    const shown = JSON.parse((await spool('show', data, String(message.id), '--json')).out);
    expect(shown).toMatchObject({
      messageId: expect.stringMatching(/^log.100-105$/),
      properties: { index: 'sequence', count: '1' },
    });
    expect(shown.readings).toEqual([{ index: 100, tag: 'alarm', value: 'door open', quality: 'good' }]);
    const people = await spool('show', data, String(message.id));
    expect(people.out).toMatch(/100 +alarm +"door open" +good/);
    expect((await spool('list', data, '--limit', '2')).out.trim().split('\n')).toHaveLength(3);
  });

  it('bad arguments end with 2 and say what to change', async () => {
    const empty = makeFolder();
    const cases: [string[], RegExp][] = [
      [['stats'], /missing required argument 'dir'/],
      [['stats', empty], /holds no spool: name the module's data folder/],
      [['stats', join(empty, 'no')], /does not exist/],
      [['list', data, '--stream', 'pres'], /no stream 'pres'; it knows log, press/],
      [['list', data, '--limit', 'many'], /write a whole number/],
      [['show', data, '999999'], /no message 999999/],
      [['salvage', data, join(data, 'saved')], /name a folder elsewhere/],
      [['salvage', data, data], /is not empty/],
      [['polish', data], /unknown command/],
    ];
    for (const [args, message] of cases) {
      const { code, out, err } = await spool(...args);
      expect({ args, code, out }).toEqual({ args, code: 2, out: '' });
      expect(err).toMatch(message);
      expect(err).not.toMatch(/ at .*\.ts:\d/);
    }
  });
});

describe('holdfast spool, on damage', () => {
  it('verify lists every damaged place and ends with 1; the rest is read all the same', async () => {
    const folder = makeFolder();
    await makeRun(folder, 8);
    await (await openRealSpool(folder)).close();
    const whole = await spool('export', folder);
    const store = join(folder, 'spool', 'store');
    const [table] = filesOf(store, /\.ldb$/);
    damageFile(table!, (bytes) => bytes.fill(0x55, bytes.length >> 1, (bytes.length >> 1) + 20));
    const before = fingerprint(folder);
    const people = await spool('verify', folder);
    expect(people.code).toBe(1);
    expect(people.out).toMatch(/^damage +file +\d+\.ldb +the sum of a block does not match/m);
    const program = await spool('verify', folder, '--json');
    const report = JSON.parse(program.out);
    expect(report.damaged).toBeGreaterThan(0);
    expect(
      report.findings.every((f: object) => 'severity' in f && 'kind' in f && 'key' in f && 'reason' in f),
    ).toBe(true);
    expect((await spool('stats', folder)).code).toBe(0);
    const exported = await spool('export', folder);
    expect(exported).toMatchObject({ code: 1, err: expect.stringContaining('see holdfast spool verify') });
    expect(fingerprint(folder)).toEqual(before);

    const target = join(makeFolder(), 'saved');
    const salvaged = await spool('salvage', folder, target, '--json');
    expect(salvaged.code).toBe(1);
    expect(JSON.parse(salvaged.out).files).toHaveLength(1);
    expect(fingerprint(folder)).toEqual(before);
    expect(await spool('verify', target)).toMatchObject({ code: 0 });
    // The table was the index's: what it named lies in the value log all the same, and salvage finds it there.
    const lines = ({ out }: { out: string }) => out.split('\n').toSorted();
    // What the damage left is true, whether or not the write-ahead log still has what the table lost.
    expect(lines(whole)).toEqual(expect.arrayContaining(lines(exported)));
    expect(lines(await spool('export', target))).toEqual(lines(whole));
  });

  it.each([
    ['a lost CURRENT', (store: string) => rmSync(join(store, 'CURRENT'))],
    ['a MANIFEST of zero length', (store: string) => writeFileSync(filesOf(store, /^MANIFEST/)[0]!, '')],
    [
      'a torn MANIFEST',
      (store: string) => damageFile(filesOf(store, /^MANIFEST/)[0]!, (b) => b.fill(1, 9, 12)),
    ],
    [
      'noise at the end of the log',
      (store: string) =>
        appendFileSync(filesOf(store, /\.log$/)[0]!, Buffer.from([1, 2, 3, 4, 2, 0, 1, 9, 9])),
    ],
    ['every table gone', (store: string) => filesOf(store, /\.ldb$/).map((file) => rmSync(file))],
  ])('%s is reported, not crashed on', async (_what, spoil) => {
    const folder = makeFolder();
    await makeRun(folder, 4);
    await (await openRealSpool(folder)).close();
    spoil(join(folder, 'spool', 'store'));
    for (const command of ['verify', 'export']) {
      const { code, err } = await spool(command, folder);
      expect([0, 1]).toContain(code);
      if (command === 'verify') expect(code).toBe(1);
      expect(err).not.toMatch(/ at .*\.ts:\d/);
    }
  });

  it('a folder that is no spool, or one of a newer version, is refused in words', async () => {
    const foreign = makeFolder();
    mkdirSync(join(foreign, 'spool', 'store'), { recursive: true });
    writeFileSync(join(foreign, 'spool', 'store', 'holiday.jpg'), 'x');
    expect(await spool('verify', foreign)).toMatchObject({
      code: 2,
      err: expect.stringContaining('holds no spool'),
    });
    const newer = makeFolder();
    await makeRun(newer, 1);
    writeFileSync(join(newer, 'spool', 'FORMAT.json'), '{"holdfast":"spool","format":99}');
    expect(await spool('verify', newer)).toMatchObject({
      code: 2,
      err: expect.stringContaining('newer version'),
    });
  });
});
