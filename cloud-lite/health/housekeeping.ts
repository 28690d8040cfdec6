// Deletes history that is older than its retention. The ledger itself is never deleted.
import type { Database } from '../database/database.ts';

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
