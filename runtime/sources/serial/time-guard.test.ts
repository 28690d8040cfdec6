import { describe, expect, it } from 'vitest';
import { TimeGuard, type TimeStep } from './time-guard.ts';

const now = Date.UTC(2026, 10, 22);
const years = 365 * 86_400_000;
const hours = 3_600_000;

function show(step: TimeStep): string {
  if (step.kind === 'held') return 'held';
  return `${step.bearsOut ? 'borne out' : 'believed'}${step.isClaimed ? '' : ', unclaimed'}`;
}

/** Times, each shown a second after the one before, by a clock that was right at `now`. */
const steps = (last: number | undefined, times: readonly number[], stepMs = 1): readonly string[] => {
  const guard = new TimeGuard(last === undefined ? undefined : { timestamp: last, at: 0 }, stepMs);
  return times.map((timestamp, at) =>
    show(guard.take({ timestamp, now: (at + 1) * 1000, wall: now + (at + 1) * 1000 })),
  );
};

describe('times that an instrument shows', () => {
  it('are believed as long as they do not leap', () => {
    expect(steps(undefined, [now, now + 1000, now - 5000, now + 4000])).toEqual([
      'believed',
      'believed',
      'believed',
      'believed',
    ]);
    // It was not heard for hours, or its clock was behind: that is no leap into the future.
    expect(steps(now - 20 * hours, [now - 3 * hours, now + 2000])).toEqual(['believed', 'believed']);
  });

  it('are held when they leap, and dropped when the next goes on from before', () => {
    expect(steps(now, [now + 900 * years, now + 2000, now - 10 * years, now + 3000])).toEqual([
      'held',
      'believed',
      'held',
      'believed',
    ]);
    expect(steps(now, [now + 9 * hours, now + 2000, now + 3000])).toEqual(['held', 'believed', 'believed']);
  });

  it('are believed once the next bears them out', () => {
    expect(steps(now - 3 * years, [now + 1000, now + 2000, now + 3000])).toEqual([
      'held',
      'borne out',
      'believed',
    ]);
    // Said again by an instrument that is asked.
    expect(steps(now, [now - 2 * years, now - 2 * years])).toEqual(['held', 'borne out']);
  });

  it('in the future claim nothing, until the clock is put right', () => {
    const ahead = now + 2 * hours;
    expect(steps(now, [ahead + 1000, ahead + 2000, ahead + 3000, now + 4000, now + 5000])).toEqual([
      'held',
      'borne out, unclaimed',
      'believed, unclaimed',
      'believed',
      'believed',
    ]);
  });

  it('in the future are believed once their time has come, or after long', () => {
    const guard = new TimeGuard({ timestamp: now, at: 0 }, 1);
    const shown = (atMs: number, aheadMs: number, wallMs = atMs) =>
      show(guard.take({ timestamp: now + atMs + aheadMs, now: atMs, wall: now + wallMs }));
    expect(shown(1000, 2 * hours)).toBe('held');
    expect(shown(2000, 2 * hours)).toBe('borne out, unclaimed');
    expect(shown(600_000, 2 * hours)).toBe('believed, unclaimed');
    expect(shown(603_000, 2 * hours)).toBe('believed');
    expect(shown(604_000, 2 * hours)).toBe('believed');
    // The wall clock was behind, and is right now.
    expect(shown(605_000, 4 * hours)).toBe('held');
    expect(shown(606_000, 4 * hours, 606_000 + 4 * hours)).toBe('believed');
  });

  it('are counted from when they were first shown: an instrument that is asked says them again', () => {
    const guard = new TimeGuard({ timestamp: now, at: 0 }, 1);
    // Our wall clock is an hour behind, so that all of it looks like the future.
    const shown = (atMs: number, recordMs: number) =>
      show(guard.take({ timestamp: now + recordMs, now: atMs, wall: now + atMs - hours }));
    for (const atMs of [0, 2000, 4000, 6000, 7900]) expect(shown(atMs, 0)).toBe('believed');
    expect(shown(8300, 8000)).toBe('believed');
  });

  it('far in the future are not believed either where nothing is known from before', () => {
    const guard = new TimeGuard(undefined, 1);
    const shown = (atMs: number, aheadMs: number) =>
      show(guard.take({ timestamp: now + atMs + aheadMs, now: atMs, wall: now + atMs }));
    expect([shown(0, 2 * hours), shown(1000, 2 * hours)]).toEqual(['held', 'borne out, unclaimed']);
    expect(shown(2000, 0)).toBe('believed');
  });

  it('may be rounded, and may always be ahead of our clock', () => {
    const minute = 60_000;
    expect(steps(now - minute, [now, now + minute], minute)).toEqual(['believed', 'believed']);
    expect(steps(now + 5 * hours, [now + 5 * hours + 1000, now + 5 * hours + 2900])).toEqual([
      'believed',
      'believed',
    ]);
  });

  it('after a restart are believed from wherever they go on, but for another day', () => {
    const guard = new TimeGuard({ timestamp: now, at: undefined }, 1);
    expect(show(guard.take({ timestamp: now + 5 * hours, now: 10, wall: now }))).toBe('believed');
    expect(show(guard.take({ timestamp: now + 10 * hours, now: 1010, wall: now + 1000 }))).toBe('held');
  });
});
