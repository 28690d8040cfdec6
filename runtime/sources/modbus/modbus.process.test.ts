// The Modbus source over real connections: against the simulated plant with its faults, and against a server
// that nobody here wrote.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { systemRandom } from '../../../kernel/random.ts';
import type { FaultsPatch } from '../../../lab/plant/faults.ts';
import { type Plant, startPlant } from '../../../lab/plant/plant.ts';
import { plantSources } from '../../../lab/plant/site.ts';
import { missingPythonModules, systemPython } from '../../../test/support/programs.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { Source, SourceEvent } from '../source.ts';
import { superviseSource } from '../supervisor.ts';
import { RecordingSink } from '../testing/recording-sink.ts';
import { type SourceHarness, sourceContract } from '../testing/source-contract.ts';
import { modbusTcpSourceSchema } from './config.ts';
import { createModbusSource } from './modbus-source.ts';

const deps = { clock: systemClock, log: silentLog, metrics: noMetrics };
const scanMs = 30;

function plantSource(plant: Plant, at: number, change: object = {}): Source {
  const site = plantSources(plant.info, { pollMs: 15, timeoutMs: 120 })[at] as { history?: object };
  const history = site.history ? { ...site.history, firstRecord: undefined } : undefined;
  return createModbusSource(modbusTcpSourceSchema.parse({ ...site, history, ...change }), deps);
}

// The other kinds of equipment pass the same contract in memory; this run adds real sockets and real time.
sourceContract('a Modbus source over TCP', async (): Promise<SourceHarness> => {
  const plant = await startPlant({ scanMs, historyS: 3, prefillS: 6, seed: 9 });
  const fault = (name: string, patch: FaultsPatch) => ({
    name,
    begin: async () => void (await plant.setFaults(patch)),
  });
  return {
    source: plantSource(plant, 0),
    lossLimitMs: 600,
    produce: (count) => delay(count * scanMs + 30),
    advance: (ms) => delay(ms),
    cut: async () => void (await plant.setFaults({ unreachable: true })),
    heal: async () => void (await plant.setFaults({ unreachable: false, units: null })),
    mischief: [
      fault('being unplugged', { unreachable: true }),
      fault('silence', { units: { 1: { silent: true } } }),
      fault('answers that come too late', { units: { 1: { delayMs: 200 } } }),
      fault('a busy device', { units: { 1: { exception: 6 } } }),
      fault('refused registers', { units: { 1: { refuse: [[0, 26]] } } }),
      fault('garbage', { units: { 1: { garbage: true } } }),
    ],
    dispose: () => plant.stop(),
  };
});

describe.each([
  [0, 1],
  [1, 2],
])('a supervised source through every fault of the plant', (at, unit) => {
  it(`misses nothing: what unit ${unit} showed live and what its log adds are the truth`, async () => {
    const plant = await startPlant({ scanMs, historyS: 60, prefillS: 1, seed: 4 });
    const sink = new RecordingSink();
    const supervised = superviseSource({
      ...deps,
      name: 'unit',
      source: plantSource(plant, at),
      sink,
      random: systemRandom,
      backoff: { minMs: 50, maxMs: 100 },
    });
    supervised.start();
    await delay(300);
    const faults: FaultsPatch[] = [
      { unreachable: true },
      { units: { [unit]: { silent: true } } },
      { units: { [unit]: { garbage: true } } },
      { units: { [unit]: { exception: 6 } } },
      { units: { [unit]: { delayMs: 100 } } },
    ];
    for (const fault of faults) {
      await plant.setFaults(fault);
      await delay(250);
      await plant.setFaults({ unreachable: false, units: null });
      await delay(300);
    }
    const observed = windowsOf(sink.events);
    const readings: Reading[] = [...sink.readings];
    for (const [i, { start }] of observed.entries()) {
      if (i === 0) continue;
      const hole = { start: observed[i - 1]!.end, end: start };
      for await (const page of supervised.source.history!.read(hole, new AbortController().signal)) {
        expect(page.kind).toBe('readings');
        if (page.kind === 'readings') readings.push(...page.readings);
      }
    }
    await supervised.stop();
    expect(sink.breaches()).toEqual([]);
    expect(observed.length).toBeGreaterThan(3);
    const found = new Map<number, Record<string, unknown>>();
    for (const { index, tag, value } of readings) found.set(index, { ...found.get(index), [tag]: value });
    const [first, last] = [observed[0]!.start, observed.at(-1)!.end];
    const truth = [...plant.truth(unit, { from: first, to: last })];
    expect(truth.length).toBeGreaterThan(80);
    expect(Object.fromEntries([...found].sort(([a], [b]) => a - b))).toEqual(
      Object.fromEntries(truth.map(({ timestamp, values }) => [timestamp, values])),
    );
    await plant.stop();
  });
});

/** What was observed without a break, as windows. */
function windowsOf(events: readonly SourceEvent[]): { start: number; end: number }[] {
  const windows: { start: number; end: number }[] = [];
  for (const event of events) {
    if (event.kind === 'resumed') windows.push({ start: event.at, end: event.at });
    if (event.kind === 'observed') windows.at(-1)!.end = event.until;
  }
  return windows;
}

describe.skipIf(missingPythonModules('pymodbus'))('a Modbus source and a pymodbus server', () => {
  let server: ChildProcess;
  let ready: { port: number; tags: { name: string }[]; values: Record<string, unknown> };

  beforeAll(async () => {
    const script = fileURLToPath(new URL('./testing/pymodbus_server.py', import.meta.url));
    server = spawn(systemPython, [script], { stdio: ['ignore', 'pipe', 'ignore'] });
    const [line] = await once(createInterface(server.stdout!), 'line');
    ready = JSON.parse(String(line));
  });

  afterAll(() => {
    server.kill('SIGKILL');
  });

  it('agree on every type in every order, on all four tables, and on what does not exist', async () => {
    const config = modbusTcpSourceSchema.parse({
      type: 'modbus-tcp',
      name: 'pymodbus',
      host: '127.0.0.1',
      port: ready.port,
      pollMs: 50,
      tags: ready.tags,
    });
    const sink = new RecordingSink();
    const abort = new AbortController();
    const session = createModbusSource(config, deps).run(sink, abort.signal);
    const deadline = Date.now() + 10_000;
    while (sink.readings.length < 3 * ready.tags.length && Date.now() < deadline) await delay(20);
    abort.abort();
    await session;
    expect(sink.breaches()).toEqual([]);
    for (let poll = 0; poll < 3; poll++) {
      const readings = sink.readings.slice(poll * ready.tags.length, (poll + 1) * ready.tags.length);
      expect(Object.fromEntries(readings.map(({ tag, value }) => [tag, value]))).toEqual(ready.values);
      const bad = readings
        .filter(({ quality }) => quality !== 'good')
        .map(({ tag, quality }) => [tag, quality]);
      expect(bad).toEqual([
        ['nan', 'bad:not-finite'],
        ['input-nan', 'bad:not-finite'],
        ['missing', 'bad:illegal-data-address'],
      ]);
    }
  });

  it('part when the server is killed', async () => {
    const config = modbusTcpSourceSchema.parse({
      type: 'modbus-tcp',
      name: 'pymodbus',
      host: '127.0.0.1',
      port: ready.port,
      pollMs: 20,
      tags: [{ name: 'a', address: 0, type: 'int16' }],
    });
    const sink = new RecordingSink();
    const session = createModbusSource(config, deps).run(sink, new AbortController().signal);
    const ended = expect(session).rejects.toMatchObject({ code: 'modbus-connection-lost' });
    await delay(300);
    server.kill('SIGKILL');
    await ended;
    expect(sink.readings.length).toBeGreaterThan(2);
  });
});
