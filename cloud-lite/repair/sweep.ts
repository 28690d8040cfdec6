// One repair sweep: gaps noticed, closed and found, requests followed and recorded. It runs in many short transactions,
// each with a bounded number of rows and under the repair lock. It does not begin while somebody else has the lock; once it has
// begun, each transaction waits for the lock, which outcomes of calls take, too: a sweep of many transactions would else never
// come to its end. A stream that the database fails on is skipped, and named: it delays no other.
import { type Random, randomInt } from '../../kernel/random.ts';
import type { Database, Session } from '../database/database.ts';
import { isOfTheWork } from '../database/database-error.ts';
import { wakeReachable } from './contact.ts';
import type { RepairLimits } from './decide.ts';
import {
  closeGaps,
  type GapStretch,
  listGapStretches,
  listHoledSegments,
  noticeGaps,
  openGaps,
} from './gaps.ts';
import { takeRepairLock, tryRepairLock } from './lock.ts';
import { claimDue, type DueRequest } from './queue.ts';
import { createRequests, followRequests, listOpenRequests, listStreamsToAsk } from './requests.ts';

export interface SweepResult {
  readonly gapsFound: number;
  readonly gapsClosed: number;
  readonly requestsRecorded: number;
  readonly requestsEnded: number;
  /** Streams or requests that the database failed on, each alone. */
  readonly failed: readonly SweepFailure[];
}

export interface SweepFailure {
  readonly what: string;
  readonly error: unknown;
}

/** A device that was unreachable and sends again is tried at most this often. */
const wakeIntervalMs = 10_000;
/** Bounds of one transaction. */
const maxSegments = 100;
const maxGaps = 2000;
const maxRequests = 500;
const maxStreams = 200;
/** Requests that one sweep records; the next one goes on. */
const maxRecorded = 2000;

/** Undefined where another instance is at it. */
export async function sweep(
  database: Database,
  random: Random,
  now: number,
  limits: RepairLimits,
): Promise<SweepResult | undefined> {
  const failed: SweepFailure[] = [];
  if (!(await database.transaction(tryRepairLock))) return undefined;
  await noticeAll(database, now, failed);
  const gapsClosed = await closeAll(database, now, failed);
  const gapsFound = await openAll(database, now, limits);
  // First what is done or overdue, so that what it leaves is asked for again in the same sweep.
  const requestsEnded = await followAll(database, now, limits, failed);
  const requestsRecorded = await recordAll(database, random, now, limits, failed);
  await locked(database, (session) => wakeReachable(session, now, wakeIntervalMs));
  return { gapsFound, gapsClosed, requestsRecorded, requestsEnded, failed };
}

function locked<T>(database: Database, work: (session: Session) => Promise<T>): Promise<T> {
  return database.transaction(async (session) => {
    await takeRepairLock(session);
    return work(session);
  });
}

/**
 * Does some work on all items, so many in a transaction, and sums up. Items that cannot be worked on are halved until
 * the one that is at fault stands alone; the others are worked on without it.
 */
async function inTurns<T>(
  database: Database,
  items: readonly T[],
  size: number,
  work: (session: Session, items: readonly T[]) => Promise<number>,
  failed: (item: T, error: unknown) => void,
): Promise<number> {
  const apart = async (some: readonly T[]): Promise<number> => {
    try {
      return await locked(database, (session) => work(session, some));
    } catch (error) {
      if (!isOfTheWork(error)) throw error;
      if (some.length > 1) {
        const middle = some.length >>> 1;
        return (await apart(some.slice(0, middle))) + (await apart(some.slice(middle)));
      }
      failed(some[0]!, error);
      return 0;
    }
  };
  let sum = 0;
  for (let from = 0; from < items.length; from += size) sum += await apart(items.slice(from, from + size));
  return sum;
}

const ofStream = (failed: SweepFailure[]) => (item: { readonly streamId: number }, error: unknown) => {
  failed.push({ what: `stream ${item.streamId}`, error });
};

async function noticeAll(database: Database, now: number, failed: SweepFailure[]): Promise<void> {
  const segments = await listHoledSegments(database);
  const work = (session: Session, some: typeof segments) => noticeGaps(session, some, now);
  await inTurns(database, segments, maxSegments, work, ofStream(failed));
}

async function closeAll(database: Database, now: number, failed: SweepFailure[]): Promise<number> {
  const stretches = await listGapStretches(database, maxGaps);
  let closed = 0;
  // Most streams have few gaps: as many stretches in a transaction as have a bounded number of them.
  for (const some of packed(stretches, maxGaps)) {
    const work = (session: Session, few: typeof stretches) => closeGaps(session, few, now);
    closed += await inTurns(database, some, some.length, work, ofStream(failed));
  }
  return closed;
}

function* packed(stretches: readonly GapStretch[], size: number): Generator<readonly GapStretch[]> {
  let some: GapStretch[] = [];
  let sum = 0;
  for (const stretch of stretches) {
    if (sum + stretch.gaps > size && some.length > 0) {
      yield some;
      some = [];
      sum = 0;
    }
    some.push(stretch);
    sum += stretch.gaps;
  }
  if (some.length > 0) yield some;
}

async function openAll(database: Database, now: number, limits: RepairLimits): Promise<number> {
  let found = 0;
  for (;;) {
    const some = await locked(database, (session) =>
      openGaps(session, now, limits.detectionDelayMs, maxGaps),
    );
    found += some;
    if (some < maxGaps) return found;
  }
}

async function followAll(
  database: Database,
  now: number,
  limits: RepairLimits,
  failed: SweepFailure[],
): Promise<number> {
  let ended = 0;
  for (let after = ''; ; ) {
    const ids = await listOpenRequests(database, after, maxRequests);
    if (ids.length === 0) return ended;
    const work = (session: Session, some: readonly string[]) => followRequests(session, some, now, limits);
    ended += await inTurns(database, ids, maxRequests, work, (id, error) => {
      failed.push({ what: `request ${id}`, error });
    });
    after = ids[ids.length - 1]!;
  }
}

/** Begins at a random stream and goes round, so that all get their turn where there is more to request than one sweep records. */
async function recordAll(
  database: Database,
  random: Random,
  now: number,
  limits: RepairLimits,
  failed: SweepFailure[],
): Promise<number> {
  const newest = await newestStream(database);
  const start = randomInt(random, newest + 1);
  let recorded = 0;
  for (const [after, until] of [
    [start, newest],
    [0, start],
  ] as const) {
    for (let last = after; recorded < maxRecorded; ) {
      const ids = (await listStreamsToAsk(database, last, maxStreams)).filter((id) => id <= until);
      if (ids.length === 0) break;
      const items = ids.map((streamId) => ({ streamId }));
      recorded += await inTurns(
        database,
        items,
        maxStreams,
        (session, some) => {
          const streams = some.map(({ streamId }) => streamId);
          return createRequests(session, streams, maxRecorded - recorded, random, now, limits);
        },
        ofStream(failed),
      );
      last = ids[ids.length - 1]!;
    }
  }
  return recorded;
}

async function newestStream(database: Database): Promise<number> {
  const [row] = await database.query<{ id: number }>('select coalesce(max(id), 0)::int8 as id from stream');
  return row!.id;
}

/** Claims calls to make. */
export function claim(
  database: Database,
  now: number,
  limit: number,
  limits: RepairLimits,
): Promise<readonly DueRequest[]> {
  if (limit <= 0) return Promise.resolve([]);
  return locked(database, (session) => claimDue(session, now, limit, limits));
}
