// The queue of calls to modules: requests that are due, claimed until after the longest call. The claims of an instance
// that dies expire; the call is then made again, with the same request id, which the module recognises.

import type { IndexKind, Window } from '../../wire/window.ts';
import type { Session } from '../database/database.ts';
import { parseRange } from '../database/multirange.ts';
import { type RepairLimits, stallMs } from './decide.ts';
import { lackingOf } from './range-of-stream.ts';

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
  /** The range to request: the span of what is still missing. */
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
 * Requests of a stream that a module may have before anything has come of one: a history that hangs must not fill the
 * module's own list of jobs.
 */
const firstOfStream = 2;
/** Beyond the limits for a device and for all, a stream and a device without any may still have one each, up to so many times the limit. */
const guaranteed = 4;
/** Due requests that are looked at; those behind them have their turn when these have gone, or later. */
const maxLookedAt = 2000;
const lookedAtAgainMs = 5000;

/**
 * Claims at most `limit` requests that are due: accepted ones to look after, and new ones in fair shares. Of a device
 * each stream gets one before any gets two, and so does each device of all; a stream and its counts of late windows have one
 * share, in which the two take turns. A request holds its place as long as it
 * moves: where nothing came of it, or of its stream, for a while, the place is free for others, first for devices of which
 * nothing hangs. The caller holds the
 * repair lock, so the counts are exact.
 */
export async function claimDue(
  session: Session,
  now: number,
  limit: number,
  limits: RepairLimits,
): Promise<readonly DueRequest[]> {
  const stalledBefore = now - stallMs(limits);
  const [found] = await session.query<{
    looked: number;
    chosen: readonly string[];
    waiting: readonly string[];
    held: readonly { readonly id: string; readonly until: number }[];
  }>(
    `with active as (
       select coalesce(s.late_of, s.id) as stream_id, s.device_id,
              r.state = 'pending' or greatest(r.accepted_at, r.progress_at, s.last_backfill_at) > $2 as moves
         from request r join stream s on s.id = r.stream_id
        where r.state = 'accepted' or (r.state = 'pending' and r.claimed_until > $1)
     ), by_stream as (
       select stream_id, count(*) as n from active group by stream_id
     ), by_device as (
       select device_id, count(*) filter (where moves) as n, count(*) filter (where not moves) as hangs
         from active group by device_id
     ), looked as materialized (
       select r.*, s.device_id, s.module_id, s.late_of, s.last_backfill_at, c.device_id is not null as in_trouble,
              greatest(c.due_at, c.called_until) as held_until
         from (select * from request
                where state in ('pending', 'accepted') and due_at <= $1 and claimed_until <= $1
                order by due_at limit ${maxLookedAt}) r
         join stream s on s.id = r.stream_id
         left join module_contact c on c.device_id = s.device_id and c.module_id = s.module_id
     ), due as (
       select r.id, coalesce(r.late_of, r.stream_id) as stream_id, r.state, r.due_at, r.created_at, lower(r.range) as start,
              r.device_id, r.late_of is not null as is_late,
              row_number() over (partition by coalesce(r.late_of, r.stream_id), r.late_of is null, r.state
                                     order by r.due_at, r.created_at, lower(r.range)) as in_kind,
              not r.in_trouble or row_number() over (
                partition by r.device_id, r.module_id order by r.due_at, r.created_at, lower(r.range)) = 1 as goes,
              case when r.last_backfill_at > $2 then $3::int8 else least($3, ${firstOfStream}) end as most
         from looked r
        where not r.in_trouble or r.held_until <= $1
     ), of_stream as (
       select d.*, coalesce(b.n, 0) + row_number() over (
                partition by d.stream_id order by d.in_kind, d.is_late, d.due_at, d.created_at, d.start) as in_stream
         from due d left join by_stream b on b.stream_id = d.stream_id
        where d.state = 'pending' and d.goes
     ), of_device as (
       select o.*, coalesce(b.n, 0) + row_number() over (
                partition by o.device_id order by o.in_stream, o.due_at, o.start) as in_device,
              coalesce(b.hangs, 0) as hangs
         from of_stream o left join by_device b on b.device_id = o.device_id
        where o.in_stream <= o.most
     ), of_all as (
       select *, (select coalesce(sum(n), 0) from by_device)
                 + row_number() over (order by in_device, hangs, due_at, start) as in_all
         from of_device where in_device <= $3 * case when in_stream = 1 then ${guaranteed} else 1 end
     ), allowed as (
       select id, in_all as turn from of_all
        where in_all <= $4 * case when in_device = 1 then ${guaranteed} else 1 end
       union all
       select id, row_number() over (order by due_at) from due where state = 'accepted' and goes
     )
     select (select count(*) from looked) as looked,
            coalesce((select jsonb_agg(jsonb_build_object('id', id, 'until', held_until))
                        from looked where held_until > $1), '[]') as held,
            array(select id from allowed order by turn limit $5) as chosen,
            array(select id from due where id not in (select id from allowed)) as waiting`,
    [now, stalledBefore, limits.maxActivePerDevice, limits.maxActive, limit],
  );
  const { looked, chosen, waiting, held } = found!;
  // So that what cannot go now is not looked at for ever, and what stands behind it never.
  if (looked >= maxLookedAt) {
    await session.query('update request set due_at = $2 where id = any($1::text[])', [
      waiting,
      now + lookedAtAgainMs,
    ]);
    await session.query(
      'update request r set due_at = t.until from unnest($1::text[], $2::int8[]) as t(id, until) where r.id = t.id',
      [held.map(({ id }) => id), held.map(({ until }) => until)],
    );
  }
  return markClaimed(session, chosen, now);
}

async function markClaimed(
  session: Session,
  ids: readonly string[],
  now: number,
): Promise<readonly DueRequest[]> {
  if (ids.length === 0) return [];
  const rows = await session.query<DueRow>(
    `with claimed as (
       update request r set claimed_until = $2, tried_at = $1 where r.id = any($3::text[])
       returning r.id, r.stream_id, r.state, r.range, r.attempt, r.failures
     ), calling as (
       update module_contact c set called_until = $2
         from claimed r join stream s on s.id = r.stream_id
        where c.device_id = s.device_id and c.module_id = s.module_id
     )
     select r.id, r.stream_id, r.state, s.device_id, s.module_id, s.batch_id, s.index_kind, s.late_series,
            range_merge(${lackingOf('r')})::text as range, r.attempt, r.failures
       from claimed r join stream s on s.id = r.stream_id`,
    [now, now + claimMs, ids],
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
