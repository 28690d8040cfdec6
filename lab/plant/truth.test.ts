import { expect, test } from 'vitest';
import { sampleAt, tagValues } from './sample.ts';
import { Truth } from './truth.ts';

function truthOf(stamps: readonly number[], maxRuns?: number): Truth {
  const truth = new Truth({ seed: 5, unit: 1, stepMs: 200, ...(maxRuns === undefined ? {} : { maxRuns }) });
  for (const [i, timestamp] of stamps.entries()) truth.add(i + 1, timestamp);
  return truth;
}

const stampsOf = (samples: Iterable<{ timestamp: number }>) => [...samples].map((s) => s.timestamp);

test('every sample comes back with its number, time stamp and values', () => {
  const stamps = [1000, 1200, 1400, 5000, 5200, 4000, 4200];
  const samples = [...truthOf(stamps).samples()];
  expect(samples.map((s) => s.timestamp)).toEqual(stamps);
  expect(samples.map((s) => s.number)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  for (const sample of samples) expect(sample.values).toEqual(tagValues(sampleAt(5, 1, sample.number)));
});

test('ranges are half-open, in time stamps and in numbers', () => {
  const truth = truthOf([1000, 1200, 1400, 5000, 5200, 4000, 4200]);
  expect(stampsOf(truth.samples({ from: 1200, to: 5000 }))).toEqual([1200, 1400, 4000, 4200]);
  expect(stampsOf(truth.samples({ from: 1001, to: 1201 }))).toEqual([1200]);
  expect(stampsOf(truth.samples({ fromNumber: 3, toNumber: 5 }))).toEqual([1400, 5000]);
  expect(stampsOf(truth.samples({ from: 6000 }))).toEqual([]);
});

test('normal running costs one entry; what is no longer kept is counted', () => {
  const steady = truthOf(
    Array.from({ length: 5000 }, (_, i) => i * 200),
    1,
  );
  expect(steady.forgotten).toBe(0);
  expect([...steady.samples()]).toHaveLength(5000);
  const stepped = truthOf([1000, 1200, 5000, 9000], 2);
  expect(stepped.forgotten).toBe(2);
  expect(stampsOf(stepped.samples())).toEqual([5000, 9000]);
});
