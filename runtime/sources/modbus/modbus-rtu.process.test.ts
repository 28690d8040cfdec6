// Modbus RTU over real ports: a pseudo terminal made by socat, with the simulated plant or pymodbus behind it,
// and RTU frames over TCP as terminal servers carry them.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import type { FaultsPatch } from '../../../lab/plant/faults.ts';
import { startPlant } from '../../../lab/plant/plant.ts';
import { plantSources } from '../../../lab/plant/site.ts';
import { missingPrograms, missingPythonModules, systemPython } from '../../../test/support/programs.ts';
import { RecordingSink } from '../testing/recording-sink.ts';
import { type SourceHarness, sourceContract } from '../testing/source-contract.ts';
import { modbusRtuSourceSchema, modbusRtuTcpSourceSchema } from './config.ts';
import { createModbusLinks } from './link.ts';
import { createModbusSource } from './modbus-source.ts';

const deps = { clock: systemClock, log: silentLog, metrics: noMetrics };
/** Slow enough that a busy machine still polls each sample. */
const scanMs = 250;
const folder = mkdtempSync(join(tmpdir(), 'modbus-rtu-'));
let ports = 0;

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What the plant's serial units have in common with its first TCP unit, on another transport. */
function onLine(plant: Parameters<typeof plantSources>[0], unit: number, transport: object) {
  const press = plantSources(plant)[0] as unknown as { history: object; stamp: object; tags: object[] };
  const { stamp, tags, history } = press;
  const capacity = plant.units[unit]!.capacity;
  const common = {
    name: `unit-${unit}`,
    unit,
    pollMs: 20,
    timeoutMs: 400,
    turnaroundMs: 20,
    tags,
    ...transport,
  };
  return capacity > 0
    ? { ...common, stamp, history: { ...history, capacity, firstRecord: undefined } }
    : common;
}

describe.skipIf(missingPrograms('socat'))('with socat', () => {
  sourceContract('a Modbus source on a serial port', async (): Promise<SourceHarness> => {
    const path = join(folder, `plant-${ports++}`);
    const plant = await startPlant({ scanMs, historyS: 7, prefillS: 14, seed: 9, serial: { path } });
    const fault = (name: string, patch: FaultsPatch) => ({
      name,
      begin: async () => void (await plant.setFaults(patch)),
    });
    const config = modbusRtuSourceSchema.parse(
      onLine(plant.info, 11, { type: 'modbus-rtu', path, parity: 'none' }),
    );
    return {
      source: createModbusSource(config, deps),
      lossLimitMs: 3000,
      produce: (count) => delay(count * scanMs + 300),
      advance: (ms) => delay(ms),
      cut: async () => void (await plant.setFaults({ serialUnplugged: true })),
      heal: async () => void (await plant.setFaults({ serialUnplugged: false, units: null })),
      mischief: [
        fault('being unplugged', { serialUnplugged: true }),
        fault('silence', { units: { 11: { silent: true } } }),
        fault('answers that come too late', { units: { 11: { delayMs: 600 } } }),
        fault('garbage', { units: { 11: { garbage: true } } }),
      ],
      dispose: () => plant.stop(),
    };
  });

  describe.skipIf(missingPythonModules('pymodbus', 'serial_asyncio'))(
    'a serial port with pymodbus behind it',
    () => {
      const [ours, theirs] = [join(folder, 'ours'), join(folder, 'theirs')];
      let pair: ChildProcess;
      let server: ChildProcess;
      let ready: { tags: object[]; values: Record<string, unknown> };

      beforeAll(async () => {
        pair = spawn('socat', [`PTY,link=${ours},rawer`, `PTY,link=${theirs},rawer`], { stdio: 'ignore' });
        while (!existsSync(ours) || !existsSync(theirs)) await delay(10);
        const script = fileURLToPath(new URL('./testing/pymodbus_server.py', import.meta.url));
        server = spawn(systemPython, [script, theirs], { stdio: ['ignore', 'pipe', 'ignore'] });
        const [line] = await once(createInterface(server.stdout!), 'line');
        ready = JSON.parse(String(line));
      });

      afterAll(() => {
        server.kill('SIGKILL');
        pair.kill('SIGKILL');
      });

      it('gives every type in every order, and says what does not exist', async () => {
        const config = modbusRtuSourceSchema.parse({
          type: 'modbus-rtu',
          name: 'pymodbus',
          path: ours,
          baudRate: 115_200,
          parity: 'none',
          pollMs: 50,
          tags: ready.tags,
        });
        const sink = new RecordingSink();
        const abort = new AbortController();
        const session = createModbusSource(config, deps).run(sink, abort.signal);
        const deadline = Date.now() + 15_000;
        while (sink.readings.length < 2 * ready.tags.length && Date.now() < deadline) await delay(20);
        abort.abort();
        await session;
        const readings = sink.readings.slice(0, ready.tags.length);
        expect(Object.fromEntries(readings.map(({ tag, value }) => [tag, value]))).toEqual(ready.values);
        expect(readings.find(({ tag }) => tag === 'missing')?.quality).toBe('bad:illegal-data-address');
        expect(sink.breaches()).toEqual([]);
      });
    },
  );
});

describe('RTU over TCP', () => {
  it('reads two units of one line in turns, and the truth of both', async () => {
    const plant = await startPlant({ scanMs, historyS: 5, prefillS: 1, seed: 3, serial: {} });
    const links = createModbusLinks({ clock: systemClock });
    const place = { type: 'modbus-rtu-tcp', host: '127.0.0.1', port: plant.info.serial!.port };
    const abort = new AbortController();
    const units = [11, 12].map((unit) => {
      const sink = new RecordingSink();
      const config = modbusRtuTcpSourceSchema.parse(onLine(plant.info, unit, place));
      const session = createModbusSource(config, { ...deps, links }).run(sink, abort.signal);
      return { sink, session };
    });
    await delay(15 * scanMs);
    abort.abort();
    await Promise.all(units.map(({ session }) => session));
    for (const { sink } of units) expect(sink.breaches()).toEqual([]);
    const [mixer, scale] = units.map(({ sink }) => sink.readings);
    const truth = new Map([...plant.truth(11)].map(({ timestamp, values }) => [timestamp, values]));
    expect(mixer!.length).toBeGreaterThan(100);
    for (const { index, tag, value } of mixer!)
      expect({ [tag]: value }).toEqual(pick(truth.get(index)!, tag));
    expect(scale!.length).toBeGreaterThan(100);
    await plant.stop();
  });
});

function pick(values: object, tag: string): object {
  return { [tag]: (values as Record<string, unknown>)[tag] };
}
