// Reading the memory of an instrument that goes on recording, talks in between, loses records, and sends nonsense.
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { loggerValues } from '../../../lab/plant/logger-record.ts';
import { loggerSource } from '../../../lab/plant/logger-site.ts';
import { MemoryLine } from './testing/memory-line.ts';
import { MemoryLogger } from './testing/memory-logger.ts';
import { readHistory, run, showPages } from './testing/set-up.ts';

interface Options {
  readonly talks?: boolean;
  readonly index?: 'number' | 'time';
  readonly capacity?: number;
  readonly lastNumber?: number;
  readonly samples?: number;
  readonly history?: object;
  readonly source?: object;
  readonly pageRecords?: number;
}

const scanMs = 1000;

async function setUp({
  talks = true,
  index = 'number',
  samples = 50,
  history = {},
  source = {},
  ...more
}: Options) {
  const { capacity = 100, lastNumber = 1000, pageRecords = 10 } = more;
  const clock = new VirtualClock();
  const logger = new MemoryLogger(clock, { capacity, lastNumber, talks });
  const start = clock.now();
  const site = loggerSource(
    { host: 'memory', port: 1, scanMs, capacity, lastNumber },
    { index, pageRecords, timeoutMs: 200, ...(talks ? {} : { pollMs: scanMs }) },
  );
  const config = {
    ...site,
    path: undefined,
    ...source,
    history: { ...site.history, timeoutMs: 300, ...history },
  };
  const running = run(config, logger.line, clock, undefined);
  for (let at = samples; at > 0; at--) logger.sample(start - at * scanMs);
  await clock.advance(10);
  const sample = async () => {
    logger.sample(clock.now());
    await clock.advance(20);
  };
  if (talks) await sample();
  await sample();
  await clock.advance(scanMs);
  const read = (from: number, to: number, signal?: AbortSignal) =>
    readHistory(running, clock, from, to, signal);
  const timeOf = (position: number) => start - (samples - position + 1) * scanMs;
  return { ...running, clock, logger, read, sample, timeOf, newest: () => logger.position };
}

describe('the memory of an instrument, by record number', () => {
  it('is read in pages, with the values that were recorded', async () => {
    const { read, logger } = await setUp({});
    const pages = await read(5, 33);
    expect(showPages(pages)).toEqual(['readings 5-15: 10', 'readings 15-25: 10', 'readings 25-33: 8']);
    expect(logger.commands.filter((command) => command.startsWith('DUMP'))).toEqual([
      'DUMP 5,14',
      'DUMP 15,24',
      'DUMP 25,32',
    ]);
    const readings = pages.flatMap((page) => (page.kind === 'readings' ? page.readings : []));
    const truth = loggerValues(logger.seed, 7);
    const seventh = readings.filter(({ index }) => index === 7);
    expect(Object.fromEntries(seventh.map(({ tag, value }) => [tag, value]))).toEqual(truth);
  });

  it('ends where nothing is recorded yet, and says what is no longer held', async () => {
    const { read, newest } = await setUp({ capacity: 20 });
    expect(newest()).toBe(52);
    expect(showPages(await read(-5, 40))).toEqual(['history-expired -5-33', 'readings 33-40: 7']);
    expect(showPages(await read(45, 500))).toEqual(['readings 45-53: 8']);
    expect(await read(53, 60)).toEqual([]);
  });

  it('knows what is gone without being asked, by its capacity alone', async () => {
    const { read, logger } = await setUp({ capacity: 20, history: { bounds: undefined } });
    expect(showPages(await read(1, 36))).toEqual(['history-expired 1-33', 'readings 33-36: 3']);
    expect(logger.commands.some((command) => command.startsWith('INFO'))).toBe(false);
  });

  it('is read over a start of the counter', async () => {
    const { read, logger } = await setUp({ lastNumber: 60, capacity: 50, samples: 80 });
    // 81 and 82 were made since; 33 to 82 are held.
    expect(showPages(await read(55, 65))).toEqual(['readings 55-65: 10']);
    expect(logger.commands).toContain('DUMP 55,4');
    expect(showPages(await read(20, 40))).toEqual(['history-expired 20-33', 'readings 33-40: 7']);
  });

  it('is lost with a reset, and what has the same numbers now is not taken for it', async () => {
    const { read, logger, sample, sink, counts } = await setUp({ lastNumber: 100_000 });
    logger.reset();
    for (let at = 0; at < 60; at++) await sample();
    expect(counts.counter_resets).toBe(1);
    expect(sink.breaches()).toEqual([]);
    expect(showPages(await read(10, 20))).toEqual(['history-expired 10-20']);
    // The new round begins behind what may have been recorded after 52.
    expect(showPages(await read(10_057, 10_061))).toEqual(['readings 10057-10061: 4']);
  });

  it('with a hole is asked for it four times more before the hole is declared', async () => {
    const { read, logger } = await setUp({});
    const lost = new Set(['12', '13']);
    logger.onWire = (line) => {
      const [kind, number = ''] = line.split(',');
      return kind === '$REC' && lost.has(number) ? undefined : Buffer.from(line);
    };
    expect(showPages(await read(10, 20))).toEqual([
      'readings 10-12: 2',
      'history-expired 12-14',
      'readings 14-20: 6',
    ]);
    expect(logger.commands.filter((command) => command === 'DUMP 10,19')).toHaveLength(1);
    // With the record behind it, which shows that nothing comes before.
    expect(logger.commands.filter((command) => command === 'DUMP 12,14')).toHaveLength(4);
  });
});

describe('a record that one dump lacks and the next one has', () => {
  it('is not lost', async () => {
    const { read, logger } = await setUp({});
    let lost = 1;
    logger.onWire = (line) => (line.startsWith('$REC,12,') && lost-- > 0 ? undefined : Buffer.from(line));
    expect(showPages(await read(10, 20))).toEqual(['readings 10-12: 2', 'readings 12-20: 8']);
  });
});

describe('the memory of an instrument, by time', () => {
  it('is read in pages, and silence between two records is what it seems', async () => {
    const { read, timeOf } = await setUp({ index: 'time' });
    expect(showPages(await read(timeOf(5), timeOf(30)))).toEqual([
      `readings ${timeOf(5)}-${timeOf(15)}: 10`,
      `readings ${timeOf(15)}-${timeOf(25)}: 10`,
      `readings ${timeOf(25)}-${timeOf(30)}: 5`,
    ]);
    expect(showPages(await read(timeOf(5) + 1, timeOf(6)))).toEqual([
      `readings ${timeOf(5) + 1}-${timeOf(6)}: 0`,
    ]);
  });

  it('without bounds is proven by a record before the range, or declared gone up to its first', async () => {
    const { read, timeOf } = await setUp({ index: 'time', capacity: 20, history: { bounds: undefined } });
    expect(showPages(await read(timeOf(40) + 1, timeOf(42)))).toEqual([
      `readings ${timeOf(40) + 1}-${timeOf(42)}: 1`,
    ]);
    expect(showPages(await read(timeOf(28), timeOf(36)))).toEqual([
      `history-expired ${timeOf(28)}-${timeOf(33)}`,
      `readings ${timeOf(33)}-${timeOf(36)}: 3`,
    ]);
    expect(showPages(await read(timeOf(1), timeOf(4)))).toEqual([
      `history-expired ${timeOf(1)}-${timeOf(4)}`,
    ]);
  });
});

describe('a dump', () => {
  it('that is damaged is asked for again, and given up when it always is', async () => {
    const { read, logger } = await setUp({});
    let spoilt = 2;
    const spoil = (line: string) =>
      line.startsWith('$REC,12,') && spoilt-- > 0 ? line.replace('*', '#') : line;
    logger.onWire = (line) => Buffer.from(spoil(line));
    expect(showPages(await read(10, 20))).toEqual(['readings 10-20: 10']);
    spoilt = 100;
    await expect(read(10, 20)).rejects.toMatchObject({ code: 'serial-history-damaged', retryable: true });
  });

  it('that never ends is a timeout, and what is left of it does not disturb the live records', async () => {
    const { read, logger, sample, sink } = await setUp({});
    logger.onWire = (line) => (line.startsWith('$END') ? undefined : Buffer.from(line));
    await expect(read(10, 20)).rejects.toMatchObject({ code: 'serial-timeout', retryable: true });
    await sample();
    expect(sink.of('broken')).toEqual([]);
    expect(sink.readings.at(-1)?.index).toBe(logger.position);
  });

  it('that is refused is an error, not a loss', async () => {
    const { read, logger } = await setUp({ history: { bounds: undefined } });
    logger.isRefusing = true;
    await expect(read(10, 20)).rejects.toMatchObject({ code: 'serial-refused', retryable: true });
  });

  it('that is larger than it may be is asked for in smaller pieces', async () => {
    const { read, logger } = await setUp({ history: { maxBytes: 400 } });
    expect(showPages(await read(10, 20)).join()).toMatch(/readings 10-12: 2.*-20: /);
    expect(logger.commands).toContain('DUMP 10,19');
    expect(logger.commands).toContain('DUMP 10,14');
  });

  it('goes on unheeded when nobody waits for it any more, and is not taken for live records', async () => {
    const { read, logger, sample, sink, clock } = await setUp({});
    logger.answerAfterMs = 100;
    const abort = new AbortController();
    const reading = read(10, 20, abort.signal);
    reading.catch(() => {});
    await clock.advance(150);
    abort.abort(new Error('enough'));
    await expect(reading).rejects.toThrow('enough');
    logger.answerAfterMs = 0;
    await clock.advance(500);
    await sample();
    expect(sink.of('broken')).toEqual([]);
    expect(sink.breaches()).toEqual([]);
    expect(showPages(await read(10, 12))).toEqual(['readings 10-12: 2']);
  });

  it('that leaves no time to talk is a sign of life, for as long as it goes on', async () => {
    const { read, logger, clock, ended, source } = await setUp({ source: { expectEveryMs: 3000 } });
    // A record of the dump each 250 ms, ten of them a page.
    let at = 0;
    logger.onWire = (line) => {
      if (!/^\$(REC|END)/.test(line)) return Buffer.from(line);
      at += 250;
      logger.line.say(line, at);
      if (line.startsWith('$END')) at = 0;
      return undefined;
    };
    expect(showPages(await read(5, 33))).toEqual([
      'readings 5-15: 10',
      'readings 15-25: 10',
      'readings 25-33: 8',
    ]);
    const isOver = await Promise.race([ended.then(() => true), clock.advance(0).then(() => false)]);
    expect(isOver).toBe(false);
    // The supervisor's watchdog leaves it the time of a whole dump.
    expect(source.silenceLimitMs).toBeGreaterThan(60_000);
  });

  it('takes its turn with polls', async () => {
    const { read, sink, sample } = await setUp({ talks: false });
    await sample();
    expect(showPages(await read(10, 20))).toEqual(['readings 10-20: 10']);
    expect(sink.breaches()).toEqual([]);
  });
});

describe('a dump that looks like live messages', () => {
  const config = {
    expectEveryMs: 60_000,
    fields: { separator: ',' },
    stamp: { number: { column: 0, first: 1, last: 9999 } },
    tags: [{ name: 'a', column: 1 }],
    history: { command: 'D {from:4} {to:4}\\r', end: '.', timeoutMs: 300, capacity: 500 },
  };

  it('is told from the records that come in between by their numbers', async () => {
    const clock = new VirtualClock();
    const line = new MemoryLine(clock, (bytes, self) => {
      if (bytes.toString() === 'D 0012 0013\r') return self.say('12,1.2\r\n13,1.3\r\n.\r\n', 10);
      self.say('3,0.3\r\n', 10);
      self.say('11,1.1\r\n', 20);
      self.say('4,0.4\r\n5,0.5\r\n12,1.2\r\n', 30);
      self.say('.\r\n13,1.3\r\n', 40);
      expect(bytes.toString()).toBe('D 0003 0005\r');
    });
    const running = run(config, line, clock);
    await clock.advance(1100);
    line.say('9,0.9\r\n10,1.0\r\n');
    await clock.advance(10);
    const pages = await readHistory(running, clock, 3, 6);
    expect(showPages(pages)).toEqual(['readings 3-6: 3']);
    expect(running.sink.readings.map(({ index }) => index)).toEqual([9, 10, 11, 12, 13]);
    expect(running.sink.of('broken')).toEqual([]);
  });

  it('may have a live record of a clock that was set back in it: what nobody asked for, and nobody heard, breaks observation', async () => {
    const clock = new VirtualClock();
    const t0 = clock.now();
    const at = (ms: number) => `${t0 + ms},${ms}\r\n`;
    for (const isBack of [false, true]) {
      const line = new MemoryLine(clock, (_, self) => {
        self.say(at(1200) + at(1300), 10);
        // One that was heard; then one that was made by a clock that was set back.
        self.say(at(2500) + (isBack ? at(2700) : ''), 20);
        self.say('.\\r\\n', 30);
      });
      const running = run(
        {
          expectEveryMs: 60_000,
          fields: { separator: ',' },
          stamp: { index: 'time', timestamp: { column: 0, format: 'unix-ms' } },
          tags: [{ name: 'a', column: 1 }],
          history: { command: 'D {from} {to}\\r', end: '.', timeoutMs: 300, capacity: 500 },
        },
        line,
        clock,
      );
      await clock.advance(1100);
      for (const ms of [2000, 2500, 3000]) {
        line.say(at(ms));
        await clock.advance(500);
      }
      await readHistory(running, clock, t0 + 1200, t0 + 1400).catch(() => {});
      const doubts = running.sink.of('broken').filter(({ reason }) => reason === 'serial-dump-doubt');
      expect(doubts).toHaveLength(isBack ? 1 : 0);
    }
  });

  it('may have the next record in it, of a clock that was set back into what was asked for: it is live as well', async () => {
    const clock = new VirtualClock();
    const t0 = clock.now();
    const at = (number: number, ms: number) => `${number},${t0 + ms},${number}\r\n`;
    const line = new MemoryLine(clock, (_, self) => {
      self.say(at(1, 1200) + at(4, 1250) + at(2, 1300), 10);
      self.say('.\r\n', 30);
    });
    const running = run(
      {
        expectEveryMs: 60_000,
        fields: { separator: ',' },
        stamp: {
          index: 'time',
          number: { column: 0, first: 1, last: 9999 },
          timestamp: { column: 1, format: 'unix-ms' },
        },
        tags: [{ name: 'a', column: 2 }],
        history: { command: 'D {from} {to}\\r', end: '.', timeoutMs: 300, capacity: 500 },
      },
      line,
      clock,
    );
    await clock.advance(1100);
    for (const [number, ms] of [
      [2, 2000],
      [3, 3000],
    ] as const) {
      line.say(at(number, ms));
      await clock.advance(500);
    }
    await readHistory(running, clock, t0 + 1200, t0 + 1400).catch(() => {});
    expect(running.sink.readings.map(({ value }) => value)).toEqual([2, 3, 4]);
    expect(running.sink.of('broken').map(({ reason }) => reason)).toContain('equipment-clock-went-back');
  });

  it('may have a framing of its own, with the instrument stopped meanwhile', async () => {
    const clock = new VirtualClock();
    const record = (number: number) => Buffer.from([0, number, 0, 10 * number]);
    const line = new MemoryLine(clock, (bytes, self) => {
      if (bytes.toString() === 'D8,2\r') self.say(record(9), 10);
      if (bytes.toString() !== 'D3,3\r') return;
      self.say(Buffer.concat([record(3), record(4).subarray(0, 1)]), 5);
      self.say(Buffer.concat([record(4).subarray(1), record(5)]), 20);
    });
    const running = run(
      {
        ...config,
        history: {
          command: 'D{from},{count}\\r',
          before: 'STOP\\r',
          after: 'GO\\r',
          framing: { kind: 'fixed', length: 4 },
          checksum: 'none',
          fields: {},
          stamp: { number: { at: 0, type: 'uint16', first: 1, last: 9999 } },
          tags: [{ name: 'a', at: 2, type: 'uint16', scale: 0.01 }],
          endSilenceMs: 200,
          capacity: 500,
        },
      },
      line,
      clock,
    );
    await clock.advance(1100);
    line.say('9,0.9\r\n');
    await clock.advance(10);
    const pages = await readHistory(running, clock, 3, 6);
    expect(pages).toMatchObject([{ readings: [{ value: 0.3 }, { value: 0.4 }, { value: 0.5 }] }]);
    // The newest record that was seen live shows that the numbers are still those of the same records.
    expect(line.heard.map(String)).toEqual(['STOP\r', 'D3,3\r', 'GO\r', 'STOP\r', 'D8,2\r', 'GO\r']);
    await clock.advance(1100);
    line.say('10,1.0\r\n');
    await clock.advance(10);
    expect(running.sink.readings.map(({ index }) => index)).toEqual([9, 10]);
    expect(running.sink.of('broken')).toEqual([]);
  });
});

describe('a memory by time', () => {
  it('is neither empty nor gone where its clock leapt, before that is past by our clock: it may be put right', async () => {
    const { read, logger, clock, timeOf } = await setUp({ index: 'time', samples: 50 });
    const hour = 3_600_000;
    const goOn = async (records: number) => {
      for (let at = 0; at < records; at++) {
        logger.sample(clock.now() + 2 * hour);
        await clock.advance(10_000);
      }
    };
    const leapt = clock.now() + hour;
    const answered = () => read(leapt, leapt + 60_000).catch(() => []);
    // It stays there, and is believed in the end.
    await goOn(65);
    expect(await answered()).toEqual([]);
    // What it went through before is not in doubt.
    const pages = await read(timeOf(40), timeOf(45));
    expect(pages.at(-1)).toMatchObject({ kind: 'readings', window: { end: timeOf(45) } });
    // Nor is what it forgets gone as far as it may still come by there.
    await goOn(110);
    expect(await answered()).toEqual([]);
  });

  it('whose times are rounded says beside what has the oldest that some with the same may be gone', async () => {
    const { read, logger, clock } = await setUp({ index: 'time', capacity: 5, samples: 0 });
    const start = clock.now();
    // Two a second: of the oldest second the first is overwritten.
    for (let at = 0; at < 12; at++) {
      logger.sample(start + Math.floor(at / 2) * 1000);
      await clock.advance(500);
    }
    const pages = await read(start + 3000, start + 5000);
    const readings = pages.flatMap((page) => (page.kind === 'readings' ? page.readings : []));
    const oldest = Math.min(...readings.map(({ index }) => index));
    const marks = readings.filter(({ quality }) => quality === 'bad:records-gone');
    expect(marks.length).toBeGreaterThan(0);
    expect(new Set(marks.map(({ index }) => index))).toEqual(new Set([oldest]));
    for (const { tag } of marks)
      expect(readings.findLast((each) => each.tag === tag && each.index === oldest)?.value).toBe(null);
  });
});
