import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { noFaults } from './faults.ts';
import { type Plant, startPlant } from './plant.ts';
import { recordRegisters, ringBase } from './register-map.ts';
import { sampleAt, tagValues } from './sample.ts';

let plant: Plant;
const clients: RawClient[] = [];

beforeEach(async () => {
  plant = await startPlant({ seed: 11, scanMs: 20, historyS: 4, prefillS: 2 });
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.destroy();
  await plant.stop();
});

/** Sends bytes, keeps the bytes that come back. */
class RawClient {
  readonly socket: Socket;
  received = Buffer.alloc(0);
  isClosed = false;

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.on('data', (chunk) => {
      this.received = Buffer.concat([this.received, chunk]);
    });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.isClosed = true;
    });
    clients.push(this);
  }

  /** Resolves when at least so many bytes are there; takes them. */
  async take(bytes: number): Promise<Buffer> {
    await until(() => this.received.length >= bytes || this.isClosed);
    if (this.received.length < bytes) throw new Error('the connection was cut');
    const taken = this.received.subarray(0, bytes);
    this.received = this.received.subarray(bytes);
    return taken;
  }

  async ask(frame: Buffer): Promise<Buffer> {
    this.socket.write(frame);
    const header = await this.take(6);
    return Buffer.concat([header, await this.take(header.readUInt16BE(4))]);
  }
}

function frame(transaction: number, unit: number, ...pdu: number[]): Buffer {
  return Buffer.from([transaction >> 8, transaction & 255, 0, 0, 0, pdu.length + 1, unit, ...pdu]);
}

const readSample = (transaction: number, unit: number) => frame(transaction, unit, 4, 0, 0, 0, 26);

async function until(condition: () => boolean, limitMs = 5000): Promise<void> {
  const start = performance.now();
  while (!condition()) {
    if (performance.now() - start > limitMs) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

describe('a unit with a habit', () => {
  /** The PDU of the answer; undefined where none comes. */
  async function askOf(faults: object, ...pdu: number[]): Promise<Buffer | undefined> {
    await plant.setFaults({ units: { 1: faults } });
    const client = new RawClient(plant.port);
    client.socket.write(frame(1, 1, ...pdu));
    // Another unit is asked behind it, on the same connection.
    client.socket.write(readSample(2, 2));
    const first = await client.take(7);
    if (first[6] === 2) return undefined;
    return client.take(first.readUInt16BE(4) - 1);
  }
  const read = [3, 0, 0, 0, 26];

  test('is busy for a while', async () => {
    const busy = { exception: 6, everyMs: 1000, forMs: 1000 };
    expect(await askOf({ busy }, ...read)).toEqual(Buffer.from([0x83, 6]));
    expect((await askOf({ busy: null }, ...read))?.[0]).toBe(3);
  });

  test('says nothing to reads over some registers', async () => {
    expect(await askOf({ mute: [[25, 25]] }, ...read)).toBeUndefined();
    expect((await askOf({ mute: [[26, 26]] }, ...read))?.[0]).toBe(3);
  });

  test('refuses large reads in its own way', async () => {
    const faults = { maxRegisters: 20, maxRegistersException: 4 };
    expect(await askOf(faults, ...read)).toEqual(Buffer.from([0x83, 4]));
    expect((await askOf(faults, 3, 0, 0, 0, 20))?.[0]).toBe(3);
  });
});

/** The value once it has not changed for 300 ms. */
async function untilSteady(read: () => number): Promise<number> {
  for (let before = -1; ; ) {
    const value = read();
    if (value === before) return value;
    before = value;
    await pause(300);
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function control(method: string, path: string, body?: unknown) {
  const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
  const response = await fetch(`http://127.0.0.1:${plant.controlPort}${path}`, init);
  return { status: response.status, text: await response.text() };
}

interface State {
  isListening: boolean;
  connections: number;
  units: Record<
    string,
    { newest: number; oldest: number; samples: number; requests: number; ignored: number }
  >;
}
const state = () => plant.state() as State;

describe('frames', () => {
  test('pipelined requests of several units are answered in order', async () => {
    const client = new RawClient(plant.port);
    const units = Array.from({ length: 3000 }, (_, i) => 1 + (i % 3));
    client.socket.write(Buffer.concat(units.map((unit, i) => readSample(i, unit))));
    const answers = await client.take(3000 * 61);
    for (const [i, unit] of units.entries()) {
      const answer = answers.subarray(i * 61, (i + 1) * 61);
      expect([answer.readUInt16BE(0), answer.readUInt16BE(4), answer[6], answer[7], answer[8]]).toEqual([
        i,
        55,
        unit,
        4,
        52,
      ]);
    }
  });

  test('a request that comes byte by byte is answered like any other', async () => {
    const client = new RawClient(plant.port);
    for (const byte of readSample(5, 1)) {
      client.socket.write(Buffer.from([byte]));
      await pause(1);
    }
    expect((await client.take(61)).readUInt16BE(0)).toBe(5);
  });

  test('bytes that are no Modbus end the connection, after the answers that were due', async () => {
    const client = new RawClient(plant.port);
    client.socket.write(Buffer.concat([readSample(5, 1), Buffer.from('GET / HTTP/1.1\r\n\r\n')]));
    expect((await client.take(61)).readUInt16BE(0)).toBe(5);
    await until(() => client.isClosed);
  });

  test('a unit that is not there is answered by the gateway', async () => {
    const client = new RawClient(plant.port);
    expect([...(await client.ask(readSample(5, 77)))]).toEqual([0, 5, 0, 0, 0, 3, 77, 0x84, 11]);
  });

  test('who asks without reading the answers is not read from either, and others are', async () => {
    const greedy = new RawClient(plant.port);
    greedy.socket.removeAllListeners('data').pause();
    const many = Buffer.concat(Array.from({ length: 5000 }, (_, i) => frame(i, 1, 3, 0x07, 0xd0, 0, 125)));
    // 60 KB of requests call for 1.3 MB of answers: far more than the system buffers for one connection.
    for (let i = 0; i < 40; i++) greedy.socket.write(many);
    const taken = await untilSteady(() => state().units[1]!.requests);
    expect(taken).toBeLessThan(200_000);
    const polite = new RawClient(plant.port);
    expect((await polite.ask(readSample(9, 1))).length).toBe(61);
    greedy.socket.resume();
    await until(() => greedy.socket.bytesRead === 200_000 * 259, 20_000);
  });
});

describe('truth', () => {
  test('what is read is what the truth says, live and from the log', async () => {
    const client = new RawClient(plant.port);
    const live = (await client.ask(readSample(1, 1))).subarray(9);
    const number = live.readUInt32BE(8);
    const truth = [...plant.truth(1, { fromNumber: number, toNumber: number + 1 })];
    expect(truth).toEqual([
      {
        unit: 1,
        number,
        timestamp: Number(live.readBigUInt64BE(0)),
        values: tagValues(sampleAt(11, 1, number)),
      },
    ]);
    expect(live.readDoubleBE(24)).toBe(truth[0]!.values.energy);

    const wanted = number - 90;
    const address = ringBase + (wanted % plant.info.units[1]!.capacity) * recordRegisters;
    const logged = (await client.ask(frame(2, 1, 3, address >> 8, address & 255, 0, 26))).subarray(9);
    expect(logged.readUInt32BE(8)).toBe(wanted);
    expect(Number(logged.readBigUInt64BE(0))).toBe(truth[0]!.timestamp - 90 * 20);
  });

  test('what the meter shows is kept with its time', async () => {
    const client = new RawClient(plant.port);
    const before = Date.now();
    const number = (await client.ask(readSample(1, 3))).readUInt32BE(17);
    const [shown] = [...plant.shown(3)];
    expect(shown).toMatchObject({ number, function: 4, address: 0, count: 26 });
    expect(shown!.at).toBeGreaterThanOrEqual(before);
    expect(shown!.at).toBeLessThanOrEqual(Date.now());
    expect(shown!.values).toEqual(tagValues(sampleAt(11, 3, number)));
  });

  test('sampling stops on demand, and reading goes on', async () => {
    plant.stopSampling();
    const { samples } = state().units[1]!;
    await pause(60);
    expect(state().units[1]!.samples).toBe(samples);
    const client = new RawClient(plant.port);
    expect((await client.ask(readSample(1, 1))).readUInt32BE(17)).toBe(samples);
  });
});

describe('faults', () => {
  test('unreachable: connections are cut and refused, samples are made and logged all the same', async () => {
    const client = new RawClient(plant.port);
    await client.ask(readSample(1, 1));
    const before = state().units[1]!;
    await plant.setFaults({ unreachable: true });
    await until(() => client.isClosed);
    const refused = new RawClient(plant.port);
    await until(() => refused.isClosed);
    expect(refused.socket.bytesRead).toBe(0);
    await until(() => state().units[1]!.newest >= before.newest + 5);
    await plant.setFaults({ unreachable: null });
    const again = new RawClient(plant.port);
    const number = (await again.ask(readSample(2, 1))).readUInt32BE(17);
    expect(number).toBeGreaterThanOrEqual(before.newest + 5);
    expect([...plant.truth(1)]).toHaveLength(state().units[1]!.newest);
  });

  test('plugging in and out quickly ends in the last state asked for', async () => {
    await Promise.all([true, false, true, false].map((unreachable) => plant.setFaults({ unreachable })));
    expect(state().isListening).toBe(true);
    const client = new RawClient(plant.port);
    expect((await client.ask(readSample(2, 1))).length).toBe(61);
  });

  test('silent: one unit takes requests and says nothing, its neighbours answer', async () => {
    await plant.setFaults({ units: { 1: { silent: true } } });
    const client = new RawClient(plant.port);
    client.socket.write(readSample(1, 1));
    expect((await client.ask(readSample(2, 2))).readUInt16BE(0)).toBe(2);
    expect(client.received.length).toBe(0);
    expect(state().units[1]!.ignored).toBe(1);
  });

  test('off: no sample while the power is gone, and the log is there afterwards', async () => {
    await plant.setFaults({ units: { 2: { off: true } } });
    const before = state().units;
    await until(() => state().units[1]!.newest >= before[1]!.newest + 4);
    expect(state().units[2]).toMatchObject({ newest: before[2]!.newest, oldest: before[2]!.oldest });
    await plant.setFaults({ units: { 2: null } });
    await until(() => state().units[2]!.newest === before[2]!.newest + 2);
    const stamps = [...plant.truth(2)].slice(-4).map((sample) => sample.timestamp);
    expect(Math.max(...stamps.map((at, i) => (i === 0 ? 0 : at - stamps[i - 1]!)))).toBeGreaterThan(20);
  });

  test('slow: the answer is late and fresh, and others are not held up', async () => {
    await plant.setFaults({ units: { 1: { delayMs: 120 } } });
    const client = new RawClient(plant.port);
    const start = performance.now();
    const newest = state().units[1]!.newest;
    client.socket.write(readSample(1, 1));
    expect((await client.ask(readSample(2, 3))).readUInt16BE(0)).toBe(2);
    expect(client.received.length).toBe(0);
    const late = await client.take(61);
    expect(late.readUInt16BE(0)).toBe(1);
    expect(performance.now() - start).toBeGreaterThan(115);
    expect(late.readUInt32BE(17)).toBeGreaterThan(newest);
  });

  test('slow: who asks for more than can be held back is not read from, and gets every answer', async () => {
    await plant.setFaults({ units: { 1: { delayMs: 100 } } });
    const client = new RawClient(plant.port);
    for (let i = 0; i < 600; i++) {
      client.socket.write(readSample(i, 1));
      if (i % 50 === 0) await pause(1);
    }
    const answers = await client.take(600 * 61);
    for (let i = 0; i < 600; i++) expect(answers.readUInt16BE(i * 61)).toBe(i);
  });

  test('exception: every request is answered with it', async () => {
    await plant.setFaults({ units: { 1: { exception: 6 } } });
    const client = new RawClient(plant.port);
    expect([...(await client.ask(readSample(3, 1)))]).toEqual([0, 3, 0, 0, 0, 3, 1, 0x84, 6]);
  });

  test('refuse: requests that touch the registers, and no others', async () => {
    await plant.setFaults({ units: { 1: { refuse: [[10, 11]] } } });
    const client = new RawClient(plant.port);
    expect([...(await client.ask(readSample(3, 1)))].slice(7)).toEqual([0x84, 2]);
    expect((await client.ask(frame(4, 1, 4, 0, 0, 0, 10))).length).toBe(29);
    await plant.setFaults({ units: { 1: { refuse: null } } });
    expect((await client.ask(readSample(5, 1))).length).toBe(61);
  });

  test('garbage: spoiled answers show nothing', async () => {
    await plant.setFaults({ units: { 3: { garbage: 'wrong-transaction' } } });
    const client = new RawClient(plant.port);
    const wrong = await client.ask(readSample(3, 3));
    expect(wrong.readUInt16BE(0)).not.toBe(3);
    expect([...plant.shown(3)]).toEqual([]);
    await plant.setFaults({ units: { 3: { garbage: 'truncated' } } });
    client.socket.write(readSample(4, 3));
    await until(() => client.received.length > 0);
    await pause(30);
    expect(client.received.length).toBeLessThan(61);
    expect([...plant.shown(3)]).toEqual([]);
  });

  test('a history that is limited or erased says so in its descriptor', async () => {
    const client = new RawClient(plant.port);
    const range = async (transaction: number) => {
      const answer = await client.ask(frame(transaction, 2, 3, 0x03, 0xe8, 0, 4));
      return { newest: answer.readUInt32BE(9), oldest: answer.readUInt32BE(13) };
    };
    const whole = await range(1);
    expect(whole.newest - whole.oldest).toBeGreaterThanOrEqual(100);
    await plant.setFaults({ units: { 2: { historyRecords: 10 } } });
    const limited = await range(2);
    expect(limited.newest - limited.oldest).toBe(9);
    plant.stopSampling();
    plant.eraseLog(2);
    const erased = await range(3);
    expect(erased.oldest).toBe(erased.newest + 1);
  });

  test("a step of one unit's clock moves its stamps from then on, and the truth knows", async () => {
    plant.stepClock(-5000, 1);
    const { samples } = state().units[1]!;
    await until(() => state().units[1]!.samples >= samples + 2);
    const around = [...plant.truth(1, { fromNumber: samples, toNumber: samples + 2 })];
    expect(around[1]!.timestamp - around[0]!.timestamp).toBe(20 - 5000);
    const other = [...plant.truth(2, { fromNumber: samples, toNumber: samples + 2 })];
    expect(other[1]!.timestamp - other[0]!.timestamp).toBe(20);
  });

  test('a cut connection can be opened again at once', async () => {
    const client = new RawClient(plant.port);
    await client.ask(readSample(1, 1));
    plant.dropConnections();
    await until(() => client.isClosed);
    expect((await new RawClient(plant.port).ask(readSample(1, 1))).length).toBe(61);
  });
});

describe('control port', () => {
  test('gives the truth as JSON lines', async () => {
    plant.stopSampling();
    const all = (await control('GET', '/truth?unit=2')).text.trim().split('\n');
    expect(all.map((line) => JSON.parse(line))).toEqual([...plant.truth(2)]);
    const [first] = [...plant.truth(2)];
    const range = `/truth?unit=2&from=${first!.timestamp}&to=${first!.timestamp + 41}`;
    expect((await control('GET', range)).text.trim().split('\n')).toEqual(all.slice(0, 3));
  });

  test('sets and clears faults, and says what is set', async () => {
    const set = await control('POST', '/faults', { unreachable: true, units: { 2: { silent: true } } });
    expect(JSON.parse(set.text)).toMatchObject({ unreachable: true, units: { 2: { silent: true } } });
    expect(state().isListening).toBe(false);
    await control('POST', '/faults', { unreachable: null, units: null });
    expect(JSON.parse((await control('GET', '/faults')).text)).toEqual(noFaults);
    expect(JSON.parse((await control('GET', '/state')).text)).toMatchObject({ isListening: true });
  });

  test.each([
    ['POST', '/faults', { units: { 1: { silnet: true } } }, 400, 'silnet'],
    ['POST', '/erase', { unit: 3 }, 400, 'no event log'],
    ['POST', '/clock', { stepMs: 'soon' }, 400, 'stepMs'],
    ['GET', '/truth?unit=9', undefined, 400, 'no unit 9'],
    ['GET', '/truth', undefined, 400, 'unit'],
    ['GET', '/shown?unit=1', undefined, 400, 'ask /truth'],
    ['GET', '/nothing', undefined, 404, 'no GET /nothing'],
  ])('%s %s with %j is refused, and says why', async (method, path, body, status, reason) => {
    const answer = await control(method, path, body);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.text).error).toContain(reason);
  });

  test('a body that is no JSON is refused', async () => {
    const response = await fetch(`http://127.0.0.1:${plant.controlPort}/faults`, {
      method: 'POST',
      body: '{',
    });
    expect(response.status).toBe(400);
  });
});

test('a device that serves one client closes further connections', async () => {
  const single = await startPlant({ maxConnections: 1 });
  const first = new RawClient(single.port);
  await first.ask(readSample(1, 1));
  const second = new RawClient(single.port);
  await until(() => second.isClosed);
  expect((await first.ask(readSample(2, 1))).length).toBe(61);
  await single.stop();
});

test('as a process it prints one ready line and stops on SIGTERM', async () => {
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  const child = spawn(process.execPath, [main, '--seed', '5', '--scan-ms', '50', '--history-s', '10']);
  const lines = createInterface(child.stdout);
  const [line] = (await once(lines, 'line')) as [string];
  const ready = JSON.parse(line);
  expect(ready).toMatchObject({ ready: true, host: '127.0.0.1', seed: 5, scanMs: 50 });
  expect(ready.units[2]).toEqual({ name: 'boiler', log: 'file-records', capacity: 200 });
  const client = new RawClient(ready.port);
  expect((await client.ask(readSample(1, 2))).length).toBe(61);
  child.kill('SIGTERM');
  const [code] = await once(child, 'exit');
  expect(code).toBe(0);
});

test.each(['main.ts', 'opcua-main.ts', 'logger-main.ts'])(
  '%s says in one line that its port is taken',
  async (name) => {
    const program = fileURLToPath(new URL(name, import.meta.url));
    const child = spawn(process.execPath, [program, '--port', String(plant.port)]);
    const said: string[] = [];
    createInterface(child.stderr).on('line', (line) => said.push(line));
    const [code] = await once(child, 'close');
    expect(code).toBe(1);
    expect(said).toEqual([expect.stringMatching(/^cannot start: .*EADDRINUSE.*:\d+$/)]);
  },
);
