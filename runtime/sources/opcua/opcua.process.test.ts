// The OPC UA source against node-opcua's server, with the plant's samples and faults.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll } from 'vitest';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import type { OpcuaFaultsPatch } from '../../../lab/plant/opcua-faults.ts';
import { type OpcuaPlant, startOpcuaPlant } from '../../../lab/plant/opcua-plant.ts';
import { opcuaSources } from '../../../lab/plant/opcua-site.ts';
import type { Source } from '../source.ts';
import { type SourceHarness, sourceContract } from '../testing/source-contract.ts';
import { opcuaSourceSchema } from './config.ts';
import { createOpcuaSource } from './opcua-source.ts';
import { follow } from './testing/followed-source.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-opcua-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const deps = { clock: systemClock, log: silentLog, metrics: noMetrics, folder: join(folder, 'gateway') };
const scanMs = 50;
const timeoutMs = 1500;

function sourceOf(plant: OpcuaPlant, change: object = {}): Source {
  const [kiln] = opcuaSources(plant.info, { publishMs: scanMs, timeoutMs });
  return createOpcuaSource(
    opcuaSourceSchema.parse({ ...kiln, keepAliveMs: 200, latenessMs: 150, ...change }),
    deps,
  );
}

/** The driver library, its first key and the server's are made before anything is timed. */
beforeAll(async () => {
  const plant = await startOpcuaPlant({ scanMs, folder: join(folder, 'plant') });
  for await (const _ of sourceOf(plant).probe!(new AbortController().signal));
  await plant.stop();
});

sourceContract('an OPC UA source', async (): Promise<SourceHarness> => {
  const plant = await startOpcuaPlant({ scanMs, historyS: 3, prefillS: 6, folder: join(folder, 'plant') });
  const { source, reached } = follow(sourceOf(plant));
  const fault = (name: string, patch: OpcuaFaultsPatch) => ({
    name,
    begin: async () => void (await plant.setFaults(patch)),
  });
  return {
    source,
    lossLimitMs: 2500,
    async produce(count) {
      await reached(count, Date.now(), 5000);
    },
    advance: (ms) => delay(Math.max(ms, 50)),
    cut: async () => void (await plant.setFaults({ unreachable: true })),
    heal: async () =>
      void (await plant.setFaults({ unreachable: false, silent: null, garbage: null, delayMs: null })),
    mischief: [
      fault('being unplugged', { unreachable: true }),
      fault('a half-open connection', { silent: true }),
      fault('garbage', { garbage: true }),
      fault('answers that come too late', { delayMs: 2000 }),
      fault('a session that the server drops', { dropSessions: true }),
      fault('a subscription that the server drops', { dropSubscriptions: true }),
    ],
    dispose: () => plant.stop(),
  };
});
