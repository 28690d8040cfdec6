// Memories that move while they are read, dumps that pause, counters and clocks that start anew: what a page says.
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { MemoryLine } from './testing/memory-line.ts';
import { readHistory, run, showPages } from './testing/set-up.ts';

interface Held {
  readonly number: number;
  readonly time: number;
}

/** A ring of records, asked by `D from to` and `M`; tests say how its lines come. */
class Memory {
  records: Held[] = [];
  readonly asked: string[] = [];
  /** Before a line is said: its delay, in ms. Undefined: it is lost. */
  onLine: (line: string, at: number) => number | undefined = () => 1;
  afterDump: () => void = () => {};
  readonly #by: 'number' | 'time';
  readonly #hasEnd: boolean;

  constructor(by: 'number' | 'time', hasEnd: boolean) {
    this.#by = by;
    this.#hasEnd = hasEnd;
  }

  answer(command: string, line: MemoryLine): void {
    this.asked.push(command);
    const [word, from, to] = command.split(' ');
    if (word === 'M') {
      const [first, last] = [this.records[0], this.records.at(-1)];
      line.say(first ? `M,${first[this.#by]},${last![this.#by]}\r\n` : 'NONE\r\n', 1);
      return;
    }
    const inRange = this.records.filter(
      (held) => held[this.#by] >= Number(from) && held[this.#by] <= Number(to),
    );
    let afterMs = 0;
    const lines = inRange.map(({ number, time }) => `R,${number},${time},${number / 10}`);
    for (const [at, text] of [...lines, ...(this.#hasEnd ? ['END'] : [])].entries()) {
      const delayMs = this.onLine(text, at);
      if (delayMs === undefined) continue;
      afterMs += delayMs;
      line.say(`${text}\r\n`, afterMs);
    }
    this.afterDump();
  }
}

function setUp(
  by: 'number' | 'time',
  options: { hasEnd?: boolean; hasBounds?: boolean; isNumbered?: boolean; history?: object },
) {
  const { hasEnd = true, hasBounds = true, isNumbered = by === 'number', history = {} } = options;
  const clock = new VirtualClock();
  const memory = new Memory(by, hasEnd);
  const line = new MemoryLine(clock, (bytes, self) => memory.answer(bytes.toString().trim(), self));
  const config = {
    fields: { separator: ',' },
    ignore: ['M', 'NONE', 'END', 'R'],
    stamp: {
      timestamp: { column: 2, format: 'unix-ms' },
      ...(isNumbered ? { number: { column: 1, first: 1, last: 9999, maxJump: 100 } } : {}),
      index: by,
    },
    tags: [{ name: 'a', startsWith: 'L', column: 3 }],
    history: {
      command: 'D {from} {to}\\r\\n',
      startsWith: 'R',
      ...(hasEnd ? { end: 'END' } : { endSilenceMs: 300 }),
      none: 'NONE',
      ...(hasBounds
        ? { bounds: { command: 'M\\r\\n', pattern: '^M,(?<oldest>\\d+),(?<newest>\\d+)$' } }
        : {}),
      pageRecords: 100,
      pageMs: 100_000,
      overlapMs: 5000,
      timeoutMs: 1000,
      ...history,
    },
  };
  const running = run(config, line, clock);
  const say = async ({ number, time }: Held) => {
    line.say(`L,${number},${time},${number / 10}\r\n`);
    await clock.advance(50);
  };
  const read = (from: number, to: number) => readHistory(running, clock, from, to);
  const valuesOf = async (from: number, to: number) =>
    (await read(from, to)).flatMap((page) =>
      page.kind === 'readings' ? page.readings.map(({ value }) => value) : [],
    );
  return { clock, memory, line, say, read, valuesOf, ...running };
}

const upTo = (first: number, last: number, timeOf: (number: number) => number): Held[] =>
  Array.from({ length: last - first + 1 }, (_, at) => ({ number: first + at, time: timeOf(first + at) }));

async function numbered(options: Parameters<typeof setUp>[1]) {
  const made = setUp('number', options);
  const start = made.clock.now();
  made.memory.records = upTo(1, 30, (number) => start - (31 - number) * 1000);
  await made.clock.advance(1100);
  made.line.say('\r\n');
  for (const held of made.memory.records.slice(-2)) await made.say(held);
  return made;
}

describe('a dump that pauses, by number', () => {
  it('longer than endSilenceMs, between two records, is asked again: nothing is complete, and nothing gone', async () => {
    const { memory, read } = await numbered({ hasEnd: false });
    let pauses = 1;
    memory.onLine = (text) => (text.startsWith('R,13,') && pauses-- > 0 ? 600 : 1);
    expect(showPages(await read(10, 20))).toEqual(['readings 10-13: 3', 'readings 13-20: 7']);
  });

  it('each time, proves nothing of what comes behind the pause', async () => {
    const { memory, read } = await numbered({ hasEnd: false });
    memory.onLine = (text) => (text.startsWith('R,13,') ? 900 : 1);
    await expect(read(10, 20)).rejects.toMatchObject({ code: 'serial-history-unproven', retryable: true });
  });

  it('amid a record is one dump', async () => {
    const { memory, line, read } = await numbered({ hasEnd: false });
    memory.onLine = (text) => {
      if (!text.startsWith('R,13,')) return 1;
      // The line itself: its first half now, the rest with the others behind it.
      line.say('R,13', 4);
      return undefined;
    };
    await expect(read(10, 20)).rejects.toMatchObject({
      code: expect.stringMatching(/serial-history-(damaged|unproven)/),
    });
  });
});

describe('a ring that moves while it is read, by number', () => {
  it('is gone only as far as it says after the dump', async () => {
    const { memory, read } = await numbered({});
    memory.afterDump = () => {
      memory.records = memory.records.filter(({ number }) => number >= 14);
    };
    memory.onLine = (text) => (/^R,1[0-3],/.test(text) ? undefined : 1);
    expect(showPages(await read(10, 20))).toEqual(['history-expired 10-14', 'readings 14-20: 6']);
  });

  it('gives what came although it has been overwritten since', async () => {
    const { memory, read } = await numbered({});
    memory.afterDump = () => {
      memory.records = memory.records.filter(({ number }) => number >= 14);
    };
    expect(showPages(await read(10, 20))).toEqual(['readings 10-20: 10']);
  });
});

describe('a counter that started anew', () => {
  it.each([{ hasBounds: true }, { hasBounds: false }])(
    'unseen has no old position answered with the records of its new round: %j',
    async (options) => {
      const { memory, read } = await numbered(options);
      const start = memory.records.at(-1)!.time;
      memory.records = upTo(1, 15, (number) => start + number * 1000);
      await expect(read(5, 12)).rejects.toMatchObject({ code: 'serial-history-unproven', retryable: true });
    },
  );

  it('and was seen has its old records gone once it says that it holds none of them', async () => {
    const { memory, read, say } = await numbered({});
    const start = memory.records.at(-1)!.time;
    memory.records = upTo(1, 15, (number) => start + number * 1000);
    for (const held of memory.records.slice(0, 3)) await say(held);
    expect(showPages(await read(5, 12))).toEqual(['history-expired 5-12']);
    // 30 + 1 + 100 is where number 1 is.
    expect(showPages(await read(130, 136))).toEqual(['history-expired 130-131', 'readings 131-136: 5']);
  });

  it('and keeps its old records has nothing said of them', async () => {
    const { memory, read, say } = await numbered({});
    const start = memory.records.at(-1)!.time;
    const fresh = upTo(1, 3, (number) => start + number * 1000);
    memory.records = [...memory.records.slice(-10), ...fresh];
    for (const held of fresh) await say(held);
    await expect(read(5, 12)).rejects.toMatchObject({ code: 'serial-history-unproven' });
  });
});

async function timed(
  options: Parameters<typeof setUp>[1],
  timeOf?: (start: number, number: number) => number,
) {
  const made = setUp('time', options);
  const start = made.clock.now() - 40_000;
  made.memory.records = upTo(1, 30, (number) => timeOf?.(start, number) ?? start + number * 1000);
  await made.clock.advance(1100);
  made.line.say('\r\n');
  for (const held of made.memory.records.slice(-2)) await made.say(held);
  await made.clock.advance(2000);
  return { ...made, at: (number: number) => start + number * 1000 };
}

describe('a message that is damaged amid a dump', () => {
  it('may have been live: it is a break as well, though it looks like the records of the dump', async () => {
    const { memory, line, read, sink, clock } = await timed({
      history: { startsWith: undefined, command: 'D {from} {to}\\r\\n' },
    });
    let asked = 0;
    memory.onLine = () => {
      if (asked++ === 0) line.say('#?L,31\r\n');
      return 1;
    };
    const before = sink.of('broken').length;
    const reading = read(clock.now() - 30_000, clock.now() - 20_000).catch(() => {});
    await clock.advance(5000);
    await reading;
    expect(sink.of('broken').length).toBeGreaterThan(before);
  });
});

describe('a memory by time', () => {
  it('whose ring moved between its bounds and the dump is gone up to what it holds then', async () => {
    const { memory, read, at } = await timed({});
    const all = memory.records;
    let asks = 0;
    memory.onLine = () => {
      if (asks++ === 0) memory.records = all.filter(({ number }) => number >= 13);
      return 1;
    };
    // The dump itself comes from what is left.
    const answer = memory.answer.bind(memory);
    memory.answer = (command, line) => {
      if (command.startsWith('D')) memory.records = all.filter(({ number }) => number >= 13);
      answer(command, line);
    };
    const pages = showPages(await read(at(10), at(20)));
    expect(pages).toEqual([`history-expired ${at(10)}-${at(13)}`, `readings ${at(13)}-${at(20)}: 7`]);
  });

  it('has both of two records with one time', async () => {
    const { valuesOf, at } = await timed({}, (start, number) => start + Math.floor(number / 2) * 2000);
    expect(await valuesOf(at(10), at(14))).toEqual([1, 1.1, 1.2, 1.3]);
  });

  it('whose dump ends in silence is complete up to the last record that came', async () => {
    const { memory, read, at } = await timed({ hasEnd: false });
    let pauses = 1;
    memory.onLine = (text) => (text.startsWith('R,13,') && pauses-- > 0 ? 600 : 1);
    const pages = await read(at(10), at(20));
    const shown = showPages(pages);
    expect(shown[0]).toBe(`readings ${at(10)}-${at(12)}: 2`);
    expect(pages.at(-1)!.window.end).toBe(at(20));
    const values = pages.flatMap((page) =>
      page.kind === 'readings' ? page.readings.map(({ value }) => value) : [],
    );
    expect(values).toEqual([1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9]);
  });

  it('whose numbers have a gap is not complete, whatever mark ends the dump', async () => {
    const { memory, read, at } = await timed({ isNumbered: true });
    memory.onLine = (text) => (text.startsWith('R,13,') ? undefined : 1);
    await expect(read(at(10), at(20))).rejects.toMatchObject({ code: 'serial-history-damaged' });
  });

  it('is not complete without the first record that it holds, which one dump lacks', async () => {
    for (const isNumbered of [true, false]) {
      const { memory, read, at } = await timed({ isNumbered });
      memory.records = upTo(10, 30, at);
      let isFirst = true;
      memory.onLine = (text) => {
        const isLost = isFirst && text.startsWith('R,10,');
        if (isLost) isFirst = false;
        return isLost ? undefined : 1;
      };
      await expect(read(at(10), at(20))).rejects.toMatchObject({ code: 'serial-history-unproven' });
      expect(showPages(await read(at(10), at(20)))).toEqual([`readings ${at(10)}-${at(20)}: 10`]);
    }
  });

  it('says nothing of a time that came twice', async () => {
    const { memory, read, say, at } = await timed({});
    const back = upTo(31, 40, (number) => at(number - 21));
    memory.records = [...memory.records.slice(15), ...back];
    for (const held of back) await say(held);
    await expect(read(at(12), at(15))).rejects.toMatchObject({ code: 'serial-history-unproven' });
  });

  it('says nothing beyond its newest record, whatever its clock will show', async () => {
    const { read, at } = await timed({});
    const pages = await read(at(28), at(5000));
    expect(pages.at(-1)!.window.end).toBeLessThanOrEqual(at(30) + 1);
  });

  it('that lacks what was heard live was cleared, or its clock was set unheard: nothing is complete', async () => {
    const { memory, read, say, at } = await timed({});
    for (const held of upTo(31, 40, at)) await say(held);
    // Its clock was behind when it was cleared, and is right again: it holds times from before and from behind.
    memory.records = [...upTo(1, 5, at), ...upTo(41, 45, at)];
    await say({ number: 41, time: at(41) });
    await expect(read(at(6), at(35))).rejects.toMatchObject({ code: 'serial-history-unproven' });
  });

  it('is not proven by what is left of the dump before, where only silence ends a dump', async () => {
    const { memory, read, at } = await timed({ hasEnd: false });
    const all = memory.records;
    let asks = 0;
    const answer = memory.answer.bind(memory);
    memory.answer = (command, line) => {
      const isFirst = command.startsWith('D') && asks++ === 0;
      // What comes is the end of an answer that was asked for earlier.
      memory.records = isFirst ? all.filter(({ number }) => number >= 16) : all;
      if (command.startsWith('D')) answer(command, line);
      memory.records = all;
      if (command.startsWith('M')) answer(command, line);
    };
    const pages = await read(at(10), at(20));
    const values = pages.flatMap((page) =>
      page.kind === 'readings' ? page.readings.map(({ value }) => value) : [],
    );
    expect(values).toEqual([1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9]);
  });

  it('is not proven by a live record of a clock that was set back, which comes amid a dump that looks alike', async () => {
    const { memory, line, read, at } = await timed({
      hasBounds: false,
      history: { startsWith: undefined },
    });
    memory.records = upTo(21, 30, at);
    let lines = 0;
    memory.onLine = () => {
      if (lines++ === 0) line.say(`L,31,${at(-4000)},3.1\r\n`);
      return 1;
    };
    // Before its first record it holds nothing: that is gone, not complete.
    const pages = await read(at(10), at(25)).catch(() => []);
    for (const page of pages)
      if (page.kind === 'readings') expect(page.window.start).toBeGreaterThanOrEqual(at(21));
  });
});

describe('a record that hangs on to the end of an answer, since the end between them was lost', () => {
  it.each(['END', 'M,1,2', 'NONE'])('behind %s is told as a message that was damaged', async (last) => {
    const { memory, line, read, clock, sink, at } = await timed({});
    memory.answer = (command) => {
      const text = command.startsWith('M') ? last : 'END';
      line.say(`${text}L,31,${at(31)},3.1\r\n`, 1);
    };
    const before = sink.of('broken').length;
    const reading = read(at(10), at(20)).catch(() => {});
    await clock.advance(5000);
    await reading;
    expect(sink.of('broken').length).toBeGreaterThan(before);
  });
});
