// Third-party clients read the plant and find its ground truth: mbpoll (libmodbus) and pymodbus.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { missingPrograms, missingPythonModules, systemPython } from '../../test/support/programs.ts';
import { type Plant, startPlant } from './plant.ts';
import { recordBytes } from './register-map.ts';
import { encodeSample, sampleAt } from './sample.ts';
import type { TruthSample } from './truth.ts';

const run = promisify(execFile);
let plant: Plant;

// 600 records into logs of 500: the ring has wrapped, and the files go on in a second one. Then the plant
// stands still, so that what was read can be compared record by record.
beforeAll(async () => {
  plant = await startPlant({ seed: 21, scanMs: 20, historyS: 10, prefillS: 12 });
  plant.stopSampling();
});

afterAll(() => plant.stop());

const truthOf = (unit: number): TruthSample[] => [...plant.truth(unit)];

function registersOf(unit: number): number[] {
  const { number, timestamp } = truthOf(unit).at(-1)!;
  const block = Buffer.alloc(recordBytes);
  encodeSample(sampleAt(21, unit, number), number, timestamp, block, 0);
  return Array.from({ length: recordBytes / 2 }, (_, i) => block.readUInt16BE(i * 2));
}

describe.skipIf(missingPythonModules('pymodbus'))('pymodbus', () => {
  interface Read {
    readonly live: Record<string, object>;
    readonly input: object;
    readonly coils: boolean[];
    readonly inputs: boolean[];
    readonly ring: object[];
    readonly files: object[];
    readonly commands: boolean[];
    readonly setpoints: number[];
    readonly readwrite: number[];
    readonly exceptions: object;
  }
  let read: Read;

  beforeAll(async () => {
    const script = fileURLToPath(new URL('./testing/pymodbus_read.py', import.meta.url));
    const { stdout } = await run(systemPython, [script, String(plant.port)], { maxBuffer: 16 * 1024 * 1024 });
    read = JSON.parse(stdout);
  });

  const withoutUnit = ({ unit: _, ...sample }: TruthSample) => sample;

  test('sees the newest sample of every unit', () => {
    for (const unit of [1, 2, 3]) expect(read.live[unit]).toEqual(withoutUnit(truthOf(unit).at(-1)!));
    expect(read.input).toEqual(withoutUnit(truthOf(3).at(-1)!));
    const { status } = truthOf(1).at(-1)!.values;
    const bits = Array.from({ length: 16 }, (_, bit) => ((status >> bit) & 1) === 1);
    expect(read.coils).toEqual(bits);
    expect(read.inputs).toEqual(bits);
  });

  test('reads the whole event log from the register ring', () => {
    expect(read.ring).toHaveLength(500);
    expect(read.ring).toEqual(truthOf(1).slice(-500).map(withoutUnit));
  });

  test('reads the whole event log from file records', () => {
    expect(read.files).toHaveLength(500);
    expect(read.files).toEqual(truthOf(2).slice(-500).map(withoutUnit));
  });

  test('writes commands and set points', () => {
    expect(read.commands).toEqual([false, true, false, false, true, false, true, false]);
    expect(read.setpoints).toEqual([(4242 & 0xff00) | 1, 1, 65535]);
    expect(read.readwrite).toEqual([(4242 & 0xff00) | 1, 1]);
  });

  test('understands every refusal', () => {
    expect(read.exceptions).toEqual({ hole: 2, function: 1, unit: 11, file: 2 });
  });
});

describe.skipIf(missingPrograms('mbpoll'))('mbpoll', () => {
  async function mbpoll(...args: string[]): Promise<string> {
    const fixed = ['-m', 'tcp', '-p', String(plant.port), '-0', '-1', '-o', '3'];
    const separator = args.indexOf('--');
    const options = separator < 0 ? args : args.slice(0, separator);
    const values = separator < 0 ? [] : args.slice(separator + 1);
    const { stdout } = await run('mbpoll', [...fixed, ...options, '127.0.0.1', ...values]);
    return stdout;
  }

  function valuesIn(output: string): number[] {
    return [...output.matchAll(/^\[\d+\]:\s+(\S+)/gm)].map((match) => Number(match[1]));
  }

  test.each([1, 2, 3])('reads the sample block of unit %i', async (unit) => {
    const block = ['-a', String(unit), '-r', '0', '-c', '26'];
    expect(valuesIn(await mbpoll(...block, '-t', '4:hex'))).toEqual(registersOf(unit));
    expect(valuesIn(await mbpoll(...block, '-t', '3:hex'))).toEqual(registersOf(unit));
  });

  test('reads status bits as discrete inputs and as coils', async () => {
    const { status } = truthOf(1).at(-1)!.values;
    const bits = Array.from({ length: 16 }, (_, bit) => (status >> bit) & 1);
    expect(valuesIn(await mbpoll('-a', '1', '-r', '0', '-c', '16', '-t', '1'))).toEqual(bits);
    expect(valuesIn(await mbpoll('-a', '1', '-r', '0', '-c', '16', '-t', '0'))).toEqual(bits);
  });

  test('writes set points and commands, one and several', async () => {
    await mbpoll('-a', '3', '-r', '110', '-t', '4', '--', '77');
    await mbpoll('-a', '3', '-r', '111', '-t', '4', '--', '1', '2', '3');
    expect(valuesIn(await mbpoll('-a', '3', '-r', '110', '-c', '4', '-t', '4'))).toEqual([77, 1, 2, 3]);
    await mbpoll('-a', '3', '-r', '16', '-t', '0', '--', '1');
    await mbpoll('-a', '3', '-r', '18', '-t', '0', '--', '1', '1');
    expect(valuesIn(await mbpoll('-a', '3', '-r', '16', '-c', '5', '-t', '0'))).toEqual([1, 0, 1, 1, 0]);
  });

  test('is told what does not exist', async () => {
    const refused = mbpoll('-a', '1', '-r', '500', '-c', '1', '-t', '4');
    await expect(refused).rejects.toThrow(/Illegal data address/);
    await expect(mbpoll('-a', '9', '-r', '0', '-c', '1', '-t', '4')).rejects.toThrow(/failed to respond/);
  });
});
