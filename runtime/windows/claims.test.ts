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
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom('time', 'sequence'), (steps, index) => {
        const claims = new Claims(index as 'time' | 'sequence', undefined);
        const claimed: Window[] = [];
        const forbidden: number[] = [];
        let [at, now] = [0, 0];
        for (const { by, length, passed, isProven, dropped } of steps) {
          now += passed;
          const { start, ceiling } = claims.begin(at + by, isProven, now);
          expect(start).toBeGreaterThanOrEqual(at + by);
          expect(ceiling).toBeGreaterThan(start);
          for (const before of claimed) {
            expect(start >= before.start && start < before.end).toBe(false);
            if (!isProven) expect(start).not.toBe(before.end);
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
    const claims = new Claims('time', 0);
    for (let n = 1; n <= 1000; n++) {
      const { start } = claims.begin(n * hour, false, n * 1000);
      claims.add({ start, end: start + 10 }, n * 1000);
    }
    // The oldest of them are joined: what lies between is not claimed any more.
    expect(claims.isFree(10 * hour + 1000)).toBe(false);
    expect(claims.isFree(990 * hour + 1000)).toBe(true);
  });

  it('after a restart is the end alone: nobody knows what time passed before it', () => {
    const claims = new Claims('time', 5000);
    expect(claims.begin(10 * hour, false, 0)).toEqual({
      start: 10 * hour,
      ceiling: Number.POSITIVE_INFINITY,
    });
    expect(claims.isFree(6000)).toBe(false);
  });
});
