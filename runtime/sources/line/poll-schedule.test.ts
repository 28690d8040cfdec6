import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { PolledIndex } from '../polled-index.ts';
import { createPollSchedule } from './poll-schedule.ts';

/** Runs polls that take as long as `durations` say; gives when each began, and what was missed before it. */
async function run(periodMs: number, durations: readonly number[]) {
  const clock = new VirtualClock();
  const schedule = createPollSchedule(clock, periodMs);
  const polls: [number, number][] = [];
  const { signal } = new AbortController();
  for (const durationMs of durations) {
    let begun: [number, number] | undefined;
    void schedule.next(signal).then((missed) => {
      begun = [clock.monotonic(), missed];
    });
    while (begun === undefined) await clock.advance(1);
    polls.push(begun);
    await clock.advance(begun[0] + durationMs - clock.monotonic());
  }
  return polls;
}

describe('the poll schedule', () => {
  it('does not drift with the time that polls take', async () => {
    expect(await run(100, [30, 70, 10, 99, 1])).toEqual([
      [0, 0],
      [100, 0],
      [200, 0],
      [300, 0],
      [400, 0],
    ]);
  });

  it('delays a poll within its slot when the one before took longer', async () => {
    const polls = await run(100, [150, 20, 10]);
    expect(polls[1]).toEqual([150, 0]);
    expect(polls[2]).toEqual([200, 0]);
  });

  it('counts slots that went by entirely as missed, and does not make up for them', async () => {
    const polls = await run(100, [350, 10, 10]);
    expect(polls[1]).toEqual([350, 2]);
    expect(polls[2]).toEqual([400, 0]);
  });

  it('counts what was missed during a poll when it ends, once', async () => {
    const clock = new VirtualClock();
    const schedule = createPollSchedule(clock, 100);
    const { signal } = new AbortController();
    await schedule.next(signal);
    await clock.advance(150);
    expect(schedule.ended()).toBe(0);
    await schedule.next(signal);
    await clock.advance(300);
    expect(schedule.ended()).toBe(2);
    expect(schedule.ended()).toBe(0);
    expect(await schedule.next(signal)).toBe(0);
  });

  it('goes on from where a poll was moved to', async () => {
    const clock = new VirtualClock();
    const schedule = createPollSchedule(clock, 100);
    const { signal } = new AbortController();
    await schedule.next(signal);
    await clock.advance(30);
    schedule.move(30);
    expect(schedule.ended()).toBe(0);
    expect(schedule.dueAt).toBe(130);
    const next = schedule.next(signal);
    await clock.advance(100);
    expect(await next).toBe(0);
    expect(clock.monotonic()).toBe(130);
  });

  it('rejects at once when it is told to stop', async () => {
    const schedule = createPollSchedule(new VirtualClock(), 1000);
    const abort = new AbortController();
    await schedule.next(abort.signal);
    const next = schedule.next(abort.signal);
    abort.abort(new Error('stop'));
    await expect(next).rejects.toThrow('stop');
    await expect(schedule.next(abort.signal)).rejects.toThrow('stop');
  });
});

describe('the index of polled values', () => {
  it('is the wall clock, and grows even when the clock stands still', async () => {
    const clock = new VirtualClock(1_000_000);
    const index = new PolledIndex(clock);
    expect([index.next(), index.next(), index.next()]).toEqual([
      { index: 1_000_000 },
      { index: 1_000_001 },
      { index: 1_000_002 },
    ]);
    await clock.advance(1000);
    expect(index.next()).toEqual({ index: 1_001_000 });
  });

  it('slews over a small step back', async () => {
    const clock = new VirtualClock(1_000_000);
    const index = new PolledIndex(clock);
    index.next();
    await clock.advance(1000);
    clock.stepWall(-1500);
    expect(index.next()).toEqual({ index: 1_000_001 });
    await clock.advance(1000);
    expect(index.next()).toEqual({ index: 1_000_500 });
  });

  it('says so when the clock was set far back', async () => {
    const clock = new VirtualClock(10_000_000);
    const index = new PolledIndex(clock);
    index.next();
    clock.stepWall(-3_600_000);
    expect(index.next()).toEqual({ index: 6_400_000, stepped: 'clock-stepped-back' });
    await clock.advance(1000);
    expect(index.next()).toEqual({ index: 6_401_000 });
  });

  it('says so when the clock was set forward, but not when time merely passed', async () => {
    const clock = new VirtualClock(1_000_000);
    const index = new PolledIndex(clock);
    index.next();
    await clock.advance(3_600_000);
    expect(index.next()).toEqual({ index: 4_600_000 });
    clock.stepWall(3_600_000);
    expect(index.next()).toEqual({ index: 8_200_000, stepped: 'clock-stepped-forward' });
  });
});
