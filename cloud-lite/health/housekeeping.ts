// Deletes history that is older than its retention. The ledger itself is never deleted; rows of streams that nothing was ever
// taken of are no part of it: a sender of what is set aside may give each message another name.
import type { Database, Session } from '../database/database.ts';

/** Rows deleted in one statement: each is short, and a long list takes several turns. */
const atOnce = 5000;

/** @returns true when there may be more to delete. */
export async function deleteOldHistory(
  database: Database,
  now: number,
  retentionMs: number,
): Promise<boolean> {
  const before = now - retentionMs;
  const statements = [
    'delete from audit where id in (select id from audit where at < $1 order by id limit $2) returning 1',
    `delete from gap where id in (select id from gap where state = 'closed' and closed_at < $1 limit $2) returning 1`,
    // What an ended request tells the next one is its attempt; that is long over.
    'delete from request where id in (select id from request where ended_at < $1 limit $2) returning 1',
    'delete from alert where id in (select id from alert where done_at < $1 order by id limit $2) returning 1',
    'delete from set_aside_source where ctid in (select ctid from set_aside_source where last_at < $1 limit $2) returning 1',
    // Their window is a gap, or was void: it has been asked for as a whole long since.
    `delete from pending_part where ctid in (select ctid from pending_part where seen_at < $1 limit $2) returning 1`,
  ];
  let more = false;
  for (const statement of statements) {
    const deleted = await database.query(statement, [before, atOnce]);
    more ||= deleted.length >= atOnce;
  }
  return more;
}

/** SQL, of the stream `s`: nothing of it was ever taken, or accepted by a person, and nothing is shown of it any more. */
const isEmptySince = (before: string) => `(s.messages = 0 and isempty(s.span) and s.accepted = '{}'
  and s.created_at < ${before} and s.last_arrival_at < ${before}
  and not exists (select from set_aside_source a where a.stream_id = s.id)
  and not exists (select from stream c where c.late_of = s.id))`;

/**
 * Looks at the next streams behind `after`, and deletes those of which there is nothing. An ingest that remembers such a row, or
 * has just found it, must neither write to it nor refer to it: it reads the row once more in the transaction that holds its
 * partition locked, so all of them are locked here meanwhile.
 * @returns the last of the streams that were looked at; 0 when there are no more.
 */
export async function deleteEmptyStreams(
  database: Database,
  now: number,
  retentionMs: number,
  after: number,
): Promise<number> {
  const before = now - retentionMs;
  const looked = await database.query<{ id: number; is_empty: boolean }>(
    `select s.id, ${isEmptySince('$3')} as is_empty from stream s where s.id > $1 order by s.id limit $2`,
    [after, atOnce, before],
  );
  const empty = looked.filter((row) => row.is_empty).map(({ id }) => id);
  if (empty.length > 0) await database.transaction((session) => deleteThose(session, empty, before));
  return looked.length < atOnce ? 0 : looked.at(-1)!.id;
}

async function deleteThose(session: Session, ids: readonly number[], before: number): Promise<void> {
  // In the order in which ingest/accept.ts locks: first the partitions, then the streams.
  await session.query('select from checkpoint order by partition_id for update');
  await session.query(
    `delete from stream where id in (
       select s.id from stream s where s.id = any($1::int8[]) and ${isEmptySince('$2')} order by s.id for update)`,
    [ids, before],
  );
}
