import type { Session } from '../database/database.ts';
import type { Pair } from '../ledger/ranges.ts';
import type { RequestState } from './decide.ts';
import {
  type LostOf,
  type LostRow,
  leftOf,
  lostColumns,
  type RangeOfStream,
  type RangeRow,
  rangeColumns,
  rangeOfStream,
} from './range-of-stream.ts';

export interface RequestView extends RangeOfStream, LostOf {
  readonly requestId: string;
  /** The part that was missing at the last sweep: its oldest pieces, and the number of positions of all pieces. */
  readonly remaining: readonly Pair[];
  readonly remainingLength: number;
  readonly state: RequestState;
  readonly origin: 'detector' | 'person';
  readonly attempt: number;
  /** Calls in a row that came to nothing. */
  readonly failures: number;
  readonly unreachable: boolean;
  /** The module's answer to the last call. */
  readonly answer: string | null;
  /** All times are UTC epoch ms. */
  readonly createdAt: number;
  readonly acceptedAt: number | null;
  readonly progressAt: number;
  readonly endedAt: number | null;
}

export interface RequestQuery {
  readonly state?: RequestState | 'open' | undefined;
  readonly streamId?: number | undefined;
  readonly deviceId?: string | undefined;
  readonly batchId?: string | undefined;
  readonly limit: number;
  readonly offset: number;
}

interface RequestRow extends RangeRow, LostRow {
  readonly id: string;
  readonly remaining: string;
  readonly state: RequestState;
  readonly origin: 'detector' | 'person';
  readonly attempt: number;
  readonly failures: number;
  readonly unreachable: boolean;
  readonly answer: string | null;
  readonly created_at: number;
  readonly accepted_at: number | null;
  readonly progress_at: number;
  readonly ended_at: number | null;
}

/** Newest first. */
export async function listRequests(session: Session, query: RequestQuery): Promise<readonly RequestView[]> {
  const states = query.state === 'open' ? ['pending', 'accepted'] : query.state ? [query.state] : null;
  const rows = await session.query<RequestRow>(
    `select r.id, ${rangeColumns('r')},
            r.remaining::text as remaining, r.state, r.origin, r.attempt, r.failures, r.unreachable, r.answer,
            r.created_at, r.accepted_at, r.progress_at, r.ended_at, ${lostColumns('r')}
       from request r join stream s on s.id = r.stream_id
      where ($1::text[] is null or r.state = any($1)) and ($2::text is null or s.device_id = $2)
        and ($3::text is null or s.batch_id = $3) and ($6::int8 is null or coalesce(s.late_of, s.id) = $6)
      order by r.created_at desc, r.id limit $4 offset $5`,
    [
      states,
      query.deviceId ?? null,
      query.batchId ?? null,
      query.limit,
      query.offset,
      query.streamId ?? null,
    ],
  );
  return rows.map(requestView);
}

function requestView(row: RequestRow): RequestView {
  const left = leftOf(row.remaining);
  return {
    requestId: row.id,
    ...rangeOfStream(row),
    remaining: left.pieces,
    remainingLength: left.length,
    lost: row.lost,
    lostLength: row.lost_length,
    state: row.state,
    origin: row.origin,
    attempt: row.attempt,
    failures: row.failures,
    unreachable: row.unreachable,
    answer: row.answer,
    createdAt: row.created_at,
    acceptedAt: row.accepted_at,
    progressAt: row.progress_at,
    endedAt: row.ended_at,
  };
}
