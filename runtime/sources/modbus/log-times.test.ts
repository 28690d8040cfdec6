import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { ClockSteps } from './clock-steps.ts';
import { LogTimes } from './log-times.ts';

const t0 = 1_700_000_000_000;

function setUp() {
  const clock = new VirtualClock();
  const steps = new ClockSteps(clock, 1);
  const times = new LogTimes({ clock, steps, isCoarse: false, modulus: 2 ** 32, firstRecord: undefined });
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
