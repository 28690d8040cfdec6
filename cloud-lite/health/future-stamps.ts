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

/** How long one page may take while all twins are read. */
const twinClaimMs = 180_000;

/** Times that nothing waits for: what was told, what a person did, and the hub's own word. */
export const restingStamps: Readonly<Record<string, readonly string[]>> = {
  alert: ['at', 'done_at'],
  audit: ['at'],
  checkpoint: ['stamp'],
  gateway: ['reported_at'],
  hub_read: ['created_at'],
  set_aside: ['at', 'enqueued_at'],
  set_aside_source: ['first_at'],
  stream: ['archived_until'],
  unread_hole: ['from_at', 'to_at', 'told_at'],
  waiver: ['at'],
};

interface Statement {
  readonly table: string;
  readonly columns: readonly string[];
  /** `$1` is now and `$2` the longest time that an open request waits for anything. */
  readonly sql: string;
}

/** Every other time of the schema is in one of these: the test holds them against it. */
export const settledStamps: readonly Statement[] = [
  stamps('stream', ['created_at', 'last_arrival_at', 'last_backfill_at', 'heard_at', 'leapt_at'], 'true'),
  stamps('gap', ['seen_at'], `state = 'waiting'`),
  stamps('gap', ['seen_at', 'opened_at'], `state = 'open'`),
  stamps('gap', ['closed_at'], `state = 'closed'`),
  stamps(
    'request',
    ['progress_at', 'accepted_at', 'answered_at', 'declined_at', 'tried_at'],
    `state in ('pending', 'accepted')`,
  ),
  // The last that ended says which attempt the next one is.
  stamps('request', ['created_at', 'ended_at'], 'true'),
  dues('request', 'due_at', '$2::int8', `state in ('pending', 'accepted')`),
  dues('request', 'claimed_until', String(claimMs), `state in ('pending', 'accepted')`),
  stamps('module_contact', ['tried_at'], 'true'),
  dues('module_contact', 'due_at', String(maxPauseMs), 'true'),
  dues('module_contact', 'called_until', String(claimMs), 'true'),
  {
    table: 'checkpoint',
    columns: ['updated_at', 'idle_at'],
    sql: `update checkpoint set updated_at = least(updated_at, $1::int8), idle_at = 0
           where (idle_at > $1::int8 + ${slackMs} or updated_at > $1::int8 + ${slackMs}) and $2::int8 >= 0 returning 1`,
  },
  // What the event that was taken last is known by: as good as not known.
  {
    table: 'checkpoint',
    columns: ['enqueued_at'],
    sql: `update checkpoint set enqueued_at = 0
           where enqueued_at > $1::int8 + ${slackMs} + 300000 and $2::int8 >= 0 returning 1`,
  },
  stamps('hub_read', ['opened_at'], 'true'),
  stamps('stream_word', ['asked_at', 'heard_at', 'unanswered_since'], 'true'),
  dues('stream_word', 'due_at', String(maxPauseMs), 'true'),
  stamps('silent_stream', ['since'], 'true'),
  stamps('silent_device', ['since'], 'true'),
  stamps('pending_part', ['seen_at'], 'true'),
  stamps('set_aside_source', ['last_at', 'told_at'], 'true'),
  stamps('unread_hole', ['found_at'], 'told_at is null'),
  stamps('told_loss', ['told_at', 'checked_at'], 'true'),
  stamps('ownership', ['modified_at'], 'true'),
  stamps('gateway', ['read_at', 'disconnected_at'], 'true'),
  stamps('twin_reading', ['ended_at', 'failing_since'], 'true'),
  dues('twin_reading', 'due_at', String(maxPauseMs), 'true'),
  dues('twin_reading', 'claimed_until', String(twinClaimMs), 'true'),
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
    for (const { sql } of settledStamps)
      count += (await session.query(sql, [now, Math.max(longestMs, maxPauseMs)])).length;
    const message = `the detector's clock was ahead and has been put right: ${count} rows had stamps of the future, and count as of now`;
    if (count > 0) await raiseAlerts(session, [{ kind: 'clock-was-ahead', message }], now);
    return count;
  });
}

function stamps(table: string, columns: readonly string[], where: string): Statement {
  const sets = columns.map((column) => `${column} = least(${column}, $1::int8)`);
  const tests = columns.map((column) => `${column} > $1::int8 + ${slackMs}`);
  const sql = `update ${table} set ${sets.join(', ')} where ${where} and (${tests.join(' or ')}) and $2::int8 >= 0 returning 1`;
  return { table, columns, sql };
}

function dues(table: string, column: string, longest: string, where: string): Statement {
  const sql = `update ${table} set ${column} = $1::int8
           where ${where} and ${column} > $1::int8 + ${slackMs} + ${longest} and $2::int8 >= 0 returning 1`;
  return { table, columns: [column], sql };
}
