// What a backfill job has answered and what is left of it: arithmetic on job records, pure.
import { type Coverage, intersection, normalise, subtract, union } from '../../wire/coverage.ts';
import type { VoidReason } from '../../wire/mini-batch.ts';
import type { Window } from '../../wire/window.ts';
import type { JobEnd, JobOutput, JobRecord, JobState } from './backfill-store.ts';

export interface VoidRange {
  readonly window: Window;
  readonly reason: VoidReason;
}

/** What a step adds to a job. */
export interface JobChange {
  readonly covered?: readonly Window[];
  readonly voids?: readonly VoidRange[];
}

export function isOpen(job: JobRecord): boolean {
  return job.state === 'accepted' || job.state === 'running';
}

/** What is neither queued nor declared void, in order. */
export function remainingOf(job: JobRecord): Coverage {
  const answered = union(normalise(job.covered), normalise(job.voids.map(({ window }) => window)));
  return subtract([job.range], answered);
}

/** The part of `pieces` below the frontier. */
export function settledOf(pieces: Coverage, below: number | undefined): Coverage {
  return below === undefined ? [] : intersection(pieces, [{ start: Number.NEGATIVE_INFINITY, end: below }]);
}

/** The job after a step. It is done when nothing remains. `now`: wall clock, epoch ms. */
export function advanced(job: JobRecord, change: JobChange, now: number): JobRecord {
  const next: JobRecord = {
    ...job,
    covered: union(normalise(job.covered), normalise(change.covered ?? [])),
    voids: joinVoids([...job.voids, ...(change.voids ?? [])]),
    updatedAt: now,
  };
  return { ...next, state: remainingOf(next).length === 0 ? 'done' : 'running' };
}

/** The messages that declare these ranges of the job void. */
export function declaredVoid(
  { batchId, index, lateSeries: series }: JobRecord,
  voids: readonly VoidRange[],
): Pick<JobOutput, 'voids' | 'lateVoids'> {
  if (series === undefined) return { voids: voids.map((each) => ({ batchId, index, ...each })) };
  return {
    lateVoids: voids.map(({ window: { start, end }, reason }) => {
      return { batchId, index, late: { series, first: start, last: end - 1 }, reason };
    }),
  };
}

export function withState(job: JobRecord, state: JobState, now: number): JobRecord {
  return { ...job, state, updatedAt: now };
}

/** The job, given up before all of it was answered. */
export function endedBy(job: JobRecord, ended: JobEnd, now: number): JobRecord {
  return { ...withState(job, 'cancelled', now), ended };
}

/** Sorted, and joined where they touch and have one reason: a long range of pages stays one entry. */
function joinVoids(voids: readonly VoidRange[]): readonly VoidRange[] {
  const joined: VoidRange[] = [];
  for (const next of [...voids].sort((a, b) => a.window.start - b.window.start)) {
    const last = joined[joined.length - 1];
    if (last && last.reason === next.reason && next.window.start <= last.window.end) {
      const end = Math.max(last.window.end, next.window.end);
      joined[joined.length - 1] = { reason: last.reason, window: { start: last.window.start, end } };
    } else joined.push(next);
  }
  return joined;
}

/** Finished jobs that are older than `oldestKept` or beyond the newest `most`. Open ones stay for ever. */
export function outlivedJobs(jobs: readonly JobRecord[], most: number, oldestKept: number): JobRecord[] {
  return jobs
    .filter((job) => !isOpen(job))
    .sort((a, b) => b.updatedAt - a.updatedAt)
    .filter(({ updatedAt }, rank) => rank >= most || updatedAt < oldestKept);
}
