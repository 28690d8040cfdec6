// Instruments that work commands off in order and late, on lines on which others talk as well: which answer belongs to
// which command. Each test knows what the instrument held at every time.
import { describe, expect, it } from 'vitest';
import { randomInt, seededRandom } from '../../../kernel/random.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { type Instrument, MemoryLine } from './testing/memory-line.ts';
import { run } from './testing/set-up.ts';

const plain = { fields: { pattern: '^(?<weight>[-+.0-9]+) kg$' }, tags: [{ name: 'weight' }] };

function asked(config: object, answer: Instrument) {
  const clock = new VirtualClock();
  const line = new MemoryLine(clock, answer);
  const poll = { command: 'P\\r', everyMs: 500, timeoutMs: 300 };
  return { clock, line, ...run({ poll, ...plain, ...config }, line, clock) };
}

/** Answers in order, each after its own time at the earliest: what it says is what it held when it was asked. */
class SlowInstrument {
  readonly #clock: VirtualClock;
  readonly #say: (said: string, afterMs: number) => void;
  #freeAt = 0;

  constructor(clock: VirtualClock, say: (said: string, afterMs: number) => void) {
    this.#clock = clock;
    this.#say = say;
  }

  answer(said: string, tookMs: number): void {
    const now = this.#clock.monotonic();
    this.#freeAt = Math.max(this.#freeAt, now) + tookMs;
    this.#say(said, this.#freeAt - now);
  }
}

/** Every reading is of a command that was sent no longer than `timeoutMs` before. */
function expectTimely(
  sink: { events: readonly object[] },
  askedAt: ReadonlyMap<number, number>,
  startMs: number,
) {
  let count = 0;
  for (const event of sink.events as readonly {
    kind: string;
    readings?: readonly { index: number; value: unknown }[];
  }[])
    for (const { index, value } of event.readings ?? []) {
      count += 1;
      const ageMs = index - startMs - askedAt.get(value as number)!;
      expect(ageMs, `reading ${value} at ${index - startMs}`).toBeLessThanOrEqual(310);
    }
  return count;
}

describe('an instrument that works commands off in order', () => {
  it.each([
    ['one answer takes 1.15 s', (ask: number) => (ask === 3 ? 1150 : 150)],
    ['one answer takes 4.4 s, over the end of the session', (ask: number) => (ask === 3 ? 4400 : 150)],
    ['every fifth takes 700 ms', (ask: number) => (ask % 5 === 0 ? 700 : 150)],
  ])('never has an answer taken for a later command: %s', async (_name, tookMs) => {
    const clock = new VirtualClock();
    const startMs = clock.now();
    const askedAt = new Map<number, number>();
    let asks = 0;
    const line = new MemoryLine(clock, () => {
      asks += 1;
      askedAt.set(asks, clock.monotonic());
      slow.answer(`${asks} kg\r\n`, tookMs(asks));
    });
    const slow = new SlowInstrument(clock, (said, afterMs) => line.say(said, afterMs));
    const config = { poll: { command: 'P\\r', everyMs: 500, timeoutMs: 300 }, ...plain };
    let running = run(config, line, clock);
    const events: object[] = [];
    for (let turn = 0; turn < 60; turn++) {
      await clock.advance(500);
      if (line.connections > 0) continue;
      events.push(...running.sink.events);
      await clock.advance(1000);
      running = run(config, line, clock, undefined, running.source);
    }
    events.push(...running.sink.events);
    expect(expectTimely({ events }, askedAt, startMs)).toBeGreaterThan(10);
  });

  it('that answers late at random is never a command behind', async () => {
    const random = seededRandom(31);
    const { clock, line, sink, startMs, askedAt } = randomLate((_asks) =>
      random.next() < 0.15 ? randomInt(random, 1500) : 20 + randomInt(random, 200),
    );
    for (let turn = 0; turn < 400; turn++) await clock.advance(500);
    expect(line.connections).toBeLessThanOrEqual(1);
    expect(expectTimely(sink, askedAt, startMs)).toBeGreaterThan(5);
  });

  it('that loses answers is read on', async () => {
    const { clock, sink } = asked(
      {},
      (() => {
        let asks = 0;
        return (_bytes, self) => ++asks % 7 !== 0 && self.say(`${asks} kg\r\n`, 20);
      })() as Instrument,
    );
    await clock.advance(30_000);
    expect(sink.readings.length).toBeGreaterThan(30);
    expect(sink.breaches()).toEqual([]);
  });

  it('with two commands a poll never has the answer of one taken for the other, nor that of a poll before', async () => {
    const clock = new VirtualClock();
    let [asks, sample] = [0, 0];
    const line = new MemoryLine(clock, (bytes) => {
      asks += 1;
      if (bytes.toString().startsWith('T')) sample += 1;
      slow.answer(`${bytes.toString()[0]}=${sample}\r\n`, asks % 9 === 0 ? 800 : 30);
    });
    const slow = new SlowInstrument(clock, (said, afterMs) => line.say(said, afterMs));
    const { sink } = run(
      {
        poll: { command: ['T?\\r', 'P?\\r'], everyMs: 500, timeoutMs: 300 },
        fields: { separator: '=' },
        tags: [
          { name: 't', startsWith: 'T', column: 1 },
          { name: 'p', startsWith: 'P', column: 1 },
        ],
      },
      line,
      clock,
    );
    await clock.advance(30_000);
    const samples = Map.groupBy(sink.readings, ({ index }) => index);
    expect(samples.size).toBeGreaterThan(20);
    for (const readings of samples.values()) {
      expect(readings.map(({ tag }) => tag)).toEqual(['t', 'p']);
      expect(readings[0]!.value).toBe(readings[1]!.value);
    }
  });
});

function randomLate(tookMs: (asks: number) => number) {
  const clock = new VirtualClock();
  const startMs = clock.now();
  const askedAt = new Map<number, number>();
  let asks = 0;
  const line = new MemoryLine(clock, () => {
    asks += 1;
    askedAt.set(asks, clock.monotonic());
    slow.answer(`${asks} kg\r\n`, tookMs(asks));
  });
  const slow = new SlowInstrument(clock, (said, afterMs) => line.say(said, afterMs));
  const running = run({ poll: { command: 'P\\r', everyMs: 500, timeoutMs: 300 }, ...plain }, line, clock);
  return { clock, line, startMs, askedAt, ...running };
}

describe('what comes and was not asked for', () => {
  it('is no answer, and is a reason to prove the line before the next one', async () => {
    let asks = 0;
    const { clock, line, sink } = asked({}, (_, self) => self.say(`${++asks} kg\r\n`, 20));
    await clock.advance(700);
    line.say('99 kg\r\n');
    await clock.advance(1800);
    // The third command proved the line.
    expect(sink.readings.map(({ value }) => value)).toEqual([1, 2, 4, 5, 6]);
  });

  it('may be half of a late answer: its rest is no number', async () => {
    let asks = 0;
    const { clock, line, sink } = asked({}, (_, self) => self.say(`${++asks}0 kg\r\n`, 20));
    await clock.advance(990);
    line.say('12');
    line.say('.5 kg\r\n', 60);
    await clock.advance(2000);
    expect(sink.readings.map(({ value }) => value)).not.toContain(0.5);
    expect(sink.readings.map(({ value }) => value)).not.toContain(12.5);
    expect(sink.readings.length).toBeGreaterThan(3);
  });

  it('may be a prompt behind each answer: that costs nothing', async () => {
    let asks = 0;
    const { clock, sink } = asked({}, (_, self) => {
      self.say(`${++asks} kg\r\n`, 20);
      self.say('> ', 22);
    });
    await clock.advance(2400);
    expect(sink.readings.map(({ value }) => value)).toEqual([1, 2, 3, 4, 5]);
  });

  it('without end ends the session, and says why', async () => {
    const { clock, line, ended, sink } = asked({}, (_, self) => self.say('1 kg\r\n', 20));
    await clock.advance(600);
    for (let at = 0; at < 400; at++) {
      line.say('7 kg\r\n');
      await clock.advance(15);
    }
    expect(await ended).toMatchObject({ code: expect.stringMatching(/serial-(line-busy|out-of-step)/) });
    expect(sink.readings.map(({ value }) => value)).not.toContain(7);
  });

  it('may be the command itself: it is no answer, also where the line is not known to echo', async () => {
    const { clock, sink } = asked(
      {
        poll: { command: 'R12\\r\\n', everyMs: 500, timeoutMs: 300 },
        fields: { pattern: '(?<weight>[.0-9]+)' },
      },
      (bytes, self) => {
        self.say(bytes, 2);
        self.say('7.5\r\n', 20);
      },
    );
    await clock.advance(1400);
    expect(sink.readings.map(({ value }) => value)).toEqual([7.5, 7.5, 7.5]);
  });

  it('is no echo where it only begins like one, however it is cut', async () => {
    const { clock, sink } = asked(
      { poll: { command: '1\\r', everyMs: 500, timeoutMs: 300, echo: true } },
      (_, self) => {
        self.say('1', 5);
        self.say('2.5 kg\r\n', 10);
      },
    );
    await clock.advance(1400);
    expect(sink.readings.map(({ value }) => value)).toEqual([12.5, 12.5, 12.5]);
  });
});

describe('several commands a poll', () => {
  const joined = (stamp: object) => ({
    poll: { command: ['A\\r', 'B\\r'], everyMs: 500, timeoutMs: 300 },
    fields: { separator: ',' },
    stamp,
    tags: [
      { name: 'a', startsWith: 'A', column: 2 },
      { name: 'b', startsWith: 'B', column: 2 },
    ],
  });
  const at = (record: number) => new Date(Date.UTC(2026, 10, 21) + record * 1000).toISOString();

  it.each([
    ['numbers', { number: { column: 1 } }, String],
    ['times', { timestamp: { column: 1, format: 'iso' } }, at],
  ])('are one sample: where its %s differ, it is asked for again', async (name, stamp, mark) => {
    let [asks, record] = [0, 5];
    const { clock, sink, counts } = asked(joined(stamp), (bytes, self) => {
      asks += 1;
      // It samples between the two commands of every second poll.
      if (asks % 4 === 2) record += 1;
      self.say(`${bytes.toString()[0]},${mark(record)},${record}\r\n`, 10);
      if (asks % 4 === 0) record += 1;
    });
    await clock.advance(5000);
    const samples = Map.groupBy(sink.readings, ({ index }) => index);
    expect(samples.size).toBeGreaterThan(4);
    for (const [, [a, b]] of samples) expect(a!.value).toBe(b!.value);
    if (name === 'times')
      for (const [index, [a]] of samples) expect(index).toBe(Date.parse(at(Number(a!.value))));
    expect(counts.mixed_samples).toBeGreaterThan(0);
  });

  it('whose answers never are of one record make no sample', async () => {
    let record = 5;
    const { clock, sink, ended } = asked(joined({ number: { column: 1 } }), (bytes, self) => {
      record += 1;
      self.say(`${bytes.toString()[0]},${record},${record}\r\n`, 10);
    });
    await clock.advance(5000);
    expect(await ended).toMatchObject({ code: 'serial-mixed-samples', retryable: true });
    expect(sink.readings).toEqual([]);
  });
});
