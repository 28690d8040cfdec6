import { describe, expect, test } from 'vitest';
import { shareOf } from './share.ts';

describe('completeness', () => {
  test.each([
    [{ covered: 0, excused: 0, missing: 0 }, 0, null, null],
    [{ covered: 80, excused: 15, missing: 5 }, 0, 0.8, 0.95],
    [{ covered: 10, excused: 0, missing: 0 }, 0, 1, 1],
    // An hour of data, then nothing until the end of the day.
    [{ covered: 1, excused: 0, missing: 0 }, 23, 1 / 24, 1 / 24],
  ])('of %o with %d unheard', (lengths, unheard, delivered, accounted) => {
    expect(shareOf(lengths, unheard)).toEqual({ delivered, accounted });
  });
});
