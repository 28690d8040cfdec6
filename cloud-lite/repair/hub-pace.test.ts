import { expect, test } from 'vitest';
import { seededRandom } from '../../kernel/random.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import { createHubPace } from './hub-pace.ts';

const setUp = () => {
  const clock = new VirtualClock();
  return { clock, pace: createHubPace(64, clock, seededRandom(1)) };
};

test('a hub that throttles gets no call for as long as it asks, then one, then all again', async () => {
  const { clock, pace } = setUp();
  expect(pace.room(60)).toBe(4);
  // Of a full house all hear the same.
  for (let call = 0; call < 64; call++) pace.refused(20_000);
  await clock.advance(19_999);
  expect(pace.room(0)).toBe(0);
  await clock.advance(1);
  expect([pace.room(0), pace.room(1)]).toEqual([1, 0]);
  pace.took();
  expect(pace.room(0)).toBe(64);
});

test('a hub that goes on refusing is asked more and more rarely, a minute apart at most', async () => {
  const { clock, pace } = setUp();
  let calls = 0;
  for (let second = 0; second < 3600; second++) {
    if (pace.room(0) > 0) {
      calls++;
      pace.refused();
    }
    await clock.advance(1000);
  }
  expect(calls).toBeGreaterThan(60);
  expect(calls).toBeLessThan(130);
});
