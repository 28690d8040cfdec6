import { expect, test } from 'vitest';
import { momentOf, wallTimeOf } from './moment.ts';
import { VirtualClock } from './testing/virtual-clock.ts';

test('a moment is as long ago as time passed, whatever the wall clock was set to since', async () => {
  const clock = new VirtualClock();
  const moment = momentOf(clock);
  await clock.advance(20_000);
  expect(clock.now() - wallTimeOf(moment, clock)).toBe(20_000);
  for (const byMs of [31_536_000_000, -86_400_000, 700]) {
    clock.stepWall(byMs);
    await clock.advance(1000);
  }
  expect(clock.now() - wallTimeOf(moment, clock)).toBe(23_000);
});

test('a clock that is slewed does not move what was told before', () => {
  const clock = new VirtualClock();
  const moment = momentOf(clock);
  clock.stepWall(400);
  expect(wallTimeOf(moment, clock)).toBe(moment.wall);
});
