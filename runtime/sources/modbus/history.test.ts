// Reading an event log that goes on being written, over equipment in memory.
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../../kernel/errors.ts';
import { silentLog } from '../../../kernel/log.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { answerPdu } from '../../../lab/plant/pdu.ts';
import { recordBytes } from '../../../lab/plant/register-map.ts';
import { sampleAt, tagValues } from '../../../lab/plant/sample.ts';
import { plantSources } from '../../../lab/plant/site.ts';
import { PlantUnit } from '../../../lab/plant/unit.ts';
import type { HistoryPage } from '../history-page.ts';

import { ClockSteps } from './clock-steps.ts';
import { modbusTcpSourceSchema } from './config.ts';
import { createHistory } from './history.ts';
import type { ModbusClient } from './modbus-client.ts';
import { ModbusException } from './modbus-errors.ts';
import { mapHistory } from './register-map.ts';

const seed = 5;
const start = 1_700_000_000_000;
const timeOf = (number: number) => start + number * 200;

function setUp(at: 0 | 1, { capacity = 100, change = {}, maxRegisters = 125, isCounted = true } = {}) {
  const unit = new PlantUnit({
    id: at + 1,
    name: 'unit',
    seed,
    log: at === 0 ? 'ring' : 'file-records',
    capacity,
  });
  let made = 0;
  const make = (count: number) => {
    for (let i = 0; i < count; i++) unit.scan(timeOf(++made));
  };
  const units = Object.fromEntries([1, 2, 3].map((id) => [id, { name: '', log: 'ring' as const, capacity }]));
  const site = plantSources({ host: 'memory', port: 502, units })[at] as { stamp: object; history: object };
  const config = modbusTcpSourceSchema.parse({
    ...site,
    stamp: { ...site.stamp, ...(isCounted ? {} : { number: undefined }) },
    history: { ...site.history, firstRecord: undefined, ...change },
  });
  let requests = 0;
  /** Runs before each answer: what the equipment does meanwhile. */
  const hooks: { beforeRequest?: () => void } = {};
  const ask = async (pdu: number[]) => {
    requests += 1;
    hooks.beforeRequest?.();
    const out = Buffer.alloc(256);
    const length = answerPdu(unit, Buffer.from(pdu), out, 0);
    if (out[0]! > 127) throw new ModbusException(out[1]!, 'a request');
    return out.subarray(0, length);
  };
  const client = {
    readRegisters: async (_unit: number, _table: string, address: number, count: number) =>
      (await ask([3, address >> 8, address & 255, 0, count])).subarray(2),
    readFileRecord: async (_unit: number, file: number, record: number, count: number) =>
      (await ask([20, 7, 6, file >> 8, file & 255, record >> 8, record & 255, 0, count])).subarray(4),
  } as unknown as ModbusClient;
  const clock = new VirtualClock(start + 86_400_000);
  const steps = new ClockSteps(clock, 1);
  const history = createHistory({
    map: mapHistory(config)!,
    unit: at + 1,
    maxRegisters,
    turn: async (work, signal) => {
      signal.throwIfAborted();
      return work(client);
    },
    log: silentLog,
    clock,
    steps,
  });
  /** What stands in the place of a record is none. */
  const damage = (number: number) => {
    const at = (number % capacity) * recordBytes;
    unit.log!.memory.fill(0xff, at, at + recordBytes);
  };
  const read = async (from: number, to: number) => {
    const pages: HistoryPage[] = [];
    for await (const page of history.read({ start: from, end: to }, new AbortController().signal))
      pages.push(page);
    return pages;
  };
  return { unit, make, read, hooks, requests: () => requests, made: () => made, clock, steps, damage };
}

/** The readings of a page, by record: `[number, temperature, level]`; and that all of its tags are there. */
function recordsOf(pages: readonly HistoryPage[]) {
  const byIndex = new Map<number, Record<string, unknown>>();
  for (const page of pages) {
    if (page.kind !== 'readings') continue;
    for (const { index, tag, value } of page.readings) {
      byIndex.set(index, { ...byIndex.get(index), [tag]: value });
    }
  }
  return [...byIndex].map(([index, values]) => [(index - start) / 200, values] as const);
}

function expectTruth(unit: number, pages: readonly HistoryPage[], first: number, last: number) {
  const records = recordsOf(pages);
  expect(records.map(([number]) => number)).toEqual(
    Array.from({ length: last - first + 1 }, (_, i) => first + i),
  );
  for (const [number, values] of records)
    expect(values).toEqual({ ...tagValues(sampleAt(seed, unit, number)) });
}

function expectTouching(pages: readonly HistoryPage[], from: number, to: number) {
  let reached = from;
  for (const { window } of pages) {
    expect(window.start).toBe(reached);
    reached = window.end;
  }
  expect(reached).toBe(to);
}

describe.each([
  ['a register ring', 0],
  ['file records', 1],
] as const)('the history in %s', (_name, at) => {
  it('gives exactly what the equipment logged, across the end of its memory', async () => {
    const { make, read } = setUp(at);
    make(350);
    const pages = await read(timeOf(260), timeOf(340));
    expectTouching(pages, timeOf(260), timeOf(340));
    expectTruth(at + 1, pages, 260, 339);
  });

  it('reads pages of whole requests: four records each', async () => {
    const { make, read, requests } = setUp(at, { capacity: 2000 });
    make(1500);
    await read(timeOf(100), timeOf(1400));
    // The time of each record is looked at once; then 1300 records in requests of 4, and the pointers behind each page.
    expect(requests()).toBeLessThan((1500 + 1300) / 4 + 100);
    const before = requests();
    await read(timeOf(100), timeOf(1400));
    expect(requests() - before).toBeLessThan(1300 / 4 + 50);
  });

  it('declares expired what is older than its oldest record', async () => {
    const { make, read } = setUp(at);
    make(350);
    const pages = await read(timeOf(100), timeOf(260));
    expect(pages[0]).toEqual({
      kind: 'unavailable',
      window: { start: timeOf(100), end: timeOf(251) },
      reason: 'history-expired',
    });
    expectTouching(pages, timeOf(100), timeOf(260));
    expectTruth(at + 1, pages, 251, 259);
  });

  it('never calls empty what lies before its first record: a memory that was cleared looks like a new one', async () => {
    for (const change of [{}, { firstRecord: 1 }]) {
      const { make, read } = setUp(at, { change });
      make(20);
      const pages = await read(timeOf(-50), timeOf(5));
      expect(pages[0]).toMatchObject({ kind: 'unavailable', window: { end: timeOf(1) } });
      expectTouching(pages, timeOf(-50), timeOf(5));
      expectTruth(at + 1, pages, 1, 4);
    }
  });

  it('states what it verified to be empty', async () => {
    const { make, read } = setUp(at);
    make(30);
    expect(await read(timeOf(10) + 1, timeOf(11))).toEqual([
      { kind: 'readings', window: { start: timeOf(10) + 1, end: timeOf(11) }, readings: [] },
    ]);
  });

  it('gives all records of one time', async () => {
    const { unit, read } = setUp(at, { capacity: 200 });
    for (const time of [0, 200, 200, 200, 400]) unit.scan(start + time);
    const pages = await read(start, start + 400);
    const times = pages.flatMap((page) =>
      page.kind === 'readings' ? page.readings.filter(({ tag }) => tag === 'temperature') : [],
    );
    expect(times.map(({ index }) => index - start)).toEqual([0, 200, 200, 200]);
  });

  it('ends right after the newest record', async () => {
    const { make, read } = setUp(at);
    make(30);
    const pages = await read(timeOf(25), timeOf(1000));
    expectTouching(pages, timeOf(25), timeOf(30) + 1);
    expectTruth(at + 1, pages, 25, 30);
    expect(await read(timeOf(30) + 1, timeOf(1000))).toEqual([]);
  });

  it('says nothing while the log is empty', async () => {
    const { unit, make, read } = setUp(at);
    expect(await read(timeOf(0), timeOf(10))).toEqual([]);
    make(30);
    unit.log?.erase();
    unit.refreshDescriptor();
    expect(await read(timeOf(0), timeOf(10))).toEqual([]);
  });

  it('keeps every reading while the log grows under it', async () => {
    const { make, read, hooks } = setUp(at, { capacity: 2000 });
    make(500);
    hooks.beforeRequest = () => make(1);
    const pages = await read(timeOf(100), timeOf(900));
    expectTruth(at + 1, pages, 100, 899);
  });

  it.each([
    ['with record numbers', true],
    ['without', false],
  ])(
    'declares what is overwritten while it reads, and gives no reading that is not true, %s',
    async (_case, isCounted) => {
      for (let pace = 1; pace <= 6; pace++) {
        const { make, read, hooks, made } = setUp(at, { isCounted, capacity: 1000 });
        make(1100);
        let turn = 0;
        hooks.beforeRequest = () => {
          if (++turn % 3 === 0 && made() < 2000) make(pace * 2);
        };
        const pages = await read(timeOf(101), timeOf(2000));
        let reached = timeOf(101);
        for (const page of pages) {
          expect(page.window.start).toBe(reached);
          reached = page.window.end;
        }
        const answered = new Set<number>();
        for (const [number, values] of recordsOf(pages)) {
          expect(values).toEqual({ ...tagValues(sampleAt(seed, at + 1, number)) });
          answered.add(number);
        }
        // Each record is either given or inside what was declared gone.
        const gone = pages.filter(({ kind }) => kind === 'unavailable').map(({ window }) => window);
        for (let number = 101; timeOf(number) < reached; number++) {
          const isGone = gone.some(({ start: from, end }) => timeOf(number) >= from && timeOf(number) < end);
          expect(answered.has(number) !== isGone, `record ${number} at pace ${pace}`).toBe(true);
        }
        expect(gone.length).toBeGreaterThan(0);
      }
    },
  );

  it('gives up, to be asked again, when the log is always faster', async () => {
    const { make, read, hooks } = setUp(at);
    make(200);
    hooks.beforeRequest = () => make(150);
    await expect(read(timeOf(150), timeOf(100_000))).rejects.toMatchObject({
      code: 'modbus-history-unstable',
      retryable: true,
    });
  });

  it('does not call a refusal a loss', async () => {
    const { unit, make, read } = setUp(at);
    make(30);
    unit.refused = [[1000, 65_535]];
    const error = await read(timeOf(10), timeOf(20)).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(HoldfastError);
    expect(error).toMatchObject({ code: 'modbus-history-refused', retryable: true });
  });
});

describe('the history of a log', () => {
  it('is read in parts where one request cannot hold a record', async () => {
    const { make, read } = setUp(0, { maxRegisters: 10 });
    make(350);
    const pages = await read(timeOf(255), timeOf(300));
    expectTruth(1, pages, 255, 299);
  });

  it('keeps away from the slot that may be overwritten next when the device names no oldest record', async () => {
    const { make, read } = setUp(0, { change: { oldest: undefined } });
    make(350);
    const [page] = await read(timeOf(200), timeOf(300));
    expect(page).toMatchObject({ kind: 'unavailable', window: { end: timeOf(252) } });
  });

  it('loses one damaged record alone: the time between its neighbours is void, and all others are given', async () => {
    for (const isCounted of [true, false]) {
      const { make, read, damage } = setUp(0, { isCounted });
      make(80);
      damage(41);
      const pages = await read(timeOf(30), timeOf(60));
      expectTouching(pages, timeOf(30), timeOf(60));
      const gone = pages.filter(({ kind }) => kind === 'unavailable');
      expect(gone).toMatchObject([
        { window: { start: timeOf(40) + 1, end: timeOf(42) }, reason: 'no-history' },
      ]);
      const numbers = recordsOf(pages).map(([number]) => number);
      expect(numbers).toEqual(Array.from({ length: 30 }, (_, i) => 30 + i).filter((n) => n !== 41));
    }
  });

  it('declares nothing lost of what its clock leapt over around a damaged record, before that is past by ours', async () => {
    const { unit, read, damage, clock } = setUp(0);
    for (let number = 1; number <= 40; number++) unit.scan(timeOf(number));
    damage(40);
    const ahead = clock.now() + 7_200_000;
    unit.scan(ahead);
    unit.scan(ahead + 200);
    const pages = await read(timeOf(30), ahead + 100);
    expect(pages.filter(({ kind }) => kind === 'unavailable').map(({ window }) => window)).toEqual([
      { start: timeOf(39) + 1, end: clock.now() },
    ]);
    expect(pages.at(-1)?.window.end).toBe(clock.now());
  });

  it('says beside the values of its neighbours that a damaged record may share their time, where stamps are coarse', async () => {
    const { unit, read, damage } = setUp(0);
    for (const s of [0, 1, 1, 2, 3, 4, 5]) unit.scan(start + s * 1000);
    damage(5);
    const pages = await read(start + 1000, start + 5000);
    expectTouching(pages, start + 1000, start + 5000);
    const readings = pages.flatMap((page) => (page.kind === 'readings' ? page.readings : []));
    const levels = readings.filter(({ tag }) => tag === 'level');
    expect(levels.map(({ index, quality }) => [(index - start) / 1000, quality])).toEqual([
      ...[
        [1, 'good'],
        [1, 'good'],
      ],
      ...[
        [2, 'good'],
        [2, 'bad:record-damaged'],
      ],
      ...[
        [4, 'good'],
        [4, 'bad:record-damaged'],
      ],
    ]);
  });

  it('says so behind each value between its neighbours as well, where a clock came by there twice', async () => {
    const { unit, read, damage } = setUp(0);
    for (const s of [0, 1, 1, 3, 7, 8, 2, 4, 5, 6, 9, 10]) unit.scan(start + s * 1000);
    // Between 3 and 8.
    damage(5);
    const pages = await read(start + 1000, start + 9000);
    const readings = pages.flatMap((page) => (page.kind === 'readings' ? page.readings : []));
    const levels = readings.filter(({ tag }) => tag === 'level');
    const doubted = levels.filter(({ quality }) => quality === 'bad:record-damaged');
    expect(doubted.map(({ index }) => (index - start) / 1000)).toEqual([3, 4, 5, 6, 8]);
    // The mark is the last word at its time.
    for (const { index } of doubted)
      expect(levels.findLast((each) => each.index === index)?.quality).toBe('bad:record-damaged');
  });

  it('answers nothing while its newest record shows no time: it may have any', async () => {
    const { make, read, damage } = setUp(0);
    make(50);
    damage(50);
    expect(await read(timeOf(10), timeOf(20))).toEqual([]);
    make(1);
    expectTruth(1, await read(timeOf(10), timeOf(20)), 10, 19);
  });

  it('gives all records of one time in one page, also where a page would end amid them', async () => {
    const { unit, read } = setUp(0, { capacity: 400 });
    // Pages have 64 records.
    for (let number = 1; number <= 200; number++) unit.scan(start + Math.floor(number / 10) * 1000);
    const pages = await read(start + 1000, start + 19_000);
    expectTouching(pages, start + 1000, start + 19_000);
    const count = new Map<number, number>();
    for (const page of pages)
      for (const { index, tag } of page.kind === 'readings' ? page.readings : [])
        if (tag === 'level') count.set(index, (count.get(index) ?? 0) + 1);
    expect([...count.values()]).toEqual(Array.from({ length: 18 }, () => 10));
    // Of the last second another may still come.
    expect((await read(start + 19_000, start + 30_000)).at(-1)?.window.end).toBe(start + 20_000);
  });

  it('remembers the times of records that went, though the log has come by there again', async () => {
    const { unit, read } = setUp(0);
    for (let n = 0; n < 50; n++) unit.scan(start + n * 200);
    await read(start, start + 1000);
    // Set back by 5 s; and all from before is overwritten.
    for (let n = 0; n < 200; n++) unit.scan(start + 5000 + n * 200 + 77);
    const held = start + 5000 + 100 * 200 + 77;
    expect((await read(start + 6000, start + 8000)).map(({ kind }) => kind)).toEqual(['unavailable']);
    expect(await read(held + 200, held + 1000)).toMatchObject([{ kind: 'readings' }]);
    const again = setUp(0);
    for (let n = 0; n < 50; n++) again.unit.scan(start + n * 200);
    await again.read(start, start + 1000);
    for (let n = 0; n < 90; n++) again.unit.scan(start + 5000 + n * 200 + 77);
    // 40 of the older ones went, with times from 0 to 8 s, and 10 are left.
    expect(await again.read(start + 6000, start + 8000)).toEqual([]);
    const [page] = await again.read(start + 8000, start + 9000);
    expect(page?.kind === 'readings' && page.readings.filter(({ tag }) => tag === 'level')).toHaveLength(10);
  });

  it('says nothing of times that its clock leapt over, before they are past by ours: it may be put right', async () => {
    const { unit, read, clock } = setUp(0);
    const now = clock.now();
    for (let n = 0; n < 20; n++) unit.scan(now - 10_000 + n * 500);
    for (let n = 0; n < 20; n++) unit.scan(now + 7_200_000 + n * 500);
    const pages = await read(now - 1000, now + 7_201_000);
    expect(pages.at(-1)?.window.end).toBe(now);
    for (let n = 0; n < 100; n++) unit.scan(now + 7_210_000 + n * 500);
    // All from before is overwritten: of what is to come nothing is lost yet.
    expect(await read(now - 1000, now + 7_000_000)).toMatchObject([
      { kind: 'unavailable', window: { start: now - 1000, end: now } },
    ]);
    await clock.advance(7_200_000);
    expect(await read(now, now + 7_000_000)).toMatchObject([{ kind: 'unavailable' }]);
  });

  it('knows of a step of its clock that was seen live, though the records from before it are gone', async () => {
    const { unit, read, steps, clock } = setUp(0);
    steps.show(start + 60_000);
    await clock.advance(1000);
    steps.show(start + 20_000);
    for (let n = 0; n < 150; n++) unit.scan(start + 20_000 + n * 500);
    // 100 are held, from 45 s on: up to 61 s there may have been others.
    expect(await read(start + 46_000, start + 50_000)).toEqual([]);
    expect(await read(start + 62_000, start + 63_000)).toMatchObject([{ kind: 'readings' }]);
  });

  it('is not all read where its clock shows less than has passed, and what went by meanwhile is gone', async () => {
    const { unit, read, steps, clock } = setUp(0);
    for (let n = 0; n < 50; n++) unit.scan(start + n * 200);
    steps.show(start + 9_800);
    await read(start, start + 1000);
    // Nobody watches: 6 s go by, the clock is set back by 4 s, the memory is erased.
    for (let n = 50; n < 80; n++) unit.scan(start + n * 200);
    unit.log!.erase();
    for (let n = 60; n < 80; n++) unit.scan(start + n * 200);
    await clock.advance(10_000);
    steps.miss();
    steps.show(start + 15_800);
    expect(await read(start + 13_000, start + 15_000)).toEqual([]);
    for (let n = 80; n < 200; n++) unit.scan(start + n * 200);
    // Beyond where it can have come, all is there.
    expect(await read(start + 25_000, start + 26_000)).toMatchObject([{ kind: 'readings' }]);
  });

  it('says so when its pointers make no sense', async () => {
    const { make, read } = setUp(0, {
      change: { oldest: { address: 1000, type: 'uint32' }, newest: { address: 1004, type: 'uint16' } },
    });
    make(350);
    await expect(read(timeOf(200), timeOf(300))).rejects.toMatchObject({ code: 'modbus-history-invalid' });
  });
});

describe.each([
  ['a register ring', 0],
  ['file records', 1],
] as const)('%s whose clock was set back', (_name, at) => {
  const sample = 200;
  /** Scans `count` samples from `from` on; returns their times. */
  const record = (unit: PlantUnit, from: number, count: number) =>
    Array.from({ length: count }, (_, n) => {
      unit.scan(from + n * sample);
      return from + n * sample;
    });
  const timesOf = (pages: readonly HistoryPage[]) => [
    ...new Set(
      pages.flatMap((page) => (page.kind === 'readings' ? page.readings.map(({ index }) => index) : [])),
    ),
  ];
  const unique = (times: readonly number[]) => [...new Set(times)].sort((a, b) => a - b);

  it('gives the records from before and from after the step, merged by their times', async () => {
    const { unit, read } = setUp(at, { capacity: 400, change: { firstRecord: 1 } });
    const before = record(unit, start, 150);
    const after = record(unit, start + 20 * sample + 77, 180);
    const end = after.at(-1)! + 1;
    const pages = await read(start, end);
    expectTouching(pages, start, end);
    expect(timesOf(pages)).toEqual(unique([...before, ...after]));
    // And any part of it, from where the same times stand twice.
    const [from, to] = [start + 60 * sample, start + 70 * sample];
    const part = await read(from, to);
    expectTouching(part, from, to);
    expect(timesOf(part)).toEqual(unique([...before, ...after].filter((time) => time >= from && time < to)));
  });

  it('gives them also after several steps', async () => {
    const { unit, read } = setUp(at, { capacity: 400, change: { firstRecord: 1 } });
    const runs = [
      record(unit, start, 60),
      record(unit, start - 3_600_000, 60),
      record(unit, start - 1_800_000, 60),
      record(unit, start + 100, 120),
    ];
    const to = start + 100 + 120 * sample - sample + 1;
    const pages = await read(start, to);
    expectTouching(pages, start, to);
    expect(timesOf(pages)).toEqual(unique(runs.flat()).filter((time) => time >= start));
    // Of what came before its first record it has some: more may have gone with a memory that was cleared.
    const before = await read(start - 4_000_000, to);
    expect(before).toMatchObject([
      { kind: 'unavailable', window: { start: start - 4_000_000, end: start - 3_600_000 } },
    ]);
  });

  it('states nothing beyond its newest record, however far the older ones reach', async () => {
    const { unit, read } = setUp(at, { capacity: 400 });
    record(unit, start, 100);
    const after = record(unit, start + 10 * sample + 5, 20);
    const pages = await read(start, start + 1_000_000);
    expect(pages.at(-1)?.window.end).toBe(after.at(-1)! + 1);
    expect(await read(after.at(-1)! + 1, start + 1_000_000)).toEqual([]);
  });

  it('answers nothing from the newer run alone where the older one was partly overwritten', async () => {
    const { unit, read } = setUp(at, { capacity: 120 });
    record(unit, start, 100);
    record(unit, start + 50 * sample, 100);
    // 80 of the older run are overwritten, among them those of these times.
    expect(await read(start + 60 * sample, start + 70 * sample)).toEqual([]);
    const pages = await read(start + 85 * sample, start + 90 * sample);
    expectTouching(pages, start + 85 * sample, start + 90 * sample);
  });

  it('finds a small step while reading, goes on, and merges from the next time on', async () => {
    const { unit, read } = setUp(at, { capacity: 400, change: { firstRecord: 1 } });
    const before = record(unit, start, 205);
    const after = record(unit, before.at(-1)! - 3 * sample + 50, 100);
    const end = after.at(-1)! + 1;
    expectTouching(await read(start, end), start, end);
    const pages = await read(start, end);
    expectTouching(pages, start, end);
    expect(timesOf(pages)).toEqual(unique([...before, ...after]));
  });

  it('gives up with a reason when it was set back again and again, rather than go round for ever', async () => {
    const { unit, read } = setUp(at, { capacity: 400 });
    for (let step = 0; step < 40; step++) record(unit, start - step * 100_000, 8);
    await expect(read(start - 5_000_000, start)).rejects.toMatchObject({ code: 'modbus-history-clock' });
  });

  it('looks past single records without a valid time', async () => {
    const { unit, read } = setUp(at, { capacity: 400, change: { firstRecord: 1 } });
    const times: number[] = [];
    for (let number = 1; number <= 300; number++) {
      if (number % 64 === 0) unit.scan(0);
      else times.push(...record(unit, start + number * sample, 1));
    }
    const end = times.at(-1)! + 1;
    const pages = await read(start, end);
    expectTouching(pages, start, end);
    expect(timesOf(pages)).toEqual(times);
  });
});
