// A small fleet in rings; `npm run rings` has 2,000.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RingsLab } from './lab.ts';
import { playScenarios } from './scenarios.ts';

const lab = new RingsLab({ sizes: [3, 8, 20], revertAfterMs: 2000, say: () => {} });
let former = '';
beforeAll(async () => {
  former = await lab.start();
});
afterAll(() => lab.stop());

test('a right configuration goes through all rings; a bad one touches the first alone, which comes back without a hand', async () => {
  const { good, refused, reverted, wrong } = await playScenarios(lab, former);
  expect(wrong).toEqual([]);
  expect(good).toMatchObject({ isThrough: true, touched: ['0', '1', '2'] });
  expect(refused).toMatchObject({ isThrough: false, touched: ['0'] });
  expect(reverted).toMatchObject({ isThrough: false, touched: ['0'] });
});
