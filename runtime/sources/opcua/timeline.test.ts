import { describe, expect, it } from 'vitest';
import { randomInt, seededRandom } from '../../../kernel/random.ts';
import { RecordingSink } from '../testing/recording-sink.ts';
import type { WireValue } from './opcua-session.ts';
import { maxPending, type OddTime, Timeline } from './timeline.ts';

const T = Date.UTC(2026, 0, 1);
const good = { value: 0, name: 'Good' };
const overflow = { value: 0x480, name: 'Good#Overflow' };

function at(source: number | undefined, value: number, change: Partial<WireValue> = {}): WireValue {
  const sourceTimestamp = source === undefined ? null : new Date(T + source);
  const variant = { dataType: 11, arrayType: 0, value };
  return { value: variant, statusCode: good, sourceTimestamp, serverTimestamp: sourceTimestamp, ...change };
}

function make(
  options: { floor?: number; latenessMs?: number; timestamp?: 'source' | 'server'; snapshots?: boolean } = {},
) {
  const sink = new RecordingSink();
  const odd: [OddTime, number][] = [];
  const { floor, latenessMs = 100, timestamp = 'source', snapshots = true } = options;
  const timeline = new Timeline({
    sink,
    timestamp,
    snapshots,
    latenessMs,
    floor,
    onOdd: (what, count) => odd.push([what, count]),
  });
  const seen = () =>
    sink.readings.map(({ index, tag, value, quality }) => {
      const mark = quality === 'good' ? '' : ` ${quality}`;
      return `${tag}=${value}@${index - T}${mark}`;
    });
  return { sink, odd, timeline, seen };
}

describe('the timeline', () => {
  it('begins at the newest first value, and reports what the others held there', () => {
    const { timeline, sink, seen } = make();
    timeline.add('a', at(1000, 1), T + 1200);
    timeline.add('b', at(-3_600_000, 2), T + 1200);
    timeline.begin(T + 1200);
    timeline.advance(T + 1200);
    expect(sink.of('resumed')).toEqual([{ kind: 'resumed', at: T + 1000 }]);
    expect(seen()).toEqual(['b=2@1000', 'a=1@1000']);
    expect(sink.of('observed').at(-1)).toEqual({ kind: 'observed', until: T + 1100 });
  });

  it('leaves out what is older than its beginning where that is asked for, but for refused tags', () => {
    const { timeline, seen } = make({ snapshots: false });
    timeline.addRefused('gone', 'bad:node-id-unknown');
    timeline.add('a', at(1000, 1), T + 1200);
    timeline.add('b', at(-5000, 2), T + 1200);
    timeline.begin(T + 1200);
    timeline.add('c', at(-7000, 3), T + 1300);
    timeline.advance(T + 2000);
    expect(seen()).toEqual(['gone=null@1000 bad:node-id-unknown', 'a=1@1000']);
  });

  it('does not begin where everything changed long ago: nobody watched since', () => {
    const { timeline, sink, seen } = make();
    timeline.add('a', at(-3_600_000, 1), T);
    timeline.begin(T);
    timeline.advance(T);
    expect(sink.of('resumed')).toEqual([{ kind: 'resumed', at: T - 10_000 }]);
    expect(seen()).toEqual(['a=1@-10000']);
  });

  it('never begins below what a session before reported, unless the clock of the server was put back', () => {
    const after = make({ floor: T + 500 });
    after.timeline.add('a', at(100, 1), T + 800);
    after.timeline.begin(T + 800);
    after.timeline.advance(T + 800);
    expect(after.seen()).toEqual(['a=1@500']);
    const back = make({ floor: T + 3_600_000 });
    back.timeline.add('a', at(100, 1), T + 800);
    back.timeline.begin(T + 800);
    expect(back.sink.of('resumed')[0]?.at).toBe(T + 100);
  });

  it('puts the values of all tags into one order, however messages bring them', () => {
    const { timeline, sink, seen } = make();
    timeline.add('a', at(0, 0), T + 10);
    timeline.add('b', at(0, 0), T + 10);
    timeline.begin(T + 10);
    timeline.advance(T + 10);
    for (const [tag, time] of [
      ['a', 20],
      ['a', 60],
      ['b', 40],
      ['b', 80],
    ] as const)
      timeline.add(tag, at(time, time), T + 90);
    timeline.advance(T + 90);
    timeline.add('b', at(70, 70), T + 300);
    timeline.advance(T + 300);
    expect(seen()).toEqual(['a=0@0', 'b=0@0', 'a=20@20', 'b=40@40', 'a=60@60', 'b=70@70', 'b=80@80']);
    expect(sink.breaches()).toEqual([]);
  });

  it('says with each keep-alive how far observation reaches', () => {
    const { timeline, sink } = make();
    timeline.add('a', at(0, 0), T);
    timeline.begin(T);
    for (let hour = 1; hour <= 5; hour++) timeline.advance(T + hour * 3_600_000);
    expect(sink.of('observed').map(({ until }) => until)).toEqual(
      [1, 2, 3, 4, 5].map((hour) => T + hour * 3_600_000 - 100),
    );
    expect(sink.of('broken')).toEqual([]);
  });

  it('keeps a value that comes too late, and says that its time is not its own', () => {
    const { timeline, seen, odd, sink } = make();
    timeline.add('a', at(0, 0), T);
    timeline.begin(T);
    timeline.advance(T + 1000);
    timeline.add('a', at(500, 5), T + 2000);
    timeline.advance(T + 2000);
    expect(seen()).toEqual(['a=0@0', 'a=5@900 uncertain:time-late']);
    expect(odd).toEqual([['late', 1]]);
    expect(sink.breaches()).toEqual([]);
  });

  it("does not believe a clock that is ahead, nor a date before there was any, and takes the server's", () => {
    const { timeline, seen } = make();
    timeline.add('a', at(0, 0), T);
    timeline.begin(T);
    timeline.add('a', at(60_000, 1, { serverTimestamp: new Date(T + 40) }), T + 50);
    timeline.add('a', at(undefined, 2, { serverTimestamp: new Date(T + 45) }), T + 50);
    timeline.add('a', at(undefined, 3), T + 50);
    timeline.add(
      'a',
      { ...at(0, 4), sourceTimestamp: new Date(-11_644_473_600_000), serverTimestamp: null },
      T + 50,
    );
    timeline.advance(T + 500);
    expect(seen()).toEqual(['a=0@0', 'a=1@40 uncertain:time-ahead', 'a=2@45', 'a=3@50', 'a=4@50']);
  });

  it("orders by the server's time where that is asked for", () => {
    const { timeline, seen } = make({ timestamp: 'server' });
    timeline.add('a', at(-50_000, 1, { serverTimestamp: new Date(T) }), T);
    timeline.begin(T);
    timeline.advance(T + 500);
    expect(seen()).toEqual(['a=1@0']);
  });

  it('is broken by an overflow: from the last value before what was lost to the first after it', () => {
    const { timeline, sink, seen } = make();
    timeline.add('a', at(0, 0), T);
    timeline.add('b', at(0, 0), T);
    timeline.begin(T);
    timeline.add('a', at(10, 1), T + 50);
    timeline.advance(T + 150);
    timeline.add('b', at(200, 2), T + 350);
    timeline.add('a', at(300, 3, { statusCode: overflow }), T + 350);
    timeline.advance(T + 350);
    timeline.advance(T + 1000);
    // Lost after 10, and nothing below 50 was missing: that had been stated.
    expect(sink.of('broken')).toEqual([{ kind: 'broken', at: T + 50, reason: 'queue-overflow' }]);
    expect(sink.of('resumed').at(-1)?.at).toBe(T + 300);
    // What the other tag held where observation begins again is not forgotten.
    expect(seen()).toEqual(['a=0@0', 'b=0@0', 'a=1@10', 'b=2@300', 'a=3@300']);
    expect(sink.breaches()).toEqual([]);
  });

  it('is broken by lost messages until the one that shows it, and by a clock that goes back', () => {
    const { timeline, sink } = make();
    timeline.add('a', at(0, 0), T);
    timeline.begin(T);
    timeline.advance(T + 1000);
    timeline.lose('messages-lost', T + 2000);
    timeline.advance(T + 3000);
    timeline.advance(T - 60_000);
    expect(sink.of('broken')).toEqual([
      { kind: 'broken', at: T + 900, reason: 'messages-lost' },
      { kind: 'broken', at: T + 2900, reason: 'server-clock-went-back' },
    ]);
    expect(sink.of('resumed').map(({ at: time }) => time - T)).toEqual([0, 2000, -60_000]);
    expect(sink.breaches()).toEqual([]);
  });

  it('reports a refused tag where observation begins', () => {
    const { timeline, seen } = make();
    timeline.addRefused('gone', 'bad:node-id-unknown');
    timeline.add('a', at(0, 1), T + 5);
    timeline.begin(T + 5);
    timeline.advance(T + 500);
    expect(seen()).toEqual(['gone=null@0 bad:node-id-unknown', 'a=1@0']);
  });

  it('holds a bounded number of values, whatever lateness was asked for', () => {
    const { timeline, sink } = make({ latenessMs: 3_600_000 });
    timeline.add('a', at(0, 0), T);
    timeline.begin(T);
    for (let time = 1; time <= maxPending + 10; time++) timeline.add('a', at(time, time), T + time);
    timeline.advance(T + maxPending + 10);
    expect(sink.readings.length).toBeGreaterThan(maxPending / 3);
    expect(sink.breaches()).toEqual([]);
  });

  it('keeps the rules of the source port whatever comes (1,000 random servers)', () => {
    for (let seed = 0; seed < 1000; seed++) {
      const random = seededRandom(seed);
      const { timeline, sink } = make({
        latenessMs: randomInt(random, 300),
        floor: T + randomInt(random, 200) - 100,
      });
      let now = 0;
      timeline.add('a', at(-randomInt(random, 500), 0), T);
      timeline.begin(T);
      for (let message = 0; message < 40; message++) {
        now += randomInt(random, 20) === 0 ? -randomInt(random, 10_000) : randomInt(random, 300);
        if (randomInt(random, 15) === 0) timeline.lose('messages-lost', T + now);
        for (let count = randomInt(random, 6); count > 0; count--) {
          const time = now - randomInt(random, 400) + (randomInt(random, 10) === 0 ? 20_000 : 0);
          const statusCode = randomInt(random, 12) === 0 ? overflow : good;
          timeline.add('abc'[randomInt(random, 3)]!, at(time, message, { statusCode }), T + now);
        }
        if (randomInt(random, 5) > 0) timeline.advance(T + now);
      }
      expect(sink.breaches(), `seed ${seed}`).toEqual([]);
    }
  });
});
