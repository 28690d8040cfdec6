// The detector as a process, with the real Event Hubs client, against the lab's hub.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Hub, startHub } from '../lab/hub/hub.ts';
import { type DetectorProcess, startDetector } from './testing/detector-process.ts';
import { type EdgeModule, openEdgeModule } from './testing/edge-module.ts';

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

async function start(name: string, extra: Record<string, string> = {}): Promise<DetectorProcess> {
  const detector = await startDetector({ ...environment(name), ...extra });
  detectors.push(detector);
  return detector;
}

async function edge(deviceId: string, options: Partial<Parameters<typeof openEdgeModule>[0]> = {}) {
  const module = await openEdgeModule({ hub, deviceId, moduleId: 'holdfast', index: 'sequence', ...options });
  modules.push(module);
  return module;
}

async function eventually(what: () => Promise<void>, limitMs = 30_000): Promise<void> {
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
