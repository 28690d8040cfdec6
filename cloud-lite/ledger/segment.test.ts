import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { normalise, union } from '../../wire/coverage.ts';
import { cutsOf, partOf, type SegmentRanges } from './segment.ts';

const limits = { most: 12, kept: 4 };
const count = ({ covered, backfilled, voided, waived }: SegmentRanges) =>
  covered.length + backfilled.length + voided.length + waived.length;

const coverage = fc
  .array(fc.tuple(fc.integer({ min: -900, max: 900 }), fc.integer({ min: 1, max: 30 })), { maxLength: 60 })
  .map((list) => normalise(list.map(([start, length]) => ({ start, end: start + length }))));
const segment = fc.record({ covered: coverage, backfilled: coverage, voided: coverage, waived: coverage });

describe('cutting a segment', () => {
  test('a small one is not cut', () => {
    fc.assert(
      fc.property(segment, (ranges) => {
        fc.pre(count(ranges) <= limits.most);
        expect(cutsOf(ranges, limits)).toEqual([]);
      }),
    );
  });

  test('the pieces of a large one hold all of it, and none of them is large', () => {
    fc.assert(
      fc.property(segment, (ranges) => {
        fc.pre(count(ranges) > limits.most);
        const edges = [-1000, ...cutsOf(ranges, limits), 1000];
        expect(edges.length).toBeGreaterThan(2);
        expect(edges).toEqual([...new Set(edges)].sort((a, b) => a - b));
        const pieces = edges.slice(1).map((end, i) => partOf(ranges, edges[i]!, end));
        for (const kind of ['covered', 'backfilled', 'voided', 'waived'] as const) {
          expect(pieces.map((piece) => piece[kind]).reduce(union)).toEqual(ranges[kind]);
        }
        // A cut may fall into a range of each other kind, which then lies in both pieces.
        for (const piece of pieces) expect(count(piece)).toBeLessThanOrEqual(limits.most + 6);
        expect(count(pieces.at(-1)!)).toBeLessThanOrEqual(limits.kept + 6);
      }),
    );
  });

  test('is where a range begins, so that no gap lies in two segments', () => {
    fc.assert(
      fc.property(segment, (ranges) => {
        const known = Object.values(ranges as unknown as Record<string, typeof ranges.covered>).reduce(union);
        for (const cut of cutsOf(ranges, limits)) {
          expect(known.some(({ start, end }) => start <= cut && cut < end)).toBe(true);
        }
      }),
    );
  });
});
