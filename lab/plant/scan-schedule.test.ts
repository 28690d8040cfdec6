import { expect, test } from 'vitest';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import { startScanSchedule } from './scan-schedule.ts';

test('time stamps follow the schedule, not the moment a timer fires', async () => {
  const clock = new VirtualClock(1_000_000);
  const stamps: number[] = [];
  const { stop } = startScanSchedule({ clock, periodMs: 200, prefillSlots: 0 }, (at) => stamps.push(at));
  expect(stamps).toEqual([1_000_000]);
  await clock.advance(1000);
  expect(stamps).toEqual([0, 200, 400, 600, 800, 1000].map((ms) => 1_000_000 + ms));
  clock.stepWall(-500_000);
  await clock.advance(200);
  expect(stamps.at(-1)).toBe(1_001_200);
  stop();
  await clock.advance(1000);
  expect(stamps).toHaveLength(7);
  expect(clock.pendingTimers).toBe(0);
});

test('a stalled process makes up for every scan it missed', () => {
  const clock = new StalledClock();
  const stamps: number[] = [];
  startScanSchedule({ clock, periodMs: 200, prefillSlots: 0 }, (at) => stamps.push(at));
  clock.wakeAt(1050);
  expect(stamps).toEqual([0, 200, 400, 600, 800, 1000]);
  expect(clock.delayMs).toBe(150);
});

test('after a long sleep the equipment was simply off', () => {
  const clock = new StalledClock();
  const stamps: number[] = [];
  startScanSchedule({ clock, periodMs: 200, prefillSlots: 0 }, (at) => stamps.push(at));
  clock.wakeAt(86_400_000);
  expect(stamps).toEqual([0, 86_400_000]);
});

test('a prefill is there at once and touches the first scan', () => {
  const clock = new VirtualClock(1_000_000);
  const stamps: number[] = [];
  startScanSchedule({ clock, periodMs: 200, prefillSlots: 3 }, (at) => stamps.push(at));
  expect(stamps).toEqual([999_400, 999_600, 999_800, 1_000_000]);
});

/** A clock whose timers fire only when the process wakes up. */
class StalledClock {
  delayMs = 0;
  #now = 0;
  #callback: () => void = () => {};

  now = () => this.#now;
  monotonic = () => this.#now;

  setTimer(delayMs: number, callback: () => void) {
    this.delayMs = delayMs;
    this.#callback = callback;
    return { cancel() {} };
  }

  wakeAt(ms: number): void {
    this.#now = ms;
    this.#callback();
  }
}
