// `holdfast spool verify` looks at every file that a data folder may hold, whatever stands in its place, and changes nothing.
import { appendFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { quickFolder } from '../../kernel/testing/quick-folder.ts';
import { fingerprint } from '../spool/testing/folders.ts';
import { oddFiles } from '../spool/testing/odd-files.ts';
import { openPlain, spoolPlaces, UsedSpools } from '../spool/testing/spool-places.ts';
import { spool } from './testing/spool-commands.ts';

const spools = new UsedSpools(quickFolder('verify'));
let template: string;
beforeAll(async () => {
  process.env.TMPDIR = quickFolder('verify-salvaged');
  template = await spools.make();
});
afterAll(() => {
  for (const folder of [spools.root, process.env.TMPDIR!]) rmSync(folder, { recursive: true, force: true });
});

let copies = 0;
/** A copy, which verify takes for what it is. */
function copy(): string {
  const folder = join(spools.root, `verified-${copies++}`, 'spool');
  cpSync(template, folder, { recursive: true });
  return folder;
}

interface Found {
  readonly severity: string;
  readonly key: string;
  readonly reason: string;
}

/** Its findings; undefined where there is no spool any more. Nothing in the folder has changed. */
async function verify(
  folder: string,
): Promise<{ code: number | null; findings: readonly Found[] | undefined }> {
  const before = fingerprint(dirname(folder));
  const { code, out } = await spool('verify', folder, '--json');
  expect(fingerprint(dirname(folder))).toEqual(before);
  return { code, findings: out === '' ? undefined : JSON.parse(out).findings };
}

describe('anything in the place of each file', () => {
  const kinds = [
    'a pipe',
    'a folder with something in it',
    'a link in a circle',
    'a file of 3 GiB',
    'a device',
  ];
  // A folder in the place of a folder, and a large file in that of one that may be large, are none of these.
  const isRight = (place: string, kind: string) =>
    (kind === 'a folder with something in it' &&
      /^(store|store.new|lock|quarantine|keys|store\/wal|store\/values)$/.test(place)) ||
    (kind === 'a file of 3 GiB' && /ballast|reserve|LOG|LOCK|segment|table|beside/.test(place));
  const cases = Object.keys(spoolPlaces)
    .filter((place) => place !== 'spool')
    .map((place, at) => [place, kinds[at % kinds.length]!] as const)
    .filter(([place, kind]) => oddFiles[kind] !== undefined && !isRight(place, kind));

  it.each(cases)('%s: %s is told', async (place, kind) => {
    const folder = copy();
    const path = spoolPlaces[place]!(folder);
    oddFiles[kind]!(path);
    const { code, findings } = await verify(folder);
    // The store's own folder: then there is none.
    if (findings === undefined) return expect([code, place]).toEqual([1, 'store']);
    const name = relative(folder, path).replace(/^store\//, '');
    const told = findings.filter(({ key }) => key.endsWith(name) || name.startsWith(`${key}/`));
    expect(
      told.map(({ key }) => key),
      JSON.stringify(findings),
    ).not.toEqual([]);
    rmSync(dirname(folder), { recursive: true });
  });
});

describe('the mark beside the store', () => {
  const path = (folder: string) => join(folder, 'high-water.json');
  const cases: Record<string, [(folder: string) => void, severity: string, reason: RegExp]> = {
    missing: [(folder) => rmSync(path(folder)), 'note', /it is missing/],
    empty: [(folder) => writeFileSync(path(folder), ''), 'damage', /it is empty, damaged or no file/],
    garbage: [(folder) => writeFileSync(path(folder), 'x'), 'damage', /it is empty, damaged or no file/],
    'a changed number': [
      (folder) =>
        writeFileSync(
          path(folder),
          readFileSync(path(folder), 'utf8').replace(/"commits":\d/, '"commits":9'),
        ),
      'damage',
      /it is empty, damaged or no file/,
    ],
    'a folder': [
      (folder) => {
        rmSync(path(folder));
        mkdirSync(path(folder));
      },
      'damage',
      /it is empty, damaged or no file/,
    ],
    'a copy': [() => {}, 'note', /the data folder is a copy, or was put back from one/],
  };

  it.each(Object.keys(cases))('%s: verify says what the next start does', async (what) => {
    const [hit, severity, reason] = cases[what]!;
    const folder = copy();
    hit(folder);
    const { code, findings } = await verify(folder);
    const found = findings!.find(({ key, reason: why }) => key === 'high-water.json' && reason.test(why));
    expect(found, JSON.stringify(findings)).toMatchObject({ severity });
    expect(found!.reason).toContain('no stream goes on without a break at the next start');
    expect(code).toBe(severity === 'damage' ? 1 : 0);
    const next = await openPlain(folder);
    expect(next.openStream('a', 'sequence').continuity).toBe('lost');
    await next.close();
  });

  it('that is right is not spoken of', async () => {
    const folder = await spools.make();
    expect(await verify(folder)).toEqual({ code: 0, findings: [] });
  });
});

describe('what else a folder may hold', () => {
  const cases: Record<string, [(folder: string) => void, key: string, severity: string]> = {
    'a FORMAT.json of nobody': [
      (folder) => writeFileSync(join(folder, 'FORMAT.json'), '{}'),
      'FORMAT.json',
      'damage',
    ],
    'times of starts that are none': [
      (folder) => writeFileSync(join(folder, 'starts.json'), '{'),
      'starts.json',
      'note',
    ],
    'a key that is none': [
      (folder) => {
        mkdirSync(join(folder, 'keys'));
        writeFileSync(join(folder, 'keys', '00000000.json'), '{}');
      },
      'keys/00000000.json',
      'damage',
    ],
    'a store that waits for its salvage': [
      (folder) => mkdirSync(join(folder, 'quarantine', 'x-unsalvaged'), { recursive: true }),
      'quarantine/x-unsalvaged',
      'damage',
    ],
    'a salvage that did not end': [(folder) => mkdirSync(join(folder, 'store.new')), 'store.new', 'note'],
    'what a start renamed': [
      (folder) => writeFileSync(join(folder, 'lock.foreign-1'), ''),
      'lock.foreign-1',
      'note',
    ],
    'a strange file in the store': [
      (folder) => writeFileSync(join(folder, 'store', 'a.txt'), ''),
      'store/a.txt',
      'note',
    ],
    'a strange file in a log': [
      (folder) => writeFileSync(join(folder, 'store', 'wal', '0001.wal.bak'), ''),
      'store/wal/0001.wal.bak',
      'note',
    ],
    'settings of a start that are cut': [
      (folder) => writeFileSync(join(dirname(folder), 'start-settings.json'), '{"origin"'),
      '../start-settings.json',
      'note',
    ],
    'a last run that is none': [
      (folder) => writeFileSync(join(dirname(folder), 'last-run.json'), '[]'),
      '../last-run.json',
      'note',
    ],
    'a lock with bytes behind it': [
      (folder) => appendFileSync(join(folder, 'lock', 'CURRENT'), 'x'.repeat(2000)),
      'lock/CURRENT',
      'damage',
    ],
  };

  it.each(Object.keys(cases))('%s is told', async (what) => {
    const [hit, key, severity] = cases[what]!;
    const folder = copy();
    hit(folder);
    const { findings } = await verify(folder);
    expect(findings).toContainEqual({ severity, kind: 'file', key, reason: expect.any(String) });
    expect(basename(folder)).toBe('spool');
  });
});
