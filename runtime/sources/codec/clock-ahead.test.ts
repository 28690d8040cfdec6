import { describe, expect, it } from 'vitest';
import { betterOf, FirstClaim, isAhead, settledMs } from './clock-ahead.ts';

const t0 = 1_700_000_000_000;
const hour = 3_600_000;

/** Our clock shows `t0` at monotonic 0. */
const shown = (now: number, aheadMs: number) => ({ timestamp: t0 + now + aheadMs, now, wall: t0 + now });

describe('the first claim of a stream whose clock stands ahead of ours', () => {
  it('is made once it has stood there for ten minutes', () => {
    const first = new FirstClaim();
    expect(first.isBelieved(shown(0, 2 * hour))).toBe(false);
    expect(first.isBelieved(shown(settledMs - 1, 2 * hour))).toBe(false);
    expect(first.isBelieved(shown(settledMs, 2 * hour))).toBe(true);
    expect(first.isBelieved(shown(settledMs + 1000, 2 * hour))).toBe(true);
  });

  it('is made at once where the clock is put right, or is ahead by no more than clocks are that nobody synchronises', () => {
    const first = new FirstClaim();
    first.isBelieved(shown(0, 2 * hour));
    expect(first.isBelieved(shown(5000, -3000))).toBe(true);
    expect(new FirstClaim().isBelieved(shown(0, 59_000))).toBe(true);
    expect(new FirstClaim().isBelieved(shown(0, 61_000))).toBe(false);
  });

  it('was made by a process before this one', () => {
    const first = new FirstClaim();
    first.recall();
    expect(first.isBelieved(shown(0, 2 * hour))).toBe(true);
  });
});

describe('a time that goes on from another', () => {
  it('is judged by that which was shown with the least delay: a sample may be old when it is shown first', () => {
    const best = { timestamp: t0 + 10_000, at: 0 };
    const old = { timestamp: t0 + 12_000, at: 20_000 };
    expect(betterOf(best, old)).toBe(best);
    expect(isAhead({ timestamp: t0 + 32_000, now: 22_000, wall: t0 + 22_000 }, best, 1)).toBe(false);
    expect(isAhead({ timestamp: t0 + 38_000, now: 23_000, wall: t0 + 23_000 }, best, 1)).toBe(true);
    // Set back.
    const back = { timestamp: t0 - hour, at: 30_000 };
    expect(betterOf(best, back)).toBe(back);
  });
});
