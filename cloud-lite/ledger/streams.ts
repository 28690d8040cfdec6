// Reads the ledger: what the API and the dashboard show.
import type { IndexKind } from '../../wire/window.ts';
import type { Session } from '../database/database.ts';
import { unheardOf } from './coverage.ts';
import { awaySince, knownJoins, knownTables } from './heard.ts';
import { ever, soundStateOf, troubleOf } from './judge-stream.ts';
import {
  abandonedOf,
  type Pair,
  parseRanges,
  type RangesRow,
  type RangesView,
  showRanges,
} from './ranges.ts';
import type { StreamState } from './stream-states.ts';

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
  /** Windows that came after theirs had closed. */
  readonly late: LateView;
  /** Index positions: milliseconds, or records. Whole, whatever was cut from the lists. */
  readonly lengths: { readonly covered: number; readonly excused: number; readonly missing: number };
  /** Up to now, behind the stream's end: see coverage.ts. */
  readonly unheard: number;
  /** When the hub had its newest message; UTC epoch ms. */
  readonly lastArrivalAt: number;
  /** Its messages that were set aside, by reason. */
  readonly setAside: readonly StreamAside[];
  /** UTC epoch ms; null while the stream is sending. */
  readonly silentSince: number | null;
  /** Since when the hub says that its module is not connected, and it was not heard of; UTC epoch ms, otherwise null. */
  readonly awaySince: number | null;
  /** Of all that was ever sent; null where nobody asked. */
  readonly state: StreamState | null;
  /** Some list above was cut to its newest ranges. */
  readonly truncated: boolean;
}

/** Messages that no honest clock or counter can have sent, or that say something else of the stream than the first. */
export interface StreamAside {
  /** Of the stream, or of a count of its late windows: whose positions `range` is of. */
  readonly streamId: number;
  readonly reason: string;
  readonly messages: number;
  /** UTC epoch ms. */
  readonly lastAt: number;
  readonly detail: string;
  /** From the first position to the last that was claimed; null where none was. */
  readonly range: Pair | null;
}

/** Late windows, in numbers: they lie within the stream's ranges and are no part of them. */
export interface LateView {
  readonly arrived: number;
  /** Given out by the module, and neither here nor excused. */
  readonly missing: number;
  /** Void or waived. */
  readonly excused: number;
  /** Part of missing, and asked for no more. */
  readonly abandoned: number;
  readonly openRequests: number;
}

export interface StreamQuery {
  /** This one alone. */
  readonly id?: number | undefined;
  /** Streams with a greater id than this. */
  readonly after?: number | undefined;
  readonly limit: number;
  readonly deviceId?: string | undefined;
  readonly batchId?: string | undefined;
  /** For their state: UTC epoch ms, and the time of silence. */
  readonly judged?: { readonly now: number; readonly silenceMs: number } | undefined;
}

/** Ranges shown of each kind. */
const maxRanges = 2000;
/** Ranges of all streams of a page, of all kinds, after which it ends before its limit: about 2 MB. */
const maxRangesOfPage = 50_000;
/** Streams read at once for a page. */
const chunkSize = 100;

interface StreamRow extends RangesRow {
  readonly id: number;
  readonly device_id: string;
  readonly module_id: string;
  readonly batch_id: string;
  readonly index_kind: IndexKind;
  readonly first: number | null;
  readonly last: number | null;
  readonly messages: number;
  readonly duplicates: number;
  readonly readings: number;
  readonly heard_at: number;
  readonly gaps_found: number;
  readonly gaps_closed: number;
  readonly open_requests: number;
  readonly pending_parts: number;
  readonly covered_length: number;
  readonly missing_length: number;
  readonly silent_since: number | null;
  readonly away_since: number | null;
  readonly state: StreamState | null;
  readonly unheard: number;
  readonly late: LateView;
  readonly set_aside: readonly StreamAside[];
}

export async function readStream(
  session: Session,
  id: number,
  judged?: StreamQuery['judged'],
): Promise<StreamView | undefined> {
  const [stream] = await listStreams(session, { id, limit: 1, judged });
  return stream;
}

export interface StreamPage {
  /** At least one, unless there is none. */
  readonly streams: readonly StreamView[];
  /** No stream comes after these. */
  readonly isWhole: boolean;
}

/** A page of at most `limit` streams, and fewer where they have many ranges. */
export async function readStreamPage(session: Session, query: StreamQuery): Promise<StreamPage> {
  const streams: StreamView[] = [];
  let ranges = 0;
  while (streams.length < query.limit) {
    const limit = Math.min(chunkSize, query.limit - streams.length);
    const after = streams[streams.length - 1]?.id ?? query.after;
    const chunk = await listStreams(session, { ...query, after, limit });
    for (const stream of chunk) {
      ranges += countRanges(stream);
      if (ranges > maxRangesOfPage && streams.length > 0) return { streams, isWhole: false };
      streams.push(stream);
    }
    if (chunk.length < limit) return { streams, isWhole: true };
  }
  return { streams, isWhole: false };
}

function countRanges(view: RangesView): number {
  const { covered, backfilled, voids, waived, gaps, requested, abandoned } = view;
  return [covered, backfilled, voids, waived, gaps, requested, abandoned].reduce(
    (sum, list) => sum + list.length,
    0,
  );
}

/**
 * SQL: the newest ranges of a stream, of all its segments or of those of `segments`. One more than is shown, so that the
 * cut is noticed; by the database, so that a long list never leaves it. Segments are read, the newest first, until
 * there are enough.
 */
const newestOf = (multirange: string, segments = 'select * from stream_segment where stream_id = s.id') => `
  coalesce((select range_agg(x) from (
     select x from (${segments} order by low desc) g,
                   lateral (select x from unnest(${multirange}) x order by x desc) ranges
      limit ${maxRanges + 1}) newest), '{}')::text`;

/** SQL: the counts of late windows of a stream, all together. */
const lateOf = (stream: string) => `
  select coalesce(sum(c.readings), 0)::int8 as readings, coalesce(sum(c.duplicates), 0)::int8 as duplicates,
         coalesce(sum(p.gaps_found), 0)::int8 as gaps_found, coalesce(sum(p.gaps_closed), 0)::int8 as gaps_closed,
         coalesce(sum(g.covered), 0)::int8 as arrived, coalesce(sum(g.missing), 0)::int8 as missing,
         coalesce(sum(g.excused), 0)::int8 as excused, coalesce(sum(g.abandoned), 0)::int8 as abandoned,
         coalesce(sum((select count(*) from request
                        where stream_id = c.id and state in ('pending', 'accepted'))), 0)::int8 as "openRequests"
    from stream c
    left join stream_repair p on p.stream_id = c.id
   cross join lateral (
     select sum(covered_length) as covered, sum(excused_length) as excused, sum(length_of(missing)) as missing,
            sum(length_of(missing * coalesce(a.ranges, '{}'))) as abandoned
       from stream_segment cross join (${abandonedOf('c.id')}) a where stream_id = c.id) g
   where c.late_of = ${stream}`;

/** SQL: the segments of the stream with what was declared void for one reason. */
const voidSegments = `
  select g.*, r.ranges from void_range r
    join stream_segment g on (g.stream_id, g.segment_id) = (r.stream_id, r.segment_id)
   where r.stream_id = s.id and r.reason = v.reason`;

const judgedBy = { now: '$6', silenceMs: '$7', ...ever };

export async function listStreams(session: Session, query: StreamQuery): Promise<readonly StreamView[]> {
  const rows = await session.query<StreamRow>(
    `with ${knownTables}
     select s.id, s.device_id, s.module_id, s.batch_id, s.index_kind, ${newestOf('g.covered')} as covered,
            ${newestOf('g.backfilled')} as backfilled, ${newestOf('g.waived')} as waived,
            ${newestOf('g.missing')} as missing, lower(s.span) as first, upper(s.span) as last,
            s.messages, (s.duplicates + late.duplicates)::int8 as duplicates,
            (s.readings + late.readings)::int8 as readings, s.heard_at,
            (coalesce(p.gaps_found, 0) + late.gaps_found)::int8 as gaps_found,
            (coalesce(p.gaps_closed, 0) + late.gaps_closed)::int8 as gaps_closed,
            ${newestOf(`coalesce(a.ranges, '{}') * g.missing`)} as abandoned,
            coalesce(r.ranges, '{}')::text as requested, coalesce(r.n, 0)::int8 as open_requests,
            (select count(*) from pending_part q join stream_family f on f.member_id = q.stream_id
              where f.stream_id = s.id) as pending_parts,
            to_jsonb(late) - '{readings,duplicates,gaps_found,gaps_closed}'::text[] as late,
            l.covered_length, l.missing_length,
            q.since as silent_since, ${awaySince} as away_since,
            case when $6::int8 is not null then coalesce(${troubleOf(judgedBy)}, ${soundStateOf(judgedBy)}) end as state,
            ${unheardOf('int8range(null, null)')} as unheard,
            coalesce((select jsonb_agg(jsonb_build_object(
                        'streamId', a.stream_id, 'reason', a.reason, 'messages', a.messages, 'lastAt', a.last_at,
                        'detail', a.detail, 'range', case when not isempty(a.range)
                                                          then jsonb_build_array(lower(a.range), upper(a.range)) end)
                                       order by a.last_at desc, a.reason)
                        from set_aside_source a join stream_family f on f.member_id = a.stream_id
                       where f.stream_id = s.id), '[]') as set_aside,
            coalesce((select jsonb_agg(jsonb_build_object('reason', v.reason,
                                                          'ranges', ${newestOf('g.ranges - g.covered', voidSegments)})
                                       order by v.reason)
                        from (select distinct reason from void_range where stream_id = s.id) v), '[]') as voids
       from stream s ${knownJoins}
       left join stream_repair p on p.stream_id = s.id
       left join silent_stream q on q.stream_id = s.id
       left join lateral (select range_agg(range) as ranges, count(*) as n from request
                           where stream_id = s.id and state in ('pending', 'accepted')) r on true
       left join lateral (${abandonedOf('s.id')}) a on true
      cross join lateral (
        select coalesce(sum(covered_length), 0)::int8 as covered_length,
               coalesce(sum(high - low - covered_length - excused_length), 0)::int8 as missing_length
          from stream_segment where stream_id = s.id) l
      cross join lateral (${lateOf('s.id')}) late
      cross join lateral (select array_agg(member_id) as members from stream_family where stream_id = s.id) f
      where s.late_of is null and s.id > $1 and ($5::int8 is null or s.id = $5) and ($2::text is null or s.device_id = $2) and ($3::text is null or s.batch_id = $3)
      order by s.id limit $4`,
    [
      query.after ?? 0,
      query.deviceId ?? null,
      query.batchId ?? null,
      query.limit,
      query.id ?? null,
      query.judged?.now ?? null,
      query.judged?.silenceMs ?? null,
    ],
  );
  return rows.map(streamView);
}

function streamView(row: StreamRow): StreamView {
  return {
    id: row.id,
    deviceId: row.device_id,
    moduleId: row.module_id,
    batchId: row.batch_id,
    index: row.index_kind,
    first: row.first,
    last: row.last,
    ...showRanges(parseRanges(row), maxRanges, 'newest'),
    openRequests: row.open_requests,
    gapsFound: row.gaps_found,
    gapsClosed: row.gaps_closed,
    messages: row.messages,
    duplicates: row.duplicates,
    readings: row.readings,
    pendingParts: row.pending_parts,
    late: row.late,
    lengths: {
      covered: row.covered_length,
      missing: row.missing_length,
      // Whatever lies in the span and is neither there nor missing was declared void or waived.
      excused: (row.last ?? 0) - (row.first ?? 0) - row.covered_length - row.missing_length,
    },
    unheard: row.unheard,
    lastArrivalAt: row.heard_at,
    setAside: row.set_aside,
    silentSince: row.silent_since,
    awaySince: row.away_since,
    state: row.state,
  };
}
