import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { missingPrograms, missingPythonModules, systemPython } from '../../test/support/programs.ts';
import { hasValidCrc, writeCrc } from './crc.ts';
import { type Plant, startPlant } from './plant.ts';
import { recordBytes } from './register-map.ts';
import { encodeSample, sampleAt } from './sample.ts';

const run = promisify(execFile);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(condition: () => boolean, limitMs = 5000): Promise<void> {
  const start = performance.now();
  while (!condition()) {
    if (performance.now() - start > limitMs) throw new Error('waited in vain');
    await pause(2);
  }
}

function frame(...bytes: number[]): Buffer {
  const out = Buffer.from([...bytes, 0, 0]);
  writeCrc(out, bytes.length);
  return out;
}

function newestBlock(plant: Plant, unit: number): Buffer {
  const { number, timestamp } = [...plant.truth(unit)].at(-1)!;
  const block = Buffer.alloc(recordBytes);
  encodeSample(sampleAt(plant.info.seed, unit, number), number, timestamp, block, 0);
  return block;
}

describe('RTU over TCP', () => {
  let plant: Plant;
  let socket: Socket;
  let received = Buffer.alloc(0);

  beforeAll(async () => {
    plant = await startPlant({ seed: 4, scanMs: 20, historyS: 2, prefillS: 3, serial: {} });
    plant.stopSampling();
    socket = connect(plant.info.serial!.port, '127.0.0.1');
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
    });
  });

  afterEach(async () => {
    await plant.setFaults({ units: null });
    // A spoiled answer may leave bytes, and what was sent wrongly is forgotten at the next silence.
    await pause(40);
    received = Buffer.alloc(0);
  });

  afterAll(async () => {
    socket.destroy();
    await plant.stop();
  });

  async function ask(request: Buffer, answerBytes: number): Promise<Buffer> {
    socket.write(request);
    await until(() => received.length >= answerBytes);
    const answer = received.subarray(0, answerBytes);
    received = received.subarray(answerBytes);
    return answer;
  }

  const readBlock = (unit: number) => ask(frame(unit, 3, 0, 0, 0, 26), 57);

  test('the newest sample of each unit is read, with a check sum that matches', async () => {
    for (const unit of [11, 12]) {
      const answer = await readBlock(unit);
      expect(hasValidCrc(answer, 57)).toBe(true);
      expect([...answer.subarray(0, 3)]).toEqual([unit, 3, 52]);
      expect(answer.subarray(3, 55)).toEqual(newestBlock(plant, unit));
    }
  });

  test('a unit that is not on the bus says nothing, and neither does one behind the other port', async () => {
    socket.write(Buffer.concat([frame(7, 3, 0, 0, 0, 26), frame(1, 3, 0, 0, 0, 26)]));
    expect((await readBlock(12))[0]).toBe(12);
    expect(received.length).toBe(0);
  });

  test('a broadcast is obeyed by all and answered by none', async () => {
    socket.write(frame(0, 6, 0, 100, 0x12, 0x34));
    for (const unit of [11, 12]) {
      expect([...(await ask(frame(unit, 3, 0, 100, 0, 1), 7))].slice(0, 5)).toEqual([unit, 3, 2, 0x12, 0x34]);
    }
    expect(received.length).toBe(0);
  });

  test('exceptions carry a check sum too', async () => {
    expect(await ask(frame(11, 3, 0x01, 0xf4, 0, 1), 5)).toEqual(frame(11, 0x83, 2));
    expect(await ask(frame(11, 99), 5)).toEqual(frame(11, 0xe3, 1));
  });

  test('a unit answers again after noise and after half a request', async () => {
    for (const bad of [Buffer.from([1, 2, 3, 4, 5, 6, 7, 8, 9]), frame(11, 3, 0, 0, 0, 26).subarray(0, 4)]) {
      socket.write(bad);
      await pause(40);
      expect((await readBlock(11)).subarray(3, 55)).toEqual(newestBlock(plant, 11));
    }
  });

  test('answers with a wrong check sum, and halves of answers', async () => {
    await plant.setFaults({ units: { 11: { garbage: 'wrong-crc' } } });
    const wrong = await readBlock(11);
    expect(hasValidCrc(wrong, 57)).toBe(false);
    await plant.setFaults({ units: { 11: { garbage: 'truncated' } } });
    socket.write(frame(11, 3, 0, 0, 0, 26));
    await until(() => received.length > 0);
    await pause(30);
    expect(received.length).toBeLessThan(57);
  });

  test('a late answer comes when another unit has answered already', async () => {
    await plant.setFaults({ units: { 11: { delayMs: 60 } } });
    socket.write(frame(11, 3, 0, 0, 0, 1));
    expect((await readBlock(12))[0]).toBe(12);
    expect(received.length).toBe(0);
    await until(() => received.length === 7);
    expect(received[0]).toBe(11);
  });

  test('the gateway reaches the units of the bus', async () => {
    const tcp = connect(plant.port, '127.0.0.1');
    const answer = new Promise<Buffer>((resolve) => tcp.once('data', resolve));
    tcp.write(Buffer.from([0, 1, 0, 0, 0, 6, 12, 3, 0, 0, 0, 26]));
    expect((await answer).subarray(9)).toEqual(newestBlock(plant, 12));
    tcp.destroy();
  });
});

test('a slow bus takes the time that its bytes take', async () => {
  const plant = await startPlant({ serial: { baud: 9600 } });
  const socket = connect(plant.info.serial!.port, '127.0.0.1');
  let bytes = 0;
  socket.on('data', (chunk) => {
    bytes += chunk.length;
  });
  const start = performance.now();
  for (let i = 0; i < 3; i++) socket.write(frame(11, 3, 0, 0, 0, 26));
  await until(() => bytes === 3 * 57);
  // Three answers of 57 bytes, 11 bits each, one after the other; timers may be a millisecond early.
  expect(performance.now() - start).toBeGreaterThan((3 * 57 * 11 * 1000) / 9600 - 6);
  socket.destroy();
  await plant.stop();
});

describe.skipIf(missingPrograms('socat', 'mbpoll') || missingPythonModules('pymodbus', 'serial'))(
  'a serial port, to clients that nobody here wrote',
  () => {
    let plant: Plant;
    let folder: string;
    let path: string;

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'plant-'));
      path = join(folder, 'ttyPLANT');
      plant = await startPlant({ seed: 4, scanMs: 20, historyS: 2, prefillS: 3, serial: { path } });
      plant.stopSampling();
    });

    afterAll(async () => {
      await plant.stop();
      rmSync(folder, { recursive: true });
    });

    const words = (block: Buffer) => Array.from({ length: 26 }, (_, i) => block.readUInt16BE(i * 2));

    async function mbpoll(unit: number): Promise<number[]> {
      const read = ['-a', String(unit), '-0', '-r', '0', '-c', '26', '-t', '4:hex', '-1', '-o', '2'];
      const { stdout } = await run('mbpoll', ['-m', 'rtu', '-b', '19200', '-P', 'none', ...read, path]);
      return [...stdout.matchAll(/^\[\d+\]:\s+(\S+)/gm)].map((match) => Number(match[1]));
    }

    test('mbpoll reads the units', async () => {
      for (const unit of [11, 12]) expect(await mbpoll(unit)).toEqual(words(newestBlock(plant, unit)));
    });

    test('pymodbus reads the units, is refused what does not exist, and goes on after a silent unit', async () => {
      const script = fileURLToPath(new URL('./testing/pymodbus_rtu.py', import.meta.url));
      const { stdout } = await run(systemPython, [script, path]);
      const scale = words(newestBlock(plant, 12));
      const newest = [...plant.truth(11)].length;
      expect(JSON.parse(stdout)).toEqual({
        mixer: words(newestBlock(plant, 11)),
        descriptor: [0, newest, 0, newest - 99, 100, 26],
        scale,
        hole: null,
        wrong_unit: null,
        after: scale,
      });
    });

    test('the port goes away when the bus is unplugged, and works when it is back', async () => {
      await plant.setFaults({ serialUnplugged: true });
      expect(existsSync(path)).toBe(false);
      await plant.setFaults({ serialUnplugged: null });
      expect(await mbpoll(11)).toEqual(words(newestBlock(plant, 11)));
    });
  },
);
