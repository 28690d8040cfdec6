import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { modbusTcpSourceSchema } from './config.ts';
import { createModbusLinks } from './link.ts';
import { createPoller } from './poller.ts';
import { MemoryDevice } from './testing/memory-device.ts';
import { RegisterDevice } from './testing/register-device.ts';

async function read(change: object, words: Readonly<Record<number, number>>, more: object = {}) {
  const clock = new VirtualClock();
  const registers = new RegisterDevice();
  for (const [address, word] of Object.entries(words)) registers.words.holding[Number(address)] = word;
  const device = new MemoryDevice(clock, registers.answer);
  const tag = { name: 'power', address: 84, type: 'int16', scaleFrom: 85, ...change };
  const config = modbusTcpSourceSchema.parse({
    type: 'modbus-tcp',
    name: 'inverter',
    host: 'h',
    tags: [tag],
    ...more,
  });
  const links = createModbusLinks({ clock, openStream: device.openStream });
  const { client } = await links.acquire(config, new AbortController().signal);
  const poll = await createPoller({ config, tags: config.tags, clock }).poll(client);
  return { reading: poll.readings(0)[0]!, requests: device.requests };
}

const problemOf = (tag: object, more: object = {}) =>
  modbusTcpSourceSchema.safeParse({
    type: 'modbus-tcp',
    name: 'inverter',
    host: 'h',
    tags: [{ name: 'power', address: 84, type: 'int16', ...tag }],
    ...more,
  }).error?.issues[0];

describe('a value whose scale stands in another register', () => {
  it.each([
    [2305, 0xffff, 230.5],
    [-2305 & 0xffff, 0xfffe, -23.05],
    [12, 2, 1200],
    [12, 0, 12],
  ])('%d with the power %d is %d, read by one request', async (raw, power, value) => {
    const { reading, requests } = await read({}, { 84: raw, 85: power });
    expect(reading).toMatchObject({ value, quality: 'good' });
    expect(requests).toHaveLength(1);
  });

  it('may have its scale before or far behind it', async () => {
    expect((await read({ scaleFrom: 40 }, { 84: 5, 40: 1 })).reading.value).toBe(50);
    expect((await read({ scaleFrom: 200 }, { 84: 5, 200: 1 })).reading.value).toBe(50);
  });

  it('is scaled further by scale and offset', async () => {
    expect((await read({ scale: 0.001, offset: 7 }, { 84: 5, 85: 3 })).reading.value).toBe(12);
  });

  it.each([
    [0x8000, 'bad:not-implemented'],
    [11, 'bad:invalid'],
    [0x7fff, 'bad:invalid'],
  ])('is null while that register says %d', async (power, quality) => {
    expect((await read({}, { 84: 5, 85: power })).reading).toMatchObject({ value: null, quality });
  });

  it('is null where the value itself is none', async () => {
    const { reading } = await read({ invalid: 'sunspec' }, { 84: 0x8000, 85: 0 });
    expect(reading).toMatchObject({ value: null, quality: 'bad:not-implemented' });
  });

  it('is refused where both do not fit into one request, and where it makes no sense', () => {
    expect(problemOf({ scaleFrom: 300 })).toMatchObject({ path: ['tags', 0, 'scaleFrom'] });
    expect(problemOf({ scaleFrom: 95 }, { maxRegisters: 10 })).toMatchObject({
      path: ['tags', 0, 'scaleFrom'],
    });
    expect(problemOf({ scaleFrom: 84 })?.message).toContain('another register');
    expect(problemOf({ scaleFrom: 85, writable: true })?.path).toEqual(['tags', 0, 'scaleFrom']);
    expect(problemOf({ scaleFrom: 85, type: 'string', length: 2 })?.path).toEqual(['tags', 0, 'scaleFrom']);
  });
});
