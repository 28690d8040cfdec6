// One look at everything: gaps noticed, found and closed, requests followed and recorded. One short
// transaction under the repair lock; when another instance is at it, there is nothing to do here.
import type { Random } from '../../kernel/random.ts';
import type { Database } from '../database/database.ts';
import type { RepairLimits } from './decide.ts';
import { closeGaps, noticeGaps, openGaps } from './gaps.ts';
import { tryRepairLock } from './lock.ts';
import { claimDue, type DueRequest, wakeReachable } from './queue.ts';
import { createRequests, followRequests } from './requests.ts';

export interface SweepResult {
  readonly gapsFound: number;
  readonly gapsClosed: number;
  readonly requestsRecorded: number;
  readonly requestsEnded: number;
}

/** A device that was unreachable and sends again is tried at most this often. */
const wakeIntervalMs = 10_000;

/** Undefined while another instance is sweeping. */
export function sweep(
  database: Database,
  random: Random,
  now: number,
  limits: RepairLimits,
): Promise<SweepResult | undefined> {
  return database.transaction(async (session) => {
    if (!(await tryRepairLock(session))) return undefined;
    await noticeGaps(session, now);
    const gapsClosed = await closeGaps(session, now);
    const gapsFound = await openGaps(session, now, limits.detectionDelayMs);
    // First what is done or overdue, so that what it leaves is asked for again in the same sweep.
    const requestsEnded = await followRequests(session, now, limits);
    const requestsRecorded = await createRequests(session, random, now, limits);
    await wakeReachable(session, now, wakeIntervalMs);
    return { gapsFound, gapsClosed, requestsRecorded, requestsEnded };
  });
}

/** Claims calls to make; none while another instance is sweeping or claiming. */
export function claim(
  database: Database,
  now: number,
  limit: number,
  limits: RepairLimits,
): Promise<readonly DueRequest[]> {
  if (limit <= 0) return Promise.resolve([]);
  return database.transaction(async (session) =>
    (await tryRepairLock(session)) ? claimDue(session, now, limit, limits) : [],
  );
}
