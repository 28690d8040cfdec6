import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { createModbusClient } from './modbus-client.ts';
import { openModbusConnection } from './modbus-connection.ts';
import { RtuFraming } from './rtu-framing.ts';
import { exceptionPdu, MemoryDevice, rtuFrame } from './testing/memory-device.ts';
import { RegisterDevice } from './testing/register-device.ts';

const request = Buffer.from([7, 3, 0, 0, 0, 2]);
const answerPdu = Buffer.from([3, 4, 0x12, 0x34, 0x56, 0x78]);
const answer = rtuFrame(7, answerPdu);

function heardFrom(chunks: readonly Buffer[], framing = new RtuFraming()): string[] {
  const heard: string[] = [];
  framing.wrap(request);
  for (const chunk of chunks) framing.push(chunk, (found) => heard.push(found.toString('hex')));
  return heard;
}

const expected = Buffer.concat([Buffer.from([7]), answerPdu]).toString('hex');

describe('RTU framing', () => {
  it('adds the CRC of the specification', () => {
    // The example that every Modbus text has: 11 03 006B 0003 7687.
    const frame = new RtuFraming().wrap(Buffer.from('1103006b0003', 'hex'));
    expect(frame.toString('hex')).toBe('1103006b00037687');
  });

  it('finds an answer in one piece, in single bytes, and behind noise', () => {
    expect(heardFrom([answer])).toEqual([expected]);
    expect(heardFrom([...answer].map((byte) => Buffer.from([byte])))).toEqual([expected]);
    expect(heardFrom([Buffer.from([0, 7, 3, 255, 7]), answer])).toEqual([expected]);
  });

  it('finds exceptions and the answers to writes', () => {
    const framing = new RtuFraming();
    expect(heardFrom([rtuFrame(7, exceptionPdu(3, 2))], framing)).toEqual(['078302']);
    framing.wrap(Buffer.from([7, 16, 0, 1, 0, 1, 2, 0, 5]));
    const found: string[] = [];
    framing.push(rtuFrame(7, Buffer.from([16, 0, 1, 0, 1])), (bytes) => found.push(bytes.toString('hex')));
    expect(found).toEqual(['071000010001']);
  });

  it('takes no answer with a wrong CRC, of another unit, or of another function', () => {
    const broken = Buffer.from(answer);
    broken[4]! ^= 1;
    expect(heardFrom([broken])).toEqual([]);
    expect(heardFrom([rtuFrame(8, answerPdu)])).toEqual([]);
    expect(heardFrom([rtuFrame(7, Buffer.from([4, 4, 0, 0, 0, 0]))])).toEqual([]);
  });

  it('hears nothing while it expects nothing', () => {
    const framing = new RtuFraming();
    framing.push(answer, () => expect.fail('nobody asked'));
    expect(framing.stray).toBe(1);
    framing.wrap(request);
    framing.push(answer.subarray(0, 5), () => {});
    expect(framing.forget()).toBe(true);
    framing.push(answer.subarray(5), () => expect.fail('it was given up'));
  });

  it('finds the answer however it is cut, whatever noise came before', () => {
    const noise = fc.uint8Array({ maxLength: 40 });
    fc.assert(
      fc.property(noise, fc.array(fc.nat(60), { maxLength: 6 }), (before, cuts) => {
        const all = Buffer.concat([before, answer]);
        const edges = [0, ...cuts.map((cut) => Math.min(cut, all.length)).sort((a, b) => a - b), all.length];
        const chunks = edges.slice(1).map((end, i) => all.subarray(edges[i]!, end));
        expect(heardFrom(chunks.filter((chunk) => chunk.length > 0))).toEqual([expected]);
      }),
    );
  });

  it('neither crashes nor keeps more than a little of 10,000 random byte strings', () => {
    const framing = new RtuFraming();
    framing.wrap(request);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (bytes) => {
        framing.push(Buffer.from(bytes), (found) => {
          expect(found[0]).toBe(7);
          framing.wrap(request);
        });
      }),
      { numRuns: 10_000 },
    );
  });
});

describe('requests on a serial line', () => {
  function setUp() {
    const clock = new VirtualClock();
    const registers = new RegisterDevice();
    const device = new MemoryDevice(clock, registers.answer, 'rtu');
    const connection = openModbusConnection({
      stream: device.open(),
      framing: new RtuFraming(),
      clock,
      peer: '/dev/ttyS0',
      gapMs: 4,
      turnaroundMs: 100,
    });
    return { clock, registers, device, client: createModbusClient(connection, 200) };
  }

  it('leave a silence after each answer', async () => {
    const { clock, device, client } = setUp();
    await client.readRegisters(7, 'holding', 0, 2);
    const second = client.readRegisters(7, 'holding', 0, 2);
    await clock.advance(3);
    expect(device.requests).toHaveLength(1);
    await clock.advance(1);
    expect(device.requests).toHaveLength(2);
    await second;
  });

  it('wait after one without an answer until a late one is over, and never take it for another', async () => {
    const { clock, registers, device, client } = setUp();
    registers.words.holding.set([1, 2]);
    device.answer = (asked) => ({ afterMs: 250, answer: registers.answer(asked) });
    const late = client.readRegisters(7, 'holding', 0, 1).catch((error) => error.code);
    await clock.advance(200);
    expect(await late).toBe('modbus-timeout');
    device.answer = registers.answer;
    const next = client.readRegisters(7, 'holding', 1, 1);
    await clock.advance(100);
    expect((await next).readUInt16BE()).toBe(2);
  });

  it('that are answered with noise end as garbage, and the line stays open', async () => {
    const { clock, registers, device, client } = setUp();
    device.answer = () => ({ raw: Buffer.from([7, 3, 4, 1, 2, 3]) });
    const noise = client.readRegisters(7, 'holding', 0, 2).catch((error) => error.code);
    await clock.advance(200);
    expect(await noise).toBe('modbus-garbage');
    device.answer = registers.answer;
    const next = client.readRegisters(7, 'holding', 0, 2);
    await clock.advance(100);
    expect(await next).toHaveLength(4);
  });
});
