// The detector as a process, with the real Event Hubs client, against the lab's hub.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Hub, startHub } from '../lab/hub/hub.ts';
import { type DetectorProcess, startDetector } from './testing/detector-process.ts';
import { type EdgeModule, openEdgeModule } from './testing/edge-module.ts';
import { startPostgres, type TestPostgres } from './testing/postgres.ts';

let hub: Hub;
let folder: string;
const detectors: DetectorProcess[] = [];
const modules: EdgeModule[] = [];

const environment = (name: string) => ({
  HOLDFAST_EVENTHUB_CONNECTION: hub.eventHubConnectionString,
  HOLDFAST_HUB_CONNECTION: hub.serviceConnectionString,
  HOLDFAST_DATA_FOLDER: join(folder, name),
  HOLDFAST_INSTANCE: name,
  HOLDFAST_DETECTION_DELAY_MS: '300',
  HOLDFAST_SWEEP_INTERVAL_MS: '200',
  HOLDFAST_BALANCE_INTERVAL_MS: '500',
  NODE_EXTRA_CA_CERTS: hub.caFile,
});

async function start(
  name: string,
  extra: Record<string, string> = {},
  args: readonly string[] = [],
): Promise<DetectorProcess> {
  const detector = await startDetector({ ...environment(name), ...extra }, args);
  detectors.push(detector);
  return detector;
}

async function edge(deviceId: string, options: Partial<Parameters<typeof openEdgeModule>[0]> = {}) {
  const module = await openEdgeModule({ hub, deviceId, moduleId: 'holdfast', index: 'sequence', ...options });
  modules.push(module);
  return module;
}

async function eventually(what: () => Promise<void>, limitMs = 120_000): Promise<void> {
  const end = Date.now() + limitMs;
  for (;;) {
    try {
      return await what();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

const streamOf = async (detector: DetectorProcess, deviceId: string) =>
  (await detector.streams()).find((stream) => stream.deviceId === deviceId);

beforeAll(async () => {
  hub = await startHub();
  folder = mkdtempSync(join(tmpdir(), 'holdfast-detector-'));
});
afterAll(async () => {
  await Promise.allSettled(modules.map((module) => module.close()));
  await Promise.allSettled(detectors.map((detector) => detector.kill()));
  await hub.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('the detector process', () => {
  test('finds a gap, has it fetched again, and closes it', async () => {
    const module = await edge('repairs');
    const detector = await start('repairs');
    await module.send('press', { start: 0, end: 10 });
    await module.send('press', { start: 20, end: 30 });
    await eventually(async () => {
      expect(await streamOf(detector, 'repairs')).toMatchObject({
        covered: [[0, 30]],
        backfilled: [[10, 20]],
        gaps: [],
        gapsFound: 1,
        gapsClosed: 1,
        messages: 3,
        duplicates: 0,
        openRequests: 0,
      });
    });
    expect(module.asked).toMatchObject([{ batchId: 'press', range: { start: 10, end: 20 } }]);
    expect(await detector.requests()).toMatchObject([{ state: 'closed', start: 10, end: 20, attempt: 1 }]);
    expect(await detector.stop()).toBe(0);
  });

  test('asks the module of a stream of records that is quiet, and tells it from one that has stopped', async () => {
    let asked = 0;
    let phase = 'connected';
    const sources = () => [{ batchId: 'log', name: 'log', phase }];
    const onStatus = () => {
      asked++;
      return { sources: sources(), totals: { sources: 1 } };
    };
    const quiet = await edge('quiet', { onStatus });
    const stopped = await edge('stopped', {
      onStatus: () => ({ sources: sources(), totals: { sources: 1 } }),
    });
    const detector = await start('quiet', { HOLDFAST_SILENCE_MS: '1000' });
    await quiet.send('log', { start: 0, end: 10 });
    await stopped.send('log', { start: 0, end: 10 });
    await stopped.close();
    const alerts = async () => {
      const response = await fetch(`${detector.url}/api/alerts`);
      const { alerts: list } = (await response.json()) as { alerts: { deviceId: string; message: string }[] };
      return list.filter(({ deviceId }) => ['quiet', 'stopped'].includes(deviceId));
    };
    await eventually(async () => expect(await alerts()).toMatchObject([{ deviceId: 'stopped' }]));
    const before = asked;
    await eventually(async () => expect(asked).toBeGreaterThan(before + 5));
    expect(await alerts()).toHaveLength(1);
    phase = 'backoff';
    await eventually(async () => expect(await alerts()).toMatchObject([{ deviceId: 'quiet' }, {}]));
    expect(await detector.stop()).toBe(0);
  });

  test('killed and restarted again and again, it counts nothing twice and misses nothing', async () => {
    const module = await edge('survives');
    let sent = 0;
    let sending = true;
    const flow = (async () => {
      while (sending) {
        await module.send('press', { start: sent * 10, end: sent * 10 + 10 });
        sent++;
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    })();
    for (let round = 0; round < 4; round++) {
      const detector = await start('survives');
      await new Promise((resolve) => setTimeout(resolve, 300 + Math.random() * 1000));
      await detector.kill();
    }
    sending = false;
    await flow;
    const detector = await start('survives');
    await eventually(async () => {
      expect(await streamOf(detector, 'survives')).toMatchObject({
        covered: [[0, sent * 10]],
        messages: sent,
        readings: sent,
        duplicates: 0,
        gapsFound: 0,
      });
    });
    expect(sent).toBeGreaterThan(500);
    await detector.stop();
  });
});

describe('two detectors on one PostgreSQL', () => {
  let postgres: TestPostgres;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres.stop());

  test('share the work, never ask twice, and lose nothing when one is killed', async () => {
    const url = await postgres.createDatabase();
    const shared = { DATABASE_URL: url, HOLDFAST_OWNERSHIP_MS: '2000' };
    const first = await start('first', shared);
    const second = await start('second', shared);
    const names = ['p', 'q', 'r', 's'].map((name) => `shared-${name}`);
    const edges = await Promise.all(names.map((name) => edge(name)));
    // Every tenth window is left out, and has to be asked for.
    const send = async (from: number, to: number) => {
      for (let i = from; i < to; i++) {
        if (i % 10 === 5) continue;
        await Promise.all(edges.map((module) => module.send('press', { start: i * 10, end: i * 10 + 10 })));
      }
    };
    await send(0, 40);
    await first.kill();
    await send(40, 81);
    await eventually(async () => {
      for (const name of names) {
        expect(await streamOf(second, name)).toMatchObject({
          covered: [[0, 810]],
          gapsFound: 8,
          gapsClosed: 8,
          duplicates: 0,
          messages: 81,
        });
      }
    });
    for (const module of edges) {
      const asked = module.asked.map(({ range }) => range.start).sort((a, b) => a - b);
      // A call whose answer the killed one did not live to write is made again, with the same id.
      expect(new Set(asked)).toEqual(new Set([50, 150, 250, 350, 450, 550, 650, 750]));
      expect(new Set(module.asked.map(({ requestId }) => requestId)).size).toBe(8);
    }
    expect(await second.stop()).toBe(0);
  });
});

describe('the command line', () => {
  test('says everything that is wrong with the environment, and ends with 2', async () => {
    const wrong = start('wrong', { HOLDFAST_HUB_CONNECTION: 'x', HOLDFAST_HTTP_PORT: 'y' });
    await expect(wrong).rejects.toThrow(/ended with 2[\s\S]*HOLDFAST_HTTP_PORT/);
    await expect(wrong).rejects.toThrow(/HOLDFAST_HUB_CONNECTION/);
  });

  test('refuses a data folder that is in use, and a rebuild of it', async () => {
    const running = await start('in-use');
    await expect(start('in-use')).rejects.toThrow(/open in another process/);
    await expect(start('in-use', {}, ['rebuild'])).rejects.toThrow(/open in another process/);
    await running.stop();
  });

  test('rebuild begins anew: the next start counts everything that the hub retains', async () => {
    const module = await edge('rebuilt');
    for (let i = 0; i < 5; i++) await module.send('press', { start: i, end: i + 1 });
    const before = await start('rebuilt');
    await eventually(async () => expect(await streamOf(before, 'rebuilt')).toMatchObject({ messages: 5 }));
    await before.stop();
    await expect(start('rebuilt', {}, ['rebuild'])).rejects.toThrow(/ended with 0/);
    expect(readdirSync(join(folder, 'rebuilt'))).toEqual([expect.stringMatching(/^ledger\.set-aside-\d+$/)]);
    const after = await start('rebuilt');
    await eventually(async () =>
      expect(await streamOf(after, 'rebuilt')).toMatchObject({ messages: 5, duplicates: 0 }),
    );
    await after.stop();
  });
});
