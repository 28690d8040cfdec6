// One unit on a line, which works off in order what it is asked, by us and by another master that is heard. Each register
// holds its own address: a value that is somebody else's shows.
import { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../../kernel/errors.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { seededRandom } from '../../../kernel/random.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { superviseSource } from '../supervisor.ts';
import { RecordingSink } from '../testing/recording-sink.ts';
import { modbusRtuTcpSourceSchema } from './config.ts';
import { createModbusLinks } from './link.ts';
import { createModbusSource } from './modbus-source.ts';
import { exceptionPdu, rtuFrame } from './testing/memory-device.ts';

const usualMs = 20;
const loopbackCode = 8;

function setUp(addresses: readonly number[], { isMute = false } = {}) {
  const clock = new VirtualClock();
  const startedAt = clock.now();
  let stream: Duplex | undefined;
  let freeAt = 0;
  const line = {
    isReachable: true,
    /** How long the unit takes for what we ask, and what becomes of its answer on the way. */
    tookMs: (_request: Buffer): number => usualMs,
    onTheWay: (_request: Buffer, answer: Buffer): Buffer => answer,
    onAsked: (_request: Buffer): void => {},
    say: (bytes: Buffer): void => void (stream && !stream.destroyed && stream.push(bytes)),
    cut: (): void => void stream?.destroy(new Error('unplugged')),
    otherAsks(address: number): void {
      const request = Buffer.from([1, 3, address >> 8, address & 255, 0, 1]);
      line.say(rtuFrame(1, request.subarray(1)));
      work(request, usualMs, line.say);
    },
  };
  const work = (request: Buffer, tookMs: number, say: (answer: Buffer) => void) => {
    const now = clock.monotonic();
    freeAt = Math.max(now, freeAt) + tookMs;
    clock.setTimer(freeAt - now, () => {
      const pdu = answerTo(request, isMute);
      if (pdu) say(rtuFrame(1, pdu));
    });
  };
  const openStream = async () => {
    if (!line.isReachable) throw new HoldfastError('modbus-connect-failed', 'unplugged', { retryable: true });
    stream = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        done();
        const request = Buffer.from(chunk.subarray(0, -2));
        line.onAsked(request);
        work(request, line.tookMs(request), (answer) => line.say(line.onTheWay(request, answer)));
      },
    });
    return stream;
  };
  const config = modbusRtuTcpSourceSchema.parse({
    type: 'modbus-rtu-tcp',
    name: 'unit',
    host: 'line',
    port: 4001,
    pollMs: 500,
    timeoutMs: 200,
    maxHole: 0,
    tags: addresses.map((address) => ({ name: `v${address}`, address, type: 'uint16' })),
  });
  const deps = { clock, log: silentLog, metrics: noMetrics };
  const sink = new RecordingSink();
  const source = createModbusSource(config, { ...deps, links: createModbusLinks({ clock, openStream }) });
  superviseSource({ ...deps, name: 'unit', source, sink, random: seededRandom(1) }).start();
  const good = () => sink.readings.filter(({ quality }) => quality === 'good');
  const wrong = () =>
    good()
      .filter(({ tag, value }) => value !== Number(tag.slice(1)))
      .map(({ tag, value, index }) => `${tag} = ${value} at ${index - startedAt}`);
  return { clock, line, good, wrong };
}

function answerTo(request: Buffer, isMute: boolean): Buffer | undefined {
  if (request[1] !== 3) return isMute ? undefined : exceptionPdu(request[1]!, 1);
  const [address, count] = [request.readUInt16BE(2), request.readUInt16BE(4)];
  const pdu = Buffer.alloc(2 + 2 * count);
  pdu.set([3, 2 * count]);
  for (let at = 0; at < count; at++) pdu.writeUInt16BE(address + at, 2 + 2 * at);
  return pdu;
}

/** Does `then` at the first request that `fits`, and never again. */
function once(fits: (request: Buffer) => boolean, then: (request: Buffer) => void) {
  let isDone = false;
  return (request: Buffer) => {
    if (isDone || !fits(request)) return;
    isDone = true;
    then(request);
  };
}

/** The unit takes so long for the first request of each kind, and as always for others. */
function slowOnce(...rules: readonly (readonly [(request: Buffer) => boolean, number])[]) {
  const left = [...rules];
  return (request: Buffer): number => {
    const at = left.findIndex(([fits]) => fits(request));
    return at < 0 ? usualMs : left.splice(at, 1)[0]![1];
  };
}

const readsOf = (address: number) => (request: Buffer) =>
  request[1] === 3 && request.readUInt16BE(2) === address;
const isLoopback = (request: Buffer) => request[1] === loopbackCode;

describe('on a line with another master', () => {
  it.each([100, 222])(
    'a late proof says nothing of what was asked behind it, of register %i',
    async (asked) => {
      const { clock, line, good, wrong } = setUp([100, 200]);
      await clock.advance(1990);
      line.otherAsks(asked);
      let hasBeenSlow = false;
      const slow = once(isLoopback, () => {
        hasBeenSlow = true;
        clock.setTimer(420, () => line.otherAsks(asked));
      });
      line.onAsked = slow;
      line.tookMs = slowOnce([isLoopback, 480], [(request) => hasBeenSlow && readsOf(200)(request), 400]);
      const before = good().length;
      await clock.advance(6000);
      expect(wrong()).toEqual([]);
      expect(hasBeenSlow).toBe(true);
      expect(good().length).toBeGreaterThan(before + 8);
    },
  );

  it('the refusal of its loopback is not taken for that of ours', async () => {
    const { clock, line, good, wrong } = setUp([100]);
    await clock.advance(1990);
    // It asks for a loopback and a register, and the unit takes its time for the second.
    const foreign = Buffer.from([loopbackCode, 0, 0, 0x12, 0x34]);
    line.say(rtuFrame(1, foreign));
    clock.setTimer(12, () => line.say(rtuFrame(1, exceptionPdu(loopbackCode, 1))));
    clock.setTimer(60, () => line.say(rtuFrame(1, Buffer.from([3, 2, 0, 222]))));
    line.tookMs = slowOnce([() => true, 100]);
    await clock.advance(4000);
    expect(wrong()).toEqual([]);
    expect(good().length).toBeGreaterThan(5);
  });

  it('silence while the line was closed proves nothing, and a line is kept open until silence has proven it', async () => {
    const { clock, line, good, wrong } = setUp([100], { isMute: true });
    await clock.advance(20_000);
    const before = good().length;
    expect(before).toBeGreaterThan(0);
    line.isReachable = false;
    line.cut();
    await clock.advance(12_000);
    line.isReachable = true;
    line.tookMs = () => 400;
    let isTalking = true;
    const talk = () => {
      if (!isTalking) return;
      line.otherAsks(222);
      clock.setTimer(100, talk);
    };
    talk();
    await clock.advance(60_000);
    expect(wrong()).toEqual([]);
    isTalking = false;
    line.tookMs = () => usualMs;
    const quietAt = good().length;
    // The unit still has much to work off, and then a minute of silence is asked for.
    await clock.advance(150_000);
    expect(wrong()).toEqual([]);
    expect(good().length).toBeGreaterThan(quietAt + 20);
  });

  it.each([0, 1, 2])(
    'bit 4 of byte %i of our answer is flipped, and its transaction is not taken for ours',
    async (at) => {
      const { clock, line, good, wrong } = setUp([100]);
      await clock.advance(2990);
      let isSpoilt = false;
      line.onTheWay = (request, answer) => {
        if (isSpoilt || isLoopback(request)) return answer;
        isSpoilt = true;
        const damaged = Buffer.from(answer);
        damaged[at]! ^= 0x10;
        clock.setTimer(30, () => line.otherAsks(222));
        return damaged;
      };
      await clock.advance(4000);
      expect(isSpoilt).toBe(true);
      expect(wrong()).toEqual([]);
      expect(good().length).toBeGreaterThan(10);
    },
  );

  it('is noticed by what it asks while we do not, however its request begins', async () => {
    const { clock, line, good, wrong } = setUp([100, 200]);
    await clock.advance(2200);
    const before = good().length;
    let loopbacks = 0;
    line.onAsked = (request) => void (isLoopback(request) && loopbacks++);
    // As an answer it would have 32 bytes: only silence shows that it is none.
    line.otherAsks(0x2000);
    await clock.advance(1000);
    expect(loopbacks).toBeGreaterThan(0);
    expect(wrong()).toEqual([]);
    expect(good().length).toBeGreaterThan(before);
  });
});

describe('on a line where answers are said twice', () => {
  it.each([false, true])(
    'a unit that was caught at it is not believed without a second answer, mute: %s',
    async (isMute) => {
      const { clock, line, good, wrong } = setUp([100, 200], { isMute });
      await clock.advance(29_990);
      // It is caught, and would be trusted again after one proof.
      const again = rtuFrame(1, Buffer.from([3, 2, 0, 100]));
      line.onAsked = once(readsOf(100), () => clock.setTimer(usualMs + 2, () => line.say(again)));
      await clock.advance(20_000);
      for (let round = 0; round < 5; round++) {
        let isSlow = false;
        // The answer of the one comes again when the other is asked, which takes long.
        line.onAsked = once(readsOf(200), () => {
          isSlow = true;
          clock.setTimer(10, () => line.say(again));
        });
        line.tookMs = slowOnce([(request) => isSlow && readsOf(200)(request), 600]);
        await clock.advance(30_000);
        expect(isSlow).toBe(true);
        expect(wrong()).toEqual([]);
      }
      expect(good().length).toBeGreaterThan(100);
    },
  );
});
