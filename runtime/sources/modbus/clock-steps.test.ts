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

  it('is noticed when it goes back, and from when to when times may have come twice', async () => {
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
    expect(step!.from).toBeLessThan(t0 - 61_000);
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
    expect(steps.recalled).toEqual({ time: t0, expected: t0 + 5006 });
    await clock.advance(1000);
    steps.miss();
    // At a time that came twice there may be some that nobody saw.
    expect(steps.freeFrom).toBe(t0 + 600_000);
    const other = new ClockSteps(clock, 1);
    other.recall(t0, 5000);
    await clock.advance(1000);
    other.miss();
    expect(other.freeFrom).toBe(t0 + 6007);
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
      const kept = encodeKept({ number: modulus - 1, twiceTo }, modulus)!;
      expect(Number.isSafeInteger(kept)).toBe(true);
      expect(decodeKept(kept, modulus)).toEqual({ number: modulus - 1, twiceTo });
      expect(decodeKept(encodeKept({ number: 7, twiceTo: 0 }, modulus), modulus)).toEqual({
        number: 7,
        twiceTo: 0,
      });
    }
    expect(decodeKept(encodeKept({ number: undefined, twiceTo }, undefined), undefined)).toEqual({
      number: undefined,
      twiceTo,
    });
    expect(encodeKept({ number: undefined, twiceTo: 0 }, undefined)).toBeUndefined();
    expect(decodeKept(undefined, 2 ** 32)).toEqual({ number: undefined, twiceTo: 0 });
  });

  it('is the number alone where it has more than 32 bits', () => {
    const kept = encodeKept({ number: 2 ** 40, twiceTo: Date.UTC(2026, 0, 1) }, 2 ** 64);
    expect(decodeKept(kept, 2 ** 64)).toEqual({ number: 2 ** 40, twiceTo: 0 });
  });
});
