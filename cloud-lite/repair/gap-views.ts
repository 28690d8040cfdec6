import type { Session } from '../database/database.ts';
import type { Pair } from '../ledger/ranges.ts';
import {
  type LostOf,
  type LostRow,
  leftOf,
  lostColumns,
  missingOf,
  type RangeOfStream,
  type RangeRow,
  rangeColumns,
  rangeOfStream,
} from './range-of-stream.ts';

/** `range` is that of the gap when it was found. */
export interface GapView extends RangeOfStream, LostOf {
  readonly gapId: number;
  /** The part that is still missing: its oldest pieces, and the number of positions of all pieces. */
  readonly missing: readonly Pair[];
  readonly missingLength: number;
  /** `waiting`: may only be late. */
  readonly state: 'waiting' | 'open' | 'closed';
  /** All of what is left is asked for no more. */
  readonly abandoned: boolean;
  /** Requests that were made inside of it, and the last one's state and answer. */
  readonly requests: number;
  readonly lastState: string | null;
  readonly lastAnswer: string | null;
  /** UTC epoch ms. */
  readonly seenAt: number;
  readonly openedAt: number | null;
  readonly closedAt: number | null;
}

export interface GapQuery {
  readonly state?: 'waiting' | 'open' | 'closed' | undefined;
  readonly streamId?: number | undefined;
  /** Gaps with a smaller id than this. */
  readonly before?: number | undefined;
  readonly limit: number;
}

interface GapRow extends RangeRow, LostRow {
  readonly id: number;
  readonly missing: string;
  readonly state: 'waiting' | 'open' | 'closed';
  readonly abandoned: boolean;
  readonly requests: number;
  readonly last_state: string | null;
  readonly last_answer: string | null;
  readonly seen_at: number;
  readonly opened_at: number | null;
  readonly closed_at: number | null;
}

/** Newest first. */
export async function listGaps(session: Session, query: GapQuery): Promise<readonly GapView[]> {
  const rows = await session.query<GapRow>(
    `select g.id, ${rangeColumns('g')},
            m.missing::text as missing, g.state, g.seen_at, g.opened_at, g.closed_at,
            g.state <> 'closed' and m.missing <@ g.abandoned as abandoned,
            coalesce(r.n, 0)::int8 as requests, r.last_state, r.last_answer, ${lostColumns('g')}
       from gap g join stream s on s.id = g.stream_id
      cross join lateral (select ${missingOf('g')} as missing offset 0) m
       left join lateral (
         select count(*) as n, (array_agg(state order by created_at desc, attempt desc))[1] as last_state,
                (array_agg(answer order by created_at desc, attempt desc))[1] as last_answer
           from request where stream_id = g.stream_id and range && g.range) r on true
      where ($1::text is null or g.state = $1) and ($2::int8 is null or coalesce(s.late_of, s.id) = $2)
        and ($3::int8 is null or g.id < $3)
      order by g.id desc limit $4`,
    [query.state ?? null, query.streamId ?? null, query.before ?? null, query.limit],
  );
  return rows.map(gapView);
}

function gapView(row: GapRow): GapView {
  const left = leftOf(row.missing);
  return {
    gapId: row.id,
    ...rangeOfStream(row),
    missing: left.pieces,
    missingLength: left.length,
    lost: row.lost,
    lostLength: row.lost_length,
    state: row.state,
    abandoned: row.abandoned,
    requests: row.requests,
    lastState: row.last_state,
    lastAnswer: row.last_answer,
    seenAt: row.seen_at,
    openedAt: row.opened_at,
    closedAt: row.closed_at,
  };
}
