// The part of a job's range that may be declared void when its caller cancels it. A void is for ever, so none lies over what is
// observed now or later, nor over messages that wait in a lane: those are on their way.
import { type Coverage, normalise, subtract } from '../../wire/coverage.ts';
import type { Window } from '../../wire/window.ts';
import type { Frontier } from './backfill-jobs-api.ts';
import type { BackfillStore, JobRecord } from './backfill-store.ts';
import { remainingOf, settledOf } from './job-ranges.ts';
import { storedIn } from './stored-in.ts';

type Finders = Pick<BackfillStore, 'find' | 'findLate'>;

/** `frontier`: asked before this. `page`: stored windows looked at in one step. */
export async function voidableOf(
  job: JobRecord,
  { below }: Frontier,
  store: Finders,
  page: number,
): Promise<Coverage> {
  const remaining = remainingOf(job);
  const isLate = job.lateSeries !== undefined;
  const pieces = isLate ? remaining : settledOf(remaining, below);
  const queued: Window[] = [];
  for (const piece of pieces)
    queued.push(
      ...(isLate ? await queuedLate(job, piece, store, page) : await queuedIn(job, piece, store, page)),
    );
  return subtract(pieces, normalise(queued));
}

async function queuedIn(
  { batchId }: JobRecord,
  piece: Window,
  store: Finders,
  page: number,
): Promise<readonly Window[]> {
  const queued: Window[] = [];
  for await (const { window, state, void: reason, late } of storedIn(batchId, piece, store, page))
    if (state === 'queued' && reason === undefined && !late) queued.push(window);
  return queued;
}

async function queuedLate(
  { batchId, lateSeries }: JobRecord,
  piece: Window,
  store: Finders,
  page: number,
): Promise<readonly Window[]> {
  const queued: Window[] = [];
  let first = piece.start;
  while (first < piece.end) {
    const late = { series: lateSeries!, first, last: piece.end - 1 };
    const found = await store.findLate(batchId, late, page);
    for (const { number, state } of found)
      if (state === 'queued') queued.push({ start: number, end: number + 1 });
    if (found.length < page) break;
    first = found.at(-1)!.number + 1;
  }
  return queued;
}
