// `holdfast spool` as a process: beside a module that runs, in a small heap, into a pipe that nobody reads any more.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { root } from '../../test/support/source-tree.ts';
import { makeFolder, openRealSpool, removeFolders } from '../spool/testing/folders.ts';
import { closed, window } from '../spool/testing/open-test-spool.ts';
import { type Ended, spool } from './testing/spool-commands.ts';

// What is exported takes 40 MB.
const onDisk = mkdtempSync(join(tmpdir(), 'holdfast-export-'));
afterAll(() => {
  removeFolders();
  rmSync(onDisk, { recursive: true, force: true });
});

function holdfast(args: readonly string[], options: { node?: readonly string[]; closeOut?: boolean } = {}) {
  return new Promise<Ended>((resolve, reject) => {
    const child = spawn(process.execPath, [...(options.node ?? []), 'runtime/main.ts', ...args], {
      cwd: root,
    });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
      if (options.closeOut) child.stdout.destroy();
    });
    child.stderr.on('data', (chunk) => (err += chunk));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out, err }));
  });
}

describe('holdfast spool, beside a running module', () => {
  let module: ChildProcess | undefined;
  afterAll(() => module?.kill('SIGKILL'));

  it('says that it runs, ends with 2 and leaves it alone; once it stops, the folder is read', async () => {
    const folder = makeFolder();
    const config = join(folder, 'holdfast.yaml');
    writeFileSync(config, stringify({ dataFolder: join(folder, 'data'), sources: [] }));
    const key = Buffer.from('secret').toString('base64');
    module = spawn(process.execPath, ['runtime/main.ts', 'run', '--config', config, '--ready-line'], {
      cwd: root,
      env: {
        ...process.env,
        HOLDFAST_CONNECTION_STRING: `HostName=127.0.0.1:1;DeviceId=d;ModuleId=m;SharedAccessKey=${key}`,
        HOLDFAST_LOG_LEVEL: 'error',
      },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await new Promise((resolve) => createInterface({ input: module!.stdout! }).once('line', resolve));
    for (const command of ['stats', 'verify', 'export']) {
      const { code, out, err } = await spool(command, join(folder, 'data'));
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toMatch(/a module is running on .*: stop it first/);
    }
    expect(await holdfast(['spool', 'stats', join(folder, 'data')])).toMatchObject({ code: 2, out: '' });
    expect(module.exitCode).toBeNull();
    const stopped = new Promise((resolve) => module!.once('exit', resolve));
    module.kill('SIGTERM');
    expect(await stopped).toBe(0);
    expect(await spool('verify', join(folder, 'data'))).toMatchObject({ code: 0 });
    expect(
      readdirSync(join(folder, 'data', 'spool')).filter((name) => name.startsWith('quarantine')),
    ).toEqual([]);
  });
});

describe('holdfast spool, on a large spool', () => {
  const messages = 8000;
  const perMessage = 50;
  let folder: string;

  beforeAll(async () => {
    folder = makeFolder();
    const large = await openRealSpool(folder);
    for (let n = 0; n < messages; n += 500) {
      const windows = Array.from({ length: 500 }, (_, k) =>
        closed('a', window((n + k) * perMessage, (n + k + 1) * perMessage)),
      );
      const floor = (n + 500) * perMessage;
      await large.commitWindows([{ batchId: 'a', index: 'sequence', closed: windows, restart: true, floor }]);
    }
    await large.close();
  }, 60_000);

  it('exports 400,000 readings in a small heap', async () => {
    const file = join(onDisk, 'out.jsonl');
    // All readings at once would take some 60 MB of heap: with this limit the process would die.
    const node = ['--max-old-space-size=48', '--max-semi-space-size=4'];
    const { code, err } = await holdfast(['spool', 'export', folder, '--output', file], { node });
    expect(err).toContain('400,000 readings of 8,000 windows');
    expect(code).toBe(0);
    const bytes = readFileSync(file);
    let lines = 0;
    for (const byte of bytes) if (byte === 10) lines++;
    expect(lines).toBe(messages * perMessage);
    expect(JSON.parse(bytes.toString('utf8', bytes.lastIndexOf(10, bytes.length - 2) + 1)).index).toBe(
      399_999,
    );
  });

  it('ends at once and quietly when the reader goes away', async () => {
    const { code, err, out } = await holdfast(['spool', 'export', folder], { closeOut: true });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out.length).toBeLessThan(1_000_000);
  });

  it('verifies it, and finds nothing', async () => {
    const { code, out } = await holdfast(['spool', 'verify', folder]);
    expect(out).toMatch(/^No damage/);
    expect(code).toBe(0);
  });
});
