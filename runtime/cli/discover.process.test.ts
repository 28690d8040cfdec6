// `holdfast probe --discover` against devices by other makers, and the plant with its device habits.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { systemClock } from '../../kernel/clock.ts';
import { startOpcuaPlant } from '../../lab/plant/opcua-plant.ts';
import { type Plant, startPlant } from '../../lab/plant/plant.ts';
import { missingPrograms, missingPythonModules, systemPython } from '../../test/support/programs.ts';
import { loadValue } from '../config/load.ts';
import { openPortPair } from '../sources/serial/testing/port-pair.ts';
import { discover } from './discover.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-discover-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What was printed, as a site would paste it. */
async function look(address: string) {
  const lines: string[] = [];
  const print = (line: string) => void lines.push(line);
  const code = await discover(address, { timeout: 60, dataFolder: folder }, systemClock, print);
  const text = lines.join('\n');
  const sources = parse(text) as object[] | null;
  expect(sources?.length ?? 1, text).toBe(1);
  if (sources) await loadValue({ dataFolder: folder, sources }, 'what was printed');
  return { code, text, source: sources?.[0] as Record<string, unknown> };
}

/** A server that prints its port in a line of JSON. */
async function serve(
  command: string,
  args: readonly string[],
): Promise<{ server: ChildProcess; port: number }> {
  const server = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const [line] = await once(createInterface(server.stdout!), 'line');
  return { server, port: (JSON.parse(String(line)) as { port: number }).port };
}

describe('the plant', () => {
  let plant: Plant;
  beforeAll(async () => {
    plant = await startPlant({ seed: 3, scanMs: 200 });
  });
  afterAll(() => plant.stop());
  afterEach(() => plant.setFaults({ units: null }));
  const address = () => `modbus-tcp://127.0.0.1:${plant.info.port}?unit=1&timeoutMs=300`;

  it('is described by a source that a configuration takes', async () => {
    const { code, source } = await look(address());
    expect(code).toBe(0);
    expect(source).toMatchObject({ type: 'modbus-tcp', host: '127.0.0.1', unit: 1 });
    // Its registers end: how many it gives in a request is not known.
    expect(source).not.toHaveProperty('maxRegisters');
  });

  it('shows each habit, and the setting that goes with it', async () => {
    await plant.setFaults({ units: { 1: { habits: { transactionId: 0, gapMs: 120, deafMs: 700 } } } });
    const { text, source } = await look(address());
    expect(source).toMatchObject({ transactionId: 'ignore', gapMs: 200 });
    expect(source.connectDelayMs).toBeGreaterThanOrEqual(600);
    expect(text).toContain('# ');
  });

  it.each([
    ['unitId', { unitId: 0 }],
    ['frameLength', { lengthError: 1 }],
  ])('that fills in a wrong %s is read without it', async (setting, habits) => {
    await plant.setFaults({ units: { 1: { habits } } });
    expect((await look(address())).source).toMatchObject({ [setting]: 'ignore' });
  });

  it('that closes after each answer is looked at all the same', async () => {
    await plant.setFaults({ units: { 1: { habits: { closesAfterAnswer: true } } } });
    expect((await look(address())).source).toMatchObject({
      unit: 1,
      tags: [{ table: 'holding', address: 0 }],
    });
  });
});

it.skipIf(missingPythonModules('pymodbus'))(
  'a pymodbus server with SunSpec models says who it is',
  async () => {
    const script = fileURLToPath(new URL('./testing/pymodbus_sunspec.py', import.meta.url));
    const { server, port } = await serve(systemPython, [script]);
    try {
      const { text, source } = await look(`modbus-tcp://127.0.0.1:${port}?unit=1`);
      expect(text).toContain('maker ACME, product Sun 8000, version 1.2?- name: another?[2J');
      expect(source.profile).toEqual([
        { use: 'sunspec-1', at: 40_002 },
        { use: 'sunspec-103', at: 40_070 },
      ]);
    } finally {
      server.kill('SIGKILL');
    }
  },
);

// Its library comes with mbpoll.
it.skipIf(missingPrograms('mbpoll'))('a libmodbus server is described', async () => {
  const script = fileURLToPath(new URL('./testing/libmodbus_server.py', import.meta.url));
  const { server, port } = await serve(systemPython, [script]);
  try {
    expect((await look(`modbus-tcp://127.0.0.1:${port}?unit=1`)).source).toMatchObject({
      tags: [{ table: 'holding', address: 0 }],
    });
  } finally {
    server.kill('SIGKILL');
  }
});

describe.skipIf(missingPrograms('socat'))('on a serial port', () => {
  /** `read`: what was found at the port where a unit is served by `script`. */
  async function lookAtPort(script: string, query: string) {
    const ports = await openPortPair();
    const file = fileURLToPath(new URL(`./testing/${script}`, import.meta.url));
    const { server } = await serve(systemPython, [file, ports.theirs]);
    try {
      return await look(`modbus-rtu://${ports.ours}?baudRate=19200&parity=none&${query}`);
    } finally {
      server.kill('SIGKILL');
      ports.close();
    }
  }

  it.skipIf(missingPythonModules('pymodbus'))('a pymodbus unit is described', async () => {
    const { text, source } = await lookAtPort('pymodbus_sunspec.py', 'unit=3');
    expect(text).toContain('maker ACME, product Sun 8000, version 1.2?- name: another?[2J');
    expect(source).toMatchObject({ type: 'modbus-rtu', unit: 3, baudRate: 19_200, parity: 'none' });
    expect(source.profile).toContainEqual({ use: 'sunspec-103', at: 40_070 });
  });

  // It answers no loopback.
  it.skipIf(missingPrograms('mbpoll'))('a libmodbus unit is described', async () => {
    const { source } = await lookAtPort('libmodbus_server.py', 'unit=5&timeoutMs=200ms');
    expect(source).toMatchObject({ unit: 5, timeoutMs: 200, tags: [{ address: 0 }] });
  });
});

it('a node-opcua server is described with its variables', async () => {
  const plant = await startOpcuaPlant({ scanMs: 100, folder: join(folder, 'opcua') });
  try {
    await plant.setFaults({ operations: 100 });
    const { text, source } = await look(plant.info.endpoint);
    expect(text).toContain('does not say so (nodesPerRead)');
    expect(text).toMatch(/it offers .*SignAndEncrypt .*the source below uses the best of them/);
    expect(source).not.toHaveProperty('security');
    expect(source.tags).toContainEqual(
      expect.objectContaining({ name: expect.stringContaining('temperature') }),
    );
  } finally {
    await plant.stop();
  }
});

it.each([
  ['nonsense', /is no address that can be looked at; write modbus-tcp:/],
  ['modbus-tcp://127.0.0.1?unit=999', /unit/],
  ['modbus-tcp://127.0.0.1?uint=3', /unknown setting; did you mean unit\?/],
  ['modbus-rtu://dev/ttyUSB0?unit=3', /three slashes, modbus-rtu:\/\/\/dev\/ttyUSB0\?unit=3/],
])('%s is bad input, and it is said how it is written', async (address, words) => {
  const said = vi.spyOn(console, 'error').mockImplementation(() => {});
  try {
    expect((await look(address)).code).toBe(2);
    expect(said.mock.calls.join('\n')).toMatch(words);
  } finally {
    said.mockRestore();
  }
});
