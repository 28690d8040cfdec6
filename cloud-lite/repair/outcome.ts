// Writes what a call to a module brought.
import type { Backoff } from '../../kernel/backoff.ts';
import type { Database, Session } from '../database/database.ts';
import type { FollowUp, RepairLimits, Sent } from './decide.ts';
import { takeRepairLock } from './lock.ts';
import type { DueRequest } from './queue.ts';
import { endRequests } from './requests.ts';

export interface OutcomeTimes {
  /** Epoch ms. */
  readonly now: number;
  /** How long to wait after so many failures in a row, ms. */
  retryMs(failures: number): number;
  /** When to look after an accepted request, ms from now. */
  readonly followUpMs: number;
}

export async function recordSent(
  database: Database,
  request: DueRequest,
  sent: Sent,
  times: OutcomeTimes,
  limits: RepairLimits,
): Promise<void> {
  const { now } = times;
  if (sent.kind === 'accepted') return accept(database, request, sent.answered, times);
  if (sent.kind === 'refused') return abandon(database, request, sent.why, now);
  if (sent.kind === 'failed') return useAttempt(database, request, sent.why, times, limits);
  const delayMs = sent.retryAfterMs ?? times.retryMs(request.failures);
  await database.query(
    `update request set due_at = $2, failures = failures + 1, unreachable = $3, answer = $4
      where id = $1 and state = 'pending'`,
    [request.id, now + delayMs, sent.unreachable, sent.why],
  );
}

export async function recordFollowUp(
  database: Database,
  request: DueRequest,
  followUp: FollowUp,
  times: OutcomeTimes,
  limits: RepairLimits,
): Promise<void> {
  const { now } = times;
  if (followUp.kind === 'forgotten') return useAttempt(database, request, followUp.why, times, limits);
  const failed = followUp.kind === 'unknown';
  const answered = followUp.kind === 'answered';
  // After its answer nothing more is to be learnt from the module: the ledger or the expiry ends it.
  const delayMs = failed ? times.retryMs(request.failures) : answered ? limits.expiryMs : times.followUpMs;
  await database.query(
    `update request set due_at = $2, failures = $3, answer = $4,
            answered_at = case when $5::bool then coalesce(answered_at, $6::int8) else answered_at end
      where id = $1 and state = 'accepted'`,
    [
      request.id,
      now + delayMs,
      failed ? request.failures + 1 : 0,
      followUp.kind === 'unknown' ? followUp.why : followUp.kind,
      answered,
      now,
    ],
  );
}

async function accept(
  session: Session,
  request: DueRequest,
  answered: boolean,
  { now, followUpMs }: OutcomeTimes,
): Promise<void> {
  await session.query(
    `with accepted as (
       update request set state = 'accepted', accepted_at = $2, progress_at = $2, failures = 0,
              answer = 'accepted', answered_at = case when $3::bool then $2::int8 end, due_at = $4
        where id = $1 and state = 'pending'
       returning id, stream_id
     )
     insert into audit (at, subject, subject_id, stream_id, event, cause)
     select $2, 'request', id, stream_id, 'accepted', 'the module has taken it' from accepted`,
    [request.id, now, answered, now + followUpMs],
  );
}

/** The module had its say and nothing came of it. */
async function useAttempt(
  database: Database,
  request: DueRequest,
  why: string,
  times: OutcomeTimes,
  limits: RepairLimits,
): Promise<void> {
  const { now } = times;
  if (request.attempt >= limits.maxAttempts) {
    return abandon(database, request, why, now);
  }
  await database.query(
    `with failed as (
       update request set state = 'pending', attempt = attempt + 1, failures = failures + 1, answer = $3,
              accepted_at = null, answered_at = null, due_at = $4
        where id = $1 and state in ('pending', 'accepted')
       returning id, stream_id
     )
     insert into audit (at, subject, subject_id, stream_id, event, cause)
     select $2, 'request', id, stream_id, 'attempt failed', $3 from failed`,
    [request.id, now, why, now + times.retryMs(request.failures)],
  );
}

/** Under the repair lock: the gaps that it lies in are written too. */
function abandon(database: Database, { id }: DueRequest, cause: string, now: number): Promise<void> {
  return database.transaction(async (session) => {
    await takeRepairLock(session);
    await endRequests(session, [{ id, state: 'abandoned', cause }], now);
  });
}

/** The delay in whole ms after `failures` failures, from a fresh backoff: nothing of it needs remembering. */
export function delayAfter(backoff: Backoff, failures: number): number {
  // Bounded: beyond this many doublings the ceiling is reached anyway.
  for (let i = 0; i < Math.min(failures, 30); i++) backoff.next();
  return Math.round(backoff.next());
}
