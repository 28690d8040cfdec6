// Corrects stamps that lie in the future, after a clock that was ahead has been put right. Left as they are, a gap that was
// seen then would wait, and a stream that was heard then would count as healthy, until that time comes. They are set to
// now; when a partition was last empty is forgotten until it is read again.
import type { Database } from '../database/database.ts';
import { claimMs } from '../repair/queue.ts';
import { raiseAlerts } from './alerts.ts';

/** Two instances' readings of the database's clock differ by less. */
const slackMs = 10_000;
/** Pauses of repair and of delivery are no longer. */
const maxPauseMs = 3_600_000;

/** SQL, `$1` is now and `$2` the longest time that an open request waits for anything. */
const statements = [
  stamps('stream', ['last_arrival_at', 'last_backfill_at', 'heard_at'], 'true'),
  stamps('gap', ['seen_at'], `state = 'waiting'`),
  stamps('gap', ['seen_at', 'opened_at'], `state = 'open'`),
  stamps(
    'request',
    ['created_at', 'progress_at', 'accepted_at', 'answered_at', 'declined_at', 'tried_at'],
    `state in ('pending', 'accepted')`,
  ),
  dues('request', 'due_at', '$2::int8', `state in ('pending', 'accepted')`),
  dues('request', 'claimed_until', String(claimMs), `state in ('pending', 'accepted')`),
  stamps('module_contact', ['tried_at'], 'true'),
  dues('module_contact', 'due_at', String(maxPauseMs), 'true'),
  dues('module_contact', 'called_until', String(claimMs), 'true'),
  `update checkpoint set updated_at = least(updated_at, $1::int8), idle_at = 0
    where (idle_at > $1::int8 + ${slackMs} or updated_at > $1::int8 + ${slackMs}) and $2::int8 >= 0 returning 1`,
  // What the event that was taken last is known by: as good as not known.
  `update checkpoint set enqueued_at = 0
    where enqueued_at > $1::int8 + ${slackMs} + 300000 and $2::int8 >= 0 returning 1`,
  stamps('hub_read', ['opened_at'], 'true'),
  stamps('stream_word', ['asked_at', 'heard_at', 'unanswered_since'], 'true'),
  dues('stream_word', 'due_at', String(maxPauseMs), 'true'),
  stamps('silent_stream', ['since'], 'true'),
  stamps('silent_device', ['since'], 'true'),
  stamps('pending_part', ['seen_at'], 'true'),
  stamps('set_aside_source', ['last_at', 'told_at'], 'true'),
  stamps('unread_hole', ['found_at'], 'told_at is null'),
  dues('alert', 'due_at', String(maxPauseMs), 'done_at is null'),
];

/**
 * Puts stamps of the future back to `now`, and raises an alert if there were any.
 * @param longestMs that an open request waits for anything.
 * @returns rows that were put right.
 */
export function settleFutureStamps(database: Database, now: number, longestMs: number): Promise<number> {
  return database.transaction(async (session) => {
    let count = 0;
    for (const statement of statements)
      count += (await session.query(statement, [now, Math.max(longestMs, maxPauseMs)])).length;
    const message = `the detector's clock was ahead and has been put right: ${count} rows had stamps of the future, and count as of now`;
    if (count > 0) await raiseAlerts(session, [{ kind: 'clock-was-ahead', message }], now);
    return count;
  });
}

function stamps(table: string, columns: readonly string[], where: string): string {
  const sets = columns.map((column) => `${column} = least(${column}, $1::int8)`);
  const tests = columns.map((column) => `${column} > $1::int8 + ${slackMs}`);
  return `update ${table} set ${sets.join(', ')} where ${where} and (${tests.join(' or ')}) and $2::int8 >= 0 returning 1`;
}

function dues(table: string, column: string, longest: string, where: string): string {
  return `update ${table} set ${column} = $1::int8
           where ${where} and ${column} > $1::int8 + ${slackMs} + ${longest} and $2::int8 >= 0 returning 1`;
}
