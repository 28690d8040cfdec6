// A stream's ranges lie in segments: one row with the newest, which each message writes, and archive rows by period.
// Where a segment is cut when it has grown too large. Pure; archive.ts writes it.
import { type Coverage, intersection } from '../../wire/coverage.ts';

/** The ranges of a segment, by kind. */
export interface SegmentRanges {
  readonly covered: Coverage;
  readonly backfilled: Coverage;
  readonly voided: Coverage;
  readonly waived: Coverage;
}

export interface SegmentLimits {
  /** Ranges of all kinds that a segment may hold; with more it is cut. */
  readonly most: number;
  /** The newest ranges that stay when a segment is cut. */
  readonly kept: number;
}

/**
 * Writing a row of so many ranges takes hardly longer than writing one without any, and cutting it is rare: 128
 * ranges leave at once. Larger ones would make the archive shorter and each message slower.
 */
export const segmentLimits: SegmentLimits = { most: 192, kept: 64 };

/** Bytes that PostgreSQL takes for one range of a multirange: two bounds, flags, an offset. */
export const bytesPerRange = 21;

/**
 * Positions at which to cut, ascending; none when the segment is small enough. Each is the start of some range, so
 * that no gap is cut in two where it need not be.
 */
export function cutsOf(ranges: SegmentRanges, limits: SegmentLimits): readonly number[] {
  const starts = Object.values(ranges as unknown as Record<string, Coverage>)
    .flatMap((coverage) => coverage.map(({ start }) => start))
    .sort((a, b) => a - b);
  if (starts.length <= limits.most) return [];
  const cuts = new Set<number>();
  const pieceSize = limits.most - limits.kept;
  // Half a piece more is no reason for a row of its own.
  for (let i = starts.length - limits.kept; i > pieceSize / 2; i -= pieceSize) {
    if (starts[i]! > starts[0]!) cuts.add(starts[i]!);
  }
  return [...cuts].reverse();
}

export function partOf(ranges: SegmentRanges, start: number, end: number): SegmentRanges {
  const within = [{ start, end }];
  return {
    covered: intersection(ranges.covered, within),
    backfilled: intersection(ranges.backfilled, within),
    voided: intersection(ranges.voided, within),
    waived: intersection(ranges.waived, within),
  };
}
