// Requests as rows. Who writes them holds the repair lock (lock.ts) or the row; both only for one short
// transaction, never while a module is being called.
import type { Random } from '../../kernel/random.ts';
import type { IndexKind, Window } from '../../wire/window.ts';
import type { Session } from '../database/database.ts';
import { formatRange, parseMultirange } from '../database/multirange.ts';
import { type Following, followRequest, type OpenRequest, type RepairLimits, splitAsk } from './decide.ts';
import { abandonIn, type HoledSegment, noticeGaps } from './gaps.ts';
import { lackingOf, missingOf, rangesOf } from './range-of-stream.ts';

/**
 * Requests that a stream may have waiting or being worked on; the rest of a long gap is asked for later. Each of them
 * lies in one gap, so that among twice as many gaps there are enough to ask for.
 */
const maxOpenPerStream = 16;

interface FollowRow {
  readonly id: string;
  readonly stream_id: number;
  readonly state: 'pending' | 'accepted';
  readonly attempt: number;
  readonly remaining: string;
  readonly missing: string;
  readonly partly_void: boolean;
  readonly partly_waived: boolean;
  readonly progress_at: number;
  readonly answered_at: number | null;
  readonly module_backfill_at: number;
  readonly module_heard_at: number;
  readonly known_until: number;
}

/** The open requests after one id, in the order of their ids; `limit` at most. */
export async function listOpenRequests(
  session: Session,
  after: string,
  limit: number,
): Promise<readonly string[]> {
  const rows = await session.query<{ id: string }>(
    `select id from request where state in ('pending', 'accepted') and id > $1 order by id limit $2`,
    [after, limit],
  );
  return rows.map(({ id }) => id);
}

/** Compares open requests with the ledger, and ends those that are done or overdue. @returns how many. */
export async function followRequests(
  session: Session,
  ids: readonly string[],
  now: number,
  limits: RepairLimits,
): Promise<number> {
  const rows = await session.query<FollowRow>(
    // What is told by all streams of a module is summed up once for the module, not for each of its requests, and joined by the
    // requests' ids: by the module's name, of which PostgreSQL expects one, it did so for each pair of both.
    `with module as materialized (
       select asked.ids, heard.* from (
          select s.device_id, s.module_id, array_agg(r.id) as ids from request r join stream s on s.id = r.stream_id
           where r.id = any($4::text[]) and r.state in ('pending', 'accepted')
           group by s.device_id, s.module_id) asked
        cross join lateral (
          select max(last_backfill_at) as backfill_at, max(heard_at) as heard_at from stream
           where device_id = asked.device_id and module_id = asked.module_id) heard
     ), told as materialized (
       select unnest(ids) as id, backfill_at, heard_at from module
     )
     select * from (
       select r.id, r.stream_id, r.state, r.attempt, r.remaining::text as remaining,
              ${lackingOf('r')}::text as missing,
              ${rangesOf('s.voided - s.covered', 'r')} <> '{}' as partly_void,
              ${rangesOf('s.waived - s.covered - s.voided', 'r')} <> '{}' as partly_waived,
              r.progress_at, r.answered_at,
              m.backfill_at as module_backfill_at, m.heard_at as module_heard_at,
              least($1::int8, coalesce(k.known_until, $1::int8)) as known_until
         from told m join request r on r.id = m.id join stream s on s.id = r.stream_id
         join stream_known k on k.stream_id = s.id) as open
     where missing <> remaining or (state = 'accepted' and progress_at <= known_until - $2)
        or (answered_at is not null and greatest(answered_at, progress_at, module_backfill_at)
                                          <= least(known_until, module_heard_at) - $3)`,
    [now, limits.expiryMs, limits.detectionDelayMs, ids],
  );
  const changes = rows.map((row) => ({ row, following: followRequest(openRequest(row), limits) }));
  await writeProgress(session, changes, now);
  return endFollowed(session, changes, now);
}

interface Change {
  readonly row: FollowRow;
  readonly following: Following;
}

function openRequest(row: FollowRow): OpenRequest {
  return {
    state: row.state,
    attempt: row.attempt,
    remaining: parseMultirange(row.remaining),
    missing: parseMultirange(row.missing),
    partlyVoid: row.partly_void,
    partlyWaived: row.partly_waived,
    progressAt: row.progress_at,
    ...(row.answered_at === null ? {} : { answeredAt: row.answered_at }),
    moduleBackfillAt: row.module_backfill_at,
    knownUntil: row.known_until,
    moduleHeardAt: row.module_heard_at,
  };
}

async function writeProgress(session: Session, changes: readonly Change[], now: number): Promise<void> {
  const moved = changes.filter(({ following }) => following.kind === 'progress');
  if (moved.length === 0) return;
  await session.query(
    `update request r set remaining = t.missing::int8multirange, progress_at = $1
       from unnest($2::text[], $3::text[]) as t(id, missing) where r.id = t.id`,
    [now, moved.map(({ row }) => row.id), moved.map(({ row }) => row.missing)],
  );
}

async function endFollowed(session: Session, changes: readonly Change[], now: number): Promise<number> {
  const endings = changes.flatMap(({ row, following }) =>
    following.kind === 'ended' ? [{ id: row.id, state: following.state, cause: following.cause }] : [],
  );
  await endRequests(session, endings, now);
  return endings.length;
}

export interface Ending {
  readonly id: string;
  readonly state: string;
  readonly cause: string;
}

/** Ends requests. What an abandoned or cancelled one leaves is asked for no more. */
export async function endRequests(session: Session, endings: readonly Ending[], now: number): Promise<void> {
  if (endings.length === 0) return;
  // What is abandoned is written to its gap, which so must be there.
  const segments = await listSegmentsOf(
    session,
    endings.filter(({ state }) => state === 'abandoned' || state === 'cancelled').map(({ id }) => id),
  );
  await noticeGaps(session, segments, now);
  await session.query(
    `with ending as (
       select * from unnest($2::text[], $3::text[], $4::text[]) as t(id, state, cause)
     ), ended as (
       update request r set state = e.state, ended_at = $1, remaining = ${lackingOf('r')}
         from ending e
        where r.id = e.id and r.state in ('pending', 'accepted')
       returning r.id, r.stream_id, r.range, r.state, r.remaining, e.cause
     ), told as (
       insert into audit (at, subject, subject_id, stream_id, event, cause)
       select $1, 'request', id, stream_id, state, cause from ended
     ), alerted as (
       insert into alert (at, kind, device_id, module_id, batch_id, message, due_at)
       select $1, 'range-abandoned', s.device_id, s.module_id, s.batch_id,
              'stream ' || s.batch_id || ' of ' || s.device_id || '/' || s.module_id || ': '
                || case when s.late_of is null then words_of(s.index_kind, e.remaining * ${missingOf('e')})
                         else 'late windows ' || (e.remaining * ${missingOf('e')})::text end
                || ' asked for no more: ' || e.cause, $1
         from ended e join stream s on s.id = e.stream_id where e.state = 'abandoned'
     )
     ${abandonIn(`(select * from ended where state in ('abandoned', 'cancelled'))`)}`,
    [now, endings.map((e) => e.id), endings.map((e) => e.state), endings.map((e) => e.cause)],
  );
}

/** The segments of which something may be abandoned when these requests end. */
function listSegmentsOf(session: Session, requestIds: readonly string[]): Promise<readonly HoledSegment[]> {
  return session.query<HoledSegment>(
    `select distinct s.stream_id as "streamId", s.segment_id as "segmentId"
       from request r
      cross join lateral (select * from stream_segment
                           where stream_id = r.stream_id and low < upper(r.range) and high > lower(r.range)
                             and missing <> '{}') s
      where r.id = any($1::text[])`,
    [requestIds],
  );
}

/** Streams after `after`, by id, with gaps that are to be asked for. */
export async function listStreamsToAsk(
  session: Session,
  after: number,
  limit: number,
): Promise<readonly number[]> {
  // One probe of the index a stream: a stream may have a hundred thousand such gaps.
  const next = (after: string) => `(select g.stream_id from gap g
    where g.state = 'open' and not g.given_up and g.stream_id > ${after} order by g.stream_id limit 1)`;
  const rows = await session.query<{ id: number }>(
    `with recursive t(id) as (
       select ${next('$1')}
        union all
       select ${next('t.id')} from t where t.id is not null
     ) select id from t where id is not null limit $2`,
    [after, limit],
  );
  return rows.map(({ id }) => id);
}

/**
 * Records requests for what found gaps of some streams still miss, less what is asked for already, less what is abandoned.
 * The oldest gaps first. @returns how many, `limit` at most.
 */
export async function createRequests(
  session: Session,
  streamIds: readonly number[],
  limit: number,
  random: Random,
  now: number,
  limits: RepairLimits,
): Promise<number> {
  const rows = await session.query<{ id: number; index_kind: IndexKind; ask: string; open: number }>(
    `select s.id, s.index_kind, r.open, a.ask::text
       from unnest($1::int8[]) as t(id)
       join stream s on s.id = t.id
      cross join lateral (select count(*) as open, coalesce(range_agg(range), '{}') as ranges from request
                           where stream_id = s.id and state in ('pending', 'accepted') offset 0) r
      cross join lateral (
        select (g.ranges - g.abandoned - r.ranges) * coalesce((
                 select range_agg(m.missing) from stream_segment m
                  where m.stream_id = s.id and m.low < upper(g.ranges) and m.high > lower(g.ranges)
                    and m.missing <> '{}'), '{}') as ask
          from (select range_agg(range) as ranges, range_agg(abandoned) as abandoned
                  from (select range, abandoned from gap
                         where stream_id = s.id and state = 'open' and not given_up
                         order by lower(range) limit ${maxOpenPerStream * 2}) oldest) g
         where r.open < $2) a
      where a.ask <> '{}'`,
    [streamIds, maxOpenPerStream],
  );
  const wanted = rows.flatMap((row) =>
    splitAsk(parseMultirange(row.ask), limits.maxRange[row.index_kind], maxOpenPerStream - row.open).map(
      (range) => ({ streamId: row.id, range }),
    ),
  );
  await insertRequests(session, random, wanted.slice(0, limit), 'detector', now, limits);
  return Math.min(wanted.length, limit);
}

export interface WantedRequest {
  readonly streamId: number;
  readonly range: Window;
}

/** The pause before an attempt: a range that was asked for in vain is not asked for again in the same minute. */
export function nextAttemptMs(attempt: number, { retryMs }: RepairLimits): number {
  return attempt <= 1 ? 0 : Math.min(3_600_000, retryMs * 4 ** Math.min(attempt - 2, 20));
}

/**
 * The attempt of a new request follows from the last one that ended inside its range: one more if that
 * expired, the first if it ended well, was cancelled, or a person asks.
 */
export async function insertRequests(
  session: Session,
  random: Random,
  wanted: readonly WantedRequest[],
  origin: 'detector' | 'person',
  now: number,
  limits: RepairLimits,
): Promise<readonly string[]> {
  if (wanted.length === 0) return [];
  const ids = wanted.map(() => random.uuid());
  await session.query(
    `with wanted as (
       select t.*, 1 + case when $2 = 'person' then 0 else coalesce(
                (select case when e.state = 'expired' then e.attempt else 0 end from request e
                  where e.stream_id = t.stream_id and e.range && t.range
                    and lower(e.range) between lower(t.range) - $6::int8 and upper(t.range)
                  order by e.created_at desc, e.attempt desc limit 1), 0) end as attempt
         from (select id, stream_id, range::int8range
                 from unnest($3::text[], $4::int8[], $5::text[]) as u(id, stream_id, range)) t
     ), fresh as (
       insert into request (id, stream_id, range, remaining, state, origin, attempt, due_at, created_at, progress_at)
       select t.id, t.stream_id, t.range, ${lackingOf('t')}, 'pending', $2, t.attempt,
              $1 + ($7::int8[])[least(t.attempt, cardinality($7::int8[]))], $1, $1
         from wanted t
       returning id, stream_id, range, attempt
     )
     insert into audit (at, subject, subject_id, stream_id, event, cause)
     select $1, 'request', id, stream_id, 'recorded', $2 || ' asks for ' || range || ', attempt ' || attempt
       from fresh`,
    [
      now,
      origin,
      ids,
      wanted.map((request) => request.streamId),
      wanted.map((request) => formatRange(request.range)),
      // No request is wider: what begins further back does not reach into this one.
      Math.max(limits.maxRange.time, limits.maxRange.sequence),
      Array.from({ length: 12 }, (_, i) => nextAttemptMs(i + 1, limits)),
    ],
  );
  return ids;
}
