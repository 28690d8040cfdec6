// Which answers are believed over Modbus TCP: by the number of their request, and behind gateways that mix units' answers
// up by more than that.
import { afterEach, describe, expect, it } from 'vitest';
import type { HoldfastError } from '../../../kernel/errors.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { seededRandom } from '../../../kernel/random.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { superviseSource } from '../supervisor.ts';
import { RecordingSink } from '../testing/recording-sink.ts';
import { modbusRtuTcpSourceSchema, modbusTcpSourceSchema } from './config.ts';
import { MbapFraming } from './mbap-framing.ts';
import { createModbusSource } from './modbus-source.ts';
import { type Answerer, exceptionPdu, frame, MemoryDevice, rtuFrame } from './testing/memory-device.ts';
import { RegisterDevice } from './testing/register-device.ts';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of splice()) await stop();
});
const splice = () => stops.splice(0);

const addresses = [100, 200, 300, 400, 500, 600];
const tags = addresses.map((address) => ({ name: `v${address}`, address, type: 'uint16' }));

function setUp(change: object, wire: 'mbap' | 'rtu' = 'mbap') {
  const clock = new VirtualClock();
  const registers = new RegisterDevice();
  for (const address of addresses) registers.words.holding[address] = address;
  const device = new MemoryDevice(clock, registers.answer, wire);
  const place = { name: 'press', host: 'memory', pollMs: 500, tags, ...change };
  const config =
    wire === 'mbap'
      ? modbusTcpSourceSchema.parse({ type: 'modbus-tcp', ...place })
      : modbusRtuTcpSourceSchema.parse({ type: 'modbus-rtu-tcp', port: 4001, ...place });
  const deps = { clock, log: silentLog, metrics: noMetrics };
  const sink = new RecordingSink();
  const source = createModbusSource(config, { ...deps, links: device.links() });
  const supervised = superviseSource({ ...deps, name: 'press', source, sink, random: seededRandom(1) });
  supervised.start();
  stops.push(() => supervised.stop());
  const wrong = () =>
    sink.readings.filter(({ tag, value, quality }) => quality === 'good' && value !== Number(tag.slice(1)));
  return { clock, registers, device, sink, supervised, wrong };
}

/** Works requests off in order, `eachMs` each, the `slow`-th in `slowMs`. */
function inOrder(
  clock: VirtualClock,
  answer: Answerer,
  eachMs: number,
  slow: number,
  slowMs: number,
): Answerer {
  let freeAt = 0;
  let count = 0;
  return (request) => {
    const now = clock.monotonic();
    freeAt = Math.max(now, freeAt) + (++count === slow ? slowMs : eachMs);
    return { afterMs: freeAt - now, answer: answer(request) };
  };
}

describe.each(['mbap', 'rtu'] as const)('a unit that is slow once, over %s', (wire) => {
  it.each([3, 8, 9, 15, 16, 20])('in its answer %i, gives no value to another register', async (slow) => {
    const { clock, registers, device, sink, wrong } = setUp({}, wire);
    device.answer = inOrder(clock, registers.answer, 150, slow, 1150);
    await clock.advance(60_000);
    expect(wrong()).toEqual([]);
    expect(sink.readings.length).toBeGreaterThan(200);
    expect(sink.of('broken').length).toBeGreaterThan(0);
  });
});

describe('answers over Modbus TCP', () => {
  it('without the number of their request are not believed, and the error says what to set', async () => {
    const { clock, registers, device, sink, supervised } = setUp({});
    const { answer } = registers;
    device.answer = (request) => ({
      raw: frame({ ...request, transaction: 0 }, (answer(request) as { pdu: Buffer }).pdu),
    });
    await clock.advance(10_000);
    expect(sink.readings).toEqual([]);
    expect(supervised.state().lastError?.message).toContain('transactionId: ignore');
  });

  it('are believed without it where the site says so, each proven by the order of the answers', async () => {
    const { clock, registers, device, sink, wrong } = setUp({ transactionId: 'ignore' });
    const { answer } = registers;
    const unnumbered: Answerer = (request) => ({
      raw: frame({ ...request, transaction: 0 }, (answer(request) as { pdu: Buffer }).pdu),
    });
    device.answer = inOrder(clock, unnumbered, 20, 10, 1700);
    await clock.advance(60_000);
    expect(wrong()).toEqual([]);
    expect(sink.readings.length).toBeGreaterThan(600);
  });

  it.each([
    ['says nothing', undefined],
    ['says that the unit did not answer', 11],
  ])(
    'of a gateway that gives a late answer to the next request, and before %s, are not believed',
    async (_case, code) => {
      const { clock, registers, device, sink, wrong } = setUp({});
      // Behind the gateway there is a line with a unit that is slow once: the gateway gives up before it answers.
      let late: Buffer | undefined;
      let count = 0;
      device.answer = (request) => {
        const pdu = (registers.answer(request) as { pdu: Buffer }).pdu;
        if (++count % 17 === 0) {
          late = pdu;
          return code === undefined
            ? 'silence'
            : { afterMs: 500, answer: { pdu: exceptionPdu(request.pdu[0]!, code) } };
        }
        const given = late ?? pdu;
        // From then on each answer goes to the request after its own.
        if (late) late = pdu;
        // It finds out, and starts over, when functions do not match.
        if (given[0] !== request.pdu[0] && given[0] !== (request.pdu[0]! | 0x80)) late = undefined;
        return { afterMs: 5, answer: { pdu: given } };
      };
      await clock.advance(60_000);
      expect(wrong()).toEqual([]);
      expect(sink.readings.length).toBeGreaterThan(50);
    },
  );

  it('of a gateway that gives up on a loopback are proven by the next that proves it, at once', async () => {
    const { clock, registers, device, sink, wrong } = setUp({});
    let isLate = true;
    // The unit behind it is mute to function 8, and was too slow once.
    device.answer = (request) => {
      const [code] = request.pdu;
      const gaveUp = { afterMs: 300, answer: { pdu: exceptionPdu(code!, 11) } };
      if (code === 8) return gaveUp;
      if (clock.monotonic() < 10_000 || !isLate) return registers.answer(request);
      isLate = false;
      return gaveUp;
    };
    await clock.advance(9999);
    const before = sink.readings.length;
    await clock.advance(10_001);
    expect(isLate).toBe(false);
    expect(wrong()).toEqual([]);
    // Twenty polls of six tags, but for those that it took to prove it.
    expect(sink.readings.length).toBeGreaterThan(before + 10 * addresses.length);
  });

  it('never carry a number again that an unanswered request had', () => {
    const framing = new MbapFraming();
    const request = Buffer.from([1, 3, 0, 0, 0, 1]);
    const lost = framing.wrap(request).readUInt16BE(0);
    framing.forget();
    const seen = new Set<number>();
    for (let n = 0; n < 70_000; n++) {
      const number = framing.wrap(request).readUInt16BE(0);
      seen.add(number);
      framing.push(
        frame({ transaction: number, unit: 1, pdu: request }, Buffer.from([3, 2, 0, 1])),
        () => {},
      );
      framing.forget();
    }
    expect(seen.has(lost)).toBe(false);
    expect(seen.size).toBe(65_535);
  });
});

describe('a unit that answers no loopback', () => {
  it.each([
    ['keeps silent about it', () => 'silence' as const],
    ['closes the connection over it', () => 'close' as const],
  ])('and %s is proven otherwise, within a bounded time', async (_case, refuse) => {
    for (const wire of ['mbap', 'rtu'] as const) {
      const { clock, registers, device, sink, wrong, supervised } = setUp({ timeoutMs: 300 }, wire);
      let isSilent = false;
      device.answer = (request) => {
        if (isSilent) return 'silence';
        return request.pdu[0] === 8 ? refuse() : registers.answer(request);
      };
      await clock.advance(60_000);
      const before = sink.readings.length;
      expect(before, wire).toBeGreaterThan(0);
      isSilent = true;
      await clock.advance(5000);
      isSilent = false;
      await clock.advance(120_000);
      expect(sink.readings.length, wire).toBeGreaterThan(before + 100);
      expect(wrong()).toEqual([]);
      const { lastError } = supervised.state() as { lastError?: Partial<HoldfastError> };
      expect(lastError).toBeDefined();
    }
  });
});

describe('on a line', () => {
  it("what is answered behind noise that hid a question is nobody's answer to us", async () => {
    const { clock, registers, device, sink, wrong } = setUp({ timeoutMs: 400 }, 'rtu');
    await clock.advance(20_000);
    let isDamaged = true;
    device.answer = (request) => {
      if (request.pdu.readUInt16BE(1) !== 300 || !isDamaged) return registers.answer(request);
      isDamaged = false;
      // Of our answer some bytes are left; another master asks twice, and is answered once at once, and once later.
      const question = rtuFrame(1, Buffer.from([3, 0, 77, 0, 1]));
      const answer = rtuFrame(1, Buffer.from([3, 2, 0x22, 0x22]));
      clock.setTimer(150, () => device.say(answer));
      return { raw: Buffer.concat([Buffer.from([0xff, 3, 9]), question, question, answer]) };
    };
    await clock.advance(20_000);
    expect(isDamaged).toBe(false);
    expect(wrong()).toEqual([]);
    expect(sink.readings.at(-1)!.index).toBeGreaterThan(clock.now() - 2000);
  });
});
