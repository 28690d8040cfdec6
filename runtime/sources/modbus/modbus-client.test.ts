import { describe, expect, it } from 'vitest';
import { randomInt, seededRandom } from '../../../kernel/random.ts';
import { settle, VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { MbapFraming } from './mbap-framing.ts';
import { createModbusClient } from './modbus-client.ts';
import { openModbusConnection } from './modbus-connection.ts';
import { type DeviceAnswer, exceptionPdu, frame, MemoryDevice } from './testing/memory-device.ts';
import { RegisterDevice } from './testing/register-device.ts';
import { unitsOn } from './testing/units.ts';

function setUp(answer?: MemoryDevice['answer']) {
  const clock = new VirtualClock();
  const registers = new RegisterDevice();
  const device = new MemoryDevice(clock, answer ?? registers.answer);
  const framing = new MbapFraming();
  const connection = openModbusConnection({
    stream: device.open(),
    framing,
    units: unitsOn(clock, 'mbap'),
    clock,
    peer: '10.0.0.5 port 502',
  });
  const client = createModbusClient(connection, 1000);
  return { clock, registers, device, framing, connection, client };
}

/** The error that `work` rejects with; a value instead is a failed test. */
async function errorOf(
  work: Promise<unknown>,
): Promise<{ code: string; message: string; retryable: boolean }> {
  return work.then(
    (value) => expect.fail(`resolved with ${String(value)}`),
    (error) => error,
  );
}

const goodRegister = Buffer.from([3, 2, 0x12, 0x34]);

describe('the Modbus client', () => {
  it('reads registers of both tables, most significant byte first', async () => {
    const { registers, client } = setUp();
    registers.write('holding', 10, Buffer.from('0102a0b0', 'hex'));
    registers.write('input', 10, Buffer.from('0304', 'hex'));
    expect((await client.readRegisters(1, 'holding', 10, 2)).toString('hex')).toBe('0102a0b0');
    expect((await client.readRegisters(1, 'input', 10, 1)).toString('hex')).toBe('0304');
  });

  it('reads 125 registers and 2000 bits in one request', async () => {
    const { registers, client, device } = setUp();
    registers.words.coil.set([1, 0, 1], 1997);
    expect(await client.readRegisters(1, 'holding', 65_411, 125)).toHaveLength(250);
    const bits = await client.readBits(1, 'coil', 0, 2000);
    expect(bits).toHaveLength(250);
    expect(bits[249]).toBe(0b1010_0000);
    expect(device.requests.map(({ pdu }) => pdu[0])).toEqual([3, 1]);
  });

  it('reads file records of any length, with function 20 as the specification has it', async () => {
    const { client, device } = setUp(() => ({
      pdu: Buffer.from([20, 6, 5, 6, 0x0d, 0xfe, 0x00, 0x20]),
    }));
    const data = await client.readFileRecord(1, 4, 9000, 2);
    expect(data.toString('hex')).toBe('0dfe0020');
    // Function, bytes, reference type, file, record, registers.
    expect(device.requests[0]?.pdu.toString('hex')).toBe(`1407060004${(9000).toString(16)}0002`);
  });

  it('names the exception that a device answers', async () => {
    for (const [code, name] of [
      [1, 'illegal-function'],
      [2, 'illegal-data-address'],
      [6, 'device-busy'],
      [11, 'gateway-target-failed'],
      [77, 'exception-77'],
    ] as const) {
      const { client } = setUp(({ pdu }) => ({ pdu: exceptionPdu(pdu[0]!, code) }));
      const errors = [
        await errorOf(client.readRegisters(1, 'holding', 0, 1)),
        await errorOf(client.readBits(1, 'discrete', 0, 1)),
        await errorOf(client.readFileRecord(1, 1, 0, 1)),
      ];
      for (const error of errors) {
        expect(error).toMatchObject({ code: 'modbus-exception', exception: code, exceptionName: name });
      }
      expect(client.lost).toBeUndefined();
    }
  });

  it('times out by itself, and stays usable', async () => {
    const { client, clock, device, registers } = setUp(() => 'silence');
    const error = errorOf(client.readRegisters(7, 'holding', 40, 3));
    await clock.advance(999);
    const { answer } = registers;
    await clock.advance(1);
    expect(await error).toMatchObject({ code: 'modbus-timeout', retryable: true });
    expect((await error).message).toContain('unit 7');
    device.answer = answer;
    expect(await client.readRegisters(1, 'holding', 0, 1)).toHaveLength(2);
  });

  it('never takes a late answer for the answer to a later request', async () => {
    const late: DeviceAnswer = { afterMs: 1500, answer: { pdu: Buffer.from([3, 2, 0xde, 0xad]) } };
    const { client, clock, device, framing } = setUp(() => late);
    const first = errorOf(client.readRegisters(1, 'holding', 0, 1));
    await clock.advance(1000);
    expect((await first).code).toBe('modbus-timeout');
    // A unit behind a gateway is asked first by something that cannot be mistaken, then by a read of another length.
    device.answer = ({ pdu }) => {
      if (pdu[0] !== 3) return { pdu: exceptionPdu(pdu[0]!, 1) };
      const isProof = pdu.readUInt16BE(3) === 2;
      return {
        afterMs: 900,
        answer: { pdu: isProof ? Buffer.from([3, 4, 0x12, 0x34, 0, 0]) : goodRegister },
      };
    };
    const second = client.readRegisters(1, 'holding', 0, 1);
    await clock.advance(2700);
    expect((await second).toString('hex')).toBe('1234');
    expect(framing.stray).toBe(1);
  });

  it('ignores a second answer to one request', async () => {
    const { client, framing } = setUp((request) => ({
      raw: Buffer.concat([frame(request, goodRegister), frame(request, Buffer.from([3, 2, 9, 9]))]),
    }));
    expect((await client.readRegisters(1, 'holding', 0, 1)).toString('hex')).toBe('1234');
    expect((await client.readRegisters(1, 'holding', 0, 1)).toString('hex')).toBe('1234');
    expect(framing.stray).toBe(2);
  });

  it('puts an answer together that comes byte by byte', async () => {
    const clock = new VirtualClock();
    const device = new MemoryDevice(clock, () => 'silence');
    const stream = device.open();
    const connection = openModbusConnection({
      stream,
      framing: new MbapFraming(),
      units: unitsOn(clock, 'mbap'),
      clock,
      peer: 'p',
    });
    const client = createModbusClient(connection, 1000);
    device.answer = (request) => {
      for (const byte of frame(request, goodRegister)) stream.push(Buffer.from([byte]));
      return 'silence';
    };
    expect((await client.readRegisters(1, 'holding', 0, 1)).toString('hex')).toBe('1234');
  });

  it.each([
    ['another function', (request) => ({ raw: frame(request, Buffer.from([4, 2, 0, 0])) })],
    ['another unit', (request) => ({ raw: frame({ ...request, unit: 9 }, goodRegister) })],
    ['too few bytes', (request) => ({ raw: frame(request, Buffer.from([3, 1, 0])) })],
    ['too many bytes', (request) => ({ raw: frame(request, Buffer.from([3, 4, 0, 0, 0, 0])) })],
    ['a byte count that lies', (request) => ({ raw: frame(request, Buffer.from([3, 200, 0, 0])) })],
    ['a byte count of zero', (request) => ({ raw: frame(request, Buffer.from([3, 0, 0, 0])) })],
  ] satisfies [string, MemoryDevice['answer']][])(
    'calls %s garbage and stays connected',
    async (_name, answer) => {
      const { client, device, registers } = setUp(answer);
      expect(await errorOf(client.readRegisters(1, 'holding', 0, 1))).toMatchObject({
        code: 'modbus-garbage',
      });
      expect(client.lost).toBeUndefined();
      device.answer = registers.answer;
      expect(await client.readRegisters(1, 'holding', 0, 1)).toHaveLength(2);
    },
  );

  it.each([
    ['a wrong length of the group', [20, 6, 9, 6, 1, 2, 3, 4]],
    ['a wrong reference type', [20, 6, 5, 7, 1, 2, 3, 4]],
    ['a wrong length of the whole', [20, 9, 5, 6, 1, 2, 3, 4]],
    ['one register less', [20, 4, 3, 6, 1, 2]],
    ['nothing', [20, 0]],
  ])('calls a file record with %s garbage', async (_name, pdu) => {
    const { client } = setUp(() => ({ pdu: Buffer.from(pdu) }));
    expect((await errorOf(client.readFileRecord(1, 1, 0, 2))).code).toBe('modbus-garbage');
  });

  it.each([
    ['another protocol', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['a frame that is too long', Buffer.from([0, 1, 0, 0, 0xff, 0xff, 1])],
    ['a frame without content', Buffer.from([0, 1, 0, 0, 0, 0])],
  ])('gives the connection up when it hears %s', async (_name, raw) => {
    const { client, device } = setUp(() => ({ raw }));
    expect(await errorOf(client.readRegisters(1, 'holding', 0, 1))).toMatchObject({ code: 'modbus-garbage' });
    expect(client.lost?.code).toBe('modbus-garbage');
    await settle();
    expect(device.connections).toBe(0);
    expect((await errorOf(client.readRegisters(1, 'holding', 0, 1))).code).toBe('modbus-garbage');
  });

  it('fails the request under way at once when the connection breaks', async () => {
    const { client, device, clock } = setUp(() => 'silence');
    const error = errorOf(client.readRegisters(1, 'holding', 0, 1));
    device.cut();
    expect(await error).toMatchObject({ code: 'modbus-connection-lost', retryable: true });
    expect((await error).message).toContain('10.0.0.5');
    expect(client.lost?.code).toBe('modbus-connection-lost');
    expect(clock.pendingTimers).toBe(0);
  });

  it('fails the request under way when the peer closes without answering', async () => {
    const { client } = setUp(() => 'close');
    expect((await errorOf(client.readRegisters(1, 'holding', 0, 1))).code).toBe('modbus-connection-lost');
  });

  it('closes for real, at once, and rejects what is under way', async () => {
    const { client, connection, device, clock } = setUp(() => 'silence');
    const error = errorOf(client.readRegisters(1, 'holding', 0, 1));
    connection.close();
    connection.close();
    expect((await error).code).toBe('modbus-closed');
    await settle();
    expect(device.connections).toBe(0);
    expect(clock.pendingTimers).toBe(0);
    expect((await errorOf(client.readBits(1, 'coil', 0, 1))).code).toBe('modbus-closed');
  });

  // Many turns of the event loop: on a crowded machine each of them waits.
  it('settles every request, whatever 10,000 random byte strings come back', {
    timeout: 120_000,
  }, async () => {
    const random = seededRandom(20_261_121);
    const outcomes = new Set<string>();
    let { client, clock, device } = setUp(() => 'silence');
    const bytes = (length: number) => Buffer.from(Array.from({ length }, () => randomInt(random, 256)));
    for (let run = 0; run < 10_000; run++) {
      if (client.lost) ({ client, clock, device } = setUp(() => 'silence'));
      const kind = run % 3;
      device.answer = (request) => {
        const noise = bytes(1 + randomInt(random, 60));
        // Behind a right header, behind a right header and function, or right from the start.
        if (kind === 0) return { pdu: noise };
        if (kind === 1) return { pdu: Buffer.concat([request.pdu.subarray(0, 1), noise]) };
        return { raw: noise };
      };
      const work = [
        () => client.readRegisters(1, 'holding', 0, 1 + randomInt(random, 8)),
        () => client.readBits(1, 'coil', 0, 1 + randomInt(random, 40)),
        () => client.readFileRecord(1, 1, 0, 1 + randomInt(random, 8)),
      ][run % 7 === 0 ? 2 : run % 2]!;
      let outcome: string | undefined;
      void work().then(
        () => {
          outcome = 'value';
        },
        (error) => {
          outcome = error.code;
        },
      );
      // Most answers arrive by the next turn of the event loop; silence takes the timeout.
      await new Promise((resolve) => setImmediate(resolve));
      if (outcome === undefined) await clock.advance(1000);
      expect(outcome).toBeDefined();
      outcomes.add(outcome!);
    }
    expect([...outcomes].sort()).toContain('modbus-garbage');
    expect(
      [...outcomes].every((code) => /^(value|modbus-(garbage|exception|timeout|out-of-step))$/.test(code)),
    ).toBe(true);
  });
});
