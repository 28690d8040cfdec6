// Writes what a call to a module brought.
import type { Backoff } from '../../kernel/backoff.ts';
import type { Session } from '../database/database.ts';
import type { FollowUp, RepairLimits, Sent } from './decide.ts';
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
  session: Session,
  request: DueRequest,
  sent: Sent,
  times: OutcomeTimes,
  limits: RepairLimits,
): Promise<void> {
  const { now } = times;
  if (sent.kind === 'accepted') return accept(session, request, sent.answered, times);
  if (sent.kind === 'refused') {
    return endRequests(session, [{ id: request.id, state: 'abandoned', cause: sent.why }], now);
  }
  if (sent.kind === 'failed') return useAttempt(session, request, sent.why, times, limits);
  const delayMs = sent.retryAfterMs ?? times.retryMs(request.failures);
  await session.query(
    `update request set due_at = $2, failures = failures + 1, unreachable = $3, answer = $4
      where id = $1 and state = 'pending'`,
    [request.id, now + delayMs, sent.unreachable, sent.why],
  );
}

export async function recordFollowUp(
  session: Session,
  request: DueRequest,
  followUp: FollowUp,
  times: OutcomeTimes,
  limits: RepairLimits,
): Promise<void> {
  const { now } = times;
  if (followUp.kind === 'forgotten') return useAttempt(session, request, followUp.why, times, limits);
  const failed = followUp.kind === 'unknown';
  const answered = followUp.kind === 'answered';
  // After its answer nothing more is to be learnt from the module: the ledger or the expiry ends it.
  const delayMs = failed ? times.retryMs(request.failures) : answered ? limits.expiryMs : times.followUpMs;
  await session.query(
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
  session: Session,
  request: DueRequest,
  why: string,
  times: OutcomeTimes,
  limits: RepairLimits,
): Promise<void> {
  const { now } = times;
  if (request.attempt >= limits.maxAttempts) {
    return endRequests(session, [{ id: request.id, state: 'abandoned', cause: why }], now);
  }
  await session.query(
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

/** The delay in whole ms after `failures` failures, from a fresh backoff: nothing of it needs remembering. */
export function delayAfter(backoff: Backoff, failures: number): number {
  // Bounded: beyond this many doublings the ceiling is reached anyway.
  for (let i = 0; i < Math.min(failures, 30); i++) backoff.next();
  return Math.round(backoff.next());
}
