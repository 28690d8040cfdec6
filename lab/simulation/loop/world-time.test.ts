import { expect, it } from 'vitest';
import { ProcessClock, WorldTime } from './world-time.ts';

it('passes, however little who waits has left to wait', async () => {
  const time = new WorldTime(0);
  await time.run(33_333.333_333_3);
  const clock = new ProcessClock(time, { offsetMs: 0 });
  await time.run(231_381.000_1);
  const until = clock.monotonic() + 3e-11;
  let turns = 0;
  const wait = () => {
    if (clock.monotonic() < until && ++turns < 10) clock.setTimer(until - clock.monotonic(), wait);
  };
  wait();
  await time.run(1);
  expect([turns, clock.monotonic() >= until]).toEqual([1, true]);
});
