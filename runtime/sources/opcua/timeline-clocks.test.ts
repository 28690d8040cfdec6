import { describe, expect, it } from 'vitest';
import { randomInt, seededRandom } from '../../../kernel/random.ts';
import { RepeatedTimes } from './repeated-times.ts';
import { at, make, overflow, placeIn, T } from './testing/timeline-rig.ts';

/** A value whose clock is off by `offMs`, as the server had it at `time`. */
const off = (offMs: number, time: number, value: number, change: object = {}) =>
  at(time + offMs, value, { serverTimestamp: new Date(T + time), ...change });

describe('clocks of equipment, and where observation begins', () => {
  it('begins behind what a clock that is a minute ahead may have said before', () => {
    const { timeline, sink, seen, begin, message } = make();
    timeline.watch(T + 900);
    timeline.add('a', off(60_000, 850, 1), T + 1000);
    begin(1000);
    timeline.add('a', off(60_000, 1500, 2), T + 1600);
    message(1600);
    message(60_000);
    expect(sink.of('resumed')).toEqual([{ kind: 'resumed', at: T + 60_851 }]);
    expect(sink.of('observed').every(({ until }) => until === T + 60_851)).toBe(true);
    // What comes meanwhile goes up all the same.
    message(62_000);
    expect(seen()).toEqual(['a=2@1500 uncertain:time-ahead', 'a=2@60851 uncertain:time-ahead']);
    expect(sink.of('observed').at(-1)?.until).toBe(T + 61_900);
  });

  it('does not wait for a clock that is ahead by more than two minutes: its values are marked', () => {
    const { timeline, sink, begin, message } = make();
    timeline.watch(T + 900);
    timeline.add('a', off(3_600_000, 850, 1), T + 1000);
    begin(1000);
    message(2000);
    expect(sink.of('resumed')).toEqual([{ kind: 'resumed', at: T + 1000 }]);
    expect(sink.readings[0]?.quality).toBe('uncertain:time-ahead');
  });

  it('leaves out, behind messages that are lost, as much as a clock is ahead', () => {
    const { timeline, sink, begin, message } = make();
    timeline.watch(T - 100);
    timeline.add('a', at(-50, 1), T);
    begin(0);
    // Sampled at any moment between two messages, it may be ahead by as much.
    timeline.add('a', off(20_000, 900, 2), T + 1000);
    message(1000);
    timeline.lose('messages-lost', T + 2000);
    message(2000);
    message(30_000);
    expect(sink.of('resumed').at(-1)?.at).toBe(T + 2000 + 20_900 + 1);
  });

  it('leaves out the times of values that were not taken, though they were placed before those', () => {
    const { timeline, sink, begin, message } = make();
    timeline.watch(T - 100);
    timeline.add('a', at(-50, 1), T);
    begin(0);
    message(1000);
    timeline.add('a', off(7000, 1800, 2), T + 2000);
    sink.refuse(1);
    message(2000);
    message(3000);
    expect(sink.of('resumed').at(-1)?.at).toBe(T + 8801);
  });

  it('leaves out all that a clock has come by, where it was set back amid an overflow', () => {
    const { timeline, sink, begin, message } = make();
    timeline.watch(T - 100);
    timeline.add('a', at(-50, 1), T);
    begin(0);
    timeline.add('a', at(1500, 2), T + 1600);
    message(1600);
    // Lost behind 1500: before the clock was set, up to 2600, or after it.
    timeline.add('a', off(-1500, 2550, 3, { statusCode: overflow }), T + 2600);
    message(2600);
    expect(sink.of('broken')).toEqual([{ kind: 'broken', at: T + 1500, reason: 'queue-overflow' }]);
    expect(sink.of('resumed').at(-1)?.at).toBe(T + 2601);
  });
});

describe('what an item is said to have held', () => {
  it('is not good where the server had it later: its clock is slow', () => {
    const { timeline, seen, message } = make();
    timeline.watch(T + 900);
    timeline.add('a', off(-60_000, 1200, 1), T + 1300);
    timeline.begin(T + 1000, T + 1300);
    message(1300);
    message(2000);
    expect(seen()).toEqual(['a=1@1000 uncertain:time-late']);
  });

  it('is not good where two values of the first message say that its clock is slow', () => {
    const { timeline, seen, message } = make();
    const old = (time: number, value: number) => at(time, value, { serverTimestamp: null });
    timeline.watch(T + 900);
    timeline.add('a', old(-60_000, 1), T + 1300);
    timeline.add('a', old(-58_800, 2), T + 1300);
    timeline.begin(T + 1000, T + 1300);
    message(1300);
    expect(timeline.settleMs).toBe(60_100);
    message(62_000);
    expect(seen()).toEqual(['a=2@1000 uncertain:time-late', 'a=2@1000 uncertain:time-late']);
  });

  it('is not good where a clock that was put back has not come to its time yet', () => {
    const { timeline, seen, begin, message } = make();
    timeline.watch(T);
    timeline.add('a', at(50, 1), T + 100);
    begin(100);
    message(5000);
    message(-60_000);
    message(-59_000);
    expect(seen()).toEqual(['a=1@100', 'a=1@-60000 uncertain:time-ahead']);
  });

  it('is not what came before messages that are lost', () => {
    const { timeline, seen, begin, message } = make();
    timeline.watch(T - 100);
    timeline.add('a', at(-50, 1), T);
    begin(0);
    message(1000);
    timeline.add('a', at(1500, 2), T + 1600);
    timeline.hear(T + 1600);
    timeline.lose('messages-lost', T + 1600);
    timeline.addRead('a', at(1550, 3), T + 1600);
    message(1600);
    message(3000);
    expect(seen()).toEqual(['a=1@0', 'a=2@1500', 'a=3@1550', 'a=3@2101']);
  });

  it('is stated with the times that came twice, so that the next process knows them', () => {
    const repeated = new RepeatedTimes({ monotonic: () => 0 });
    const { timeline, sink, begin, message } = make({ repeated });
    timeline.watch(T - 100);
    timeline.add('a', at(-50, 1), T);
    begin(0);
    message(1000);
    expect(sink.of('observed').at(-1)?.number).toBeUndefined();
    timeline.add('a', at(-9000, 2), T + 1500);
    message(1500);
    message(3000);
    expect(sink.of('observed').at(-1)?.number).toBe(repeated.kept);
    expect(repeated.kept).toBeDefined();
  });

  it('is claimed only below what may be lost before the first value of a tag that is watched at last', () => {
    const { timeline, sink, begin, message } = make();
    timeline.watch(T - 100);
    timeline.add('a', at(-50, 1), T);
    timeline.addRefused('gone', 'bad:no-match');
    begin(0);
    message(1000);
    timeline.add('gone', at(1400, 3, { statusCode: overflow }), T + 1500);
    message(1500);
    expect(sink.of('broken')).toEqual([{ kind: 'broken', at: T + 900, reason: 'queue-overflow' }]);
    expect(sink.of('resumed').at(-1)?.at).toBe(T + 1401);
  });

  it('is not what comes late in a message whose loss was told: that is given at its time, and no more', () => {
    const { timeline, seen, begin, message } = make();
    timeline.watch(T - 100);
    timeline.add('a', at(-50, 1), T);
    begin(0);
    message(1000);
    timeline.lose('messages-lost', T + 1600);
    timeline.addRead('a', at(1550, 3), T + 1600);
    message(1600);
    timeline.addLate('a', at(1300, 2), T + 1400);
    message(3000);
    expect(seen()).toEqual(['a=1@0', 'a=3@1550', 'a=2@1300', 'a=3@1601']);
  });

  it('is behind what was read again once messages are lost: another of its time may have been among them', () => {
    const { timeline, sink, seen, begin, message } = make();
    timeline.watch(T - 100);
    timeline.add('a', at(-50, 1), T);
    timeline.add('b', at(-50, 1), T);
    begin(0);
    message(1000);
    timeline.lose('messages-lost', T + 1600);
    timeline.addRead('a', at(-50, 1), T + 1600);
    timeline.addRead('b', at(1650, 3), T + 1600);
    message(1600);
    message(3000);
    expect(sink.of('resumed').at(-1)?.at).toBe(T + 1651);
    expect(seen()).toEqual(['a=1@0', 'b=1@0', 'b=3@1650', 'a=1@1651', 'b=3@1651']);
  });

  it('is nothing of a tag that could not be watched when observation began, up to when the server had it', () => {
    const { timeline, seen, begin, message } = make();
    timeline.watch(T - 100);
    timeline.add('slow', off(-8000, -50, 1), T);
    timeline.addRefused('gone', 'bad:no-match');
    begin(0);
    timeline.add('slow', off(-8000, 950, 2), T + 1000);
    message(1000);
    timeline.add('gone', off(-8000, 3900, 3), T + 4000);
    message(4000);
    for (let time = 5000; time <= 14_000; time += 1000) message(time);
    const told = seen().filter((each) => each.startsWith('gone'));
    expect(told).toEqual(['gone=null@0 bad:no-match', 'gone=3@3900']);
  });

  it('is the newest value of a tag that is watched at last, where the server had it before observation begins', () => {
    const { timeline, seen, begin, message } = make();
    timeline.watch(T - 1000);
    timeline.add('a', at(500, 1), T);
    timeline.addRefused('gone', 'bad:no-match');
    begin(0);
    for (const [time, value] of [
      [-900, 2],
      [-800, 3],
      [-700, 4],
    ] as const)
      timeline.add('gone', at(time, value), T + 100);
    message(100);
    message(2000);
    const told = seen().filter((each) => each.startsWith('gone'));
    expect(told).toEqual(['gone=3@-800', 'gone=4@-700', 'gone=4@501']);
  });

  it('is told behind its time of a tag that is watched at last: another may have had that before', () => {
    const { timeline, seen, begin, message } = make();
    timeline.watch(T - 1000);
    timeline.add('a', at(-500, 1), T);
    timeline.addRefused('gone', 'bad:no-match');
    begin(0);
    message(1000);
    timeline.add('gone', at(1500, 2), T + 1700);
    timeline.add('gone', at(1600, 3), T + 1700);
    message(1700);
    message(3000);
    const told = seen().filter((each) => each.startsWith('gone'));
    expect(told).toEqual(['gone=null@0 bad:no-match', 'gone=2@1501', 'gone=3@1600']);
  });

  it('is said again of a refused tag wherever observation begins, though nothing of others is', () => {
    const { timeline, sink, seen, begin, message } = make({ snapshots: false });
    timeline.watch(T - 100);
    timeline.addRefused('gone', 'bad:no-match');
    begin(0);
    sink.refuse(1);
    message(1000);
    message(2000);
    message(3000);
    expect(seen()).toEqual(['gone=null@1900 bad:no-match']);
  });
});

describe('values that come late', () => {
  it('are given at once, whatever the stream waits for: what is stated says that they were', () => {
    const { timeline, sink, begin, message } = make();
    timeline.watch(T - 100);
    timeline.add('a', at(-50, 1), T);
    begin(0);
    message(100_000);
    // Its clock was set back by 20 s.
    timeline.add('a', off(-20_000, 100_900, 2), T + 101_000);
    message(101_000);
    expect(timeline.settleMs).toBe(20_100);
    const late = sink.of('readings').at(-1);
    expect(late?.isLate).toBe(true);
    expect(late?.readings[0]).toMatchObject({ index: T + 100_900, value: 2, quality: 'uncertain:time-late' });
  });

  it('go up with their own times where these lie in a break', () => {
    const { timeline, sink, begin, message } = make();
    timeline.watch(T - 100);
    timeline.add('a', at(-50, 1), T);
    timeline.add('b', at(-50, 1), T);
    begin(0);
    message(1000);
    timeline.add('b', at(1700, 2), T + 2000);
    timeline.add('a', at(1900, 3, { statusCode: overflow }), T + 2000);
    message(2000);
    const late = sink.of('readings').filter(({ isLate }) => isLate);
    expect(late.flatMap(({ readings }) => readings.map(({ index }) => index - T))).toEqual([1700, 1900]);
    expect(sink.breaches()).toEqual([]);
  });

  it('are not lost with the session', () => {
    const { timeline, sink, begin, message } = make();
    timeline.watch(T - 100);
    timeline.add('a', at(-50, 1), T);
    begin(0);
    timeline.add('a', at(980, 2), T + 1000);
    message(1000);
    timeline.end();
    expect(sink.of('readings').at(-1)).toMatchObject({ isLate: true, readings: [{ index: T + 980 }] });
  });
});

describe("the server's clock", () => {
  it('may be set between the question to watch and the first message', () => {
    const back = make();
    back.timeline.watch(T + 3_600_000);
    back.timeline.hear(T + 3_600_010);
    back.timeline.hear(T + 500);
    back.timeline.add('a', at(-100, 1), T + 500);
    back.timeline.begin(T + 3_600_010, T + 500);
    expect(back.sink.of('resumed')).toEqual([{ kind: 'resumed', at: T + 500 }]);
    const ahead = make();
    ahead.timeline.watch(T);
    ahead.timeline.hear(T + 10);
    ahead.timeline.hear(T + 3_600_000);
    ahead.timeline.begin(T + 10, T + 3_600_000);
    expect(ahead.sink.of('resumed')).toEqual([{ kind: 'resumed', at: T + 3_600_000 }]);
  });

  it('is set: values that waited keep their times, and those of the message that shows it have theirs', () => {
    const { timeline, sink, seen, begin, message } = make();
    timeline.watch(T - 100);
    timeline.add('a', at(-50, 1), T);
    begin(0);
    timeline.add('a', at(980, 2), T + 1000);
    message(1000);
    timeline.hear(T - 60_000);
    timeline.add('a', at(-60_050, 3), T - 60_000);
    timeline.advance(T - 60_000);
    message(-59_000);
    expect(sink.of('resumed').at(-1)?.at).toBe(T - 60_000);
    expect(seen()).toEqual(['a=1@0', 'a=2@980', 'a=3@-60050', 'a=3@-60000']);
  });
});

describe('a tag that is watched later than others', () => {
  /** By position, and of one position in the order in which it was told. */
  const inOrder = (seen: readonly string[]) =>
    seen
      .filter((each) => each.startsWith('b'))
      .toSorted((a, b) => placeIn(a) - placeIn(b))
      .map((each) => each.replace(/^b=/, ''));

  it('tells what it held before what came after it, however late its clock makes that', () => {
    const { timeline, seen, message, begin } = make();
    timeline.watch(T - 100);
    timeline.add('a', at(-50, 1), T);
    begin(0);
    message(1000);
    // The server had these later than what is stated with the message that brings them.
    timeline.add('b', off(-600_000, 1950, 1), T + 2000);
    timeline.add('b', off(-600_000, 1960, 2), T + 2000);
    message(2000);
    message(3000);
    expect(inOrder(seen())).toEqual(['1@1899 uncertain:time-late', '2@1899 uncertain:time-late']);
  });

  it('also where those are told at once, since nothing is stated', () => {
    const { timeline, seen, message, begin } = make();
    timeline.watch(T - 100);
    timeline.add('a', at(-50, 1), T);
    begin(0);
    message(1000);
    timeline.add('b', off(-60, 850, 1), T + 1000);
    timeline.add('b', off(-160, 880, 2), T + 1000);
    message(1000);
    message(3000);
    expect(inOrder(seen())).toEqual(['1@900', '2@900 uncertain:time-late']);
  });

  it('and where one comes whose time is right', () => {
    const { timeline, seen, message, begin } = make({ latenessMs: 1000 });
    timeline.watch(T - 100);
    timeline.add('a', at(-50, 1), T);
    begin(0);
    message(3000);
    timeline.add('b', off(-10_000, 3900, 1), T + 4000);
    timeline.add('b', off(-950, 3950, 2), T + 4000);
    message(4000);
    message(6000);
    expect(inOrder(seen())).toEqual(['1@3000 uncertain:time-late', '2@3000']);
  });

  it('tells nothing at times from before it was watched: its clock may have come by there before, and been set back', () => {
    const { timeline, seen, message, begin } = make({ latenessMs: 500 });
    timeline.watch(T - 100);
    timeline.add('a', at(-50, 1), T);
    timeline.addRefused('b', 'bad:no-match');
    begin(0);
    message(1000);
    // The clock of both is set back by 9 s while only `a` is watched: what is stated waits.
    timeline.add('a', off(-9000, 1500, 2), T + 2000);
    message(2000);
    timeline.add('b', off(-9000, 3500, 7), T + 4000);
    message(4000);
    for (let time = 5000; time <= 11_000; time += 1000) {
      timeline.add('b', off(-9000, time - 100, time), T + time);
      message(time);
    }
    message(30_000);
    const places = seen()
      .filter((each) => each.startsWith('b='))
      .map((each) => [each.split('@')[0], placeIn(each)] as const);
    expect(places).toContainEqual(['b=null', 0]);
    const isStated = ([what, place]: readonly [string | undefined, number]) =>
      what !== 'b=null' && place >= 0 && place < 2000;
    expect(places.filter(isStated)).toEqual([]);
  });

  it('is in order for 300 random servers', () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = seededRandom(seed);
      const { timeline, seen, message, begin } = make({ latenessMs: randomInt(random, 300) });
      timeline.watch(T - 100);
      timeline.add('a', at(randomInt(random, 3050) - 50, 1), T);
      begin(0);
      // Before all that was not watched, so that each of its values is late; or right.
      const offMs = randomInt(random, 4) === 0 ? 0 : -11_000 - randomInt(random, 200_000);
      let value = 0;
      for (let time = 500; time <= 10_000; time += 500) {
        const count = time < 1000 ? 0 : randomInt(random, 4);
        const times = Array.from({ length: count }, () => time - randomInt(random, 490));
        for (const each of times.sort((a, b) => a - b))
          timeline.add('b', off(offMs, each, ++value), T + time);
        message(time);
      }
      message(30_000);
      const told = inOrder(seen()).map((each) => Number(each.split('@')[0]));
      expect(told, `seed ${seed}`).toEqual(told.toSorted((a, b) => a - b));
    }
  });
});
