import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Window } from '../../wire/window.ts';
import { Claims } from './claims.ts';

const hour = 3_600_000;

describe('what a stream has claimed', () => {
  it('is never claimed again, nor touched without a proof, wherever windows begin', () => {
    const step = fc.record({
      // Where the source says that it resumed, by ordinary steps and by leaps of clocks.
      by: fc.oneof(fc.integer({ min: -50, max: 200 }), fc.integer({ min: -3 * hour, max: 3 * hour })),
      length: fc.oneof(fc.nat(100), fc.nat(2 * hour)),
      passed: fc.oneof(fc.nat(200), fc.nat(hour)),
      isProven: fc.boolean(),
      dropped: fc.option(fc.integer({ min: -hour, max: hour }), { freq: 6 }),
      // So far beyond the end of the window something was sent.
      held: fc.option(fc.nat(50), { freq: 3 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom('time', 'sequence'), (steps, index) => {
        const claims = new Claims(index as 'time' | 'sequence', undefined);
        const claimed: Window[] = [];
        const forbidden: number[] = [];
        let [at, now] = [0, 0];
        let held: number[] = [];
        for (const { by, length, passed, isProven, dropped, held: sent } of steps) {
          now += passed;
          const { start, ceiling } = claims.begin(at + by, isProven, now);
          expect(start).toBeGreaterThanOrEqual(at + by);
          expect(ceiling).toBeGreaterThan(start);
          for (const before of claimed) {
            expect(start >= before.start && start < before.end).toBe(false);
            if (!isProven) expect(start).not.toBe(before.end);
          }
          if (!isProven) {
            forbidden.push(...held);
            held = [];
          }
          const end = Math.min(start + length, ceiling);
          now += length;
          if (end > start) {
            for (const before of claimed) expect(end <= before.start || start >= before.end).toBe(true);
            for (const lost of forbidden) expect(lost >= start && lost < end).toBe(false);
            claims.add({ start, end }, now);
            claimed.push({ start, end });
            expect(claims.end).toBe(Math.max(...claimed.map((window) => window.end), claims.end!));
          }
          at = end;
          if (sent !== null && claims.isFree(end + sent)) {
            claims.noteSent(end + sent, now);
            held.push(end + sent);
          }
          if (dropped !== null && claims.isFree(at + dropped)) {
            claims.forbid(at + dropped, now);
            forbidden.push(at + dropped);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it('is bounded, however often a clock leaps', () => {
    const claims = new Claims('time', { floor: 0 });
    for (let n = 1; n <= 1000; n++) {
      const { start } = claims.begin(n * hour, false, n * 1000);
      claims.add({ start, end: start + 10 }, n * 1000);
    }
    // The oldest of them are joined: what lies between is not claimed any more.
    expect(claims.isFree(10 * hour + 60_000)).toBe(false);
    expect(claims.isFree(990 * hour + 60_000)).toBe(true);
  });

  it('never includes what was lost in an outage between two of them, when a clock comes by again', () => {
    const claims = new Claims('time', { floor: 0 });
    claims.begin(0, true, 0);
    claims.add({ start: 0, end: 1000 }, 1000);
    claims.begin(hour, false, 2000);
    claims.add({ start: hour, end: hour + 1000 }, 3000);
    // Ten seconds are lost.
    claims.begin(hour + 11_000, false, 13_000);
    claims.add({ start: hour + 11_000, end: hour + 12_000 }, 14_000);
    expect(claims.isFree(hour + 5000)).toBe(false);
    expect(claims.isFree(hour - 600_000)).toBe(true);
  });

  it('reaches to where the latest window began, though that claimed nothing: no proof leads across what was lost', () => {
    const claims = new Claims('time', { floor: 0 });
    claims.begin(hour, false, 0);
    claims.add({ start: hour, end: hour + 500 }, 500);
    claims.begin(hour + 9000, false, 9500);
    expect(claims.reached()).toEqual({ floor: hour + 9000 });
  });

  it('after a restart is the end alone: nobody knows what time passed before it', () => {
    const claims = new Claims('time', { floor: 5000 });
    expect(claims.begin(10 * hour, false, 0)).toEqual({
      start: 10 * hour,
      ceiling: Number.POSITIVE_INFINITY,
    });
    expect(claims.isFree(6000)).toBe(false);
  });

  it('may include what was sent beyond it, where it is proven that observation went on', () => {
    for (const isProven of [true, false]) {
      const claims = new Claims('time');
      claims.begin(0, false, 0);
      claims.add({ start: 0, end: 100 }, 100);
      claims.noteSent(100, 100);
      claims.noteSent(104, 100);
      expect(claims.reached()).toEqual({ floor: 100, seen: 105 });
      expect(claims.begin(100, isProven, 200).start).toBe(isProven ? 100 : 106);
      const after = new Claims('time', { floor: 100, seen: 105 });
      expect(after.begin(100, isProven, 0).start).toBe(isProven ? 100 : 106);
    }
  });

  it('may still not include it, where the proof ended before it', () => {
    const claims = new Claims('time', { floor: 100, seen: 105 });
    claims.add({ start: claims.begin(100, true, 0).start, end: 103 }, 1);
    expect(claims.reached()).toEqual({ floor: 103, seen: 105 });
    expect(claims.begin(103, false, 2).start).toBe(106);
    claims.add({ start: 106, end: 110 }, 3);
    expect(claims.reached()).toEqual({ floor: 110 });
  });

  it('includes nothing that was lost before a clock was set back, when that time comes again', () => {
    const claims = new Claims('time');
    claims.add({ start: claims.begin(0, false, 0).start, end: hour }, hour);
    // Ten minutes of silence, in which the clock was set back by half an hour.
    const now = hour + 600_000;
    expect(claims.begin(hour / 2, false, now).start).toBeGreaterThan(hour + 600_000);
    // A step of the kind that time synchronisation does all day is none.
    const other = new Claims('time');
    other.add({ start: other.begin(0, false, 0).start, end: hour }, hour);
    expect(other.begin(hour - 1500, false, now).start).toBe(hour + 1);
    // Nor is there one where this gateway stamps.
    const own = new Claims('time', {}, { isOwnClock: true });
    own.add({ start: own.begin(0, false, 0).start, end: hour }, hour);
    expect(own.begin(hour / 2, false, now).start).toBe(hour + 1);
  });

  it('nor what lay before where observation began, though it ended before anything was claimed', () => {
    const claims = new Claims('time');
    // A minute ahead of what comes then: what was made before it began has times that come again.
    claims.begin(hour, false, 0);
    expect(claims.begin(hour - 60_000, false, 5000).start).toBeGreaterThan(hour + 5000);
    // It has not come further since, however often observation breaks on the way there.
    expect(claims.begin(hour - 40_000, false, 25_000).start).toBeLessThan(hour + 10_000);
    claims.begin(hour - 10_000, false, 55_000);
    expect(claims.begin(hour + 20_000, false, 85_000).start).toBe(hour + 20_000);
  });

  it('nor across a restart, where the disk tells how long ago the last claim was made', () => {
    const start = { floor: hour, ageMs: 600_000, continuity: 'proven' } as const;
    expect(new Claims('time', start, { now: 5 }).begin(hour - 10_000, false, 1005).start).toBeGreaterThan(
      hour + 601_000,
    );
    expect(new Claims('time', start, { now: 5 }).begin(hour + 10, false, 1005).start).toBe(hour + 10);
    // Where nobody knows it, an hour.
    const unknown = new Claims('time', { floor: hour, continuity: 'proven' });
    expect(unknown.begin(hour - 10_000, false, 0).start).toBeGreaterThan(2 * hour);
  });

  it('includes nothing that the disk lost: claims may have reached as far as time has', () => {
    const start = { floor: hour, ageMs: 600_000, continuity: 'lost' } as const;
    const claims = new Claims('time', start);
    expect(claims.begin(hour + 10_000, false, 0).start).toBeGreaterThan(hour + 600_000);
    claims.add({ start: 2 * hour, end: 2 * hour + 10 }, 10);
    expect(claims.begin(2 * hour + 20, false, 30).start).toBe(2 * hour + 20);
  });
});
