// Records the outcome of a call to a module.
import type { Backoff } from '../../kernel/backoff.ts';
import type { Database, Session } from '../database/database.ts';
import { noteReached, noteTrouble } from './contact.ts';
import type { FollowUp, RepairLimits, Sent, Waits } from './decide.ts';
import { takeRepairLock } from './lock.ts';
import type { DueRequest } from './queue.ts';
import { endRequests, nextAttemptMs } from './requests.ts';

export interface OutcomeTimes {
  /** Epoch ms. */
  readonly now: number;
  /** How long to wait after so many failures in a row, ms. */
  retryMs(failures: number): number;
  /** When to look after an accepted request, ms from now. */
  readonly followUpMs: number;
}

/** Each outcome is one transaction, under the repair lock: it changes more than the request. */
export function recordSent(
  database: Database,
  request: DueRequest,
  sent: Sent,
  times: OutcomeTimes,
  limits: RepairLimits,
): Promise<void> {
  return underLock(database, async (session) => {
    if (sent.kind === 'wait') return wait(session, request, sent, times);
    await noteReached(session, request, times.now);
    if (sent.kind === 'accepted') return accept(session, request, sent.answered, times);
    if (sent.kind === 'refused') return abandon(session, request, sent.why, times.now);
    return decline(session, request, sent.why, times, limits);
  });
}

export function recordFollowUp(
  database: Database,
  request: DueRequest,
  followUp: FollowUp,
  times: OutcomeTimes,
  limits: RepairLimits,
): Promise<void> {
  return underLock(database, async (session) => {
    if (followUp.kind === 'wait') return wait(session, request, followUp, times);
    await noteReached(session, request, times.now);
    if (followUp.kind === 'forgotten') return useAttempt(session, request, followUp.why, times.now, limits);
    const { now } = times;
    const failed = followUp.kind === 'unknown';
    const answered = followUp.kind === 'answered';
    // After its answer nothing more is to be learnt from the module: the ledger or the expiry ends it.
    const delayMs = failed ? times.retryMs(request.failures) : answered ? limits.expiryMs : times.followUpMs;
    await session.query(
      `update request set due_at = $2, claimed_until = 0, failures = $3, answer = $4,
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
  });
}

/**
 * Something threw, of our own or of what the module sent, and will as often as it is tried: it counts as if the module had
 * declined, so it ends. A request that was accepted is ended by the ledger or its expiry.
 */
export function recordFailure(
  database: Database,
  request: DueRequest,
  why: string,
  times: OutcomeTimes,
  limits: RepairLimits,
): Promise<void> {
  return underLock(database, async (session) => {
    if (request.state === 'pending') return decline(session, request, why, times, limits);
    await session.query(
      `update request set due_at = $2, claimed_until = 0, failures = failures + 1, answer = $3
        where id = $1 and state = 'accepted'`,
      [request.id, times.now + times.retryMs(request.failures), why],
    );
  });
}

async function underLock(database: Database, work: (session: Session) => Promise<void>): Promise<void> {
  await database.transaction(async (session) => {
    await takeRepairLock(session);
    await work(session);
  });
}

async function wait(session: Session, request: DueRequest, waits: Waits, times: OutcomeTimes): Promise<void> {
  const { now } = times;
  const dueAt = now + (waits.retryAfterMs ?? times.retryMs(request.failures));
  await session.query(
    `update request set due_at = $2, claimed_until = 0, failures = failures + 1, answer = $3
      where id = $1 and state in ('pending', 'accepted')`,
    [request.id, waits.whose === 'hub' ? dueAt : now, waits.why],
  );
  if (waits.whose === 'module') await noteTrouble(session, request, waits, now, times.retryMs);
}

async function accept(
  session: Session,
  request: DueRequest,
  answered: boolean,
  { now, followUpMs }: OutcomeTimes,
): Promise<void> {
  await session.query(
    `with accepted as (
       update request set state = 'accepted', accepted_at = $2, progress_at = $2, failures = 0, claimed_until = 0,
              declined_at = null, answer = 'accepted', answered_at = case when $3::bool then $2::int8 end, due_at = $4
        where id = $1 and state = 'pending'
       returning id, stream_id
     )
     insert into audit (at, subject, subject_id, stream_id, event, cause)
     select $2, 'request', id, stream_id, 'accepted', 'the module has taken it' from accepted`,
    [request.id, now, answered, now + followUpMs],
  );
}

/**
 * A module that answers and does not take it may have its reasons for hours: a source that does not start, a disk that is
 * full. An attempt is over when that has gone on for as long as a request may go without progress.
 */
async function decline(
  session: Session,
  request: DueRequest,
  why: string,
  times: OutcomeTimes,
  limits: RepairLimits,
): Promise<void> {
  const { now } = times;
  const [row] = await session.query<{ since: number }>(
    `update request set due_at = $2, claimed_until = 0, failures = failures + 1, answer = $3,
            declined_at = coalesce(declined_at, $4)
      where id = $1 and state = 'pending'
     returning declined_at as since`,
    [request.id, now + times.retryMs(request.failures), why, now],
  );
  if (row !== undefined && now - row.since >= limits.expiryMs)
    await useAttempt(session, request, why, now, limits);
}

/** The module had its say and nothing came of it. */
async function useAttempt(
  session: Session,
  request: DueRequest,
  why: string,
  now: number,
  limits: RepairLimits,
): Promise<void> {
  if (request.attempt >= limits.maxAttempts) return abandon(session, request, why, now);
  await session.query(
    `with failed as (
       update request set state = 'pending', attempt = attempt + 1, failures = failures + 1, answer = $3,
              accepted_at = null, answered_at = null, declined_at = null, claimed_until = 0, due_at = $4
        where id = $1 and state in ('pending', 'accepted')
       returning id, stream_id
     )
     insert into audit (at, subject, subject_id, stream_id, event, cause)
     select $2, 'request', id, stream_id, 'attempt failed', $3 from failed`,
    [request.id, now, why, now + nextAttemptMs(request.attempt + 1, limits)],
  );
}

function abandon(session: Session, { id }: DueRequest, cause: string, now: number): Promise<void> {
  return endRequests(session, [{ id, state: 'abandoned', cause }], now);
}

/** The delay in whole ms after `failures` failures, from a fresh backoff: nothing of it needs remembering. */
export function delayAfter(backoff: Backoff, failures: number): number {
  // Bounded: beyond this many doublings the ceiling is reached anyway.
  for (let i = 0; i < Math.min(failures, 30); i++) backoff.next();
  return Math.round(backoff.next());
}
