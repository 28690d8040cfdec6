// The real module process, killed with SIGKILL at random moments of a real run: real equipment on one side, a
// real AMQP hub on the other. Whatever the module had reported as durable must reach the hub, and no window
// may claim a reading that it does not carry.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { randomInt, seededRandom } from '../kernel/random.ts';
import { accountStamped } from '../lab/demo/account.ts';
import type { CloudCopy } from '../lab/demo/cloud-copy.ts';
import { type CloudTap, startCloudTap } from '../lab/demo/cloud-tap.ts';
import { type Hub, startHub } from '../lab/hub/hub.ts';
import { type Plant, startPlant } from '../lab/plant/plant.ts';
import { plantSources } from '../lab/plant/site.ts';
import { covers } from '../wire/coverage.ts';
import { parseIndex } from '../wire/index-position.ts';
import type { Window } from '../wire/window.ts';
import { root } from './support/source-tree.ts';

const kills = Number(process.env.HOLDFAST_KILLS ?? 8);
const seed = Number(process.env.HOLDFAST_SEED ?? Date.now() % 1_000_000);
const random = seededRandom(seed);
const folder = mkdtempSync(join(tmpdir(), 'holdfast-kill-'));
const configFile = join(folder, 'holdfast.yaml');
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

let plant: Plant;
let hub: Hub;
let tap: CloudTap;
/** Windows that the module said were durable, by stream. */
const promised = new Map<string, Window[]>();

beforeAll(async () => {
  plant = await startPlant({ seed, scanMs: 100, historyS: 120 });
  hub = await startHub({ strictMessageIds: true });
  tap = startCloudTap({ connectionString: hub.eventHubConnectionString });
  const config = {
    dataFolder: join(folder, 'data'),
    sources: plantSources(plant.info, { pollMs: 40 }),
    windows: { ageMs: 400, quietMs: 2000 },
    spool: { commitIntervalMs: 50 },
    statusPort: 0,
    // This one kills it on purpose: it need not wait before it reads again.
    restarts: { free: 1000 },
  };
  writeFileSync(configFile, stringify(config));
});

afterAll(async () => {
  await tap?.close();
  await hub?.stop();
  await plant?.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Module {
  readonly child: ChildProcess;
  status(): Promise<Status>;
}

interface Status {
  readonly spool: { readonly lanes: Record<string, { messages: number }> };
  readonly streams: readonly { batchId: string; lastWindow?: [string, string] }[];
}

async function startModule(): Promise<Module> {
  const child = spawn(process.execPath, ['runtime/main.ts', 'run', '--config', configFile, '--ready-line'], {
    cwd: root,
    env: {
      ...process.env,
      NODE_EXTRA_CA_CERTS: hub.caFile,
      HOLDFAST_CONNECTION_STRING: hub.deviceConnectionString('gateway', 'holdfast'),
      HOLDFAST_LOG_LEVEL: 'error',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout! }).once('line', resolve);
    child.once('exit', (code) => reject(new Error(`the module ended with ${code} before it was ready`)));
  });
  const { statusPort } = JSON.parse(line);
  return {
    child,
    status: async () => (await fetch(`http://127.0.0.1:${statusPort}/status`)).json() as Promise<Status>,
  };
}

/** Notes what the module says is durable, for as long as it answers. */
async function notePromises(module: Module): Promise<Status> {
  const status = await module.status();
  for (const { batchId, lastWindow } of status.streams) {
    if (!lastWindow) continue;
    const [start, end] = lastWindow.map((text) => parseIndex('time', text)) as [number, number];
    promised.set(batchId, [...(promised.get(batchId) ?? []), { start, end }]);
  }
  return status;
}

async function kill(module: Module): Promise<void> {
  const gone = new Promise((resolve) => module.child.once('exit', resolve));
  module.child.kill('SIGKILL');
  await gone;
}

function streamAccount(copy: CloudCopy, stream: string, unit: number) {
  const truth = [...plant.truth(unit)].map(({ timestamp, values }) => ({
    at: timestamp,
    values: { ...values },
  }));
  return accountStamped({
    stream,
    truth,
    copy: copy.streams().get(stream),
    logReachesBackTo: Number.POSITIVE_INFINITY,
  });
}

describe(`the module, killed ${kills} times (HOLDFAST_SEED=${seed})`, () => {
  it('delivers every window that it had called durable, and claims nothing that it does not carry', {
    timeout: 240_000,
    retry: 0,
  }, async () => {
    for (let round = 0; round < kills; round++) {
      const module = await startModule();
      const lifetimeMs = 200 + randomInt(random, 2500);
      const end = Date.now() + lifetimeMs;
      while (Date.now() < end) {
        await notePromises(module);
        await pause(20);
      }
      await kill(module);
    }
    const last = await startModule();
    await pause(1500);
    await plant.stop();
    for (let status = await notePromises(last); ; status = await notePromises(last)) {
      if (Object.values(status.spool.lanes).every((lane) => lane.messages === 0)) break;
      await pause(100);
    }
    const ended = new Promise((resolve) => last.child.once('exit', resolve));
    last.child.kill('SIGTERM');
    expect(await ended).toBe(0);
    await pause(1500);

    expect(promised.size).toBe(3);
    expect(tap.undecodable).toEqual([]);
    for (const [stream, windows] of promised) {
      const covered = tap.copy.streams().get(stream)?.covered ?? [];
      const broken = windows.filter((window) => !covers(covered, window));
      expect(broken, `promised windows of ${stream} that never arrived`).toEqual([]);
    }
    for (const [stream, unit] of [
      ['press', 1],
      ['boiler', 2],
    ] as const) {
      const account = streamAccount(tap.copy, stream, unit);
      expect(account.delivered).toBeGreaterThan(0);
      expect(account).toMatchObject({ invented: 0, changed: 0, problems: [] });
      expect(
        account.missingRanges.filter((range) => range.why === 'not in the window that claims them'),
      ).toEqual([]);
    }
  });
});
