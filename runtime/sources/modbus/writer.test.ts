// Writes, over equipment in memory that keeps what was written.
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../../kernel/errors.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { answerPdu } from '../../../lab/plant/pdu.ts';
import { PlantUnit } from '../../../lab/plant/unit.ts';
import type { TagWrite } from '../tag-write.ts';
import { RecordingSink } from '../testing/recording-sink.ts';
import { modbusTcpSourceSchema } from './config.ts';
import { createModbusSource } from './modbus-source.ts';
import { MemoryDevice } from './testing/memory-device.ts';

function setUp() {
  const clock = new VirtualClock();
  const unit = new PlantUnit({ id: 1, name: 'unit', seed: 1, log: 'none', capacity: 0 });
  const device = new MemoryDevice(clock, ({ pdu }) => {
    const out = Buffer.alloc(256);
    return { pdu: out.subarray(0, answerPdu(unit, pdu, out, 0)) };
  });
  const config = modbusTcpSourceSchema.parse({
    type: 'modbus-tcp',
    name: 'press',
    host: 'memory',
    pollMs: 100,
    timeoutMs: 200,
    tags: [
      { name: 'setpoint', address: 100, type: 'float32', writable: true },
      { name: 'mode', address: 102, type: 'uint16', writable: true, names: { 0: 'manual', 1: 'auto' } },
      { name: 'strict', address: 103, type: 'uint16', writable: 'multiple' },
      { name: 'reset', table: 'coil', address: 16, writable: true },
      { name: 'hold', table: 'coil', address: 17, writable: 'multiple' },
      { name: 'level', address: 17, type: 'int16' },
      { name: 'checked', address: 104, type: 'uint32', writable: true, readBack: true },
      { name: 'coarse', address: 106, type: 'int16', scale: 10, writable: true, min: 5, max: 95 },
      { name: 'fine', address: 108, type: 'float32', scale: 0.1, writable: true, min: 0.1, max: 0.7 },
      { name: 'beyond', address: 16, type: 'uint16', writable: true },
    ],
  });
  const source = createModbusSource(config, {
    clock,
    log: silentLog,
    metrics: noMetrics,
    links: device.links(),
  });
  const sink = new RecordingSink();
  const abort = new AbortController();
  void source.run(sink, abort.signal);
  const write = (tag: string, value: never, more: Partial<TagWrite> = {}) =>
    source.write!({ tag, value, onSend() {}, ...more }, new AbortController().signal);
  const codes = () => device.requests.map(({ pdu }) => pdu[0]).filter((code) => code! > 4);
  return {
    clock,
    device,
    source,
    sink,
    abort,
    write: write as (tag: string, value: unknown, more?: Partial<TagWrite>) => Promise<void>,
    codes,
  };
}

describe('writing', () => {
  it('uses the function that fits, and what was written is read at the next poll', async () => {
    const { clock, sink, write, codes } = setUp();
    await clock.advance(50);
    await write('setpoint', 21.5);
    await write('mode', 'auto');
    await write('strict', 7);
    await write('reset', true);
    await write('hold', true);
    expect(codes()).toEqual([16, 6, 16, 5, 15]);
    await clock.advance(100);
    const last = Object.fromEntries(sink.readings.slice(-10).map(({ tag, value }) => [tag, value]));
    expect(last).toMatchObject({ setpoint: 21.5, mode: 'auto', strict: 7, reset: true, hold: true });
  });

  it('goes before polls that wait', async () => {
    const { clock, device, write } = setUp();
    await clock.advance(50);
    const before = device.requests.length;
    const plain = device.answer;
    device.answer = (request) => ({ afterMs: 20, answer: plain(request) });
    const poll = clock.advance(65);
    await Promise.resolve();
    const written = write('mode', 1);
    await poll;
    await clock.advance(200);
    await written;
    const order = device.requests.slice(before).map(({ pdu }) => pdu[0]);
    expect(order.indexOf(6)).toBeLessThan(3);
  });

  it.each([
    ['nothing', 1, 'source-unknown-tag'],
    ['level', 1, 'source-read-only'],
    ['mode', 70_000, 'source-value-invalid'],
    ['mode', 'sideways', 'source-value-invalid'],
    ['reset', 'yes', 'source-value-invalid'],
  ])('refuses %s = %s with %s, and asks the device nothing', async (tag, value, code) => {
    const { clock, write, codes } = setUp();
    await clock.advance(50);
    await expect(write(tag, value)).rejects.toMatchObject({ code, message: expect.stringContaining(tag) });
    expect(codes()).toEqual([]);
  });

  it('holds limits against what the registers will show', async () => {
    const { clock, write, codes } = setUp();
    await clock.advance(50);
    const refused = { code: 'source-value-out-of-range', retryable: false };
    await expect(write('coarse', 95)).rejects.toMatchObject(refused);
    await expect(write('coarse', -5)).rejects.toMatchObject(refused);
    expect(codes()).toEqual([]);
    await write('coarse', 94);
    await write('fine', 0.1);
    await write('fine', 0.7);
    expect(codes()).toEqual([6, 16, 16]);
  });

  it.each([
    [1, 'modbus-write-refused', false, true],
    [2, 'modbus-write-refused', false, true],
    [3, 'modbus-write-refused', false, true],
    [4, 'modbus-exception', true, false],
    [5, 'modbus-exception', true, false],
    [6, 'modbus-exception', true, true],
    [10, 'modbus-exception', true, true],
    [11, 'modbus-exception', true, false],
    [77, 'modbus-exception', true, false],
  ])(
    'says of exception %i that it is %s, whether it may pass, and whether the device took the value',
    async (exception, code, retryable, isUntaken) => {
      const { clock, device, write } = setUp();
      await clock.advance(50);
      device.answer = () => ({ pdu: Buffer.from([0x86, exception]) });
      let refusals = 0;
      const written = write('mode', 1, { onRefused: () => (refusals += 1) });
      const message = expect.stringContaining(`exception ${exception}`);
      await expect(written).rejects.toMatchObject({ code, retryable, message });
      expect(refusals > 0).toBe(isUntaken);
    },
  );

  it('is over where the device will never show what it holds, before a write or after it', async () => {
    const { clock, device, write, codes } = setUp();
    await clock.advance(50);
    const plain = device.answer;
    device.answer = (request) => (request.pdu[0] === 3 ? { pdu: Buffer.from([0x83, 2]) } : plain(request));
    const refused = { code: 'modbus-write-refused', retryable: false };
    await expect(write('mode', 1, { expected: 0 })).rejects.toMatchObject(refused);
    expect(codes()).toEqual([]);
    const notHeld = { code: 'source-not-held', retryable: false };
    await expect(write('checked', 5)).rejects.toMatchObject(notHeld);
  });

  it('takes an answer that confirms something else for garbage', async () => {
    const { clock, device, write } = setUp();
    await clock.advance(50);
    device.answer = () => ({ pdu: Buffer.from([6, 0, 102, 0, 9]) });
    await expect(write('mode', 1)).rejects.toMatchObject({ code: 'modbus-garbage' });
  });

  it('writes only where the device holds what was expected, as readings show it', async () => {
    const { clock, write, codes } = setUp();
    await clock.advance(50);
    await write('setpoint', 21.1);
    await write('mode', 'auto');
    const refused = { code: 'source-not-as-expected', retryable: false };
    await expect(write('setpoint', 30, { expected: 22 })).rejects.toMatchObject(refused);
    await expect(write('mode', 'manual', { expected: 'manual' })).rejects.toMatchObject(refused);
    await expect(write('reset', true, { expected: true })).rejects.toMatchObject(refused);
    expect(codes()).toEqual([16, 6]);
    await write('setpoint', 30, { expected: 21.1 });
    await write('setpoint', 31, { expected: 30 });
    await write('mode', 'manual', { expected: 'auto' });
    await write('reset', true, { expected: false });
    await write('hold', true, { expected: false });
    expect(codes()).toEqual([16, 6, 16, 16, 6, 5, 15]);
  });

  it('with readBack counts only if the device holds it', async () => {
    const { clock, device, write } = setUp();
    await clock.advance(50);
    await write('checked', 70_000);
    const plain = device.answer;
    // It confirms, and keeps what it had.
    device.answer = (request) =>
      request.pdu[0] === 16 ? { pdu: request.pdu.subarray(0, 5) } : plain(request);
    await expect(write('checked', 5)).rejects.toMatchObject({
      code: 'source-not-held',
      message: expect.stringContaining('70000'),
    });
  });

  it('sends nothing once it is too late, also where it had to wait for its turn', async () => {
    const { clock, device, write, codes } = setUp();
    await clock.advance(50);
    let isLate = false;
    const onSend = () => {
      if (isLate) throw new HoldfastError('write-expired', 'too late');
    };
    const plain = device.answer;
    device.answer = (request) => ({ afterMs: 20, answer: plain(request) });
    await clock.advance(55);
    const late = expect(write('mode', 1, { onSend })).rejects.toMatchObject({ code: 'write-expired' });
    isLate = true;
    await clock.advance(200);
    await late;
    expect(codes()).toEqual([]);
    // The line is free for whoever comes next.
    const next = write('mode', 1);
    await clock.advance(100);
    await next;
    expect(codes()).toEqual([6]);
  });

  it('is refused, to be tried again, while there is no connection', async () => {
    const { clock, abort, write } = setUp();
    await clock.advance(50);
    abort.abort();
    await clock.advance(10);
    await expect(write('mode', 1)).rejects.toMatchObject({ code: 'source-not-connected', retryable: true });
  });

  it('is not offered where no tag may be written', () => {
    const config = modbusTcpSourceSchema.parse({
      type: 'modbus-tcp',
      name: 'x',
      host: 'h',
      tags: [{ name: 'a', address: 0, type: 'uint16' }],
    });
    const deps = { clock: new VirtualClock(), log: silentLog, metrics: noMetrics };
    expect(createModbusSource(config, deps).write).toBeUndefined();
  });
});
