// The fleet for people: streams judged, the worst first, with figures and a strip instead of their ranges.
import { normalise } from '../../wire/coverage.ts';
import type { IndexKind, Window } from '../../wire/window.ts';
import type { Session } from '../database/database.ts';
import { formatMultirange, parseMultirange } from '../database/multirange.ts';
import { type FleetSelection, type JudgedStream, judgeFleet } from './fleet-judgement.ts';
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
  readonly openGaps: number;
  readonly openRequests: number;
  readonly readings: number;
  /** UTC epoch ms. */
  readonly lastArrivalAt: number;
  readonly silentSince: number | null;
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
  readonly open_gaps: number;
  readonly open_requests: number;
  readonly readings: number;
  readonly last_arrival_at: number;
  readonly silent_since: number | null;
  readonly covered: string;
  readonly backfilled: string;
  readonly missing: string;
  readonly requested: string;
  readonly excused: string;
}

export async function readFleet(session: Session, query: FleetQuery): Promise<FleetPage> {
  const { counts, page } = await judgeFleet(session, query);
  return { counts, streams: await describe(session, page, query), period: query.period };
}

/** What is shown of each; at most a page of them. */
async function describe(
  session: Session,
  page: readonly JudgedStream[],
  query: FleetQuery,
): Promise<readonly FleetStream[]> {
  if (page.length === 0) return [];
  const rows = await session.query<FleetRow>(
    `select s.id, s.device_id, s.module_id, s.batch_id, s.index_kind, page.state,
            lower(w.whole) as first, upper(w.whole) as last,
            (select coalesce(sum(upper(x) - lower(x)), 0)::int8 from unnest(s.covered * w.m) x) as covered_length,
            (select coalesce(sum(upper(x) - lower(x)), 0)::int8 from unnest(s.missing * w.m) x) as missing_length,
            (select coalesce(sum(upper(x) - lower(x)), 0)::int8
               from unnest(s.missing * coalesce(p.abandoned, '{}') * w.m) x) as abandoned_length,
            (select coalesce(sum(upper(x) - lower(x)), 0)::int8
               from unnest((s.voided + s.waived - s.covered) * w.m) x) as excused_length,
            (select count(*) from gap g where g.stream_id = s.id and g.state = 'open') as open_gaps,
            coalesce(r.n, 0)::int8 as open_requests, s.readings, s.last_arrival_at, q.since as silent_since,
            (s.covered * w.m)::text as covered, (s.backfilled * w.m)::text as backfilled,
            (s.missing * w.m)::text as missing,
            (coalesce(r.ranges, '{}') * s.missing * w.m)::text as requested,
            ((s.voided + s.waived - s.covered) * w.m)::text as excused
       from unnest($1::int8[], $2::text[]) with ordinality as page(id, state, place)
       join stream s on s.id = page.id
       left join stream_repair p on p.stream_id = s.id
       left join silent_stream q on q.stream_id = s.id
       left join lateral (select range_agg(range) as ranges, count(*) as n from request
                           where stream_id = s.id and state in ('pending', 'accepted')) r on true
      cross join lateral (
         select s.covered + s.voided as whole,
                case when s.index_kind = 'time' then $3::int8multirange
                     else int8multirange(range_merge(s.covered + s.voided)) end as m) w
      order by page.place`,
    [page.map(({ id }) => id), page.map(({ state }) => state), formatMultirange([query.period])],
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
    openGaps: row.open_gaps,
    openRequests: row.open_requests,
    readings: row.readings,
    lastArrivalAt: row.last_arrival_at,
    silentSince: row.silent_since,
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
