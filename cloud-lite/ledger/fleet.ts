// The fleet for people: streams judged, the worst first, with figures and a strip instead of their ranges.
import { normalise } from '../../wire/coverage.ts';
import type { IndexKind, Window } from '../../wire/window.ts';
import type { Session } from '../database/database.ts';
import { formatRange, parseMultirange } from '../database/multirange.ts';
import { unheardOf } from './coverage.ts';
import { type FleetSelection, type JudgedStream, judgeFleet } from './fleet-judgement.ts';
import { awaySince } from './heard.ts';
import { isFetching } from './judge-stream.ts';
import { abandonedOf } from './ranges.ts';
import type { StreamState } from './stream-states.ts';
import { drawStrip } from './strip.ts';

export interface FleetStream {
  readonly id: number;
  readonly deviceId: string;
  readonly moduleId: string;
  readonly batchId: string;
  readonly index: IndexKind;
  readonly state: StreamState;
  readonly first: number | null;
  readonly last: number | null;
  /**
   * Milliseconds in the fleet's period, or records of the whole sequence. `abandoned` is the part of `missing`
   * that is asked for no more.
   */
  readonly lengths: {
    readonly covered: number;
    readonly excused: number;
    readonly missing: number;
    readonly abandoned: number;
  };
  /** Of the period, behind the stream's end: see coverage.ts. */
  readonly unheard: number;
  readonly openGaps: number;
  readonly openRequests: number;
  readonly readings: number;
  /** When the hub had its newest message; UTC epoch ms. */
  readonly lastArrivalAt: number;
  readonly silentSince: number | null;
  /** Since when the hub says that its module is not connected, and it was not heard of; UTC epoch ms, otherwise null. */
  readonly awaySince: number | null;
  /** The fleet's period, or the whole of a sequence; see strip.ts. */
  readonly strip: string;
}

export interface FleetPage {
  /** Of all streams that match the search. */
  readonly counts: Readonly<Record<StreamState, number>>;
  readonly streams: readonly FleetStream[];
  /** That time streams are judged and drawn by; UTC epoch ms. */
  readonly period: Window;
}

export interface FleetQuery extends FleetSelection {
  /** Of each strip. */
  readonly cells: number;
}

interface FleetRow {
  readonly id: number;
  readonly device_id: string;
  readonly module_id: string;
  readonly batch_id: string;
  readonly index_kind: IndexKind;
  readonly state: StreamState;
  readonly first: number | null;
  readonly last: number | null;
  readonly covered_length: number;
  readonly missing_length: number;
  readonly abandoned_length: number;
  readonly excused_length: number;
  readonly unheard: number;
  readonly open_gaps: number;
  readonly open_requests: number;
  readonly readings: number;
  readonly heard_at: number;
  readonly silent_since: number | null;
  readonly away_since: number | null;
  readonly covered: string;
  readonly backfilled: string;
  readonly missing: string;
  readonly requested: string;
  readonly excused: string;
}

export async function readFleet(session: Session, query: FleetQuery): Promise<FleetPage> {
  const { counts, page } = await judgeFleet(session, query);
  return { counts, streams: await describeStreams(session, page, query), period: query.period };
}

/**
 * SQL: ranges to draw. Of a segment that is narrower than a cell each kind lies in two cells at most, so that from its
 * first to its last position is enough.
 */
const drawn = (kind: string) => `
  coalesce(range_agg(case when high - low < w.cell then int8multirange(range_merge(${kind})) else ${kind} end), '{}')
    as ${kind}`;

/** What a page shows of each stream; at most one page of them. */
export async function describeStreams(
  session: Session,
  page: readonly JudgedStream[],
  query: FleetQuery,
): Promise<readonly FleetStream[]> {
  if (page.length === 0) return [];
  const rows = await session.query<FleetRow>(
    `select s.id, s.device_id, s.module_id, s.batch_id, s.index_kind, page.state,
            lower(s.span) as first, upper(s.span) as last,
            ${unheardOf('w.period')} as unheard, g.covered_length, g.missing_length, g.abandoned_length, g.excused_length,
            (select count(*) from gap g where g.stream_id = any(f.members) and g.state = 'open') as open_gaps,
            (select count(*) from request r
              where r.stream_id = any(f.members) and r.state in ('pending', 'accepted')) as open_requests,
            (select sum(readings)::int8 from stream where id = any(f.members)) as readings, s.heard_at,
            q.since as silent_since, ${awaySince} as away_since,
            g.covered::text, g.backfilled::text, g.missing::text, g.excused::text,
            (coalesce(r.ranges, '{}') * g.missing)::text as requested
       from unnest($1::int8[], $2::text[]) with ordinality as page(id, state, place)
       join stream s on s.id = page.id
       left join lateral (${abandonedOf('s.id')}) a on true
       left join silent_stream q on q.stream_id = s.id
       left join gateway away_of on away_of.device_id = s.device_id and away_of.module_id = s.module_id
      cross join lateral (select array_agg(member_id) as members from stream_family where stream_id = s.id) f
       left join lateral (select range_agg(range) as ranges from request where stream_id = s.id and ${isFetching}) r on true
      cross join lateral (
         select period, int8multirange(period) as m, (upper(period) - lower(period)) / $4 as cell
           from (select case when s.index_kind = 'time' then $3::int8range else s.span end as period) p offset 0) w
      cross join lateral (
         select coalesce(sum(case when inside then covered_length else length_of(covered) end), 0)::int8 as covered_length,
                coalesce(sum(case when inside then excused_length else length_of(excused) end), 0)::int8 as excused_length,
                coalesce(sum(case when inside then high - low - covered_length - excused_length
                                  else length_of(missing) end), 0)::int8 as missing_length,
                case when a.ranges is null then 0::int8
                     else length_of(range_agg(missing) * a.ranges) end as abandoned_length,
                ${drawn('covered')}, ${drawn('backfilled')}, ${drawn('missing')}, ${drawn('excused')}
           from (select low, high, covered_length, excused_length, covered * w.m as covered, backfilled * w.m as backfilled,
                        missing * w.m as missing, (voided + waived - covered) * w.m as excused,
                        low >= lower(w.period) and high <= upper(w.period) as inside
                   from stream_segment
                  where stream_id = s.id and low < upper(w.period) and high > lower(w.period) offset 0) o) g
      order by page.place`,
    [page.map(({ id }) => id), page.map(({ state }) => state), formatRange(query.period), query.cells],
  );
  return rows.map((row) => fleetStream(row, query));
}

function fleetStream(row: FleetRow, { period, cells }: FleetQuery): FleetStream {
  const whole = { start: row.first ?? 0, end: row.last ?? 1 };
  return {
    id: row.id,
    deviceId: row.device_id,
    moduleId: row.module_id,
    batchId: row.batch_id,
    index: row.index_kind,
    state: row.state,
    first: row.first,
    last: row.last,
    lengths: {
      covered: row.covered_length,
      missing: row.missing_length,
      excused: row.excused_length,
      abandoned: row.abandoned_length,
    },
    unheard: row.unheard,
    openGaps: row.open_gaps,
    openRequests: row.open_requests,
    readings: row.readings,
    lastArrivalAt: row.heard_at,
    silentSince: row.silent_since,
    awaySince: row.away_since,
    strip: drawStrip(layersOf(row), row.index_kind === 'time' ? period : whole, cells),
  };
}

const layersOf = (row: FleetRow) => ({
  covered: normalise(parseMultirange(row.covered)),
  backfilled: normalise(parseMultirange(row.backfilled)),
  void: normalise(parseMultirange(row.excused)),
  requested: normalise(parseMultirange(row.requested)),
  missing: normalise(parseMultirange(row.missing)),
});
