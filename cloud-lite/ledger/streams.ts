// Reads the ledger: what the API and the dashboard show.
import type { IndexKind, Window } from '../../wire/window.ts';
import type { Session } from '../database/database.ts';
import { parseMultirange } from '../database/multirange.ts';

/** What is known of each part of a stream. */
export interface RangesView {
  readonly covered: readonly Pair[];
  readonly backfilled: readonly Pair[];
  readonly voids: readonly { readonly start: number; readonly end: number; readonly reason: string }[];
  readonly waived: readonly Pair[];
  readonly gaps: readonly Pair[];
  /** Ranges that open requests ask for. */
  readonly requested: readonly Pair[];
  /** Missing, but asked for no more. */
  readonly abandoned: readonly Pair[];
}

export interface StreamView extends RangesView {
  readonly id: number;
  readonly deviceId: string;
  readonly moduleId: string;
  readonly batchId: string;
  readonly index: IndexKind;
  /** The stream's span: first position, and the one after the last. Null before anything has arrived whole. */
  readonly first: number | null;
  readonly last: number | null;
  readonly openRequests: number;
  readonly gapsFound: number;
  readonly gapsClosed: number;
  readonly messages: number;
  readonly duplicates: number;
  readonly readings: number;
  /** Parts of windows whose other parts have not arrived. */
  readonly pendingParts: number;
  /** Index positions: milliseconds, or records. Whole, whatever was cut from the lists. */
  readonly lengths: { readonly covered: number; readonly excused: number; readonly missing: number };
  /** UTC epoch ms. */
  readonly lastArrivalAt: number;
  /** UTC epoch ms; null while the stream is sending. */
  readonly silentSince: number | null;
  /** Some list above was cut to its newest ranges. */
  readonly truncated: boolean;
}

/** `[start, end)` */
export type Pair = readonly [start: number, end: number];

export interface StreamQuery {
  /** This one alone. */
  readonly id?: number | undefined;
  /** Streams with a greater id than this. */
  readonly after?: number | undefined;
  readonly limit: number;
  readonly deviceId?: string | undefined;
  readonly batchId?: string | undefined;
}

/** Ranges shown of each kind. */
const maxRanges = 2000;

interface StreamRow {
  readonly id: number;
  readonly device_id: string;
  readonly module_id: string;
  readonly batch_id: string;
  readonly index_kind: IndexKind;
  readonly covered: string;
  readonly backfilled: string;
  readonly waived: string;
  readonly missing: string;
  readonly first: number | null;
  readonly last: number | null;
  readonly messages: number;
  readonly duplicates: number;
  readonly readings: number;
  readonly last_arrival_at: number;
  readonly gaps_found: number;
  readonly gaps_closed: number;
  readonly abandoned: string;
  readonly requested: string;
  readonly open_requests: number;
  readonly pending_parts: number;
  readonly covered_length: number;
  readonly missing_length: number;
  readonly silent_since: number | null;
  readonly voids: readonly { readonly reason: string; readonly ranges: string }[];
}

export async function listStreams(session: Session, query: StreamQuery): Promise<readonly StreamView[]> {
  const rows = await session.query<StreamRow>(
    `select s.id, s.device_id, s.module_id, s.batch_id, s.index_kind, s.covered::text as covered,
            s.backfilled::text as backfilled, s.waived::text as waived, s.missing::text as missing,
            lower(s.covered + s.voided) as first, upper(s.covered + s.voided) as last,
            s.messages, s.duplicates, s.readings, s.last_arrival_at,
            coalesce(p.gaps_found, 0)::int8 as gaps_found, coalesce(p.gaps_closed, 0)::int8 as gaps_closed,
            (coalesce(p.abandoned, '{}') * s.missing)::text as abandoned,
            coalesce(r.ranges, '{}')::text as requested, coalesce(r.n, 0)::int8 as open_requests,
            (select count(*) from pending_part q where q.stream_id = s.id) as pending_parts,
            (select coalesce(sum(upper(x) - lower(x)), 0)::int8 from unnest(s.covered) x) as covered_length,
            (select coalesce(sum(upper(x) - lower(x)), 0)::int8 from unnest(s.missing) x) as missing_length,
            q.since as silent_since,
            coalesce((select jsonb_agg(jsonb_build_object('reason', v.reason, 'ranges', (v.ranges - s.covered)::text)
                                       order by v.reason)
                        from void_range v where v.stream_id = s.id), '[]') as voids
       from stream s
       left join stream_repair p on p.stream_id = s.id
       left join silent_stream q on q.stream_id = s.id
       left join lateral (select range_agg(range) as ranges, count(*) as n from request
                           where stream_id = s.id and state in ('pending', 'accepted')) r on true
      where s.id > $1 and ($5::int8 is null or s.id = $5) and ($2::text is null or s.device_id = $2) and ($3::text is null or s.batch_id = $3)
      order by s.id limit $4`,
    [query.after ?? 0, query.deviceId ?? null, query.batchId ?? null, query.limit, query.id ?? null],
  );
  return rows.map(streamView);
}

function streamView(row: StreamRow): StreamView {
  const covered = parseMultirange(row.covered);
  const gaps = parseMultirange(row.missing);
  return {
    id: row.id,
    deviceId: row.device_id,
    moduleId: row.module_id,
    batchId: row.batch_id,
    index: row.index_kind,
    first: row.first,
    last: row.last,
    covered: newest(covered),
    backfilled: newest(parseMultirange(row.backfilled)),
    voids: row.voids
      .flatMap(({ reason, ranges }) => parseMultirange(ranges).map((window) => ({ ...window, reason })))
      .sort((a, b) => a.start - b.start)
      .slice(-maxRanges),
    waived: newest(parseMultirange(row.waived)),
    gaps: newest(gaps),
    requested: newest(parseMultirange(row.requested)),
    abandoned: newest(parseMultirange(row.abandoned)),
    openRequests: row.open_requests,
    gapsFound: row.gaps_found,
    gapsClosed: row.gaps_closed,
    messages: row.messages,
    duplicates: row.duplicates,
    readings: row.readings,
    pendingParts: row.pending_parts,
    lengths: {
      covered: row.covered_length,
      missing: row.missing_length,
      // Whatever lies in the span and is neither there nor missing was declared void or waived.
      excused: (row.last ?? 0) - (row.first ?? 0) - row.covered_length - row.missing_length,
    },
    lastArrivalAt: row.last_arrival_at,
    silentSince: row.silent_since,
    truncated: covered.length > maxRanges || gaps.length > maxRanges,
  };
}

export function pairs(windows: readonly Window[]): readonly Pair[] {
  return windows.map(({ start, end }) => [start, end]);
}

const newest = (windows: readonly Window[]) => pairs(windows.slice(-maxRanges));
