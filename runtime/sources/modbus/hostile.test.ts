// Whatever a device sends: 10,000 byte strings for each framing, decoder and record layout neither crash nor hang nor
// fill the memory; what they end in is a value, no value, or a HoldfastError.
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../../kernel/errors.ts';
import { silentLog } from '../../../kernel/log.ts';
import { type Random, randomInt, seededRandom } from '../../../kernel/random.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { compileDecoder, toEpochMs } from '../codec/decode.ts';
import { byteOrders, timeUnits, valueTypes } from '../codec/fields.ts';
import { ClockSteps } from './clock-steps.ts';
import { modbusTcpSourceSchema } from './config.ts';
import type { Framing } from './framing.ts';
import { createHistory } from './history.ts';
import { MbapFraming } from './mbap-framing.ts';
import type { ModbusClient } from './modbus-client.ts';
import { mapHistory } from './register-map.ts';
import { RtuFraming } from './rtu-framing.ts';
import { rtuFrame } from './testing/memory-device.ts';

const strings = 10_000;

function randomBytes(random: Random, most: number): Buffer {
  // Small numbers mean more to these protocols than large ones.
  const bound = random.next() < 0.6 ? 8 : 256;
  return Buffer.from(Array.from({ length: randomInt(random, most) }, () => randomInt(random, bound)));
}

/** Pushes in pieces cut at random places; gives the answers that were found, or that the peer is no Modbus. */
function push(framing: Framing, bytes: Buffer, random: Random | undefined): string[] {
  const found: string[] = [];
  try {
    for (let at = 0; at < bytes.length; ) {
      const size = random ? 1 + randomInt(random, 9) : bytes.length;
      framing.push(bytes.subarray(at, at + size), (answer) => found.push(answer.toString('hex')));
      at += size;
    }
    framing.settle((answer) => found.push(answer.toString('hex')));
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'modbus-garbage') throw error;
    found.push('garbage');
  }
  return found;
}

describe('10,000 random byte strings', () => {
  const request = Buffer.from([1, 3, 0, 0, 0, 1]);
  const answer = rtuFrame(1, Buffer.from([3, 2, 1, 2]));

  it.each<[string, () => Framing, Buffer]>([
    ['RTU', () => new RtuFraming(), answer],
    ['Modbus TCP', () => new MbapFraming(), Buffer.from('0001000000050103020102', 'hex')],
  ])('as %s: the same answers however they are cut', (_name, make, good) => {
    const random = seededRandom(17);
    let answers = 0;
    for (let turn = 0; turn < strings; turn++) {
      const before = turn % 2 === 0 ? Buffer.alloc(0) : randomBytes(random, 60);
      const bytes = Buffer.concat([before, turn % 3 === 0 ? good : randomBytes(random, 300)]);
      const results = [undefined, random].map((cuts) => {
        const framing = make();
        framing.wrap(request);
        const found = push(framing, bytes, cuts);
        framing.forget();
        return found.join(' ');
      });
      if (results[0] !== results[1]) expect.fail(bytes.toString('hex'));
      if (results[0] !== '' && results[0] !== 'garbage') answers += 1;
    }
    expect(answers).toBeGreaterThan(100);
  });

  it('as values of every type and order', () => {
    const random = seededRandom(18);
    const decoders = valueTypes.flatMap((type) =>
      byteOrders.map((order) => compileDecoder({ type, order, bit: 3, length: 9, scale: undefined })),
    );
    for (let turn = 0; turn < strings; turn++) {
      const bytes = randomBytes(random, 24);
      const at = randomInt(random, 6);
      const value = tryDecode(() => decoders[turn % decoders.length]!(bytes, at));
      const isSound = typeof value !== 'number' || (Number.isFinite(value) && !Object.is(value, -0));
      if (!isSound) expect.fail(bytes.toString('hex'));
      for (const unit of timeUnits) {
        // A device's time is a number, or a whole number beyond 2^53 as text.
        const raw = typeof value === 'string' && !/^-?\d+$/.test(value) ? undefined : value;
        const time = toEpochMs(raw, unit);
        if (time !== undefined && !(Number.isSafeInteger(time) && time > 0)) expect.fail(String(value));
      }
    }
  });

  it.each(['ring', 'file-records'] as const)(
    'as records of a log by %s: an end, or an error',
    async (kind) => {
      const random = seededRandom(19);
      const config = modbusTcpSourceSchema.parse({
        name: 'x',
        type: 'modbus-tcp',
        host: 'x',
        stamp: {
          timestamp: { address: 0, type: 'uint64', unit: 'ms' },
          number: { address: 4, type: 'uint32' },
        },
        tags: [{ name: 'a', address: 6, type: 'float32' }],
        history: {
          kind,
          newest: { address: 100, type: 'uint16' },
          oldest: { address: 101, type: 'uint16' },
          capacity: 50,
          recordRegisters: 8,
          ...(kind === 'ring' && { base: 200 }),
        },
      });
      let answers = 0;
      const answerWith = async (count: number) => {
        answers += 1;
        const bytes = Buffer.alloc(2 * count);
        const bound = random.next() < 0.7 ? 4 : 256;
        for (let at = 0; at < bytes.length; at++)
          bytes[at] = random.next() < 0.5 ? 0 : randomInt(random, bound);
        return bytes;
      };
      const client = {
        readRegisters: (_unit: number, _table: string, _address: number, count: number) => answerWith(count),
        readFileRecord: (_unit: number, _file: number, _record: number, count: number) => answerWith(count),
      } as unknown as ModbusClient;
      const clock = new VirtualClock();
      const history = createHistory({
        map: mapHistory(config)!,
        unit: 1,
        maxRegisters: 125,
        turn: (work) => work(client),
        log: silentLog,
        clock,
        steps: new ClockSteps(clock, 1),
      });
      for (let pages = 0; answers < strings; ) {
        const start = random.next() < 0.5 ? 0 : randomInt(random, 1_000_000);
        try {
          const range = { start, end: start + 1 + randomInt(random, 1_000_000_000) };
          for await (const { window } of history.read(range, new AbortController().signal)) {
            expect(window.end).toBeGreaterThan(window.start);
            // One that never comes to an end is left alone: it made progress.
            if (++pages % 50 === 0) break;
          }
        } catch (error) {
          if (!(error instanceof HoldfastError)) throw error;
        }
      }
    },
  );
});

function tryDecode<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'modbus-garbage') return undefined;
    throw error;
  }
}
