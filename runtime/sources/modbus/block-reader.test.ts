// What a device does not give just now, and when that may be called lasting.
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { BlockReader } from './block-reader.ts';
import { MbapFraming } from './mbap-framing.ts';
import { createModbusClient } from './modbus-client.ts';
import { openModbusConnection } from './modbus-connection.ts';
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

describe('what a device does not give', () => {
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
});
