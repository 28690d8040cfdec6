import { expect, test } from 'vitest';
import { Heat } from './heat.ts';

test('it heats up with each sample, and a reset cools it, whoever sends anything else', () => {
  const heat = new Heat();
  expect([heat.measure(), heat.measure(), heat.measure()]).toEqual([21, 24, 27]);
  heat.hear('a', '{"command":"start"}', 5);
  heat.hear('b', 'no JSON', 6);
  expect(heat.measure()).toBe(30);
  heat.hear('c', '{"command":"reset"}', 7);
  expect(heat.measure()).toBe(21);
  expect([1, 4, 5].map((number) => heat.of(number))).toEqual([21, 30, 21]);
  expect(heat.state()).toEqual({ resets: [{ id: 'c', at: 7, after: 4 }], ignored: 2 });
});
