// Files that the twin names: where they may lie, and that no error repeats their contents.
import { execFileSync } from 'node:child_process';
import {
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readRemoteFile, remoteFilesOf } from './remote-files.ts';
import { loadWanted, type Outcome } from './wanted.ts';

const root = mkdtempSync(join(tmpdir(), 'remote-files-'));
afterAll(() => rmSync(root, { recursive: true }));
const [inside, outside] = [join(root, 'config'), join(root, 'secret')];
for (const folder of [inside, outside, join(inside, 'data'), join(inside, 'deeper')]) mkdirSync(folder);

const remote = remoteFilesOf({ named: inside, configFile: undefined, dataFolder: join(inside, 'data') });
const good = 'sources: []\n';
const secrets = [
  'root:$6$Zx8vK2q:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\nhunter2key: value\n',
  '-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0\nhunter2key==\n-----END PRIVATE KEY-----\n',
  'HostName=hub;DeviceId=d;SharedAccessKey=hunter2key=\n',
  '{"hunter2key": {"hunter2key": 1}}',
  'sources: [{name: x, type: modbus-tcp, hunter2key: 1, host: h, unit: 1, pollMs: 1000, tags: []}]',
  'sources: []\nuplink: {hunter2key: 1}\n',
  'a: &hunter2key [1\n',
  '? hunter2key\n: *nothing\n',
  '%YAML hunter2key\n---\n!!hunter2key {',
  'hunter2key',
  '- hunter2key\n- [hunter2key\n',
  'hunter2key: 1\nhunter2key: 2\n',
];

function write(name: string, text = good, folder = inside): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function load(path: string): Promise<Outcome> {
  const twin = { kind: 'file', version: '1', path } as const;
  return loadWanted({ twin, file: undefined, running: undefined, remote }, (file) => heard.push(file));
}
const heard: string[] = [];

async function problemsOf(path: string): Promise<string> {
  const outcome = await load(path);
  expect(outcome.kind).toBe('wrong');
  return JSON.stringify(outcome);
}

describe('a file that the twin names', () => {
  it('is taken where it lies in a folder for such files, or deeper, or is a link within it', async () => {
    expect((await load(write('site.yaml'))).kind).toBe('loaded');
    expect((await load(write('site.yaml', good, join(inside, 'deeper')))).kind).toBe('loaded');
    symlinkSync('site.yaml', join(inside, 'current.yaml'));
    expect((await load(join(inside, 'current.yaml'))).kind).toBe('loaded');
    const linked = join(root, 'linked');
    symlinkSync(inside, linked);
    const by = remoteFilesOf({ named: linked, configFile: undefined, dataFolder: join(linked, 'data') });
    expect(Buffer.from(await readRemoteFile(join(linked, 'site.yaml'), by, 1000)).toString()).toBe(good);
    await expect(readRemoteFile(join(inside, 'site.yaml'), by, 1000)).rejects.toMatchObject({
      code: 'config-file-outside',
    });
  });

  it('elsewhere is refused in the same words, whether it is there or not, and is not even watched', async () => {
    write('site.yaml');
    write('shadow', secrets[0], outside);
    symlinkSync(join(outside, 'shadow'), join(inside, 'link.yaml'));
    symlinkSync(outside, join(inside, 'folder'));
    write('start-settings.json', good, join(inside, 'data'));
    const elsewhere = [
      '/etc/shadow',
      '/no/such/file',
      join(outside, 'shadow'),
      join(outside, 'none'),
      `${inside}/../secret/shadow`,
      `${inside}-not/site.yaml`,
      inside,
      join(inside, 'link.yaml'),
      join(inside, 'folder', 'shadow'),
      join(inside, 'data', 'start-settings.json'),
      `${inside}/deeper/../data/start-settings.json`,
      '/proc/self/environ',
      '/dev/zero',
    ];
    heard.length = 0;
    const said = await Promise.all(elsewhere.map(problemsOf));
    expect(new Set(said).size).toBe(1);
    expect(said[0]).toContain('HOLDFAST_CONFIG_FOLDERS');
    expect(heard.every((file) => file.startsWith(`${inside}/`) && !file.includes('/data/'))).toBe(true);
  });

  it.each([
    ['a pipe', (path: string) => execFileSync('mkfifo', [path]), 'no regular file'],
    ['a folder', (path: string) => mkdirSync(path), 'no regular file'],
    ['a file of 3 GiB', (path: string) => ftruncateSync(openSync(path, 'w'), 3 * 1024 ** 3), 'larger than'],
    ['a link that leads nowhere', (path: string) => symlinkSync('nowhere', path), 'ENOENT'],
    ['a link in a circle', (path: string) => symlinkSync(path, path), 'ELOOP'],
    ['nothing', () => {}, 'ENOENT'],
  ])('that is %s is refused at once', async (_what, make, said) => {
    const path = join(inside, 'odd.yaml');
    make(path);
    expect(await problemsOf(path)).toContain(said);
    rmSync(path, { recursive: true, force: true });
  });

  it.each(secrets)('tells nothing of what is in it (%#)', async (text) => {
    const said = await problemsOf(write('key', text));
    expect(said).not.toMatch(/hunter2|daemon|root:|MIIE|PRIVATE|HostName|SharedAccess/i);
  });

  it('tells the place of a setting that there is none, and the one that was meant', async () => {
    const path = write('typo.yaml', 'sources: []\nwindows:\n  agesMs: 5\nuplink:\n  bodi: x\n');
    expect(await load(path)).toMatchObject({
      problems: [
        {
          path: 'windows.(…)',
          place: { line: 3, column: 3 },
          message: expect.stringMatching(/^unknown setting.*did you mean ageMs\?/),
        },
        {
          path: 'uplink.(…)',
          place: { line: 5, column: 3 },
          message: expect.stringMatching(/^unknown setting.*did you mean body\?/),
        },
      ],
    });
  });

  it('names tables of tags and authorities under the same rules, as does a twin that is a configuration itself', async () => {
    const table = write('tags.csv', 'hunter2key,name\nhunter2key,x\n');
    write('tags.csv', secrets[0], outside);
    const source = (tagsFile: string) => ({
      name: 'p',
      type: 'modbus-tcp',
      host: 'h',
      unit: 1,
      pollMs: 1000,
      tagsFile,
    });
    for (const tagsFile of [
      table,
      'tags.csv',
      '../secret/tags.csv',
      join(outside, 'tags.csv'),
      '/etc/shadow',
    ]) {
      const config = JSON.stringify({ sources: [source(tagsFile)] });
      const said = await problemsOf(write('with-table.yaml', config));
      expect(said).not.toMatch(/hunter2|daemon|root:/);
      if (!tagsFile.startsWith(inside)) continue;
      const twin = { kind: 'inline', version: '1', value: { sources: [source(tagsFile)] } } as const;
      const outcome = await loadWanted({ twin, file: undefined, running: undefined, remote }, () => {});
      expect(outcome.kind).toBe('wrong');
      expect(JSON.stringify(outcome)).not.toMatch(/hunter2/);
    }
    const caFile = join(outside, 'shadow');
    const twin = { kind: 'inline', version: '1', value: { sources: [], uplink: { caFile } } } as const;
    const outcome = await loadWanted({ twin, file: undefined, running: undefined, remote }, () => {});
    expect(outcome).toMatchObject({ kind: 'wrong', problems: [{ path: 'uplink.caFile' }] });
  });

  it('does not tell the sum of a file that is another one', async () => {
    const path = write('other.yaml');
    const twin = { kind: 'file', version: '1', path, hash: '0'.repeat(64) } as const;
    const outcome = await loadWanted({ twin, file: undefined, running: undefined, remote }, () => {});
    expect(outcome).toMatchObject({
      problems: [{ message: expect.stringMatching(/is not 0{64}: the file/) }],
    });
  });

  it('that becomes a link while it is looked at is not followed', async () => {
    // As fast as it can be done from here: whichever comes first, it is the file or a refusal, never the secret.
    const path = join(inside, 'race.yaml');
    const swap = async () => {
      for (let n = 0; n < 200; n++) {
        writeFileSync(`${path}.a`, good);
        renameSync(`${path}.a`, path);
        await new Promise((resolve) => setImmediate(resolve));
        symlinkSync(join(outside, 'shadow'), `${path}.b`);
        renameSync(`${path}.b`, path);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const read = async () => {
      for (let n = 0; n < 200; n++) {
        const bytes = await readRemoteFile(path, remote, 1000).catch(() => undefined);
        if (bytes !== undefined) expect(Buffer.from(bytes).toString()).toBe(good);
      }
    };
    await Promise.all([swap(), read()]);
  });
});

describe('folders for such files', () => {
  it('are those that are named, else the one of the own file and the one that the data folder is in', () => {
    const of = (named: string | undefined, configFile: string | undefined, dataFolder: string) =>
      remoteFilesOf({ named, configFile, dataFolder }).folders;
    expect(of('/a:/b/../c', '/x/y.yaml', '/data/holdfast')).toEqual(['/a', '/c']);
    expect(of('', '/x/y.yaml', '/data/holdfast')).toEqual([]);
    expect(of(undefined, '/etc/holdfast/site.yaml', '/data/holdfast')).toEqual(['/etc/holdfast', '/data']);
    expect(of(undefined, undefined, '/data')).toEqual([]);
  });
});
