import { expect, test } from 'vitest';
import { createLastKnown, createLifeCounters } from './life-counters.ts';

const view = (readings: number, acknowledged: number, startedAt = 'a') => ({
  startedAt,
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
  expect(counters.add(view(5, 0, 'b'))).toMatchObject({ readings: 105, acknowledged: 10 });
  expect(counters.add(view(25, 3, 'b'))).toMatchObject({ readings: 125, acknowledged: 13 });
  expect(counters.add(view(0, 0, 'c'))).toMatchObject({ readings: 125, acknowledged: 13 });
  expect(counters.add(view(200, 20, 'd'))).toMatchObject({ readings: 325, acknowledged: 33 });
});

test('a source that is run anew within one life of the runtime makes nothing count twice, nor less', () => {
  const counters = createLifeCounters();
  counters.add(view(5000, 40));
  expect(counters.add(view(4010, 41))).toMatchObject({ readings: 5000, acknowledged: 41, decided: 1 });
  expect(counters.add(view(4020, 42))).toMatchObject({ readings: 5010, acknowledged: 42, decided: 1 });
});

test('what a process said last stands while it says nothing', () => {
  const ledger = createLastKnown<number>();
  expect(ledger.add(undefined)).toBeUndefined();
  expect(ledger.add(4)).toBe(4);
  expect(ledger.add(undefined)).toBe(4);
  expect(ledger.add(5)).toBe(5);
});
