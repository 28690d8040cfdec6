import { expect, test } from 'vitest';
import { sampleAt, tagValues } from './sample.ts';
import { ShownLog } from './shown-log.ts';

test('an entry shows the tags that lie wholly inside what was read', () => {
  const log = new ShownLog({ seed: 5, unit: 3, limit: 10 });
  const values = tagValues(sampleAt(5, 3, 77));
  log.add(1000, 77, 4, 0, 26);
  log.add(1001, 77, 3, 7, 3);
  log.add(1002, 77, 1, 1, 2);
  const [all, registers, bits] = [...log.entries()];
  expect(all).toEqual({ at: 1000, number: 77, function: 4, address: 0, count: 26, values });
  expect(registers?.values).toEqual({ pressure: values.pressure });
  expect(bits?.values).toEqual({ alarm: values.alarm, door: values.door });
});

test('the oldest entries are forgotten first, and counted', () => {
  const log = new ShownLog({ seed: 5, unit: 3, limit: 4 });
  for (let i = 1; i <= 6; i++) log.add(1000 + i, i, 4, 0, 26);
  expect([...log.entries()].map((entry) => entry.number)).toEqual([3, 4, 5, 6]);
  expect([...log.entries(1004, 1006)].map((entry) => entry.number)).toEqual([4, 5]);
  expect(log.forgotten).toBe(2);
});
