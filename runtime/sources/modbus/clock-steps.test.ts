import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { ClockSteps, twiceStepMs } from './clock-steps.ts';
import { decodeKept, encodeKept } from './stamp-continuity.ts';

const t0 = 1_700_000_000_000;

describe('a clock that is watched', () => {
  it('may have come as far unseen as time has passed: below, nothing is free', async () => {
    const clock = new VirtualClock();
    const steps = new ClockSteps(clock, 1);
    steps.miss();
    expect(steps.freeFrom).toBe(Number.NEGATIVE_INFINITY);
    steps.show(t0);
    await clock.advance(10_000);
    steps.miss();
    // Of which it may have gained 1,000 ppm.
    expect(steps.freeFrom).toBe(t0 + 10_011);
  });

  it('that counts in seconds has come as far as a whole second', async () => {
    const clock = new VirtualClock();
    const steps = new ClockSteps(clock, 1000);
    steps.show(t0);
    await clock.advance(500);
    steps.miss();
    expect(steps.freeFrom).toBe(t0 + 1001);
  });

  it('is noticed when it goes back, and up to when times may have come twice', async () => {
    const clock = new VirtualClock();
    const steps = new ClockSteps(clock, 1);
    steps.show(t0);
    await clock.advance(1000);
    steps.show(t0 + 1000);
    expect(steps.all).toEqual([]);
    await clock.advance(1000);
    steps.show(t0 - 60_000);
    const [step] = steps.all;
    expect(step).toMatchObject({ id: 0, shown: t0 + 1000, after: t0 - 60_000 });
    expect(step!.expected).toBeGreaterThan(t0 + 2000);
    expect(steps.twiceTo).toBeGreaterThanOrEqual(step!.expected);
    expect(steps.twiceTo - step!.expected).toBeLessThan(twiceStepMs);
  });

  it('that leapt ahead does not tell what is past: ours does, or it, as it was before', async () => {
    const clock = new VirtualClock();
    const steps = new ClockSteps(clock, 1);
    steps.show(t0);
    await clock.advance(1000);
    steps.show(t0 + 7_201_000);
    expect(steps.present(t0, 0)).toBe(t0 + 1000);
    expect(steps.present(t0, t0 + 50_000)).toBe(t0 + 50_000);
    // From before it was watched, only ours does.
    expect(steps.present(t0 - 1, 0)).toBe(0);
  });

  it('is remembered over a restart: how far it had come, and that times had come twice', async () => {
    const clock = new VirtualClock();
    const steps = new ClockSteps(clock, 1);
    steps.recall(t0, 5000);
    steps.recallTwice(t0 + 600_000);
    expect(steps.twiceTo).toBe(t0 + 600_000);
    expect(steps.all).toMatchObject([{ expected: t0 + 600_000 }]);
    expect(steps.recalled).toEqual({ time: t0, expected: t0 + 5006, isShown: false, lagMs: 0 });
    await clock.advance(1000);
    steps.miss();
    // At a time that came twice there may be some that nobody saw.
    expect(steps.freeFrom).toBe(t0 + 600_000);
    const other = new ClockSteps(clock, 1);
    other.recall(t0, 5000);
    await clock.advance(1000);
    other.miss();
    expect(other.freeFrom).toBe(t0 + 6007);
    // However long after this process began: the equipment was away.
    const late = new ClockSteps(clock, 1);
    await clock.advance(20_000);
    late.recall(t0, 25_000);
    expect(late.recalled?.expected).toBe(t0 + 25_026);
  });

  it('forgets what was kept once it was shown the next sample: nothing was missed', async () => {
    const clock = new VirtualClock();
    const steps = new ClockSteps(clock, 1);
    steps.recallTwice(t0 + 600_000);
    steps.show(t0);
    await clock.advance(1000);
    steps.miss();
    expect(steps.freeFrom).toBeLessThan(t0 + 2000);
  });

  it('was perhaps set back unseen where it shows less than has passed while samples were missed', async () => {
    const clock = new VirtualClock();
    const steps = new ClockSteps(clock, 1);
    steps.show(t0);
    await clock.advance(60_000);
    // Watched all the while: it is slow, or stands.
    steps.show(t0 + 10_000);
    expect(steps.all).toEqual([]);
    await clock.advance(60_000);
    steps.miss();
    steps.show(t0 + 69_000);
    // One second less is what time synchronisation corrects.
    expect(steps.all).toEqual([]);
    await clock.advance(60_000);
    steps.miss();
    steps.show(t0 + 90_000);
    expect(steps.all).toMatchObject([{ shown: t0 + 69_000, after: t0 + 90_000, lostMs: 36_940 }]);
    expect(steps.all[0]!.expected).toBeGreaterThan(t0 + 129_000);
    // Nobody has proven it, and a process after this one could not know of it otherwise.
    expect(steps.twiceTo).toBe(0);
    expect(steps.toKeep).toBe(0);
    await clock.advance(40_000);
    // Samples that are as far apart lag by as much.
    steps.show(t0 + 130_000);
    expect(steps.toKeep).toBe(0);
    await clock.advance(5000);
    steps.show(t0 + 135_000);
    expect(steps.toKeep).toBeGreaterThan(t0 + 129_000);
  });

  const every = async (clock: VirtualClock, steps: ClockSteps, from: number, count: number) => {
    for (let at = 0; at < count; at++) {
      steps.show(from + at * 1000, { count: 1, isSure: true });
      await clock.advance(1000);
    }
  };

  it('was not set back where it shows an old sample, of equipment that was off: that is told by their count, or by the next one', async () => {
    for (const isCounted of [true, false]) {
      const clock = new VirtualClock();
      const steps = new ClockSteps(clock, 1);
      await every(clock, steps, t0, isCounted ? 5 : 1);
      const last = isCounted ? 4000 : 0;
      const since = isCounted ? { count: 2, isSure: true } : undefined;
      await clock.advance(19_000);
      steps.miss();
      steps.show(t0 + last + 2000, since);
      // It may have been: until the next one comes up to where its clock should stand.
      expect(steps.all).toHaveLength(1);
      expect(steps.toKeep).toBe(0);
      await clock.advance(1000);
      steps.show(t0 + last + 21_000, isCounted ? { count: 1, isSure: true } : undefined);
      await clock.advance(1000);
      steps.show(t0 + last + 22_000, isCounted ? { count: 1, isSure: true } : undefined);
      expect(steps.all).toEqual([]);
      expect(steps.toKeep).toBe(0);
    }
  });

  it('was set back where it was off, and what it takes from then on lags all the same', async () => {
    const clock = new VirtualClock();
    const steps = new ClockSteps(clock, 1);
    await every(clock, steps, t0, 5);
    await clock.advance(19_000);
    steps.miss();
    steps.show(t0 + 13_000, { count: 3, isSure: true });
    await clock.advance(1000);
    steps.show(t0 + 14_000, { count: 1, isSure: true });
    expect(steps.all).toHaveLength(1);
    expect(steps.toKeep).toBeGreaterThan(t0 + 23_000);
  });

  it('was set back where the next sample lags though a poll before it showed another one, however far apart they are', async () => {
    for (const pollMs of [250, 5000]) {
      const clock = new VirtualClock();
      const steps = new ClockSteps(clock, 1);
      steps.show(t0);
      await clock.advance(60_000);
      steps.miss();
      // It may be old: by less than samples are apart.
      steps.show(t0 + 55_000);
      steps.wasNewest(clock.monotonic());
      expect(steps.toKeep).toBe(0);
      await clock.advance(10_000 - pollMs);
      steps.wasNewest(clock.monotonic());
      await clock.advance(pollMs);
      steps.show(t0 + 65_000);
      expect(steps.toKeep > t0 + 60_000).toBe(pollMs === 250);
    }
  });

  it('was set back where it went on taking samples: their count tells it at once, also to a process after this one', async () => {
    const clock = new VirtualClock();
    const steps = new ClockSteps(clock, 1);
    await every(clock, steps, t0, 5);
    await clock.advance(19_000);
    steps.miss();
    steps.show(t0 + 13_000, { count: 20, isSure: true });
    expect(steps.all).toMatchObject([{ shown: t0 + 4000, after: t0 + 13_000 }]);
    expect(steps.toKeep).toBeGreaterThan(t0 + 23_000);
    // How often it takes them is not known yet.
    const other = new ClockSteps(clock, 1);
    other.recall(t0, 20_000, { isAgeSure: true });
    other.miss();
    other.show(t0 + 9000, { count: 20, isSure: false });
    expect(other.toKeep).toBeGreaterThan(t0 + 20_000);
  });

  it('is not believed over a restart for long: only a wall clock tells how long ago it was', async () => {
    const steps = new ClockSteps(new VirtualClock(), 1);
    steps.recall(t0, 3_600_000);
    steps.miss();
    expect(steps.freeFrom).toBe(Number.NEGATIVE_INFINITY);
    steps.show(t0 + 60_000);
    expect(steps.all).toEqual([]);
  });
});

describe('what is kept with the stream', () => {
  it('is the number of the last sample, and the time up to which some came twice', () => {
    const twiceTo = Date.UTC(2026, 10, 21, 10, 20);
    for (const modulus of [2 ** 16, 2 ** 32]) {
      for (const isShown of [true, false]) {
        const kept = { number: modulus - 1, twiceTo, isShown, lagMs: 0 };
        const encoded = encodeKept(kept, modulus)!;
        expect(Number.isSafeInteger(encoded)).toBe(true);
        expect(decodeKept(encoded, modulus)).toEqual(kept);
        const first = { number: 7, twiceTo: 0, isShown, lagMs: 0 };
        expect(decodeKept(encodeKept(first, modulus), modulus)).toEqual(first);
      }
      expect(encodeKept({ number: undefined, twiceTo, isShown: true, lagMs: 0 }, modulus)).toBeUndefined();
    }
    for (const lagMs of [0, 86_813, 2 ** 32 - 1]) {
      const uncounted = { number: undefined, twiceTo, isShown: false, lagMs };
      expect(decodeKept(encodeKept(uncounted, undefined), undefined)).toEqual(uncounted);
    }
    const tooLong = { number: undefined, twiceTo, isShown: false, lagMs: 2 ** 32 };
    expect(decodeKept(encodeKept(tooLong, undefined), undefined)).toEqual({ ...tooLong, lagMs: 0 });
    const nothing = { number: undefined, twiceTo: 0, isShown: false, lagMs: 0 };
    expect(decodeKept(undefined, 2 ** 32)).toEqual(nothing);
  });

  it('is the number alone where it has more than 32 bits', () => {
    const all = { number: 2 ** 40, twiceTo: Date.UTC(2026, 0, 1), isShown: true, lagMs: 0 };
    const kept = encodeKept(all, 2 ** 64);
    expect(decodeKept(kept, 2 ** 64)).toEqual({ number: 2 ** 40, twiceTo: 0, isShown: false, lagMs: 0 });
  });
});
