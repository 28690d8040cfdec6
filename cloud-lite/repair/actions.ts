// What a person may do: ask for a range, cancel a request, waive a range.
import type { Random } from '../../kernel/random.ts';
import { normalise } from '../../wire/coverage.ts';
import type { IndexKind, Window } from '../../wire/window.ts';
import type { Database, Session } from '../database/database.ts';
import { formatMultirange, formatRange, parseMultirange, parseRange } from '../database/multirange.ts';
import { mergeWaived, reopenVoids } from '../ledger/archive.ts';
import { noteOfStream } from '../ledger/audit.ts';
import { type RepairLimits, splitAsk } from './decide.ts';
import { takeUpAgain } from './gaps.ts';
import { type ActionResult, act } from './person.ts';
import { missingOf } from './range-of-stream.ts';
import { endRequests, insertRequests } from './requests.ts';

/** Requests that one call may make. */
const maxRequests = 64;

/**
 * Voids that may be so no more: the equipment may have by now what it had not then, and what a person cancelled a person
 * may want. Others are lost for good.
 */
const reopenable = ['no-history', 'cancelled'];

/**
 * Asks for what `range` lacks, less what is asked for already; also for what had been abandoned, and for what was void for
 * want of a history. The first attempt begins again. Nothing beyond what the stream was observed to be is asked for: the
 * answer could only be a void of what nobody has seen.
 */
export function requestRange(
  database: Database,
  random: Random,
  limits: RepairLimits,
  streamId: number,
  range: Window,
  now: number,
): Promise<ActionResult> {
  return act(database, async (session) => {
    const observed = await lockObserved(session, streamId, range, now);
    if (observed === undefined) return { kind: 'not-found' };
    if (observed === 'nothing')
      return { kind: 'conflict', why: 'nothing of the stream was observed in this range so far' };
    await reopen(session, streamId, observed, now);
    const [stream] = await session.query<{ index_kind: IndexKind; ask: string }>(
      `select s.index_kind,
              (${missingOf('t')}
                - coalesce((select range_agg(range) from request
                             where stream_id = s.id and state in ('pending', 'accepted')), '{}'))::text as ask
         from stream s join (select $1::int8 as stream_id, $2::int8range as range) t on t.stream_id = s.id`,
      [streamId, formatRange(observed)],
    );
    const { ask, index_kind } = stream!;
    const ranges = splitAsk(parseMultirange(ask), limits.maxRange[index_kind], maxRequests);
    if (ranges.length === 0) {
      return { kind: 'conflict', why: 'nothing in this range is missing that is not asked for already' };
    }
    const wanted = ranges.map((part) => ({ streamId, range: part }));
    const requestIds = await insertRequests(session, random, wanted, 'person', now, limits);
    await takeUpAgain(session, streamId, normalise(ranges));
    return { kind: 'done', requestIds, ranges };
  });
}

/**
 * The part of `range` that lies in the stream's span, and, of one by time, in the past: a claim may lie ahead, and of what is still to come
 * nothing is lost. Undefined where there is no stream. Locks it.
 */
async function lockObserved(
  session: Session,
  streamId: number,
  range: Window,
  now: number,
): Promise<Window | 'nothing' | undefined> {
  const [row] = await session.query<{ observed: string }>(
    `select (span * $2::int8range * int8range(null, case when index_kind = 'time' then $3::int8 end))::text as observed
       from stream where id = $1 for update`,
    [streamId, formatRange(range), now],
  );
  return row === undefined ? undefined : (parseRange(row.observed) ?? 'nothing');
}

async function reopen(session: Session, streamId: number, range: Window, now: number): Promise<void> {
  const reopened = await reopenVoids(session, streamId, range, reopenable);
  if (reopened.length === 0) return;
  const cause = `${formatMultirange(reopened)}: was void, and a person asks for it again`;
  await noteOfStream(session, streamId, 'reopened', cause, now);
}

/** Ends an open request. What it left is asked for no more, until a person asks. */
export function cancelRequest(
  database: Database,
  requestId: string,
  reason: string,
  now: number,
): Promise<ActionResult> {
  return act(database, async (session) => {
    const [request] = await session.query<{ state: string }>('select state from request where id = $1', [
      requestId,
    ]);
    if (request === undefined) return { kind: 'not-found' };
    if (request.state !== 'pending' && request.state !== 'accepted') {
      return { kind: 'conflict', why: `the request has ended already: ${request.state}` };
    }
    await endRequests(session, [{ id: requestId, state: 'cancelled', cause: `a person: ${reason}` }], now);
    return { kind: 'done', requestIds: [requestId], ranges: [] };
  });
}

/** Accepts the missing part of `range` as lost, as far as it is over. Data that comes all the same still counts. */
export function waiveRange(
  database: Database,
  streamId: number,
  range: Window,
  reason: string,
  now: number,
): Promise<ActionResult> {
  return act(database, async (session) => {
    // Locked first, in a statement of its own: the next one then sees what the last holder of the lock wrote.
    const observed = await lockObserved(session, streamId, range, now);
    if (observed === undefined) return { kind: 'not-found' };
    if (observed === 'nothing') return { kind: 'conflict', why: 'nothing in this range is missing so far' };
    const [stream] = await session.query<{ waived: string }>(
      `select ${missingOf('t')}::text as waived
         from stream join (select $1::int8 as stream_id, $2::int8range as range) t on t.stream_id = id`,
      [streamId, formatRange(observed)],
    );
    const ranges = parseMultirange(stream!.waived);
    if (ranges.length === 0) return { kind: 'conflict', why: 'nothing in this range is missing' };
    await recordWaiver(session, streamId, ranges, reason, now);
    return { kind: 'done', requestIds: [], ranges };
  });
}

async function recordWaiver(
  session: Session,
  streamId: number,
  ranges: readonly Window[],
  reason: string,
  now: number,
): Promise<void> {
  await mergeWaived(session, streamId, ranges);
  await session.query(
    `insert into waiver (stream_id, range, reason, at)
     select $1, range::int8range, $3, $4 from unnest($2::text[]) as range`,
    [streamId, ranges.map(formatRange), reason, now],
  );
  await noteOfStream(session, streamId, 'waived', `${formatMultirange(ranges)}: ${reason}`, now);
}
