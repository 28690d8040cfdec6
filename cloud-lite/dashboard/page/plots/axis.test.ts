import { expect, test } from 'vitest';
import { ageSteps, axisAges, axisCounts } from './axis.ts';

test('ages of one axis have one unit, in round numbers', () => {
  expect(axisAges([0, 30, 60, 90])).toEqual(['0', '30 s', '60 s', '90 s']);
  expect(axisAges([0, 120, 240])).toEqual(['0', '2 min', '4 min']);
  expect(axisAges([0, 7200])).toEqual(['0', '2 h']);
  expect(axisAges([0, 0.1, 0.2, 0.1 + 0.2])).toEqual(['0', '0.1 s', '0.2 s', '0.3 s']);
  for (const step of ageSteps) {
    const [, one, two] = axisAges([0, step, 2 * step]).map((text) => text.split(' '));
    expect(one![1]).toBe(two![1]);
    expect(one![0]!.length).toBeLessThan(5);
  }
});

test('counts have no decimals that say nothing', () => {
  expect(axisCounts([0, 5, 10])).toEqual(['0', '5', '10']);
  expect(axisCounts([0, 0.5, 1])).toEqual(['0', '0.5', '1']);
  expect(axisCounts([0, 1000])).toEqual(['0', '1,000']);
});
