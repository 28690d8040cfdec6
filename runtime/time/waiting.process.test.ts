// The real module on a real disk, told to wait until its clock is synchronised: killed while it waits, started again
// in the same run of the machine, and synchronised then.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { systemClock } from '../../kernel/clock.ts';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { type Plant, startPlant } from '../../lab/plant/plant.ts';
import { plantSources } from '../../lab/plant/site.ts';
import { root } from '../../test/support/source-tree.ts';
import { decodeBody } from '../../wire/body.ts';
import { parseIndex } from '../../wire/index-position.ts';
import { openSpool } from '../spool/spool.ts';
import { takeAll } from '../spool/testing/open-test-spool.ts';
import type { ClockState } from './site-clock.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-clock-'));
const configFile = join(folder, 'holdfast.yaml');
const synchronisedFile = join(folder, 'synchronised');
const pollMs = 100;
// How far a commit or a poll may lag behind on a busy machine; and how far apart two looks at the clock.
const slackMs = 5000;
const tickMs = 500;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
let plant: Plant;
let child: ChildProcess | undefined;

beforeAll(async () => {
  plant = await startPlant({ seed: 1, scanMs: 100, historyS: 60 });
  const config = {
    dataFolder: join(folder, 'data'),
    sources: plantSources(plant.info, { pollMs }),
    windows: { ageMs: 60_000, quietMs: 60_000 },
    spool: { commitIntervalMs: 50 },
    clock: { trust: 'synchronised', synchronisedFile },
    statusPort: 0,
  };
  writeFileSync(configFile, stringify(config));
});

afterAll(async () => {
  child?.kill('SIGKILL');
  await plant?.stop();
  rmSync(folder, { recursive: true, force: true });
});

// No hub is there: what is stored stays in the spool.
const connection =
  'HostName=localhost;GatewayHostName=localhost:1;DeviceId=d;ModuleId=m;SharedAccessKey=a2V5';

async function start() {
  const started = spawn(
    process.execPath,
    ['runtime/main.ts', 'run', '--config', configFile, '--ready-line'],
    {
      cwd: root,
      env: { ...process.env, HOLDFAST_CONNECTION_STRING: connection, HOLDFAST_LOG_LEVEL: 'error' },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  child = started;
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: started.stdout! }).once('line', resolve);
    started.once('exit', (code) => reject(new Error(`the module ended with ${code}`)));
  });
  const { statusPort } = JSON.parse(line);
  return async () => {
    const answer = await fetch(`http://127.0.0.1:${statusPort}/status`);
    const { clock } = (await answer.json()) as { clock: ClockState };
    return clock;
  };
}

async function end(signal: 'SIGKILL' | 'SIGTERM') {
  const gone = new Promise((resolve) => child?.once('exit', resolve));
  child?.kill(signal);
  await gone;
}

async function meterWindows() {
  const spool = await openSpool({
    folder: join(folder, 'data', 'spool'),
    clock: systemClock,
    log: silentLog,
    metrics: noMetrics,
  });
  const messages = [...(await takeAll(spool, 'backlog')), ...(await takeAll(spool, 'live'))];
  await spool.close();
  return messages
    .map(({ message }) => message)
    .filter(({ properties }) => properties.batchId === 'meter')
    .map(({ properties: { startWindow, endWindow, schema = '' }, body, contentEncoding }) => ({
      start: parseIndex('time', startWindow),
      end: parseIndex('time', endWindow),
      readings: decodeBody(body, { schema, contentEncoding, index: 'time' }),
    }))
    .sort((a, b) => a.start - b.start);
}

it('places what waited before and after the kill, with a hole for the kill alone', async () => {
  const startedAt = Date.now();
  const first = await start();
  const readyAt = Date.now();
  await pause(2000);
  expect(await first()).toMatchObject({ trusted: false, mode: 'waiting' });
  expect((await first()).waitingBytes).toBeGreaterThan(1000);
  const killedAt = Date.now();
  await end('SIGKILL');
  const again = await start();
  const backAt = Date.now();
  await pause(1000);
  expect(await again()).toMatchObject({ trusted: false, mode: 'waiting' });
  writeFileSync(synchronisedFile, '');
  for (let tries = 0; !(await again()).trusted && tries < 100; tries++) await pause(100);
  expect(await again()).toMatchObject({ trusted: true });
  await pause(500);
  const stoppedAt = Date.now();
  await end('SIGTERM');

  const windows = await meterWindows();
  const before = windows.filter(({ end }) => end <= killedAt + tickMs);
  const after = windows.filter(({ start }) => start > killedAt);
  // No window reaches over the kill. A busy machine may miss polls: then there are more windows than two.
  expect(before.length + after.length).toBe(windows.length);
  expect(before[0]!.start).toBeGreaterThan(startedAt);
  expect(before[0]!.start).toBeLessThan(readyAt + slackMs);
  expect(before.at(-1)!.end).toBeGreaterThan(killedAt - slackMs);
  expect(after[0]!.start).toBeLessThan(backAt + slackMs);
  expect(after.at(-1)!.end).toBeGreaterThan(stoppedAt - slackMs);
  const readings = windows.flatMap((window) => window.readings);
  expect(readings.every(({ quality }) => quality === 'good')).toBe(true);
  const positions = new Set(readings.map(({ index }) => index));
  expect(positions.size * 10).toBe(readings.length);
});
