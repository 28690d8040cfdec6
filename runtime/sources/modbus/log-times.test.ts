import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { ClockSteps } from './clock-steps.ts';
import { LogTimes } from './log-times.ts';

const t0 = 1_700_000_000_000;

function setUp(firstRecord?: number) {
  const clock = new VirtualClock();
  const steps = new ClockSteps(clock, 1);
  const times = new LogTimes({ clock, steps, isCoarse: false, modulus: 2 ** 32, firstRecord });
  /** Looks at all of a log with a record each second from `from` on. */
  const look = (newest: number, from: number) => {
    const held = times.see({ oldest: 1, newest });
    for (let position = held.oldest; position <= held.newest; position++)
      times.note(position, from + (position - held.oldest) * 1000);
    times.complete();
  };
  return { clock, steps, times, look };
}

describe('the times of a log whose counter started anew', () => {
  it('may have had records that nobody looked at, as far as its clock can have come before it was set back', async () => {
    const { clock, steps, times, look } = setUp();
    look(30, t0);
    steps.show(t0 + 29_000);
    await clock.advance(60_000);
    // Of which its clock shows 30.
    steps.miss();
    steps.show(t0 + 59_000);
    look(20, t0 + 40_000);
    const [gone] = times.gone;
    expect(times.gone).toHaveLength(1);
    expect(gone!.start).toBeLessThanOrEqual(t0);
    expect(gone!.end).toBeGreaterThan(t0 + 89_000);
    // So they came twice, also for the next process.
    expect(steps.twiceTo).toBeGreaterThan(t0 + 89_000);
  });

  it('had none beyond its first record where its clock went on', async () => {
    const { clock, steps, times, look } = setUp();
    look(30, t0);
    steps.show(t0 + 29_000);
    await clock.advance(60_000);
    steps.miss();
    steps.show(t0 + 89_000);
    look(20, t0 + 70_000);
    expect(times.gone.at(-1)?.end).toBe(t0 + 70_000);
    expect(steps.twiceTo).toBe(0);
  });
});

describe('a log that is looked at after a restart', () => {
  it('does not tell what it never had from what is gone, below a time that is known to have come twice', () => {
    const { steps, times } = setUp();
    steps.recallTwice(t0 + 600_000);
    // Ten records, then its clock was set ahead by five minutes.
    const held = times.see({ oldest: 1, newest: 20 });
    for (let position = held.oldest; position <= held.newest; position++)
      times.note(position, t0 + position * 1000 + (position > 10 ? 300_000 : 0));
    times.complete();
    const between = { start: t0 + 10_001, end: t0 + 311_000 };
    expect(times.gone.some(({ start, end }) => start <= between.start && end >= between.end)).toBe(true);
    // Nor where its first record is held: its memory may have been cleared.
    const first = setUp(1);
    first.steps.recallTwice(t0 + 600_000);
    first.look(20, t0);
    expect(first.times.gone.some(({ end }) => end >= t0 + 600_000)).toBe(true);
    // Where no time came twice, it never had any there.
    const other = setUp();
    other.look(10, t0);
    expect(other.times.gone.some(({ end }) => end > t0 + 1000)).toBe(false);
  });

  it('lost what it was shown before, where its clock only leapt over that: it was set back since', async () => {
    for (const isShown of [true, false]) {
      const { clock, steps, times } = setUp();
      await clock.advance(10_000);
      steps.recall(t0 + 30_000, 5000, { isShown });
      const held = times.see({ oldest: 1, newest: 20 });
      for (let position = held.oldest; position <= held.newest; position++)
        times.note(position, t0 + position * 1000 + (position > 10 ? 300_000 : 0));
      times.complete();
      // Where observation was only to begin there, the equipment may have been off.
      expect(times.gone.some(({ end }) => end > t0 + 35_000)).toBe(isShown);
    }
  });
});

describe('a log that holds the sample that lagged when the process before ended', () => {
  /** The sample at 10 s was shown where 50 s were to be expected; `next` is the time of the one after it. */
  const gone = async (next: number, { held = 1, lagMs = 40_000, at = 10_000 } = {}) => {
    const { clock, steps, times } = setUp();
    await clock.advance(600_000);
    steps.recall(t0 + at + lagMs, 600_000, { isAgeSure: true, lagMs });
    times.see({ oldest: held, newest: 20 });
    for (let position = held; position <= 10; position++) times.note(position, t0 + position * 1000);
    // Set ahead since, so that nothing else tells.
    for (let position = Math.max(held, 11); position <= 20; position++)
      times.note(position, t0 + next + (position - 11) * 1000 + (position > 15 ? 7_200_000 : 0));
    times.complete();
    return { isLost: times.gone.some(({ end }) => end > t0 + 600_000), twiceTo: steps.twiceTo };
  };

  it('is not all there where the next one followed sooner: its clock had been set back', async () => {
    const { isLost, twiceTo } = await gone(11_000);
    expect(isLost).toBe(true);
    // So the next process knows as well.
    expect(twiceTo).toBeGreaterThan(t0 + 600_000);
    // Also where what is kept was moved up by a few, and where the sample itself has gone since.
    expect((await gone(11_000, { at: 10_003 })).isLost).toBe(true);
    expect((await gone(11_000, { held: 11 })).isLost).toBe(true);
  });

  it('is all there where that was old, where none lagged, and where the log shows other times', async () => {
    for (const { isLost, twiceTo } of [
      await gone(51_000),
      await gone(11_000, { lagMs: 0, at: 50_000 }),
      await gone(11_000, { at: 10_500 }),
      await gone(51_000, { held: 11 }),
    ]) {
      expect(isLost).toBe(false);
      expect(twiceTo).toBe(0);
    }
  });
});

describe('a log that lost the records among which its clock was set back', () => {
  it('is not all there, however far back it was set: it may have been set ahead again, by less', async () => {
    const { clock, steps, times } = setUp();
    steps.show(t0);
    await clock.advance(100_000);
    steps.miss();
    // Back by 350 s, and ahead by 280 s, of which the log holds the latter.
    steps.show(t0 + 30_000);
    await clock.advance(1000);
    steps.show(t0 + 31_000);
    const held = times.see({ oldest: 60, newest: 99 });
    for (let position = held.oldest; position <= held.newest; position++)
      times.note(position, t0 - 8000 + (position - 99) * 1000 + (position > 61 ? 39_000 : -241_000));
    times.complete();
    expect(times.gone).toHaveLength(1);
    expect(times.gone[0]!.start).toBe(Number.NEGATIVE_INFINITY);
    expect(times.gone[0]!.end).toBeGreaterThan(t0 + 100_000);
  });

  /** Samples `from` to 99 are held, each second; sample 10 was shown at `t0`, and 99 is now; nothing lags. */
  const unheard = async (from: number, { paceMs = 1000, number = 99 } = {}) => {
    const { clock, steps, times } = setUp();
    steps.recall(t0, 0, { isAgeSure: true, isShown: true, number: 10 });
    await clock.advance(89_000);
    steps.miss();
    steps.show(t0 + 89_000, { count: 89, isSure: true }, number);
    times.see({ oldest: from, newest: 99 });
    for (let position = from; position <= 98; position++)
      times.note(position, t0 + 5000 + (position - from) * paceMs);
    times.note(99, t0 + 89_000);
    times.complete();
    return { steps, times };
  };

  it('is not all there where more went than its clock shows time for, though it does not lag', async () => {
    // 40 samples in 5 s.
    const { steps, times } = await unheard(50);
    expect(times.gone.some(({ start, end }) => start < t0 && end > t0 + 89_000)).toBe(true);
    expect(steps.twiceTo).toBeGreaterThan(t0 + 89_000);
  });

  it('is all there where it can have sampled so fast, where less went, and where its records bear other numbers', async () => {
    for (const { steps, times } of [
      await unheard(50, { paceMs: 100 }),
      await unheard(18),
      await unheard(50, { number: 990 }),
    ]) {
      expect(times.gone.some(({ end }) => end > t0 + 6000)).toBe(false);
      expect(steps.twiceTo).toBe(0);
    }
  });
});

describe('a log whose clock leapt ahead', () => {
  it('may be set back to what it leapt over, also once the last record from before that is gone', () => {
    const { times } = setUp();
    for (const oldest of [1, 11, 12]) {
      const held = times.see({ oldest, newest: 20 });
      for (let position = held.oldest; position <= held.newest; position++)
        times.note(position, t0 + position * 1000 + (position > 10 ? 7_200_000 : 0));
      times.complete();
      expect(times.leaps(() => t0)).toEqual([{ start: t0 + 10_001, end: t0 + 7_211_000 }]);
    }
  });
});
