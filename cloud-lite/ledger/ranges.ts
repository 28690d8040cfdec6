// What is known of each part of a stream, as the database has it and as it is shown.
import type { Coverage } from '../../wire/coverage.ts';
import type { Window } from '../../wire/window.ts';
import { parseMultirange } from '../database/multirange.ts';

/** `[start, end)` */
export type Pair = readonly [start: number, end: number];

export interface RangesView {
  readonly covered: readonly Pair[];
  readonly backfilled: readonly Pair[];
  readonly voids: readonly VoidView[];
  readonly waived: readonly Pair[];
  readonly gaps: readonly Pair[];
  /** Ranges that open requests ask for. */
  readonly requested: readonly Pair[];
  /** Missing, but asked for no more. */
  readonly abandoned: readonly Pair[];
}

export interface VoidView extends Window {
  readonly reason: string;
}

export interface RangesRow {
  readonly covered: string;
  readonly backfilled: string;
  readonly waived: string;
  readonly missing: string;
  readonly requested: string;
  readonly abandoned: string;
  readonly voids: readonly { readonly reason: string; readonly ranges: string }[];
}

export interface Ranges {
  readonly covered: Coverage;
  readonly backfilled: Coverage;
  readonly voids: readonly VoidView[];
  readonly waived: Coverage;
  readonly gaps: Coverage;
  readonly requested: Coverage;
  readonly abandoned: Coverage;
}

/** SQL: the abandoned `ranges` of a stream, whether or not data is still missing there. */
export const abandonedOf = (stream: string) => `
  select range_agg(abandoned) as ranges from gap
   where stream_id = ${stream} and state <> 'closed' and abandoned <> '{}'`;

export function parseRanges(row: RangesRow): Ranges {
  return {
    covered: parseMultirange(row.covered),
    backfilled: parseMultirange(row.backfilled),
    voids: row.voids
      .flatMap(({ reason, ranges }) => parseMultirange(ranges).map((window) => ({ ...window, reason })))
      .sort((a, b) => a.start - b.start),
    waived: parseMultirange(row.waived),
    gaps: parseMultirange(row.missing),
    requested: parseMultirange(row.requested),
    abandoned: parseMultirange(row.abandoned),
  };
}

/** Lists of at most `most`, and whether one had more. */
export function showRanges(
  ranges: Ranges,
  most: number,
  which: 'newest' | 'oldest',
): RangesView & { readonly truncated: boolean } {
  const cut = <T>(list: readonly T[]) => (which === 'newest' ? list.slice(-most) : list.slice(0, most));
  return {
    covered: pairs(cut(ranges.covered)),
    backfilled: pairs(cut(ranges.backfilled)),
    voids: cut(ranges.voids),
    waived: pairs(cut(ranges.waived)),
    gaps: pairs(cut(ranges.gaps)),
    requested: pairs(cut(ranges.requested)),
    abandoned: pairs(cut(ranges.abandoned)),
    truncated: Object.values(ranges).some((list) => list.length > most),
  };
}

export function pairs(windows: readonly Window[]): readonly Pair[] {
  return windows.map(({ start, end }) => [start, end]);
}
