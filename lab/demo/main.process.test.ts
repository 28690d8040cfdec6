import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { missingPrograms } from '../../test/support/programs.ts';
import { repositoryFile } from './processes.ts';

const hasNoBrowser = missingPrograms('chromium');
const hasNoBus = missingPrograms('socat');
const main = repositoryFile('lab/demo/main.ts');
let folder: string;
let demo: ChildProcess;
let out: string;
let progress: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
});

afterEach(() => {
  if (demo.exitCode === null) demo.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

function start(...args: string[]): void {
  demo = spawn(process.execPath, [main, '--keep', join(folder, 'run'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  out = '';
  progress = '';
  demo.stdout!.on('data', (chunk) => {
    out += chunk;
  });
  demo.stderr!.on('data', (chunk) => {
    progress += chunk;
  });
}

/** Waits as long as the test may: rejects once the demo has ended, since then nothing more comes. */
async function said(pattern: RegExp): Promise<void> {
  while (!pattern.test(out)) {
    if (demo.exitCode !== null) throw new Error(`the demo ended with ${demo.exitCode}:\n${out}${progress}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Every process that the demo says it started, and that still runs. */
function leftOver(): number[] {
  const pids = [...`${out}${progress}`.matchAll(/running, process (\d+)/g)].map(([, pid]) => Number(pid));
  expect(pids.length).toBeGreaterThanOrEqual(4);
  return pids.filter((pid) => existsSync(`/proc/${pid}`));
}

test('a tour accounts for every reading, and leaves no process behind', { timeout: 700_000 }, async () => {
  start('--tour', '--quick', '--json', '--seed', '7');
  const [code] = await once(demo, 'close');
  expect(code, progress).toBe(0);
  expect(out.trimEnd().split('\n')).toHaveLength(1);
  const account = JSON.parse(out);
  expect(account).toMatchObject({ ok: true, missing: 0, invented: 0, changed: 0, openGaps: 0, problems: [] });
  expect(account.produced).toBe(account.delivered + account.void);
  // The faults were real: nothing can bring back what the meter did not show, something came twice, gaps
  // were found and closed.
  expect(account.voidSeconds).toBeGreaterThan(3);
  expect(account.duplicates).toBeGreaterThan(0);
  expect(account.gapsFound).toBeGreaterThan(4);
  // Every kind of equipment took part, and what remembers lost nothing.
  const streams = new Map<string, { delivered: number; void: number }>(
    account.streams.map((stream: { stream: string }) => [stream.stream, stream]),
  );
  for (const name of ['meter', 'tank', 'sensor', ...(hasNoBus ? [] : ['scale'])]) {
    expect(streams.get(name)?.delivered, name).toBeGreaterThan(0);
  }
  for (const name of ['press', 'boiler', 'logger', 'kiln', ...(hasNoBus ? [] : ['mixer'])]) {
    expect(streams.get(name), name).toMatchObject({ void: 0 });
    expect(streams.get(name)?.delivered, name).toBeGreaterThan(0);
  }
  expect(account.gapsClosed).toBe(account.gapsFound);
  if (hasNoBrowser) expect(account.dashboard).toBeNull();
  else {
    const { gapsOn, healed, voids, folder: pictureFolder, pictures } = account.dashboard;
    expect(gapsOn).toContain('press');
    expect({ healed, voids }).toMatchObject({ healed: true, voids: { meter: 'void: no history' } });
    for (const moment of ['1-before', '2-gaps', '3-healed'])
      expect(pictures).toContain(`${moment}-fleet-dark.png`);
    for (const picture of pictures)
      expect(statSync(join(pictureFolder, picture)).size).toBeGreaterThan(10_000);
  }
  // The gateway went on deciding while the cloud was out of reach, and each of its verdicts came, once, with its old time.
  const { rule } = account;
  expect(rule).toMatchObject({ missing: 0, doubled: 0, invented: 0, wrong: 0 });
  expect(rule.resetsWhileCut).toBeGreaterThanOrEqual(2);
  const red = rule.shown.filter(({ box }: { box: string }) => box === 'red');
  expect(red.length).toBeGreaterThanOrEqual(2);
  // Some of them came closer together than they were decided: in a burst, however slow the machine is.
  const apart = (at: number, of: 'maxEventTime' | 'arrived') =>
    Date.parse(red[at][of]) - Date.parse(red[at - 1][of]);
  const pairs = Array.from({ length: red.length - 1 }, (_, n) => n + 1);
  expect(pairs.some((at) => apart(at, 'arrived') < apart(at, 'maxEventTime'))).toBe(true);
  expect(leftOver()).toEqual([]);
});

test('the live demo runs until it is interrupted, and leaves no process behind', {
  timeout: 420_000,
}, async () => {
  start();
  await said(/detector: running/);
  await said(/runtime: running/);
  demo.kill('SIGINT');
  const [code] = await once(demo, 'close');
  expect(code).toBe(0);
  expect(leftOver()).toEqual([]);
  expect(readFileSync(join(folder, 'run', 'holdfast.yaml'), 'utf8')).toContain('"press"');
});
