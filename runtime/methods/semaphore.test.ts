import { expect, test } from 'vitest';
import { sleep } from '../../kernel/clock.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import { createSemaphore } from './semaphore.ts';

test('what waits for long lets others by, and goes on only under a permit', async () => {
  const clock = new VirtualClock(0);
  const semaphore = createSemaphore(2, clock);
  const begun: number[] = [];
  let working = 0;
  let most = 0;
  const works = Array.from({ length: 6 }, (_, n) =>
    semaphore.run(async (permit) => {
      begun.push(n);
      const answer = await permit.awaited(
        sleep(clock, 30_000).then(() => n),
        10_000,
      );
      most = Math.max(most, ++working);
      await sleep(clock, 1_000);
      working--;
      return answer;
    }),
  );
  await clock.advance(9_000);
  expect(begun).toEqual([0, 1]);
  await clock.advance(12_000);
  expect(begun).toEqual([0, 1, 2, 3, 4, 5]);
  await clock.advance(40_000);
  expect(await Promise.all(works)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(most).toBe(2);
});

test('a wait that fails in time keeps its permit, one that fails late takes it again', async () => {
  const clock = new VirtualClock(0);
  const semaphore = createSemaphore(1, clock);
  const fail = async (afterMs: number) => {
    await sleep(clock, afterMs);
    throw new Error(`after ${afterMs} ms`);
  };
  const failures = [5_000, 20_000].map((afterMs) =>
    semaphore.run((permit) => permit.awaited(fail(afterMs), 10_000)).catch((error: Error) => error.message),
  );
  await clock.advance(30_000);
  expect(await Promise.all(failures)).toEqual(['after 5000 ms', 'after 20000 ms']);
  let isFree = false;
  await semaphore.run(async () => {
    isFree = true;
  });
  expect(isFree).toBe(true);
});
