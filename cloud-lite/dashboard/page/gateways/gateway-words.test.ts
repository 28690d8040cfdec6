import { expect, test } from 'vitest';
import { bytesText, readingText } from './gateway-words.ts';

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1 kB'],
  [4_100_000_000, '4.1 GB'],
  [99_000_000, '99 MB'],
])('%i bytes are %s', (bytes, text) => expect(bytesText(bytes)).toBe(text));

test('what cannot be known any more is told with its age and its reason', () => {
  const now = 10_000_000;
  expect(readingText({ endedAt: now - 1000, failingSince: null, problem: null }, now)).toBeUndefined();
  expect(readingText({ endedAt: null, failingSince: null, problem: null }, now)).toMatch(/first time/);
  expect(readingText({ endedAt: now - 600_000, failingSince: now - 300_000, problem: 'no route' }, now)).toBe(
    'The hub gives no answer about gateways for 5 min: no route. What is shown was known 10 min ago, and is not known since.',
  );
  expect(readingText({ endedAt: null, failingSince: now - 5000, problem: null }, now)).toMatch(
    /Nothing is known/,
  );
});
