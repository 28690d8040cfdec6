// Gaps as things with an age: noticed, found once they are older than the detection delay, closed.
//
// A stream may have a hundred thousand of them, and a fleet any number. So each step takes a bounded number of rows, in
// a transaction that the caller keeps short, and merges them a stream at a time: a step costs what its own gaps and
// the segments beside them do, however many there are besides. Streams without gaps cost nothing.
import { type Coverage, span as spanOf } from '../../wire/coverage.ts';
import type { Session } from '../database/database.ts';
import { formatMultirange } from '../database/multirange.ts';
import { missingOf, rangesOf } from './range-of-stream.ts';

/** One segment of a stream in which something is missing. */
export interface HoledSegment {
  readonly streamId: number;
  readonly segmentId: number;
}

/** Lists the segments of all streams, by stream. */
export function listHoledSegments(session: Session): Promise<readonly HoledSegment[]> {
  return session.query<HoledSegment>(
    `select stream_id as "streamId", segment_id as "segmentId" from stream_segment where missing <> '{}'
      order by stream_id, segment_id`,
  );
}

/** SQL: the live gaps of a stream that share a position with [start, end). No two of them overlap. */
export const liveGapsWithin = (stream: string, start: string, end: string) => `
  gap where stream_id = ${stream} and state <> 'closed' and upper(range) > ${start} and lower(range) < ${end}
        and lower(range) >= coalesce((
              select lower(b.range) from gap b
               where b.stream_id = ${stream} and b.state <> 'closed' and lower(b.range) <= ${start}
               order by lower(b.range) desc limit 1), ${start})`;

/** The past part of a hole that ends in the future is recorded in pieces of this length, each as a gap. */
const pieceMs = 300_000;

/**
 * Records the holes of these segments that were not there at the last look: they begin to wait for the detection delay. The part of a hole
 * that lies in the future is left out. @returns how many.
 */
export async function noticeGaps(
  session: Session,
  segments: readonly HoledSegment[],
  now: number,
): Promise<number> {
  if (segments.length === 0) return 0;
  const noticed = await session.query(
    `insert into gap (stream_id, range, state, seen_at)
     select s.stream_id, past, 'waiting', $1
       from unnest($2::int8[], $3::int8[]) as t(stream_id, segment_id)
      cross join lateral (select * from stream_segment
                           where stream_id = t.stream_id and segment_id = t.segment_id offset 0) s
      cross join lateral (select coalesce(range_agg(range), '{}') as ranges
                            from ${liveGapsWithin('s.stream_id', 's.low', 's.high')}) known
      cross join lateral unnest(s.missing - known.ranges) as hole
       join stream o on o.id = s.stream_id
      cross join lateral (
        select case when o.index_kind <> 'time' or upper(hole) <= $1::int8 then hole
                    when lower(hole) <= $1::int8 - ${pieceMs} then int8range(lower(hole), $1::int8) end as past) p
      where past is not null
     on conflict do nothing
     returning id`,
    [now, segments.map(({ streamId }) => streamId), segments.map(({ segmentId }) => segmentId)],
  );
  return noticed.length;
}

/** Live gaps of a stream that begin from `from` on and before `to`. */
export interface GapStretch {
  readonly streamId: number;
  readonly from: number;
  /** Null: to the last. */
  readonly to: number | null;
  readonly gaps: number;
}

/** All live gaps, in stretches of at most `size`. */
export function listGapStretches(session: Session, size: number): Promise<readonly GapStretch[]> {
  return session.query<GapStretch>(
    `select stream_id as "streamId", start as from, lead(start) over (partition by stream_id order by start) as to, gaps
       from (select stream_id, stretch, min(start) as start, count(*) as gaps
               from (select stream_id, lower(range) as start,
                            (row_number() over (partition by stream_id order by lower(range)) - 1) / $1::int8 as stretch
                       from gap where state <> 'closed') g
              group by stream_id, stretch) s
      order by stream_id, start`,
    [size],
  );
}

/** SQL: the live gaps of ranges, and for each range which parts are still missing and which are not. */
const looked = `
  looked as materialized (
    select g.id, g.stream_id, g.range, g.state, g.abandoned, g.given_up, t.low
      from unnest($1::int8[], $2::int8[], $3::int8[]) as t(stream_id, low, high)
      join gap g on g.stream_id = t.stream_id and g.state <> 'closed'
                and lower(g.range) >= t.low and (t.high is null or lower(g.range) < t.high)
  ), seen as materialized (
    select t.stream_id, t.low, m.missing, t.ranges - m.missing as filled
      from (select stream_id, low, range_agg(range) as ranges, max(upper(range)) as high
              from looked group by stream_id, low) t
     cross join lateral (
       select coalesce(range_agg(s.missing), '{}') as missing from stream_segment s
        where s.stream_id = t.stream_id and s.low < t.high and s.high > t.low and s.missing <> '{}' offset 0) m
  )`;

/**
 * Of the live gaps of some stretches: closes those of which nothing is missing any more, and forgets those that were
 * only late; and says of those that stay whether all that is left is abandoned.
 * @returns how many were closed.
 */
export async function closeGaps(
  session: Session,
  stretches: readonly GapStretch[],
  now: number,
): Promise<number> {
  const params = [
    stretches.map(({ streamId }) => streamId),
    stretches.map(({ from }) => from),
    stretches.map(({ to }) => to),
  ];
  const filled = await session.query<{ id: number; state: string }>(
    `with ${looked}
     select id, state from looked join seen using (stream_id, low)
      where filled <> '{}' and int8multirange(range) <@ filled`,
    params,
  );
  await session.query(
    `with ${looked}
     update gap g set given_up = not g.given_up
       from looked join seen using (stream_id, low)
      where g.id = looked.id and (looked.abandoned <> '{}' or looked.given_up)
        and looked.given_up <> (looked.state = 'open' and int8multirange(looked.range) * missing <@ looked.abandoned)`,
    params,
  );
  const ids = (state: string) => filled.filter((gap) => gap.state === state).map(({ id }) => id);
  await session.query('delete from gap where id = any($1::int8[])', [ids('waiting')]);
  await recordClosed(session, ids('open'), now);
  return ids('open').length;
}

async function recordClosed(session: Session, ids: readonly number[], now: number): Promise<void> {
  if (ids.length === 0) return;
  await session.query(
    `with closed as (
       update gap g set state = 'closed', closed_at = $1 where id = any($2::int8[])
       returning g.id, g.stream_id, ${rangesOf('s.waived', 'g')} <> '{}' as waived,
                 ${rangesOf('s.voided - s.covered', 'g')} <> '{}' as voided
     ), told as (
       insert into audit (at, subject, subject_id, stream_id, event, cause)
       select $1, 'gap', id::text, stream_id, 'closed',
              case when waived then 'waived' when voided then 'partly void' else 'all of it arrived' end
         from closed
     )
     update stream_repair r set gaps_closed = r.gaps_closed + c.n
       from (select stream_id, count(*) as n from closed group by stream_id) c
      where r.stream_id = c.stream_id`,
    [now, ids],
  );
}

/**
 * Gaps that have been there for the detection delay are found: they count, and are repaired. The delay runs
 * only as far as the stream's partition has been read: what fills the gap may lie there.
 * @returns how many, `limit` at most.
 */
export async function openGaps(
  session: Session,
  now: number,
  detectionDelayMs: number,
  limit: number,
): Promise<number> {
  const opened = await session.query(
    `with due as (
       select g.id from gap g
         join stream_known k on k.stream_id = g.stream_id
        where g.state = 'waiting' and g.seen_at <= $1 - $2::int8
          and g.seen_at <= coalesce(k.known_until, $1) - $2::int8
        limit $3
     ), opened as (
       update gap g set state = 'open', opened_at = $1 from due where g.id = due.id
       returning g.id, g.stream_id, g.range
     ), told as (
       insert into audit (at, subject, subject_id, stream_id, event, cause)
       select $1, 'gap', id::text, stream_id, 'found', range::text from opened
     ), counted as (
       insert into stream_repair as r (stream_id, gaps_found)
       select stream_id, count(*) from opened group by stream_id
       on conflict (stream_id) do update set gaps_found = r.gaps_found + excluded.gaps_found
     )
     select id from opened`,
    [now, detectionDelayMs, limit],
  );
  return opened.length;
}

/** SQL: of the gaps that the ranges of `ended` lie in, what `ended` says is left is asked for no more. */
export const abandonIn = (ended: string) => `
  update gap g set abandoned = g.abandoned + (int8multirange(g.range) * e.remaining),
         given_up = g.state = 'open' and ${missingOf('g')} <@ (g.abandoned + e.remaining)
    from (select found.id, range_agg(e.remaining) as remaining
            from ${ended} e
           cross join lateral (select id from ${liveGapsWithin('e.stream_id', 'lower(e.range)', 'upper(e.range)')}) found
           group by found.id) e
   where g.id = e.id and g.range && e.remaining`;

/** Ranges that a person requests are no longer abandoned. */
export async function takeUpAgain(session: Session, streamId: number, ranges: Coverage): Promise<void> {
  const span = spanOf(ranges);
  if (span === undefined) return;
  await session.query(
    `update gap g set abandoned = g.abandoned - $4::int8multirange, given_up = false
      where g.abandoned && $4::int8multirange
        and g.id in (select id from ${liveGapsWithin('$1::int8', '$2::int8', '$3::int8')})`,
    [streamId, span.start, span.end, formatMultirange(ranges)],
  );
}
