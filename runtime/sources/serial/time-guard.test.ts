import { describe, expect, it } from 'vitest';
import { TimeGuard } from './time-guard.ts';

const now = Date.UTC(2026, 10, 22);
const steps = (last: number | undefined, times: readonly number[]) => {
  const guard = new TimeGuard(last);
  return times.map((time) => guard.take(time).kind);
};
const years = 365 * 86_400_000;

describe('times that an instrument shows', () => {
  it('are believed as long as they do not leap', () => {
    expect(steps(undefined, [now, now + 1000, now - 5000, now + 80_000_000])).toEqual([
      'believed',
      'believed',
      'believed',
      'believed',
    ]);
  });

  it('are held when they leap, and dropped when the next goes on from before', () => {
    expect(steps(now, [now + 900 * years, now + 2000, now - 10 * years, now + 3000])).toEqual([
      'held',
      'believed',
      'held',
      'believed',
    ]);
  });

  it('are believed once the next bears them out', () => {
    expect(steps(now, [now + 2 * years, now + 2 * years + 1000, now + 2 * years + 2000])).toEqual([
      'held',
      'confirmed',
      'believed',
    ]);
    // Said again by an instrument that is asked.
    expect(steps(now, [now - 2 * years, now - 2 * years])).toEqual(['held', 'confirmed']);
  });
});
