import { describe, expect, it } from 'vitest';
import { randomInt, seededRandom } from '../../../kernel/random.ts';
import { at, good, make, overflow, placeIn, T } from './testing/timeline-rig.ts';
import { maxPending, type Timeline } from './timeline.ts';

describe('the timeline', () => {
  it('begins when the server has begun to watch, and reports what the items held there', () => {
    const { timeline, sink, seen, begin, message } = make();
    timeline.add('a', at(1000, 1), T + 1200);
    timeline.add('b', at(-3_600_000, 2), T + 1200);
    begin(1200);
    message(2000);
    expect(sink.of('resumed')).toEqual([{ kind: 'resumed', at: T + 1200 }]);
    expect(seen()).toEqual(['b=2@1200', 'a=1@1200']);
    expect(sink.of('observed').at(-1)).toEqual({ kind: 'observed', until: T + 1900 });
    expect(sink.breaches()).toEqual([]);
  });

  it('begins behind the newest first value: what came before that one, perhaps with its time, was not shown', () => {
    const { timeline, sink, seen, message } = make();
    timeline.add('a', at(1000, 1), T + 1200);
    timeline.add('a', at(1000, 2), T + 1200);
    timeline.add('b', at(1300, 3), T + 1200);
    timeline.begin(T + 900, T + 1200);
    timeline.add('b', at(1350, 4), T + 1400);
    message(1400);
    message(2000);
    expect(sink.of('resumed')).toEqual([{ kind: 'resumed', at: T + 1301 }]);
    expect(seen()).toEqual(['a=2@1000', 'a=2@1301', 'b=3@1301', 'b=4@1350']);
  });

  it('leaves out what is older than its beginning where that is asked for, but for refused tags', () => {
    const { timeline, seen, message } = make({ snapshots: false });
    timeline.addRefused('gone', 'bad:node-id-unknown');
    timeline.add('a', at(1000, 1), T + 1200);
    timeline.add('b', at(-5000, 2), T + 1200);
    timeline.begin(T + 900, T + 1200);
    timeline.add('a', at(1250, 4), T + 1300);
    timeline.add('c', at(-7000, 3), T + 1300);
    message(2000);
    expect(seen()).toEqual(['gone=null@1001 bad:node-id-unknown', 'a=4@1250']);
  });

  it('leaves the outage unclaimed where a device runs a minute slow, however short the outage was', () => {
    // A session before observed up to 500, the server was away for 8 s, and its device says that nothing has changed since.
    const { timeline, sink, seen, message, begin } = make({ floor: T + 500 });
    const slow = (time: number, value: number) =>
      at(time - 60_000, value, { serverTimestamp: new Date(T + time) });
    timeline.add('slow', slow(8000, 1), T + 8600);
    begin(8500);
    for (let time = 9500; time <= 80_500; time += 1000) {
      timeline.add('slow', slow(time, time), T + time + 100);
      message(time + 100);
    }
    expect(sink.of('resumed')).toEqual([{ kind: 'resumed', at: T + 8500 }]);
    // What is stated waits for that clock. What it says of the time before stands where the server had it, and is not good.
    expect(sink.of('observed').at(-1)?.until).toBeLessThanOrEqual(T + 21_500);
    const inOrder = seen().toSorted((a, b) => placeIn(a) - placeIn(b));
    expect(inOrder.slice(0, 5)).toEqual([
      'slow=1@8500 uncertain:time-late',
      'slow=68500@8500',
      'slow=9500@9500 uncertain:time-late',
      'slow=69500@9500',
      'slow=10500@10500 uncertain:time-late',
    ]);
    expect(sink.breaches()).toEqual([]);
  });

  it('never begins below what a session before reported, unless the clock of the server was put back', () => {
    const after = make({ floor: T + 900 });
    after.timeline.add('a', at(100, 1), T + 800);
    after.begin(800);
    after.message(1500);
    expect(after.seen()).toEqual(['a=1@900']);
    const back = make({ floor: T + 3_600_000 });
    back.timeline.add('a', at(100, 1), T + 800);
    back.begin(800);
    expect(back.sink.of('resumed')[0]?.at).toBe(T + 800);
  });

  it('puts the values of all tags into one order, however messages bring them', () => {
    const { timeline, sink, seen, begin, message } = make();
    timeline.add('a', at(0, 0), T + 10);
    timeline.add('b', at(0, 0), T + 10);
    begin(10);
    for (const [tag, time] of [
      ['a', 20],
      ['a', 60],
      ['b', 40],
      ['b', 80],
    ] as const)
      timeline.add(tag, at(time, time), T + 90);
    message(90);
    timeline.add('b', at(70, 70), T + 300);
    message(300);
    expect(seen()).toEqual(['a=0@10', 'b=0@10', 'a=20@20', 'b=40@40', 'a=60@60', 'b=70@70', 'b=80@80']);
    expect(sink.breaches()).toEqual([]);
  });

  it('says with each keep-alive how far observation reaches', () => {
    const { timeline, sink, begin, message } = make();
    timeline.add('a', at(-10, 0), T);
    begin(0);
    for (let hour = 1; hour <= 5; hour++) message(hour * 3_600_000);
    expect(
      sink
        .of('observed')
        .slice(1)
        .map(({ until }) => until),
    ).toEqual([1, 2, 3, 4, 5].map((hour) => T + hour * 3_600_000 - 100));
    expect(sink.of('broken')).toEqual([]);
  });

  it('does not believe that an hour passed in a second', () => {
    const { timeline, sink, seen, begin, message, steps } = make();
    timeline.add('a', at(-10, 0), T);
    begin(0);
    message(1000);
    // The server's clock is an hour ahead from here on.
    timeline.hear(T + 3_602_000);
    timeline.add('a', at(3_601_500, 1), T + 3_602_000);
    timeline.advance(T + 3_602_000);
    timeline.advance(T + 3_603_000);
    expect(sink.of('broken')).toEqual([{ kind: 'broken', at: T + 900, reason: 'server-clock-jumped' }]);
    expect(steps).toEqual([{ reason: 'server-clock-jumped', byMs: expect.closeTo(3_601_000, -3) }]);
    expect(sink.of('resumed').at(-1)?.at).toBe(T + 3_602_000);
    expect(seen().at(-1)).toBe('a=1@3602000');
    expect(sink.breaches()).toEqual([]);
  });

  it('takes messages that were held up for what they are', () => {
    const { timeline, sink, clock, begin, message } = make();
    timeline.add('a', at(-10, 0), T);
    begin(0);
    message(1000);
    clock.passed += 30_000;
    for (const time of [2000, 3000, 30_000, 31_000]) timeline.advance(T + time);
    expect(sink.of('broken')).toEqual([]);
  });

  it('keeps a value that comes too late, and says that its time is not its own', () => {
    const { timeline, seen, odd, sink, begin, message } = make();
    timeline.add('a', at(-10, 0), T);
    begin(0);
    message(1000);
    // A clock that is slow by 0.5 to 1.5 s: what is stated waits for it, until it is right.
    timeline.add('a', at(500, 5), T + 2000);
    message(2000);
    expect(timeline.settleMs).toBe(1500);
    timeline.add('a', at(1600, 1), T + 3000);
    message(3000);
    expect(timeline.settleMs).toBe(1400);
    expect(seen()).toEqual(['a=0@0', 'a=5@900 uncertain:time-late']);
    expect(odd).toEqual([['late', 1]]);
    expect(sink.of('observed').at(-1)?.until).toBe(T + 1600);
    timeline.add('a', at(3950, 1), T + 4000);
    expect(timeline.settleMs).toBe(100);
    // The time of an old value with another status says nothing of its clock.
    for (const status of ['BadSensorFailure', 'BadNotConnected'])
      timeline.add('a', at(3950, 1, { statusCode: { value: 0x8000_0000, name: status } }), T + 9000);
    message(9000);
    expect(timeline.settleMs).toBe(100);
    expect(sink.breaches()).toEqual([]);
  });

  it("does not believe a clock that is ahead, nor a date before there was any, and takes the server's", () => {
    const { timeline, seen, begin, message } = make();
    timeline.add('a', at(-10, 0), T);
    begin(0);
    timeline.add('a', at(60_000, 1, { serverTimestamp: new Date(T + 40) }), T + 50);
    timeline.add('a', at(undefined, 2, { serverTimestamp: new Date(T + 45) }), T + 50);
    timeline.add('a', at(undefined, 3), T + 50);
    timeline.add(
      'a',
      { ...at(0, 4), sourceTimestamp: new Date(-11_644_473_600_000), serverTimestamp: null },
      T + 50,
    );
    message(500);
    expect(seen()).toEqual(['a=0@0', 'a=1@40 uncertain:time-ahead', 'a=2@45', 'a=3@50', 'a=4@50']);
  });

  it("orders by the server's time where that is asked for", () => {
    const { timeline, seen, message } = make({ timestamp: 'server' });
    timeline.add('a', at(-50_000, 1, { serverTimestamp: new Date(T) }), T);
    timeline.begin(T - 50, T);
    message(500);
    expect(seen()).toEqual(['a=1@1']);
  });

  it('reports a refused tag where observation begins', () => {
    const { timeline, seen, begin, message } = make();
    timeline.addRefused('gone', 'bad:node-id-unknown');
    timeline.add('a', at(0, 1), T + 5);
    begin(5);
    message(500);
    expect(seen()).toEqual(['gone=null@5 bad:node-id-unknown', 'a=1@5']);
  });

  it('holds a bounded number of values, whatever lateness was asked for', () => {
    const { timeline, sink, begin, message } = make({ latenessMs: 3_600_000 });
    timeline.add('a', at(0, 0), T);
    begin(0);
    for (let time = 1; time <= maxPending + 10; time++) timeline.add('a', at(time, time), T + time);
    message(maxPending + 10);
    expect(sink.readings.length).toBeGreaterThan(maxPending / 3);
    expect(sink.breaches()).toEqual([]);
  });
});

describe('what breaks the timeline', () => {
  it('is an overflow: from the last value before what was lost to behind the first after it', () => {
    const { timeline, sink, seen, begin, message } = make();
    timeline.add('a', at(-10, 0), T);
    timeline.add('b', at(-10, 0), T);
    begin(0);
    timeline.add('a', at(10, 1), T + 50);
    message(150);
    timeline.add('b', at(200, 2), T + 350);
    timeline.add('a', at(300, 3, { statusCode: overflow }), T + 350);
    message(350);
    message(1000);
    // Lost after 10, and nothing below 50 was missing: that had been stated. Another may have had the time 300.
    expect(sink.of('broken')).toEqual([{ kind: 'broken', at: T + 50, reason: 'queue-overflow' }]);
    expect(sink.of('resumed').at(-1)?.at).toBe(T + 301);
    // What the other tag held where observation begins again is not forgotten.
    expect(seen()).toEqual(['a=0@0', 'b=0@0', 'a=1@10', 'b=2@200', 'a=3@300', 'b=2@301', 'a=3@301']);
    expect(sink.breaches()).toEqual([]);
  });

  it('leaves a hole where the values around an overflow share a time', () => {
    const { timeline, sink, begin, message } = make();
    timeline.add('a', at(-10, 0), T);
    begin(0);
    timeline.add('a', at(1000, 1), T + 1050);
    timeline.add('a', at(1000, 5, { statusCode: overflow }), T + 1050);
    message(1050);
    message(2000);
    expect(sink.of('broken')).toEqual([{ kind: 'broken', at: T + 950, reason: 'queue-overflow' }]);
    expect(sink.of('resumed').at(-1)?.at).toBe(T + 1001);
  });

  it('leaves a hole where what was lost in an overflow came late: up to the message that shows it', () => {
    const { timeline, sink, begin, message } = make();
    timeline.add('slow', at(-60_000, 0), T);
    begin(0);
    message(1000);
    timeline.add('slow', at(-59_000, 1, { statusCode: overflow }), T + 2000);
    message(2000);
    expect(sink.of('broken')).toEqual([{ kind: 'broken', at: T + 900, reason: 'queue-overflow' }]);
    expect(sink.of('resumed').at(-1)?.at).toBe(T + 2000);
  });

  it('is each value of an item whose queue holds one, up to the message before', () => {
    const { timeline, sink, seen, begin, message } = make();
    timeline.add('a', at(-10, 0), T, true);
    begin(0);
    message(1000);
    timeline.add('a', at(1900, 9), T + 2000, true);
    message(2000);
    message(3000);
    expect(sink.of('broken')).toEqual([{ kind: 'broken', at: T + 900, reason: 'queue-overflow' }]);
    expect(sink.of('resumed').at(-1)?.at).toBe(T + 1901);
    expect(seen()).toEqual(['a=0@0', 'a=9@1900', 'a=9@1901']);
  });

  it.each([
    [
      'an overflow',
      (timeline: Timeline) => timeline.add('a', at(700, 3, { statusCode: overflow }), T + 800),
      800,
    ],
    ['a lost message', (timeline: Timeline) => timeline.lose('messages-lost', T + 800), 801],
  ] as const)('and was %s before the first value of a second item is remembered', (_name, lose, expected) => {
    const { timeline, sink, message } = make();
    timeline.add('a', at(100, 1), T + 300);
    message(300);
    lose(timeline);
    message(800);
    timeline.add('b', at(-500, 2), T + 1000);
    timeline.begin(T + 50, T + 1000);
    message(1000);
    expect(sink.of('resumed')).toEqual([{ kind: 'resumed', at: T + expected }]);
  });

  it('is lost messages, until the one that shows it and the lead that values have over theirs; and a clock that goes back', () => {
    const { timeline, sink, begin, message } = make();
    timeline.add('a', at(-10, 0), T);
    begin(0);
    message(990);
    timeline.add('a', at(1050, 0), T + 1000);
    message(1000);
    timeline.lose('messages-lost', T + 2000);
    message(2000);
    message(3000);
    message(-60_000);
    expect(sink.of('broken')).toEqual([
      { kind: 'broken', at: T + 900, reason: 'messages-lost' },
      { kind: 'broken', at: T + 2900, reason: 'server-clock-went-back' },
    ]);
    expect(sink.of('resumed').map(({ at: time }) => time - T)).toEqual([0, 2061, -60_000]);
    expect(sink.breaches()).toEqual([]);
  });

  it('is a sink that takes nothing: it begins again, with what each tag holds', () => {
    const { timeline, sink, seen, begin, message } = make();
    timeline.add('a', at(-10, 1), T);
    timeline.add('b', at(-10, 1), T);
    begin(0);
    message(1000);
    timeline.add('a', at(1500, 50), T + 2000);
    sink.refuse(1);
    message(2000);
    message(3000);
    message(4000);
    expect(seen()).toEqual(['a=1@0', 'b=1@0', 'a=50@2900', 'b=1@2900']);
    expect(sink.breaches()).toEqual([]);
  });

  it('keeps the rules of the source port whatever comes (1,000 random servers)', () => {
    for (let seed = 0; seed < 1000; seed++) {
      const random = seededRandom(seed);
      const { timeline, sink, clock } = make({
        latenessMs: randomInt(random, 300),
        floor: T + randomInt(random, 200) - 100,
        snapshots: randomInt(random, 2) === 0,
      });
      let now = 0;
      timeline.add('a', at(-randomInt(random, 500), 0), T);
      timeline.begin(T, T);
      for (let message = 0; message < 40; message++) {
        now += randomInt(random, 20) === 0 ? randomInt(random, 20_000) - 10_000 : randomInt(random, 300);
        clock.passed += randomInt(random, 300);
        timeline.hear(T + now);
        if (randomInt(random, 15) === 0) timeline.lose('messages-lost', T + now);
        if (randomInt(random, 15) === 0) sink.refuse(1 + randomInt(random, 2));
        for (let count = randomInt(random, 6); count > 0; count--) {
          const time = now - randomInt(random, 400) + (randomInt(random, 10) === 0 ? 20_000 : 0);
          const statusCode = randomInt(random, 12) === 0 ? overflow : good;
          timeline.add(
            'abc'[randomInt(random, 3)]!,
            at(time, message, { statusCode }),
            T + now,
            randomInt(random, 9) === 0,
          );
        }
        if (randomInt(random, 5) > 0) timeline.advance(T + now);
      }
      expect(sink.breaches(), `seed ${seed}`).toEqual([]);
    }
  });
});
