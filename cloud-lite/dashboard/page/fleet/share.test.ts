import { describe, expect, test } from 'vitest';
import { shareOf } from './share.ts';

describe('completeness', () => {
  test.each([
    [{ covered: 0, excused: 0, missing: 0 }, null, null],
    [{ covered: 80, excused: 15, missing: 5 }, 0.8, 0.95],
    [{ covered: 10, excused: 0, missing: 0 }, 1, 1],
  ])('of %o', (lengths, delivered, accounted) => {
    expect(shareOf(lengths)).toEqual({ delivered, accounted });
  });
});
