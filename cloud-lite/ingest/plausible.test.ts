import { describe, expect, test } from 'vitest';
import type { IndexKind, Window } from '../../wire/window.ts';
import type { Arrival } from '../ledger/arrival.ts';
import type { Reach } from '../ledger/reach.ts';
import { moveTo } from './pace.ts';
import { type Bounds, boundVoid, implausible, implausibleThrough } from './plausible.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const now = Date.UTC(2026, 10, 21, 12);
const bounds: Bounds = {
  earliest: Date.UTC(2020, 0),
  maxAheadMs: 5 * minute,
  maxAgeMs: 31 * day,
  maxWidth: { time: day, sequence: 1000 },
  maxJump: 5000,
};

function arrival(index: IndexKind, content: Arrival['content']): Arrival {
  return {
    stream: { deviceId: 'd', moduleId: 'm', batchId: 's' },
    index,
    isBackfill: false,
    heardAt: now,
    content,
  };
}
const batch = (index: IndexKind, start: number, end: number) =>
  arrival(index, { kind: 'batch', window: { start, end }, readings: 1 });
const reach = (span?: Window, more: Partial<Reach> = {}): Reach => ({
  span,
  accepted: [],
  since: now - day,
  until: now,
  owed: 0,
  leapt: 0,
  leaptAt: 0,
  isPlaced: true,
  rival: undefined,
  saidStart: undefined,
  index: undefined,
  ...more,
});
const judge = (of: Arrival, stream: Reach = reach(), count?: Reach) =>
  implausible(of, { stream, count }, now, bounds)?.reason;
const time = (start: number, end: number, stream?: Reach) =>
  judge(batch('time', now + start, now + end), stream);
const records = (start: number, end: number, stream?: Reach) => judge(batch('sequence', start, end), stream);

describe('a window by time', () => {
  test('is believed while an honest clock can have seen it', () => {
    expect(time(-10_000, 0)).toBeUndefined();
    expect(time(-10_000, 5 * minute)).toBeUndefined();
    expect(time(-31 * day, -31 * day + 10_000)).toBeUndefined();
    expect(time(-day, 0)).toBeUndefined();
  });

  test.each<[string, number, number, string]>([
    ['ahead of the hub', 10 * hour, 10 * hour + 10_000, 'implausible-time'],
    ['that ends ahead of the hub', -10_000, 5 * minute + 1, 'implausible-time'],
    [
      'of a clock without battery',
      Date.UTC(2000, 0, 1, 0, 0, 10) - now,
      Date.UTC(2000, 0, 1, 0, 0, 20) - now,
      'implausible-time',
    ],
    ['before all that a module keeps', -32 * day, -32 * day + 1000, 'implausible-time'],
    ['over decades', Date.UTC(2000, 0) - now, 0, 'implausible-width'],
    ['over days', -day - 1, 0, 'implausible-width'],
    [
      'at the end of all numbers',
      Number.MAX_SAFE_INTEGER - now - 10,
      Number.MAX_SAFE_INTEGER - now,
      'implausible-time',
    ],
    [
      'at the begin of all numbers',
      -Number.MAX_SAFE_INTEGER - now,
      -Number.MAX_SAFE_INTEGER - now + 10,
      'implausible-time',
    ],
  ])('%s is not', (_, start, end, reason) => expect(time(start, end)).toBe(reason));

  test('may be old where the stream was there before: a person may ask for anything that it has', () => {
    const old = reach({ start: now - 400 * day, end: now });
    expect(time(-399 * day, -399 * day + 1000, old)).toBeUndefined();
    expect(time(-401 * day, -401 * day + 1000, old)).toBe('implausible-time');
  });

  test('is believed where a person accepted it', () => {
    const accepted = [{ start: now + 10 * hour, end: now + 20 * hour }];
    expect(time(10 * hour, 11 * hour, reach(undefined, { accepted }))).toBeUndefined();
    expect(time(10 * hour, 20 * hour + 1, reach(undefined, { accepted }))).toBe('implausible-time');
  });

  test('is cut where it is a void of what was not yet, though all of it was not', () => {
    const bounded = (start: number, end: number, more: object = {}) => {
      const window = { start: now + start, end: now + end };
      const of = arrival('time', { kind: 'void', window, reason: 'evicted' });
      const found = boundVoid(
        of,
        { stream: reach(undefined, more), count: undefined },
        undefined,
        now,
        bounds,
      );
      if (found === 'nothing' || 'reason' in found) return found;
      return 'window' in found.content && found.content.window.end - now;
    };
    expect(bounded(-hour, -minute)).toBe(-minute);
    expect(bounded(-hour, minute)).toBe(0);
    expect(bounded(0, minute)).toBe('nothing');
    expect(bounded(-hour, minute, { accepted: [{ start: now - day, end: now + day }] })).toBe(minute);
    // No clock that differs a little: judged like any window.
    expect(bounded(-hour, hour)).toBe(hour);
  });

  test('is cut where it is a void that answers a request, to what that asked for of its stream', () => {
    const bounded = (start: number, end: number, span?: Window, more: object = {}) => {
      const of = arrival('sequence', { kind: 'void', window: { start, end }, reason: 'no-history' });
      const asked = { id: 'r', range: { start: 100, end: 200 }, isOfIt: true, ...more };
      const accepted = [{ start: 0, end: 1000 }];
      const found = boundVoid(
        of,
        { stream: reach(span, { accepted }), count: undefined },
        asked,
        now,
        bounds,
      );
      if (found === 'nothing') return found;
      return 'reason' in found ? found.reason : 'window' in found.content && found.content.window;
    };
    expect(bounded(100, 200)).toEqual({ start: 100, end: 200 });
    expect(bounded(0, 900)).toEqual({ start: 100, end: 200 });
    expect(bounded(0, 900, { start: 50, end: 300 })).toEqual({ start: 100, end: 200 });
    expect(bounded(200, 900, { start: 50, end: 300 })).toBe('implausible-void');
    expect(bounded(100, 200, { start: 50, end: 300 }, { isOfIt: false })).toBe('implausible-void');
    const late = { series: '', first: 1, last: 1000 };
    const of = arrival('sequence', { kind: 'late-void', late, reason: 'evicted' });
    const found = boundVoid(
      of,
      { stream: reach(), count: reach({ start: 1, end: 7 }) },
      { id: 'r', range: { start: 3, end: 5 }, isOfIt: true },
      now,
      bounds,
    );
    expect(found).toMatchObject({ content: { late: { first: 3, last: 4 } } });
  });

  test('may be as wide as a backlog where it is a void', () => {
    const void_ = (start: number) =>
      judge(arrival('time', { kind: 'void', window: { start: now + start, end: now }, reason: 'evicted' }));
    expect(void_(-30 * day)).toBeUndefined();
    expect(void_(-32 * day)).toBe('implausible-width');
  });
});

describe('a window of records', () => {
  test('is believed as the first of its stream, whatever its numbers', () => {
    expect(records(2 ** 53 - 100, 2 ** 53 - 1)).toBeUndefined();
    expect(records(-100, -90)).toBeUndefined();
  });

  test('holds no more records than a message can', () => {
    expect(records(20, 1020)).toBeUndefined();
    expect(records(20, 1021)).toBe('implausible-width');
    expect(records(20, Number.MAX_SAFE_INTEGER, reach({ start: 0, end: 20 }))).toBe('implausible-width');
  });

  test('leaves out no more than a jump, before and behind', () => {
    const stream = reach({ start: 10_000, end: 20_000 });
    expect(records(25_000, 25_010, stream)).toBeUndefined();
    expect(records(25_001, 25_010, stream)).toBe('implausible-jump');
    expect(records(4990, 5000, stream)).toBeUndefined();
    expect(records(4980, 4990, stream)).toBe('implausible-jump');
    expect(records(9_000_000_000_000, 9_000_000_000_010, stream)).toBe('implausible-jump');
    expect(records(15_000, 15_010, stream)).toBeUndefined();
  });

  test('may leave out what the stream has made meanwhile at its speed', () => {
    // 24,000 records a day, silent for ten days.
    const stream = reach({ start: 0, end: 24_000 }, { since: now - 11 * day, until: now - 10 * day });
    expect(records(24_000 + 240_000, 24_000 + 240_010, stream)).toBeUndefined();
    expect(records(24_000 + 3_000_000, 24_000 + 3_000_010, stream)).toBe('implausible-jump');
  });

  test('is moved no further by what many messages leave out than four jumps, less what time explains', () => {
    const at = (leapt: number, leaptAt = now) => reach({ start: 0, end: 10 }, { leapt, leaptAt });
    expect(records(5000, 5010, at(15_000))).toBeUndefined();
    expect(records(5000, 5010, at(15_002))).toBe('implausible-jump');
    expect(records(5000, 5010, at(20_000, now - day))).toBeUndefined();
    const whole = arrival('sequence', { kind: 'batch', window: { start: 10, end: 20 }, readings: 10 });
    expect(judge(whole, at(20_000))).toBeUndefined();
    // Allowed by a bound that was wider: what goes on, or fills a gap, is taken all the same.
    expect(judge(whole, at(90_000))).toBeUndefined();
    expect(records(2, 8, at(90_000))).toBeUndefined();
  });

  test('behind a backlog that has begun to come may be as far on as all the time of silence explains', () => {
    // 14,400 records in a day, then an hour of silence: 600 more are owed, of which 20 have come.
    const stream = reach({ start: 0, end: 14_400 }, { since: now - day - hour, until: now - hour });
    const move = (window: Window, at: Reach) =>
      moveTo(window, 1, at, now, { maxJump: 5000, maxSeries: 20_000 });
    expect(move({ start: 14_400, end: 14_420 }, stream).owed).toBeCloseTo(580);
    const after = { ...stream, span: { start: 0, end: 14_420 }, until: now, owed: 580 };
    expect(records(14_420 + 5580, 20_010, after)).toBeUndefined();
    expect(records(14_420 + 5581, 20_010, after)).toBe('implausible-jump');
    expect(move({ start: 15_420, end: 15_430 }, after).owed).toBe(0);
    // Twice the same is no way on.
    expect(move({ start: 14_400, end: 14_420 }, after).owed).toBe(580);
  });

  test('is not fast because it is young: 1,000 records in its first second are no speed', () => {
    const stream = reach({ start: 0, end: 1000 }, { since: now - hour - 1000, until: now - hour });
    expect(records(7000, 7010, stream)).toBeUndefined();
    expect(records(7001, 7010, stream)).toBe('implausible-jump');
  });

  test('is believed where a person accepted it', () => {
    const accepted = [{ start: 0, end: 100 }];
    expect(records(0, 10, reach({ start: 1e12, end: 1e12 + 10 }, { accepted }))).toBeUndefined();
  });
});

describe('late windows', () => {
  const late = (number: number, count?: Reach) =>
    judge(arrival('time', { kind: 'late', late: { series: '', number }, readings: 1 }), reach(), count);

  test('claim nothing, so their times are nobody`s matter; their numbers are', () => {
    expect(late(1)).toBeUndefined();
    expect(late(5001)).toBeUndefined();
    expect(late(5002)).toBe('implausible-jump');
    expect(late(5002, reach({ start: 1, end: 100 }))).toBeUndefined();
    expect(late(50, reach({ start: 1, end: 100 }))).toBeUndefined();
    expect(late(Number.MAX_SAFE_INTEGER, reach({ start: 1, end: 100 }))).toBe('implausible-jump');
  });

  test('are counted in steps that can be', () => {
    expect(implausibleThrough(9_000_000_000, undefined, now, bounds)?.reason).toBe('implausible-jump');
    expect(implausibleThrough(500, undefined, now, bounds)).toBeUndefined();
  });

  test('are not lost by the billion', () => {
    const lost = (first: number, last: number) =>
      judge(arrival('time', { kind: 'late-void', late: { series: '', first, last }, reason: 'evicted' }));
    expect(lost(1, 1000)).toBeUndefined();
    expect(lost(1, Number.MAX_SAFE_INTEGER)).toBe('implausible-jump');
  });
});
