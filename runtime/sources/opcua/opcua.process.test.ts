// The OPC UA source against node-opcua's server, with the plant's samples and faults.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { systemRandom } from '../../../kernel/random.ts';
import type { OpcuaFaultsPatch } from '../../../lab/plant/opcua-faults.ts';
import { type OpcuaPlant, type OpcuaPlantInfo, startOpcuaPlant } from '../../../lab/plant/opcua-plant.ts';
import { opcuaSources } from '../../../lab/plant/opcua-site.ts';
import type { Source } from '../source.ts';
import { superviseSource } from '../supervisor.ts';
import { RecordingSink } from '../testing/recording-sink.ts';
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
    stopLimitMs: 2000,
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
    ],
    dispose: () => plant.stop(),
  };
});

describe('a server that is killed', () => {
  it('is read again once it is back', async () => {
    const unhandled: unknown[] = [];
    const onUnhandled = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', onUnhandled);
    const first = await startServer(0);
    const sink = new RecordingSink();
    const supervised = superviseSource({
      ...deps,
      name: 'kiln',
      source: sourceOf({ info: first.info } as OpcuaPlant, { timeoutMs: 3000 }),
      sink,
      random: systemRandom,
      backoff: { minMs: 50, maxMs: 200 },
    });
    supervised.start();
    await until(() => sink.readings.length > 20);
    first.child.kill('SIGKILL');
    await once(first.child, 'close');
    await until(() => supervised.state().phase !== 'connected');
    const second = await startServer(first.info.port);
    await until(() => sink.of('resumed').length === 2);
    await until(() => sink.readings.at(-1)!.index > sink.of('resumed')[1]!.at);
    await supervised.stop();
    second.child.kill('SIGKILL');
    expect(supervised.state()).toMatchObject({ phase: 'stopped', abandoned: 0 });
    expect(sink.of('broken').map(({ reason }) => reason)).toEqual(
      expect.arrayContaining(['opcua-connection-lost']),
    );
    expect(sink.breaches()).toEqual([]);
    process.off('unhandledRejection', onUnhandled);
    expect(unhandled).toEqual([]);
  });
});

interface Server {
  readonly child: ChildProcess;
  readonly info: OpcuaPlantInfo;
}

/** In a process of its own. */
async function startServer(port: number): Promise<Server> {
  const main = fileURLToPath(new URL('../../../lab/plant/opcua-main.ts', import.meta.url));
  const args = ['--port', String(port), '--scan-ms', String(scanMs), '--folder', join(folder, 'plant')];
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface(child.stdout)) {
    child.stdout.resume();
    return { child, info: JSON.parse(line) };
  }
  throw new Error('the server did not start');
}

async function until(condition: () => boolean, limitMs = 30_000): Promise<void> {
  const by = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > by) throw new Error(`not within ${limitMs} ms: ${condition}`);
    await delay(20);
  }
}
