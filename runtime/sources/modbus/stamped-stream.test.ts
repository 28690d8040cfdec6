// Samples that the equipment stamps: several with one stamp, clocks that jump, sinks that refuse, sessions and processes
// that end.
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import type { StreamStart } from '../../windows/window-store.ts';
import { FirstClaim } from '../codec/clock-ahead.ts';
import { RoundWatch } from '../codec/round-watch.ts';
import type { SourceEvent } from '../source.ts';
import { RecordingSink } from '../testing/recording-sink.ts';
import { ClockSteps } from './clock-steps.ts';
import { encodeKept, type Stamp } from './stamp-continuity.ts';
import { type StampedMemory, StampedStream } from './stamped-stream.ts';

const t0 = 1_700_000_000_000;

/** Refuses what it is told to. */
class FussySink extends RecordingSink {
  refuses: (event: SourceEvent) => boolean = () => false;

  override emit(event: SourceEvent): boolean {
    return !this.refuses(event) && super.emit(event);
  }
}

interface SetUp {
  readonly isCounted?: boolean;
  readonly isCoarse?: boolean;
  readonly start?: StreamStart;
  readonly hasHistory?: boolean;
  readonly memory?: StampedMemory;
}

function setUp({ isCounted = true, isCoarse = false, start, hasHistory = true, memory }: SetUp = {}) {
  const clock = new VirtualClock();
  const sink = new FussySink();
  const steps = new ClockSteps(clock, isCoarse ? 1000 : 1);
  const rounds = new RoundWatch({ clock, span: 65_536, pollMs: 500 });
  const kept = memory ?? { last: undefined, isCoarse, steps, first: new FirstClaim(), rounds };
  const stream = new StampedStream({
    sink,
    memory: kept,
    start,
    modulus: isCounted ? 65_536 : undefined,
    clock,
    hasHistory,
    count: () => {},
  });
  const take = (at: number, number: number, { value = number, isCertain = true } = {}) => {
    const stamp: Stamp = { timestamp: t0 + at, ...(isCounted && { number }) };
    const readings = (index: number) => [{ index, tag: 'a', value, quality: 'good' as const }];
    stream.take({ stamp, isCertain, readings }, clock.monotonic());
  };
  const events = () =>
    sink.events.map((event) => {
      if (event.kind === 'readings')
        return `${event.isLate ? 'late' : 'readings'} ${event.readings.map(({ value }) => value).join()}`;
      const at = event.kind === 'observed' ? event.until : event.at;
      const proof = event.kind === 'resumed' && event.continues ? ` by ${event.continues.because}` : '';
      return `${event.kind} ${at - t0}${proof}`;
    });
  return { clock, sink, stream, take, events, memory: kept };
}

describe('samples with one stamp', () => {
  it('are all reported live where the stamp counts in seconds, and their second is claimed only once it is over', () => {
    const { take, events, sink } = setUp({ isCoarse: true });
    take(0, 1);
    take(1000, 2);
    take(1000, 3);
    take(1000, 4);
    take(2000, 5);
    expect(events()).toEqual([
      'resumed 1',
      'late 1',
      ...['readings 2', 'observed 1000', 'readings 3', 'observed 1000', 'readings 4', 'observed 1000'],
      ...['readings 5', 'observed 2000'],
    ]);
    expect(sink.breaches()).toEqual([]);
  });

  it('are told apart by their values where nothing counts them', () => {
    const { take, events } = setUp({ isCoarse: true, isCounted: false });
    take(0, 0, { value: 7 });
    take(0, 0, { value: 7 });
    take(0, 0, { value: 8 });
    take(1000, 0, { value: 9 });
    expect(events()).toEqual(['resumed 1', 'late 7', 'late 8', 'readings 9', 'observed 1000']);
  });

  it('show a unit that is finer than the clock: the second one goes up late, the next ones in their place', () => {
    const { take, events, sink } = setUp();
    take(0, 1);
    take(0, 2);
    take(500, 3);
    take(500, 4);
    take(1500, 5);
    expect(events()).toEqual([
      ...['resumed 0', 'readings 1', 'observed 1'],
      'late 2',
      ...['readings 3', 'observed 500', 'readings 4', 'observed 500', 'readings 5', 'observed 1500'],
    ]);
    expect(sink.breaches()).toEqual([]);
  });

  it('may be missing where the count jumps within a second: it is not claimed', () => {
    const { take, events } = setUp({ isCoarse: true });
    take(0, 1);
    take(1000, 2);
    take(1000, 4);
    take(2000, 5);
    expect(events().slice(2)).toEqual([
      ...['readings 2', 'observed 1000'],
      ...['broken 1000', 'resumed 1001', 'late 4'],
      ...['readings 5', 'observed 2000'],
    ]);
  });

  it('cannot come any more once a poll that began a second later still shows the same one', async () => {
    const { clock, take, events } = setUp({ isCoarse: true });
    take(0, 1);
    take(1000, 2);
    await clock.advance(1000);
    take(1000, 2);
    expect(events().at(-1)).toBe('observed 1000');
    await clock.advance(1);
    take(1000, 2);
    expect(events().at(-1)).toBe('observed 1001');
  });
});

describe('what continues across sessions and restarts', () => {
  it('is the sample with the next number, whatever time lies between', () => {
    const first = setUp();
    first.take(0, 1);
    const next = setUp({ memory: first.memory });
    next.take(90_000, 2);
    expect(next.events()).toEqual(['resumed 90000 by next-number', 'readings 2', 'observed 90001']);
  });

  it('is the sample that is still shown, and is not reported again', () => {
    const first = setUp();
    first.take(0, 1);
    const next = setUp({ memory: first.memory });
    next.take(0, 1);
    next.take(1000, 2);
    expect(next.events()).toEqual(['resumed 1 by same-number', 'readings 2', 'observed 1001']);
  });

  it('is not one that nothing counts, or that comes after a number was left out', () => {
    const first = setUp({ isCounted: false });
    first.take(0, 0);
    const uncounted = setUp({ isCounted: false, memory: first.memory });
    uncounted.take(1000, 0, { value: 1 });
    expect(uncounted.events()[0]).toBe('resumed 1000');
    const counted = setUp();
    counted.take(0, 1);
    const jumped = setUp({ memory: counted.memory });
    jumped.take(1000, 3);
    expect(jumped.events()[0]).toBe('resumed 1000');
  });

  it('is known after a restart by the number that was kept, over the end of the counter', () => {
    const start: StreamStart = { floor: t0 + 1, continuity: 'proven', number: 65_535 };
    const next = setUp({ start });
    next.take(5000, 0);
    expect(next.events()[0]).toBe('resumed 5000 by next-number');
    const same = setUp({ start });
    same.take(0, 65_535);
    expect(same.events()).toEqual(['resumed 1 by same-number']);
    // The number that was kept, at another time: another round of the counter.
    const other = setUp({ start });
    other.take(5000, 65_535);
    expect(other.events()).toEqual(['resumed 5000', 'readings 65535', 'observed 5001']);
    const earlier = setUp({ start });
    earlier.take(-5000, 0);
    expect(earlier.events()[0]).toBe('resumed -5000');
  });
});

describe('a sink that does not take what it is told', () => {
  it('is told anew where observation begins, from the sample on that it did not take', () => {
    const { take, events, sink } = setUp();
    take(0, 1);
    sink.refuses = (event) => event.kind === 'readings';
    take(7_200_000, 2);
    sink.refuses = () => false;
    take(7_200_000, 2);
    take(7_201_000, 3);
    expect(events().slice(3)).toEqual(['resumed 7200001', 'readings 3', 'observed 7201001']);
  });

  it('is told again and again, and never that it went on', () => {
    const { take, events, sink } = setUp();
    take(0, 1);
    sink.refuses = () => true;
    take(1000, 2);
    take(2000, 3);
    sink.refuses = () => false;
    take(3000, 4);
    expect(events().slice(3)).toEqual(['resumed 3000', 'readings 4', 'observed 3001']);
  });
});

describe('a clock of the equipment', () => {
  it('that is set back is followed, and ahead again', () => {
    const { take, events, sink } = setUp();
    take(0, 1);
    take(7_200_000, 2);
    take(1000, 3);
    take(2000, 4);
    expect(events().slice(5)).toEqual([
      ...['broken 7200001', 'resumed 1000', 'readings 3', 'observed 1001'],
      ...['readings 4', 'observed 2001'],
    ]);
    expect(sink.breaches()).toEqual([]);
  });
});

describe('a stream that begins while the clock of its equipment is far ahead', () => {
  it('claims nothing, and goes on from where the clock is put right', async () => {
    const { clock, take, events } = setUp();
    const aheadMs = clock.now() - t0 + 3_600_000;
    take(aheadMs, 1);
    take(aheadMs, 1);
    await clock.advance(1000);
    take(aheadMs + 1000, 2);
    expect(events()).toEqual(['late 1', 'late 2']);
    await clock.advance(1000);
    const rightMs = clock.now() - t0;
    take(rightMs, 3);
    await clock.advance(1000);
    take(rightMs + 1000, 4);
    expect(events().slice(2).at(-1)).toBe(`observed ${rightMs + 1001}`);
  });

  it('does not wait for that time where something is missed afterwards: nothing rests on it', async () => {
    const { clock, stream, take, events, memory } = setUp();
    const aheadMs = clock.now() - t0 + 3_600_000;
    take(aheadMs, 1);
    await clock.advance(1000);
    stream.gap('poll-failed');
    const rightMs = clock.now() - t0;
    take(rightMs, 5);
    expect(events().slice(1)).toEqual([...[`resumed ${rightMs}`, 'readings 5', `observed ${rightMs + 1}`]]);
    expect(memory.steps.twiceTo).toBe(0);
  });

  it('begins after ten minutes all the same: it stays there', async () => {
    const { clock, take, events } = setUp();
    const aheadMs = clock.now() - t0 + 3_600_000;
    for (let s = 0; s <= 600; s++) {
      take(aheadMs + s * 1000, s);
      await clock.advance(1000);
    }
    expect(events().slice(-3)).toEqual([
      ...[`resumed ${aheadMs + 600_000}`, 'readings 600', `observed ${aheadMs + 600_001}`],
    ]);
    expect(events()).toHaveLength(603);
  });
});

describe('samples that nothing counts', () => {
  it('are claimed by themselves where each poll shows another one: there may have been more between', async () => {
    const { clock, take, events } = setUp({ isCounted: false });
    for (let poll = 1; poll <= 3; poll++) {
      await clock.advance(1000);
      take(poll * 1000, poll);
    }
    expect(events()).toEqual([
      ...['resumed 1000', 'readings 1', 'observed 1001', 'broken 1001'],
      ...['resumed 2000', 'readings 2', 'observed 2001', 'broken 2001'],
      ...['resumed 3000', 'readings 3', 'observed 3001'],
    ]);
  });

  it('may have one between the first two that are seen, so soon after the last poll that showed the first', async () => {
    const { clock, take, events } = setUp({ isCounted: false });
    // A sample each 350 ms, and a poll each 500: the second one goes by unseen.
    take(0, 1);
    await clock.advance(160);
    take(0, 1);
    await clock.advance(500);
    take(700, 3);
    expect(events().slice(3)[0]).toBe('broken 1');
  });

  it('go on where polls show each of them again, or they are far apart', async () => {
    const { clock, take, events } = setUp({ isCounted: false });
    for (let poll = 0; poll < 6; poll++) {
      take((poll >> 1) * 2000, poll >> 1);
      await clock.advance(1000);
    }
    take(20_000, 9);
    expect(events().filter((event) => /broken|resumed/.test(event))).toEqual(['resumed 0']);
  });
});

describe('a counter that may have come round a whole round while nobody looked', () => {
  it('proves nothing by its next number, nor by the same', async () => {
    for (const [hours, isProven] of [
      [4, true],
      [5, false],
    ] as const) {
      const { clock, take, events, memory } = setUp();
      take(0, 1);
      await clock.advance(hours * 3_600_000);
      const next = setUp({ memory });
      next.take(hours * 3_600_000, 2);
      expect(next.events()[0]?.includes('by next-number')).toBe(isProven);
      expect(events()).toHaveLength(3);
    }
    const start = { floor: t0 + 1, continuity: 'proven', ageMs: 18_000_000, isAgeSure: true } as const;
    const number = encodeKept({ number: 1, twiceTo: 0, isShown: true, lagMs: 0 }, 65_536)!;
    const after = setUp({ start: { ...start, number } });
    after.take(18_000_000, 2);
    expect(after.events()[0]).not.toContain('by next-number');
  });
});

describe('samples that nothing counts', () => {
  it('are not claimed to be all where two can have been taken since a poll showed the one before, also for the second time', async () => {
    for (const lateMs of [80, 170]) {
      const { clock, take, events } = setUp({ isCounted: false });
      // A sample each 175 ms, and polls that are twice as fast, but for the last one.
      for (let at = 0; at < 4; at++) {
        take(at * 175, at);
        await clock.advance(90);
        take(at * 175, at);
        await clock.advance(at < 3 ? 85 : lateMs);
      }
      take(lateMs === 80 ? 700 : 875, 5);
      expect(events().some((event) => event.startsWith('broken'))).toBe(lateMs === 170);
    }
  });
});

describe('after something was missed', () => {
  it('observation begins where its clock would stand had nobody set it: what was missed may have these times', async () => {
    for (const isCounted of [true, false]) {
      const { clock, stream, take, events } = setUp({ isCounted });
      take(0, 1);
      await clock.advance(10_000);
      stream.gap('poll-failed');
      // Set back by 6 s meanwhile.
      for (const [at, number] of [
        [4000, 9],
        [5000, 10],
      ] as const) {
        take(at, number);
        await clock.advance(at === 4000 ? 800 : 8800);
        // The last poll before the next one.
        take(at, number);
        await clock.advance(200);
      }
      take(14_000, 11);
      expect(events().slice(3)).toEqual([
        ...['broken 1', 'resumed 10011', 'late 9', 'late 10'],
        // What is to be kept, that some times may have come twice, is stated once it is clear: by the count of samples at once.
        ...(isCounted ? [] : ['observed 10011']),
        'observed 10011',
        ...['readings 11', 'observed 14001'],
      ]);
    }
  });

  it('and in another session as well', async () => {
    const first = setUp();
    first.take(0, 1);
    await first.clock.advance(10_000);
    first.take(4000, 9);
    const next = setUp({ memory: first.memory });
    next.take(4000, 9);
    expect(next.events()).toEqual(['resumed 10011']);
  });
});

describe('that times came twice', () => {
  it('is kept with the number of each sample', async () => {
    const { clock, sink, take } = setUp();
    take(0, 1);
    await clock.advance(1000);
    take(-60_000, 2);
    const numbers = sink.events.flatMap((event) => (event.kind === 'observed' ? [event.number] : []));
    const kept = [
      { number: 1, twiceTo: 0, isShown: true, lagMs: 0 },
      { number: 2, twiceTo: t0 + 400_000, isShown: true, lagMs: 0 },
    ];
    expect(numbers).toEqual(kept.map((each) => encodeKept(each, 65_536)));
    const next = setUp({
      start: { floor: t0 + 1, continuity: 'proven', ...(numbers[1] !== undefined && { number: numbers[1] }) },
    });
    next.take(500, 3);
    expect(next.events()[0]).toBe('resumed 500 by next-number');
    expect(next.memory.steps.twiceTo).toBe(t0 + 400_000);
  });

  it('may have is kept with where observation begins, of a sample that nothing counts and that lags', async () => {
    const start: StreamStart = { floor: t0 + 1, continuity: 'proven', ageMs: 100_000, isAgeSure: true };
    const { sink, take } = setUp({ isCounted: false, start });
    take(20_000, 0);
    const [begun] = sink.events;
    if (begun?.kind !== 'resumed') throw new Error('observation did not begin');
    expect(begun.at).toBeGreaterThan(t0 + 100_000);
    const next = setUp({
      isCounted: false,
      start: { ...start, floor: begun.at, ageMs: 0, number: begun.mark! },
    }).memory.steps.recalled!;
    expect(next.time - next.lagMs).toBe(t0 + 20_000);
    // Only what clocks may differ by says nothing, and is not kept.
    const near = setUp({ isCounted: false, start });
    near.take(97_500, 0);
    const number = near.sink.events[0]?.kind === 'resumed' ? near.sink.events[0].mark : undefined;
    expect(number).toBe(0);
  });
});

describe('a sample that lacks what may come in a moment', () => {
  it('is asked for again, and reported whole', () => {
    const { take, events } = setUp();
    take(0, 1);
    take(1000, 2, { isCertain: false });
    take(1000, 2, { isCertain: false });
    take(1000, 2);
    expect(events().slice(3)).toEqual(['readings 2', 'observed 1001']);
  });

  it('goes up late after three polls, and its place is not claimed: the equipment keeps it', () => {
    const { take, events } = setUp();
    take(0, 1);
    for (let poll = 0; poll < 4; poll++) take(1000, 2, { isCertain: false });
    take(2000, 3);
    expect(events().slice(3)).toEqual([
      ...['late 2', 'broken 1000', 'resumed 1001'],
      ...['readings 3', 'observed 2001'],
    ]);
  });

  it('leaves a hole where the next one comes first', () => {
    for (const isCounted of [true, false]) {
      const { take, events } = setUp({ isCounted });
      take(0, 1);
      take(1000, 2, { isCertain: false });
      take(2000, 3);
      expect(events().slice(3)).toEqual(['broken 1', 'resumed 2000', 'readings 3', 'observed 2001']);
    }
  });

  it('is reported as it is where the equipment keeps nothing', () => {
    const { take, events } = setUp({ hasHistory: false });
    take(0, 1, { isCertain: false });
    expect(events()).toEqual(['resumed 0', 'readings 1', 'observed 1']);
  });
});
