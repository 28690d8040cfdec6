// Answers what it can of a range from the local archive: acknowledged windows are queued again as they
// were, windows still in a lane count as answered, since they are on their way.
//
// Windows may overlap each other: a late window lies over the one that it completes. So everything stored in
// a stretch is queued in one step with the statement that the stretch is answered, and a stretch ends where
// a window that the page did not hold could begin. Otherwise a crash between two steps could forget the late
// window of a stretch that counts as answered. Late windows go along and answer for nothing: whether all readings of
// their positions are there is what the windows below them say.
import { type Coverage, intersection, normalise } from '../../wire/coverage.ts';
import type { Window } from '../../wire/window.ts';
import type { StoredWindow } from './backfill-store.ts';
import type { JobChange, VoidRange } from './job-ranges.ts';

export interface ArchivePassOptions {
  readonly find: (range: Window, limit: number) => Promise<readonly StoredWindow[]>;
  /** Saves one step, atomically. */
  readonly save: (change: JobChange, requeue: readonly number[]) => Promise<void>;
  /** Resolves when more may be queued. */
  readonly room: () => Promise<void>;
  /** Windows looked at in one step. */
  readonly pageSize: number;
  /** Ids that the job has queued again in this process: a late window does not count as an answer, so each pass finds it again. */
  readonly requeued: Set<number>;
}

/** More windows over one index position are not expected; where there are more, some are sent twice after a crash. */
const maxPageSize = 4_096;

export async function archivePass(pieces: Coverage, options: ArchivePassOptions): Promise<void> {
  for (const piece of pieces) {
    let cursor = piece.start;
    let limit = options.pageSize;
    while (cursor < piece.end) {
      await options.room();
      const found = await options.find({ start: cursor, end: piece.end }, limit);
      const end = completeUntil(found, limit, piece.end);
      if (end <= cursor && limit < maxPageSize) {
        limit *= 2;
        continue;
      }
      const stretch = { start: cursor, end: Math.max(end, cursor + 1) };
      await saveStretch(stretch, found, options);
      cursor = stretch.end;
      limit = options.pageSize;
    }
  }
}

/** Up to where the page surely holds all that is stored: they come by start. */
function completeUntil(found: readonly StoredWindow[], limit: number, pieceEnd: number): number {
  if (found.length < limit) return pieceEnd;
  return Math.min(pieceEnd, found[found.length - 1]!.window.start);
}

async function saveStretch(
  stretch: Window,
  found: readonly StoredWindow[],
  options: ArchivePassOptions,
): Promise<void> {
  const { requeued } = options;
  const here = found.filter(({ window }) => window.start < stretch.end);
  const requeue = here
    .filter((stored) => isAnswer(stored) && stored.state === 'archived')
    .map(({ id }) => id);
  const fresh = requeue.filter((id) => !requeued.has(id));
  const windows = here.filter((stored) => isAnswer(stored) && stored.void === undefined && !stored.late);
  const covered = intersection(normalise(windows.map(({ window }) => window)), [stretch]);
  const voids = here.flatMap((stored) => voidWithin(stored, stretch));
  if (fresh.length === 0 && covered.length === 0 && voids.length === 0) return;
  await options.save({ covered, voids }, fresh);
  for (const id of fresh) requeued.add(id);
}

/**
 * An archived void is no answer to who asks again: the equipment may have by now what it had not then. One
 * that is still queued is: the caller could not know it yet.
 */
function isAnswer(stored: StoredWindow): boolean {
  return stored.void === undefined || stored.state === 'queued';
}

function voidWithin(stored: StoredWindow, stretch: Window): VoidRange[] {
  const reason = stored.void;
  if (reason === undefined || !isAnswer(stored)) return [];
  return intersection([stored.window], [stretch]).map((window) => ({ window, reason }));
}
