// What the ledger says of one stream over one period.
import { type Coverage, size } from '../../wire/coverage.ts';
import type { Window } from '../../wire/window.ts';
import type { Session } from '../database/database.ts';
import { formatMultirange, parseMultirange } from '../database/multirange.ts';
import { abandonedOf, parseRanges, type RangesRow, type RangesView, showRanges } from './ranges.ts';

export interface CoverageView extends RangesView {
  /** The period, cut to what the stream spans. Null when they do not meet. */
  readonly from: number | null;
  readonly to: number | null;
  /** Index positions of each kind: milliseconds, or records. */
  readonly lengths: Lengths;
  /**
   * Milliseconds of the period behind the end of the stream of which nothing was heard, up to where its partition has been
   * read: it counts as not there. 0 while a window may still be open or on its way, and for record numbers.
   */
  readonly unheard: number;
  /** Share of the period that has data, 0 to 1. Null when there is nothing to have. */
  readonly delivered: number | null;
  /** Share of the period that has data, or a reason for having none: nobody waits for the rest. */
  readonly accounted: number | null;
  /** Lists were cut; `lengths` and the shares are whole. */
  readonly truncated: boolean;
}

export interface Lengths {
  readonly covered: number;
  /** Void or waived, and without data. */
  readonly excused: number;
  readonly missing: number;
}

const maxRanges = 5000;

interface CoverageRow extends RangesRow {
  readonly span: string;
  readonly unheard: number;
}

/** How far the end of a stream may lag: a window is open for up to a minute, and takes time to arrive. */
const windowMs = 120_000;

/**
 * SQL: the part of the period, an int8range, that lies behind the end of the stream `s` (ordered by time), as far as its partition has been
 * read: nothing is known of it.
 */
export const unheardOf = (period: string) => `
  (case when s.index_kind = 'time' and not isempty(s.span)
             and (select known_until from stream_known where stream_id = s.id) - upper(s.span) > ${windowMs}
        then greatest(0, least(upper(${period}), (select known_until from stream_known where stream_id = s.id))
                           - greatest(upper(s.span), lower(${period})))
        else 0 end)::int8`;

/** Undefined when there is no such stream. */
export async function readCoverage(
  session: Session,
  streamId: number,
  period: Window,
): Promise<CoverageView | undefined> {
  const [row] = await session.query<CoverageRow>(
    `select (int8multirange(s.span) * p.m)::text as span, ${unheardOf('range_merge(p.m)')} as unheard,
            g.covered::text, g.backfilled::text, g.waived::text, g.missing::text,
            (coalesce((select range_agg(range) from request
                        where stream_id = s.id and state in ('pending', 'accepted')), '{}') * p.m)::text as requested,
            (coalesce((${abandonedOf('s.id')}), '{}') * g.missing)::text as abandoned,
            coalesce((select jsonb_agg(jsonb_build_object('reason', reason, 'ranges', ranges::text))
                        from (select v.reason, range_agg((v.ranges - o.covered) * p.m) as ranges
                                from void_range v
                                join stream_segment o on (o.stream_id, o.segment_id) = (v.stream_id, v.segment_id)
                               where v.stream_id = s.id and o.low < upper(p.m) and o.high > lower(p.m)
                               group by v.reason) v), '[]') as voids
       from stream s
      cross join (select $2::int8multirange as m) p
      cross join lateral (
        select coalesce(range_agg(covered * p.m), '{}') as covered,
               coalesce(range_agg(backfilled * p.m), '{}') as backfilled,
               coalesce(range_agg((waived - covered) * p.m), '{}') as waived,
               coalesce(range_agg(missing * p.m), '{}') as missing
          from stream_segment
         where stream_id = s.id and low < upper(p.m) and high > lower(p.m)) g
      where s.id = $1`,
    [streamId, formatMultirange([period])],
  );
  return row === undefined ? undefined : coverageView(row);
}

function coverageView(row: CoverageRow): CoverageView {
  const span = parseMultirange(row.span)[0];
  const ranges = parseRanges(row);
  const lengths = measure(span, ranges.covered, ranges.gaps);
  const total = lengths.covered + lengths.excused + lengths.missing + row.unheard;
  return {
    from: span?.start ?? null,
    to: span?.end ?? null,
    ...showRanges(ranges, maxRanges, 'oldest'),
    lengths,
    unheard: row.unheard,
    delivered: total === 0 ? null : lengths.covered / total,
    accounted: total === 0 ? null : (lengths.covered + lengths.excused) / total,
  };
}

function measure(span: Window | undefined, covered: Coverage, missing: Coverage): Lengths {
  const total = span === undefined ? 0 : span.end - span.start;
  const lengths = { covered: size(covered), missing: size(missing) };
  // Whatever lies in the span and is neither there nor missing was declared void or waived.
  return { ...lengths, excused: total - lengths.covered - lengths.missing };
}
