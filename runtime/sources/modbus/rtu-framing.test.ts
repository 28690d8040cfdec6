import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { createModbusClient } from './modbus-client.ts';
import { openModbusConnection } from './modbus-connection.ts';
import { UnprovenError } from './modbus-errors.ts';
import { RtuFraming } from './rtu-framing.ts';
import { MemoryDevice, rtuFrame } from './testing/memory-device.ts';
import { RegisterDevice } from './testing/register-device.ts';
import { unitsOn } from './testing/units.ts';

const request = Buffer.from([7, 3, 0, 0, 0, 2]);
const answerPdu = Buffer.from([3, 4, 0x12, 0x34, 0x56, 0x78]);
const answer = rtuFrame(7, answerPdu);

function heardFrom(chunks: readonly Buffer[], framing = new RtuFraming()): string[] {
  const heard: string[] = [];
  framing.wrap(request);
  const hear = (found: Buffer) => heard.push(found.toString('hex'));
  for (const chunk of chunks) framing.push(chunk, hear);
  framing.settle(hear);
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

  it('finds exceptions, the answers to writes, and what others ask and are answered', () => {
    const frames = ['078302', '071000010001', '0703006b0003', '0908000012fe', '07100001000102002a'];
    const wire = Buffer.concat(
      frames.map((frame) => {
        const bytes = Buffer.from(frame, 'hex');
        return rtuFrame(bytes[0]!, bytes.subarray(1));
      }),
    );
    expect(heardFrom([wire])).toEqual(frames);
  });

  it('takes nothing with a wrong CRC', () => {
    const broken = Buffer.from(answer);
    broken[4]! ^= 1;
    expect(heardFrom([broken])).toEqual([]);
  });

  it('takes nothing for a frame that lies inside a longer one, however long that takes to come', () => {
    const outer = rtuFrame(9, Buffer.concat([Buffer.from([3, answer.length]), answer]));
    expect(outer.includes(answer)).toBe(true);
    for (let cut = 1; cut < outer.length; cut++) {
      const heard = heardFrom([outer.subarray(0, cut), outer.subarray(cut)]);
      expect(heard).toEqual([outer.subarray(0, -2).toString('hex')]);
    }
  });

  it('takes nothing for a frame that an answer begins with', () => {
    // The CRC over the first six bytes of this answer is right, by accident: as a request it would be whole.
    const begin = Buffer.from('0b0308000000', 'hex');
    const data = Buffer.concat([
      begin.subarray(2),
      rtuFrame(11, begin.subarray(1)).subarray(-2),
      Buffer.alloc(3),
    ]);
    const whole = rtuFrame(11, Buffer.concat([Buffer.from([3]), data]));
    for (const asked of ['0b0303e80004', '0b0303e80009']) {
      for (let cut = 1; cut < whole.length; cut++) {
        const framing = new RtuFraming();
        framing.wrap(Buffer.from(asked, 'hex'));
        const heard: string[] = [];
        const hear = (found: Buffer) => heard.push(found.toString('hex'));
        for (const part of [whole.subarray(0, cut), whole.subarray(cut)]) framing.push(part, hear);
        framing.settle(hear);
        expect(heard).toEqual([whole.subarray(0, -2).toString('hex')]);
      }
    }
  });

  it('knows its echo at once, whatever follows', () => {
    const framing = new RtuFraming();
    // As an answer it would have 0x20 bytes.
    const sent = framing.wrap(Buffer.from('070320000002', 'hex'));
    const heard: string[] = [];
    framing.push(sent, (found) => heard.push(found.toString('hex')));
    expect(heard).toEqual(['070320000002']);
  });

  it('takes what follows noise only once it is quiet, and when nothing else follows it', () => {
    const framing = new RtuFraming();
    framing.wrap(request);
    framing.push(Buffer.concat([Buffer.from([7, 3, 200]), answer]), () => expect.fail('not quiet yet'));
    expect(framing.isAmid).toBe(true);
    const heard: string[] = [];
    framing.settle((found) => heard.push(found.toString('hex')));
    expect(heard).toEqual([expected]);
    expect(framing.isAmid).toBe(false);
    framing.wrap(request);
    const more = Buffer.concat([Buffer.from([7, 3, 200]), answer, Buffer.from([1])]);
    framing.push(more, () => expect.fail('it is a part of something longer'));
    framing.settle(() => expect.fail('it is a part of something longer'));
  });

  it('takes no frame behind noise that is followed at once, though the noise can be no frame itself', () => {
    const framing = new RtuFraming();
    framing.wrap(request);
    framing.push(Buffer.concat([Buffer.from([0xff, 0x44]), answer]), () => expect.fail('not quiet yet'));
    framing.push(Buffer.from([1, 2, 3]), () => expect.fail('not quiet yet'));
    framing.settle(() => expect.fail('it is a part of something longer'));
  });

  it('takes nothing behind our damaged answer where another master asks and is answered', () => {
    const foreign = [rtuFrame(7, request.subarray(1)), answer];
    for (let at = 0; at < answer.length; at++) {
      const damaged = Buffer.from(answer);
      damaged[at]! ^= 0x10;
      const framing = new RtuFraming();
      framing.wrap(Buffer.from('070300c80002', 'hex'));
      const heard: string[] = [];
      for (const part of [damaged, ...foreign])
        framing.push(part, (found) => heard.push(found.toString('hex')));
      framing.settle((found) => heard.push(found.toString('hex')));
      // Where the damage shows at once, the request of the other is heard before its answer.
      expect(heard[0] ?? 'nothing').not.toBe(expected);
    }
  });

  it('tells of each frame among several behind noise that it is lost: somebody may still be answered', () => {
    const framing = new RtuFraming();
    framing.wrap(request);
    const foreign = [Buffer.from('070300c80002', 'hex'), Buffer.concat([Buffer.from([7]), answerPdu])];
    const wire = Buffer.concat([
      Buffer.from([0xff, 0x44]),
      ...foreign.map((frame) => rtuFrame(frame[0]!, frame.subarray(1))),
    ]);
    framing.push(wire, () => expect.fail('which of them is an answer, and to whom, nobody knows'));
    const lost: string[] = [];
    framing.settle(
      () => expect.fail('which of them is an answer, and to whom, nobody knows'),
      (frame) => lost.push(frame.toString('hex')),
    );
    expect(lost).toEqual(foreign.map((frame) => frame.toString('hex')));
  });

  it('gives what came before a request is sent, and takes what that one cuts only once it is quiet', () => {
    const framing = new RtuFraming();
    framing.wrap(request);
    // As an answer it would go on.
    const foreign = rtuFrame(7, Buffer.from('0320000002', 'hex'));
    const heard: string[] = [];
    const hear = (found: Buffer) => heard.push(found.toString('hex'));
    framing.push(foreign, hear);
    expect(heard).toEqual([]);
    framing.flush(hear);
    expect(heard).toEqual(['070320000002']);
    const echo = framing.wrap(request);
    framing.push(Buffer.concat([echo, answer]), hear);
    expect(heard).toHaveLength(1);
    framing.settle(hear);
    expect(heard.slice(1)).toEqual([request.toString('hex'), expected]);
    expect(framing.isAmid).toBe(false);
  });

  it('says whether there was noise where it is given up', () => {
    const framing = new RtuFraming();
    framing.wrap(request);
    framing.push(answer.subarray(0, 5), () => {});
    expect(framing.forget()).toMatch(/^noise \([0-9a-f ]+\)$/);
    framing.push(answer.subarray(5), () => expect.fail('it was given up'));
    framing.wrap(request);
    expect(framing.forget()).toBeUndefined();
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
      // Once in some thousand noise holds a frame by accident, which is rightly not told from one.
      { seed: 5 },
    );
  });

  it('neither crashes nor keeps more than a little of 10,000 random byte strings', () => {
    const framing = new RtuFraming();
    framing.wrap(request);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (bytes) => {
        framing.push(Buffer.from(bytes), (found) => {
          expect(found.length).toBeGreaterThanOrEqual(2);
          framing.wrap(request);
        });
        framing.settle(() => {});
      }),
      { numRuns: 10_000 },
    );
  });
});

describe('requests on a serial line', () => {
  async function setUp() {
    const clock = new VirtualClock();
    const registers = new RegisterDevice();
    const device = new MemoryDevice(clock, registers.answer, 'rtu');
    const connection = openModbusConnection({
      stream: device.open(),
      framing: new RtuFraming(),
      units: unitsOn(clock, 'rtu'),
      clock,
      peer: '/dev/ttyS0',
      gapMs: 4,
      turnaroundMs: 100,
    });
    const client = createModbusClient(connection, 200);
    // Proven to be in step.
    const first = client.readRegisters(7, 'holding', 0, 1);
    await clock.advance(50);
    await first;
    device.requests.length = 0;
    return { clock, registers, device, client };
  }

  it('leave a silence after each answer', async () => {
    const { clock, device, client } = await setUp();
    await client.readRegisters(7, 'holding', 0, 2);
    const second = client.readRegisters(7, 'holding', 0, 2);
    await clock.advance(3);
    expect(device.requests).toHaveLength(1);
    await clock.advance(1);
    expect(device.requests).toHaveLength(2);
    await second;
  });

  it.each(['an echo where there was none', 'its confirmation said twice'])(
    'fail as unproven where the answer came, but cannot be told for %s: nobody may say that there was none',
    async (what) => {
      const { clock, registers, device, client } = await setUp();
      const isEcho = what.startsWith('an echo');
      let reads = 0;
      device.answer = (asked) => {
        reads += 1;
        const { pdu } = registers.answer(asked) as { readonly pdu: Buffer };
        const frame = rtuFrame(7, pdu);
        if (isEcho) return { raw: Buffer.concat([rtuFrame(7, asked.pdu), frame]) };
        // The first is said twice, so the next is confirmed, once a loopback and a longer read have shown that it is in step.
        return reads === 2 || reads === 3 ? { pdu } : { raw: Buffer.concat([frame, frame]) };
      };
      const results = [1, 2].map(() => undefined) as unknown[];
      for (const at of results.keys()) {
        if (isEcho && at > 0) break;
        const read = client.readRegisters(7, 'holding', 0, 1).catch((error) => error);
        await clock.advance(1000);
        results[at] = await read;
      }
      expect(results[isEcho ? 0 : 1]).toBeInstanceOf(UnprovenError);
    },
  );

  it('wait after one without an answer until a late one is over, and never take it for another', async () => {
    const { clock, registers, device, client } = await setUp();
    registers.words.holding.set([1, 2]);
    device.answer = (asked) => ({ afterMs: 250, answer: registers.answer(asked) });
    const late = client.readRegisters(7, 'holding', 0, 1).catch((error) => error.code);
    await clock.advance(200);
    expect(await late).toBe('modbus-timeout');
    device.answer = registers.answer;
    const next = client.readRegisters(7, 'holding', 1, 1);
    await clock.advance(110);
    expect((await next).readUInt16BE()).toBe(2);
    // What is late is told from the next answer by a request in between, of another length.
    const asked = device.requests.map(({ pdu }) => [pdu[0], pdu.readUInt16BE(3)]);
    expect(asked).toEqual([
      [3, 1],
      [3, 1],
      [3, 2],
      [3, 1],
    ]);
  });

  it('that are answered with noise end as garbage, and the line stays open', async () => {
    const { clock, registers, device, client } = await setUp();
    device.answer = () => ({ raw: Buffer.from([7, 3, 4, 1, 2, 3]) });
    const noise = client.readRegisters(7, 'holding', 0, 2).catch((error) => error.code);
    await clock.advance(200);
    expect(await noise).toBe('modbus-garbage');
    device.answer = registers.answer;
    const next = client.readRegisters(7, 'holding', 0, 2);
    await clock.advance(110);
    expect(await next).toHaveLength(4);
  });
});
