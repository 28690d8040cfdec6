// Record numbers as the index: whatever the equipment's clock does, and wherever its counter starts again.
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import type { HistoryPage } from '../history-page.ts';
import type { SourceEvent } from '../source.ts';
import { RecordingSink } from '../testing/recording-sink.ts';
import { modbusTcpSourceSchema } from './config.ts';
import { createModbusSource } from './modbus-source.ts';
import { MemoryDevice } from './testing/memory-device.ts';
import { RegisterDevice } from './testing/register-device.ts';

const pollMs = 100;
const capacity = 50;
/** A record: time (4 registers), number (2), value (1). The sample block lies at 0, the ring at 1000. */
const recordRegisters = 7;

function setUp({ floor, timed = true }: { floor?: number; timed?: boolean } = {}) {
  const clock = new VirtualClock();
  const registers = new RegisterDevice();
  const device = new MemoryDevice(clock, registers.answer);
  const stamp = {
    ...(timed && { timestamp: { address: 0, type: 'uint64', unit: 'ms' } }),
    number: { address: 4 },
  };
  const config = modbusTcpSourceSchema.parse({
    type: 'modbus-tcp',
    name: 'press',
    host: 'memory',
    pollMs,
    timeoutMs: 50,
    index: 'sequence',
    stamp,
    tags: [{ name: 'value', address: 6, type: 'uint16' }],
    history: {
      kind: 'ring',
      newest: { address: 900 },
      capacity,
      recordRegisters,
      base: 1000,
      ...(timed ? {} : { number: { offset: 4, type: 'uint32' }, tags: [{ name: 'value', offset: 6 }] }),
    },
  });
  const source = createModbusSource(config, {
    clock,
    log: silentLog,
    metrics: noMetrics,
    links: device.links(),
    start: () => ({ continuity: 'proven', ...(floor !== undefined && { floor, number: 0 }) }),
  });
  const sample = (number: number, time: number) => {
    const record = Buffer.alloc(2 * recordRegisters);
    record.writeBigUInt64BE(BigInt(Math.max(0, time)), 0);
    record.writeUInt32BE(number, 8);
    record.writeUInt16BE(number & 0xffff, 12);
    registers.write('holding', 0, record);
    registers.write('holding', 1000 + (number % capacity) * recordRegisters, record);
    const newest = Buffer.alloc(4);
    newest.writeUInt32BE(number);
    registers.write('holding', 900, newest);
  };
  /** The record shows another number. */
  const corrupt = (number: number) => {
    const at = 1000 + (number % capacity) * recordRegisters;
    registers.write('holding', at + 4, Buffer.from([0xde, 0xad, 0xbe, 0xef]));
  };
  const sink = new RecordingSink();
  const abort = new AbortController();
  const start = () => void source.run(sink, abort.signal).catch(() => {});
  /** Samples one after the other, each seen by a poll. */
  const produce = async (numbers: readonly number[], timeOf = (number: number) => 1e12 + number * 100) => {
    for (const number of numbers) {
      sample(number, timeOf(number));
      await clock.advance(pollMs);
    }
  };
  const read = async (from: number, to: number) => {
    const pages: HistoryPage[] = [];
    for await (const page of source.history!.read({ start: from, end: to }, new AbortController().signal))
      pages.push(page);
    return pages;
  };
  return { clock, source, sink, start, sample, produce, read, corrupt };
}

const upTo = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);
const told = (events: readonly SourceEvent[]) =>
  events.flatMap((event) => {
    if (event.kind === 'resumed') return [`resumed ${event.at}`];
    if (event.kind === 'broken') return [`broken ${event.at} ${event.reason}`];
    return [];
  });
const numbersOf = (pages: readonly HistoryPage[]) =>
  pages.flatMap((page) =>
    page.kind === 'readings'
      ? page.readings.filter(({ tag }) => tag === 'value').map(({ index, value }) => [index, value])
      : [],
  );

describe('a Modbus source ordered by record numbers', () => {
  it('goes on without a break while the clock of the equipment is set back, and shows the time as a value', async () => {
    const { source, sink, start, produce, read } = setUp();
    expect(source.index).toBe('sequence');
    start();
    await produce(upTo(1, 5));
    await produce(upTo(6, 9), () => 1e12 - 3_600_000);
    await produce([10], () => 0);
    expect(told(sink.events)).toEqual(['resumed 1']);
    expect(sink.breaches()).toEqual([]);
    const times = sink.readings.filter(({ tag }) => tag === 'time');
    expect(times.map(({ index }) => index)).toEqual(upTo(1, 10));
    expect(times[6]).toMatchObject({ value: 1e12 - 3_600_000, quality: 'good' });
    expect(times[9]).toMatchObject({ value: null, quality: 'bad:no-time' });
    const pages = await read(1, 11);
    expect(numbersOf(pages)).toEqual(upTo(1, 10).map((number) => [number, number]));
    expect(pages.flatMap((page) => (page.kind === 'readings' ? page.readings : []))).toEqual(sink.readings);
  });

  it('needs no clock at all', async () => {
    const { sink, start, produce, read } = setUp({ timed: false });
    start();
    await produce(upTo(7, 12), () => 0);
    expect(sink.readings.map(({ index, tag, value }) => [index, tag, value])).toEqual(
      upTo(7, 12).map((number) => [number, 'value', number]),
    );
    expect(numbersOf(await read(8, 10))).toEqual([
      [8, 8],
      [9, 9],
    ]);
  });

  it('finds in history what was missed between two polls', async () => {
    const { sink, start, sample, produce, read } = setUp();
    start();
    await produce([1, 2]);
    for (const number of upTo(3, 5)) sample(number, 1e12 + number * 100);
    await produce([6]);
    expect(told(sink.events)).toEqual(['resumed 1', 'broken 3 records-missed', 'resumed 6']);
    expect(numbersOf(await read(3, 6))).toEqual(upTo(3, 5).map((number) => [number, number]));
  });

  it('continues where the stream ended before a restart, and tells what was lost meanwhile', async () => {
    const follows = setUp({ floor: 21 });
    follows.start();
    await follows.produce([20, 21]);
    expect(told(follows.sink.events)).toEqual(['resumed 21']);
    const missed = setUp({ floor: 21 });
    missed.start();
    await missed.produce([25]);
    expect(told(missed.sink.events)).toEqual(['resumed 25']);
    expect(missed.sink.readings[0]?.index).toBe(25);
  });

  it('goes on above all it ever had when the counter is reset: no position is used twice', async () => {
    const { sink, start, produce, read } = setUp();
    start();
    await produce(upTo(1000, 1004));
    await produce(upTo(1, 4));
    // The new round begins behind what was perhaps recorded at the end of the old one.
    const round = 1005 + 10_000;
    expect(told(sink.events)).toEqual(['resumed 1000', 'broken 1005 counter-reset', `resumed ${round + 2}`]);
    const last = sink.readings.filter(({ tag }) => tag === 'value').at(-1);
    expect(last).toMatchObject({ index: round + 4, value: 4 });
    expect(sink.breaches()).toEqual([]);
    // The first was held until the next bore it out: history has it.
    expect(numbersOf(await read(round + 1, round + 5))).toEqual(
      upTo(1, 4).map((number) => [round + number, number]),
    );
    expect(await read(1000, 1005)).toEqual([
      { kind: 'unavailable', window: { start: 1000, end: 1005 }, reason: 'history-expired' },
    ]);
  });

  it('never answers for positions of the old round with records of the new one', async () => {
    const { start, sample, produce, read } = setUp();
    start();
    await produce(upTo(100, 120));
    // The memory is cleared, and the new round has come to the same numbers before it was polled again.
    for (const number of upTo(1, 115)) sample(number, 2e12 + number);
    await expect(read(110, 116)).rejects.toMatchObject({ code: 'modbus-history-doubtful', retryable: true });
    await produce([116, 117]);
    expect(await read(110, 116)).toMatchObject([{ kind: 'unavailable', window: { start: 110, end: 116 } }]);
  });

  it('follows a new round that runs faster than it is polled', async () => {
    const { sink, start, produce } = setUp();
    start();
    await produce(upTo(1000, 1004));
    const before = sink.readings.length;
    await produce([1, 6, 11, 16]);
    const fresh = sink.readings.slice(before).filter(({ tag }) => tag === 'value');
    expect(fresh.map(({ value }) => value)).toEqual(expect.arrayContaining([11, 16]));
    const offset = fresh[0]!.index - Number(fresh[0]!.value);
    expect(offset).toBeGreaterThan(1004);
    for (const { index, value } of fresh) expect(index).toBe(offset + Number(value));
    expect(sink.breaches()).toEqual([]);
  });

  it('gives all that is held around a record that is corrupt, and declares that one alone', async () => {
    const { start, produce, read, corrupt } = setUp();
    start();
    await produce(upTo(1, 40));
    corrupt(20);
    const pages = await read(10, 31);
    expect(pages.filter(({ kind }) => kind === 'unavailable')).toMatchObject([
      { window: { start: 20, end: 21 }, reason: 'no-history' },
    ]);
    expect(numbersOf(pages).map(([index]) => index)).toEqual([...upTo(10, 19), ...upTo(21, 30)]);
  });

  it.each<[object, RegExp]>([
    [{ stamp: { timestamp: { address: 0, type: 'uint64' } } }, /stamp\.number: is missing/],
    [{ stamp: { number: { address: 4, type: 'int32' } } }, /stamp\.number\.type: must be uint16/],
    [{ index: 'time', stamp: { number: { address: 4 } } }, /stamp\.timestamp: is missing/],
    [
      {
        stamp: { number: { address: 4 }, timestamp: { address: 0, type: 'uint64' } },
        tags: [{ name: 'time', address: 9, type: 'int16' }],
      },
      /stamp\.timeTag: must be given: 'time' is the name/,
    ],
  ])('needs a configuration that fits: %j', (more, expected) => {
    const result = modbusTcpSourceSchema.safeParse({
      type: 'modbus-tcp',
      name: 'press',
      host: 'memory',
      index: 'sequence',
      tags: [{ name: 'value', address: 6, type: 'uint16' }],
      ...more,
    });
    const problems = result.error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    expect(problems?.join('\n')).toMatch(expected);
  });
});
