import { describe, expect, test } from 'vitest';
import { ingestColumns, lagColumns, lastOf } from './series.ts';

const sample = (at: number, readings: number, ageMs: number | null = null) => ({
  at,
  readings,
  messages: 0,
  openGaps: 0,
  openRequests: 0,
  behindMs: null,
  ageMs,
  worstAgeMs: ageMs,
});

describe('the plots', () => {
  test('ingest is what came between samples, however far apart they are', () => {
    expect(ingestColumns([sample(0, 100), sample(5000, 150), sample(15_000, 350)])).toEqual([
      [0, 5, 15],
      [null, 10, 20],
    ]);
  });

  test('a ledger that was begun anew is no negative rate', () => {
    expect(ingestColumns([sample(0, 100), sample(5000, 10)])[1]).toEqual([null, null]);
  });

  test('what is not known is a hole, not zero; clocks that differ make no negative age', () => {
    expect(lagColumns([sample(0, 0), sample(5000, 0, 1500), sample(10_000, 0, -20)])[1]).toEqual([
      null,
      1.5,
      0,
    ]);
  });

  test('the last known value', () => {
    expect(lastOf([1, 2, null])).toBe(2);
    expect(lastOf([])).toBeNull();
  });
});
