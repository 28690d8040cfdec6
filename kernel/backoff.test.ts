import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createBackoff } from './backoff.ts';
import { seededRandom } from './random.ts';

const lowest = { next: () => 0, uuid: () => '' };
const highest = { next: () => 1 - 2 ** -32, uuid: () => '' };

test('delays double from the minimum to the maximum, half of each at random', () => {
  const options = { minMs: 100, maxMs: 1000 };
  const least = createBackoff(options, lowest);
  const most = createBackoff(options, highest);
  const delays = (backoff: { next(): number }) => Array.from({ length: 6 }, () => Math.round(backoff.next()));
  expect(delays(least)).toEqual([50, 100, 200, 400, 500, 500]);
  expect(delays(most)).toEqual([100, 200, 400, 800, 1000, 1000]);
});

test('a reset starts over', () => {
  const backoff = createBackoff({ minMs: 100, maxMs: 1000, factor: 3 }, lowest);
  expect([backoff.next(), backoff.next(), backoff.next()]).toEqual([50, 150, 450]);
  backoff.reset();
  expect(backoff.next()).toBe(50);
});

test('no delay is close to zero or past the maximum, however long it fails', () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.integer({ min: 1, max: 5000 }),
      fc.integer({ min: 1, max: 60 }),
      (seed, minMs, times) => {
        const backoff = createBackoff({ minMs, maxMs: minMs * times }, seededRandom(seed));
        for (let failure = 0; failure < 200; failure++) {
          const delayMs = backoff.next();
          expect(delayMs).toBeGreaterThanOrEqual(minMs / 2);
          expect(delayMs).toBeLessThanOrEqual(minMs * times);
        }
      },
    ),
    { numRuns: 50 },
  );
});

test('a fleet that fails together does not come back in step', () => {
  const delays = Array.from({ length: 100 }, (_, seed) => {
    const backoff = createBackoff({ minMs: 1000, maxMs: 60_000 }, seededRandom(seed));
    return backoff.next();
  });
  expect(new Set(delays.map((delayMs) => Math.floor(delayMs / 50))).size).toBeGreaterThan(7);
});
