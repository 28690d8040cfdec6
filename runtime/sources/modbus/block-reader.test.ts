// What a device does not give just now, and when that may be called lasting.
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../../kernel/errors.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { BlockReader } from './block-reader.ts';
import { MbapFraming } from './mbap-framing.ts';
import { createModbusClient, type ModbusClient } from './modbus-client.ts';
import { openModbusConnection } from './modbus-connection.ts';
import { ModbusException, UnprovenError } from './modbus-errors.ts';
import type { Item } from './read-plan.ts';
import { MemoryDevice } from './testing/memory-device.ts';
import { RegisterDevice } from './testing/register-device.ts';
import { unitsOn } from './testing/units.ts';

function setUp() {
  const clock = new VirtualClock();
  const registers = new RegisterDevice();
  const device = new MemoryDevice(clock, registers.answer);
  const items: readonly Item[] = [0, 900].map((address) => ({ table: 'holding', address, width: 1 }));
  const limits = { maxRegisters: 125, maxBits: 2000, maxHole: 0 };
  const reader = new BlockReader({ unit: 1, items, limits, refusedRetryMs: 300_000, clock });
  const units = unitsOn(clock, 'mbap');
  const connect = () => {
    const [stream, framing] = [device.open(), new MbapFraming()];
    return createModbusClient(openModbusConnection({ stream, framing, units, clock, peer: 'press' }), 200);
  };
  let client = connect();
  return {
    clock,
    registers,
    device,
    connectAnew: () => {
      client = connect();
    },
    /** After `ms`: whether what is missing is so for good; undefined where nothing is, `failed` where nothing was read. */
    pass: async (ms: number) => {
      await clock.advance(ms);
      const pass = reader.read(client).catch(() => undefined);
      await clock.advance(2000);
      const result = await pass;
      if (!result) return 'failed';
      if (reader.isRetryDue) {
        const retried = reader.retryRefused(client);
        await clock.advance(1000);
        await retried;
      }
      return result.missing.size === 0 ? undefined : result.isCertain;
    },
  };
}

describe('a gateway that gives up on what was to prove the line in step', () => {
  const limits = { maxRegisters: 125, maxBits: 2000, maxHole: 0 };
  /** Of the block at 0 `answers` come, one after the other; the one at 900 is read. */
  const read = (answers: readonly HoldfastError[]) => {
    const items: readonly Item[] = [0, 900].map((address) => ({ table: 'holding', address, width: 1 }));
    const reader = new BlockReader({
      unit: 1,
      items,
      limits,
      refusedRetryMs: 300_000,
      clock: new VirtualClock(),
    });
    const left = [...answers];
    const readRegisters = async (_unit: number, _table: string, address: number) => {
      const error = address === 0 ? left.shift() : undefined;
      if (error) throw error;
      return Buffer.alloc(2);
    };
    return reader.read({ readRegisters, waitedMs: 0, lost: undefined } as unknown as ModbusClient);
  };
  const gaveUp = new ModbusException(11, 'reading', true);

  it('says nothing of the block: that it was then not answered does', async () => {
    const timeout = new HoldfastError('modbus-timeout', 'no answer', { retryable: true });
    const { missing } = await read([gaveUp, timeout]);
    expect([...missing.values()].map(({ reason }) => reason)).toEqual(['no-answer']);
    expect((await read([gaveUp])).missing.size).toBe(0);
  });

  it('again and again leaves the pass without a proof', async () => {
    await expect(read([gaveUp, gaveUp])).rejects.toBeInstanceOf(UnprovenError);
    // Unlike one that the block was asked for with.
    const { missing } = await read([new ModbusException(11, 'reading'), new ModbusException(11, 'reading')]);
    expect([...missing.values()].map(({ reason }) => reason)).toEqual(['gateway-target-failed']);
  });
});

describe('what a device does not give', () => {
  it('is asked for in the first pass of a session, where it was refused long before', async () => {
    const { registers, connectAnew, pass } = setUp();
    registers.refused = [[900, 900]];
    expect(await pass(0)).toBe(false);
    registers.refused = [];
    connectAnew();
    expect(await pass(20_000)).toBe(undefined);
    registers.refused = [[900, 900]];
    expect(await pass(0)).toBe(false);
    connectAnew();
    // Its time has not come.
    registers.refused = [];
    expect(await pass(0)).toBe(false);
  });

  it('in every pass for ten seconds is not to be had in a moment', async () => {
    const { registers, pass } = setUp();
    Object.assign(registers, { refused: [[900, 900]], refusal: 4 });
    expect(await pass(0)).toBe(false);
    expect(await pass(3000)).toBe(false);
    expect(await pass(6000)).toBe(true);
    registers.refused = [];
    expect(await pass(0)).toBe(undefined);
  });

  it.each([
    ['polls without an answer', false],
    ['a connection that was lost', true],
  ])('on both sides of %s may have been there in between', async (_case, isLost) => {
    const { registers, device, pass, connectAnew, clock } = setUp();
    Object.assign(registers, { refused: [[900, 900]], refusal: 4 });
    expect(await pass(0)).toBe(false);
    if (isLost) {
      device.cut();
      await clock.advance(20_000);
      connectAnew();
    } else {
      device.answer = () => 'silence';
      expect(await pass(10_000)).toBe('failed');
      device.answer = registers.answer;
    }
    expect(await pass(10_000)).toBe(false);
    expect(await pass(12_000)).toBe(true);
  });

  it('since it refuses it at each start is not certain before it refused it ten seconds after one', async () => {
    const { registers, device, pass, connectAnew, clock } = setUp();
    registers.refused = [[900, 900]];
    expect(await pass(0)).toBe(false);
    device.cut();
    await clock.advance(20_000);
    connectAnew();
    expect(await pass(0)).toBe(false);
    expect(await pass(0)).toBe(false);
    expect(await pass(12_000)).toBe(false);
    expect(await pass(0)).toBe(true);
  });

  it('is left alone where it says nothing for ten seconds while it gives the rest, and not after three fast polls', async () => {
    const { registers, device, pass } = setUp();
    const isAsked = () => device.requests.some(({ pdu }) => pdu.readUInt16BE(1) === 900);
    device.answer = (request) =>
      request.pdu.readUInt16BE(1) === 900 ? 'silence' : registers.answer(request);
    for (let polls = 0; polls < 5; polls++) {
      device.requests.length = 0;
      expect(await pass(0)).toBe(false);
      expect(isAsked()).toBe(true);
    }
    await pass(3000);
    device.requests.length = 0;
    await pass(0);
    expect(isAsked()).toBe(false);
  });

  it('of what was read before a connection was closed whose next one is deaf for a while, nothing is given: it is read again', async () => {
    const clock = new VirtualClock();
    const registers = new RegisterDevice();
    const device = new MemoryDevice(clock, registers.answer);
    const items: readonly Item[] = [0, 900].map((address) => ({ table: 'holding', address, width: 1 }));
    const limits = { maxRegisters: 125, maxBits: 2000, maxHole: 0 };
    const reader = new BlockReader({ unit: 1, items, limits, refusedRetryMs: 300_000, clock });
    const connection = openModbusConnection({
      stream: device.open(),
      framing: new MbapFraming(),
      units: unitsOn(clock, 'mbap'),
      clock,
      peer: 'press',
      connectDelayMs: 2000,
      reopen: async () => device.open(),
    });
    let isCut = false;
    device.answer = (request) => {
      registers.words.holding[0] = clock.monotonic();
      if (request.pdu.readUInt16BE(1) !== 900 || isCut) return registers.answer(request);
      isCut = true;
      return 'close';
    };
    const reading = reader.read(createModbusClient(connection, 200));
    await clock.advance(10_000);
    const { data } = await reading;
    expect(isCut).toBe(true);
    expect(data).toHaveLength(2);
    const first = data.find(({ block }) => block.address === 0)!;
    expect(first.bytes.readUInt16BE(0)).toBeGreaterThan(3000);
  });

  it('is asked for again soon where a try fails otherwise: that says nothing of the refusal', async () => {
    const { registers, device, pass, clock } = setUp();
    registers.refused = [[900, 900]];
    expect(await pass(0)).toBe(false);
    registers.refused = [];
    const { answer } = registers;
    device.answer = (request) => (request.pdu.readUInt16BE(1) === 900 ? 'silence' : answer(request));
    await pass(10_000);
    device.answer = answer;
    const since = clock.monotonic();
    while ((await pass(0)) !== undefined) expect(clock.monotonic() - since).toBeLessThan(9000);
  });
});
