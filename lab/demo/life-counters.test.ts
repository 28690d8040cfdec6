import { expect, test } from 'vitest';
import { createLifeCounters } from './life-counters.ts';

const view = (readings: number, acknowledged: number) => ({
  connected: true,
  spooled: { messages: 0, bytes: 0 },
  acknowledged,
  readings,
  jobs: 0,
  decided: 1,
  carriedOut: 1,
});

test('counts go on over lives of the runtime, and are not shown while it is down', () => {
  const counters = createLifeCounters();
  expect(counters.add(view(100, 10))).toMatchObject({ readings: 100, acknowledged: 10 });
  expect(counters.add(undefined)).toBeUndefined();
  expect(counters.add(view(5, 0))).toMatchObject({ readings: 105, acknowledged: 10 });
  expect(counters.add(view(25, 3))).toMatchObject({ readings: 125, acknowledged: 13 });
  expect(counters.add(view(0, 0))).toMatchObject({ readings: 125, acknowledged: 13 });
});
