import { describe, expect, it } from 'vitest';
import { InstrumentClock } from './instrument-clock.ts';

const wall = Date.UTC(2026, 10, 22);
/** By a clock that was right at `wall`. */
const at = (ms: number) => ({ now: ms, wall: wall + ms });

describe('the clock of an instrument', () => {
  it('that goes on leaves nothing unclaimed but what may have been missed', () => {
    const clock = new InstrumentClock(1000, undefined, at(0));
    clock.show(wall, at(0), false);
    clock.show(wall + 5000, at(5000), false);
    expect(clock.freeFrom).toBe(Number.NEGATIVE_INFINITY);
    clock.show(wall + 9000, at(9000), true);
    expect(clock.freeFrom).toBe(wall + 9000 + 1000 + 4);
    expect(clock.repeated).toEqual([]);
  });

  it('that was set back leaves unclaimed what it would have shown, and has that time twice', () => {
    const clock = new InstrumentClock(1, undefined, at(0));
    clock.show(wall, at(0), false);
    clock.show(wall - 3_600_000, at(60_000), true);
    expect(clock.freeFrom).toBe(wall + 60_000 + 61);
    expect(clock.repeated).toEqual([{ start: wall - 3_600_000, end: wall + 60_000 + 62 }]);
  });

  it('is known after a restart by one number', () => {
    const before = new InstrumentClock(1, undefined, at(0));
    // An hour ahead of ours.
    before.show(wall + 3_600_000, at(0), false);
    const after = new InstrumentClock(1, before.mark, { now: 7, wall: wall + 600_000 });
    expect(after.known).toEqual({ timestamp: wall + 600_000 + 3_600_000, at: 7 });
    expect(after.repeated).toEqual([]);
    after.show(wall + 600_000, { now: 1007, wall: wall + 601_000 }, true);
    expect(after.freeFrom).toBeGreaterThanOrEqual(wall + 601_000 + 3_600_000);
    const [twice] = after.repeated;
    expect(twice!.start).toBe(wall + 600_000);
    // After another one all before is held to have come twice.
    const third = new InstrumentClock(1, after.mark, at(900_000));
    expect(third.repeated[0]!.start).toBe(Number.NEGATIVE_INFINITY);
    expect(third.repeated[0]!.end).toBeGreaterThanOrEqual(twice!.end);
  });

  it('has a mark that is a whole number, wherever it stands', () => {
    for (const timestamp of [1, wall, wall - 40 * 86_400_000, Date.UTC(2090, 0, 1)]) {
      const clock = new InstrumentClock(1, undefined, at(0));
      clock.show(wall, at(0), false);
      clock.show(timestamp, at(1000), true);
      expect(Number.isSafeInteger(clock.mark)).toBe(true);
      expect(clock.mark).toBeGreaterThanOrEqual(0);
      expect(() => new InstrumentClock(1, clock.mark, at(2000))).not.toThrow();
    }
  });

  it('remembers a bounded number of times that came twice, and none less', () => {
    const clock = new InstrumentClock(1, undefined, at(0));
    for (let turn = 0; turn < 300; turn++) {
      clock.show(wall + turn * 20_000, at(turn * 10_000), false);
      clock.show(wall + turn * 20_000 - 10_000, at(turn * 10_000 + 1000), false);
    }
    expect(clock.repeated.length).toBeLessThanOrEqual(100);
    expect(clock.repeated[0]!.start).toBe(wall - 10_000);
  });
});
