// The queue of calls to modules: requests whose time has come, claimed by pushing their due time past the
// longest call. An instance that dies in the middle frees its claims by that, without anyone's help; the
// call is then made again, with the same request id, which the module recognises.

import type { IndexKind, Window } from '../../wire/window.ts';
import type { Session } from '../database/database.ts';
import { parseRange } from '../database/multirange.ts';
import type { RepairLimits } from './decide.ts';

export interface DueRequest {
  readonly id: string;
  readonly streamId: number;
  readonly state: 'pending' | 'accepted';
  readonly deviceId: string;
  readonly moduleId: string;
  readonly batchId: string;
  readonly index: IndexKind;
  /** Present: the request is for late windows of this series, and `range` is one of their numbers. */
  readonly lateSeries?: string;
  /** What to ask for: the span of what is still missing of the request's range. */
  readonly range: Window;
  readonly attempt: number;
  readonly failures: number;
}

/** Longer than any call: rest-hub-methods.ts bounds them. */
export const claimMs = 45_000;

interface DueRow {
  readonly id: string;
  readonly stream_id: number;
  readonly state: 'pending' | 'accepted';
  readonly device_id: string;
  readonly module_id: string;
  readonly batch_id: string;
  readonly index_kind: IndexKind;
  readonly late_series: string | null;
  readonly range: string;
  readonly attempt: number;
  readonly failures: number;
}

/**
 * Claims at most `limit` requests that are due: new ones while their device and the whole have room, and
 * accepted ones to look after. Oldest ranges first. The caller holds the repair lock, so the counts are exact.
 */
export async function claimDue(
  session: Session,
  now: number,
  limit: number,
  limits: RepairLimits,
): Promise<readonly DueRequest[]> {
  const rows = await session.query<DueRow>(
    `with active as (
       select s.device_id, count(*) as n
         from request r join stream s on s.id = r.stream_id
        where r.state = 'accepted' or (r.state = 'pending' and r.tried_at is not null and not r.unreachable)
        group by s.device_id
     ), candidate as (
       select r.id, r.due_at, r.state,
              r.state = 'accepted' or r.tried_at is not null and not r.unreachable as counted,
              coalesce(a.n, 0) as active,
              row_number() over (
                partition by s.device_id, r.state = 'accepted' or r.tried_at is not null and not r.unreachable
                order by r.due_at, r.created_at, lower(r.range)) as place,
              row_number() over (
                partition by r.state = 'accepted' or r.tried_at is not null and not r.unreachable
                order by r.due_at, r.created_at, lower(r.range)) as place_in_all
         from request r join stream s on s.id = r.stream_id left join active a on a.device_id = s.device_id
        where r.state in ('pending', 'accepted') and r.due_at <= $1
     ), chosen as (
       select id from candidate
        where counted or (active + place <= $2 and (select coalesce(sum(n), 0) from active) + place_in_all <= $3)
        order by due_at limit $4
     )
     update request r set due_at = $5, tried_at = $1, unreachable = false
       from chosen c, stream s
      where r.id = c.id and s.id = r.stream_id
     returning r.id, r.stream_id, r.state, s.device_id, s.module_id, s.batch_id, s.index_kind,
               s.late_series, range_merge(r.remaining)::text as range, r.attempt, r.failures`,
    [now, limits.maxActivePerDevice, limits.maxActive, limit, now + claimMs],
  );
  return rows
    .flatMap((row) => {
      const range = parseRange(row.range);
      return range === undefined ? [] : [dueRequest(row, range)];
    })
    .sort((a, b) => a.range.start - b.range.start);
}

function dueRequest(row: DueRow, range: Window): DueRequest {
  return {
    id: row.id,
    streamId: row.stream_id,
    state: row.state,
    deviceId: row.device_id,
    moduleId: row.module_id,
    batchId: row.batch_id,
    index: row.index_kind,
    ...(row.late_series === null ? {} : { lateSeries: row.late_series }),
    range,
    attempt: row.attempt,
    failures: row.failures,
  };
}

/** Requests to devices that could not be reached and have been heard of since: they are tried at once. */
export async function wakeReachable(session: Session, now: number, notAgainBeforeMs: number): Promise<void> {
  await session.query(
    `update request r set due_at = $1
       from stream s
      where s.id = r.stream_id and r.state = 'pending' and r.unreachable
        and r.due_at > $1 and r.tried_at <= $2
        and exists (select from stream d where d.device_id = s.device_id and d.last_arrival_at > r.tried_at)`,
    [now, now - notAgainBeforeMs],
  );
}
