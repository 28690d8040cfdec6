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
    // It showed 5 s at some moment of that second, so 10 s at most by now; and shows whole seconds only.
    expect(clock.freeFrom).toBe(wall + 10_000 + 1);
    expect(clock.repeated).toEqual([]);
  });

  it('that was set back leaves unclaimed what it would have shown, and has that time twice', () => {
    const clock = new InstrumentClock(1, undefined, at(0));
    clock.show(wall, at(0), false);
    clock.show(wall - 3_600_000, at(60_000), true);
    expect(clock.freeFrom).toBe(wall + 60_000 + 61);
    // Set back a minute ago perhaps, and further.
    expect(clock.repeated).toEqual([{ start: wall - 3_660_000, end: wall + 60_000 + 61 }]);
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
    for (let s = 2; s < 70; s++) {
      after.show(wall + 599_000 + s * 1000, { now: 1000 * s + 7, wall: wall + 600_000 + s * 1000 }, false);
    }
    const [twice] = after.repeated;
    expect(twice!.end).toBeGreaterThanOrEqual(wall + 601_000 + 3_600_000);
    // After another one all before is held to have come twice, and what was missed may still lie there.
    const third = new InstrumentClock(1, after.mark, at(900_000));
    expect(third.repeated[0]!.start).toBe(Number.NEGATIVE_INFINITY);
    expect(third.repeated[0]!.end).toBeGreaterThanOrEqual(twice!.end);
    expect(third.freeFrom).toBe(third.repeated[0]!.end);
  });

  it('that lags is suspect where something was missed, until a record comes that does not', () => {
    const clock = new InstrumentClock(1, undefined, at(0));
    clock.show(wall, at(0), false);
    // Held up behind a dump, once without a loss and once with one.
    clock.show(wall + 1000, at(5000), false);
    expect(clock.repeated).toEqual([]);
    clock.show(wall + 6000, at(10_000), true);
    expect(clock.repeated).toEqual([{ start: wall + 1000, end: wall + 10_000 + 11 }]);
    // The next process may not see what bears it out.
    const next = new InstrumentClock(1, clock.mark, at(10_000));
    expect(next.repeated[0]!.end).toBeGreaterThanOrEqual(wall + 10_000 + 11);
    clock.show(wall + 10_500, at(10_501), false);
    expect(clock.repeated).toEqual([]);
    expect(new InstrumentClock(1, clock.mark, at(10_501)).repeated).toEqual([]);
  });

  it('that lags and then leaps beyond where it should stand was not only late', () => {
    const clock = new InstrumentClock(1, undefined, at(0));
    clock.show(wall, at(0), false);
    clock.show(wall + 13_000, at(30_000), true);
    clock.show(wall + 3_600_000, at(31_000), false);
    const { repeated } = clock;
    expect(repeated.some(({ start, end }) => start <= wall && end >= wall + 30_000)).toBe(true);
  });

  it('that lags for a minute was set back', () => {
    const clock = new InstrumentClock(1, undefined, at(0));
    clock.show(wall, at(0), false);
    clock.show(wall + 20_000, at(60_000), true);
    for (let s = 0; s < 70; s += 10) clock.show(wall + 20_000 + s * 1000, at(60_000 + s * 1000), false);
    expect(clock.repeated).toEqual([{ start: wall - 40_000, end: wall + 60_000 + 61 }]);
    // From here on it counts as it stands.
    clock.show(wall + 90_000, at(130_000), true);
    expect(clock.freeFrom).toBeLessThan(wall + 91_000);
  });

  it('is not taken for set back by the newest record of an instrument that makes few', () => {
    const before = new InstrumentClock(1, undefined, at(0));
    for (let n = 0; n < 5; n++) before.show(wall + n * 11_000, at(n * 11_000 + 300), false);
    const after = new InstrumentClock(1, before.mark, at(60_000));
    // It was made 5 s before this start of ours.
    after.show(wall + 55_000, at(60_100), true);
    expect(after.repeated).not.toEqual([]);
    after.show(wall + 66_000, at(66_400), false);
    expect(after.repeated).toEqual([]);
  });

  it('that was in the future for a moment leaves unclaimed what may be missing there, but no garbled year', () => {
    const clock = new InstrumentClock(1, undefined, at(0));
    clock.show(wall, at(0), false);
    clock.mayHaveShown({ timestamp: wall + 3_600_000, at: 1000 }, at(3000));
    expect(clock.freeFrom).toBe(wall + 3_600_000 + 2002 + 1);
    clock.mayHaveShown({ timestamp: wall + 900 * 86_400_000, at: 4000 }, at(4000));
    expect(clock.freeFrom).toBe(wall + 3_600_000 + 2002 + 1);
  });

  it('is known after a restart also where our wall clock was set back meanwhile', () => {
    const before = new InstrumentClock(1, undefined, at(0));
    before.show(wall, at(0), false);
    const setBack = { now: 60_000, wall: wall - 3_600_000 };
    const after = new InstrumentClock(1, before.mark, setBack, wall + 60_000);
    // It shows 40 s less than has passed: it was set back as well, among what was missed.
    after.show(wall + 20_000, setBack, true);
    expect(after.freeFrom).toBeGreaterThanOrEqual(wall + 60_000);
    expect(after.repeated.some(({ start, end }) => start <= wall + 20_000 && end >= wall + 60_000)).toBe(
      true,
    );
    const byWall = new InstrumentClock(1, before.mark, setBack);
    byWall.show(wall + 20_000, setBack, true);
    expect(byWall.repeated).toEqual([]);
  });

  it('remembers, over a restart too, what its memory shows to have come twice', () => {
    const clock = new InstrumentClock(1, undefined, at(0));
    clock.show(wall, at(0), false);
    const window = { start: wall - 5000, end: wall - 1000 };
    clock.cameTwice(window);
    clock.cameTwice(window);
    expect(clock.repeated).toEqual([window]);
    const after = new InstrumentClock(1, clock.mark, at(1000));
    expect(after.repeated.some(({ start, end }) => start <= window.start && end >= window.end)).toBe(true);
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
