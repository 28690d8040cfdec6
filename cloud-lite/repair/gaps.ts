// Gaps as things with an age: noticed, found once they are older than the detection delay, closed.
// All of it set by set, over streams that have gaps; a hundred thousand streams without one cost nothing.
import type { Session } from '../database/database.ts';
import { missingOf, rangesOf } from './range-of-stream.ts';

/** Holes that were not there at the last look begin to wait. */
export async function noticeGaps(session: Session, now: number): Promise<void> {
  await session.query(
    `insert into gap (stream_id, range, state, seen_at)
     select s.stream_id, hole, 'waiting', $1
       from stream_segment s
       left join (select stream_id, range_agg(range) as ranges from gap where state <> 'closed' group by stream_id)
              as known on known.stream_id = s.stream_id
      cross join lateral unnest(s.missing - coalesce(known.ranges, '{}')) as hole
      where s.missing <> '{}'
     on conflict do nothing`,
    [now],
  );
}

/** Gaps of which nothing is missing any more. One that was only late was never found, and leaves no trace. */
export async function closeGaps(session: Session, now: number): Promise<number> {
  await session.query(`delete from gap g where g.state = 'waiting' and ${missingOf('g')} = '{}'`);
  const closed = await session.query(
    `with closed as (
       update gap g set state = 'closed', closed_at = $1
        where g.state = 'open' and ${missingOf('g')} = '{}'
       returning g.id, g.stream_id, g.range,
                 ${rangesOf('s.waived', 'g')} <> '{}' as waived, ${rangesOf('s.voided - s.covered', 'g')} <> '{}' as voided
     ), told as (
       insert into audit (at, subject, subject_id, stream_id, event, cause)
       select $1, 'gap', id::text, stream_id, 'closed',
              case when waived then 'waived' when voided then 'partly void' else 'all of it arrived' end
         from closed
     ), counted as (
       update stream_repair r set gaps_closed = r.gaps_closed + c.n
         from (select stream_id, count(*) as n from closed group by stream_id) c
        where r.stream_id = c.stream_id
     )
     select id from closed`,
    [now],
  );
  return closed.length;
}

/**
 * Gaps that have been there for the detection delay are found: they count, and are repaired. The delay runs
 * only as far as the stream's partition has been read: what fills the gap may lie there.
 */
export async function openGaps(session: Session, now: number, detectionDelayMs: number): Promise<number> {
  const opened = await session.query(
    `with opened as (
       update gap g set state = 'open', opened_at = $1
         from stream s left join partition_known k on k.partition_id = s.partition_id
        where s.id = g.stream_id and g.state = 'waiting'
          and g.seen_at <= least($1, coalesce(k.known_until, $1)) - $2::int8
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
    [now, detectionDelayMs],
  );
  return opened.length;
}
