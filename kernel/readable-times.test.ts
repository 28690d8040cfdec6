import { expect, it } from 'vitest';
import { withReadableTimes } from './readable-times.ts';

it('times of a log line are readable wherever they stand, and record numbers stay numbers', () => {
  const at = Date.UTC(2026, 10, 21, 22, 20);
  const iso = '2026-11-21T22:20:00.000Z';
  expect(
    withReadableTimes({ range: { start: at, end: at }, missing: [{ from: at }], startedAt: at }),
  ).toEqual({
    range: { start: iso, end: iso },
    missing: [{ from: iso }],
    startedAt: iso,
  });
  const plain = {
    range: { start: 17, end: 4_000_000 },
    bytes: at,
    to: 'there',
    count: 3,
    pauseMs: 500,
    none: null,
  };
  expect(withReadableTimes(plain)).toEqual(plain);
  const error = new Error('kept as it is');
  expect(withReadableTimes({ err: error })).toEqual({ err: error });
});
