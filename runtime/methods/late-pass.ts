// Answers a job for late windows, which are named by their numbers: those that the archive still has are queued again
// unchanged, those that wait in a lane are on their way, and those that are gone are declared void. The source's history
// cannot supply them: late readings lie within windows that were claimed without them, so a number does not tell their
// positions.
import { normalise, subtract } from '../../wire/coverage.ts';
import type { BackfillStore, JobOutput, JobRecord } from './backfill-store.ts';
import { declaredVoid, type JobChange, remainingOf } from './job-ranges.ts';

export interface LatePassOptions {
  readonly store: Pick<BackfillStore, 'findLate'>;
  /** The job as it stands; changes with each `save`. */
  readonly job: () => JobRecord;
  readonly save: (change: JobChange, output: JobOutput) => Promise<void>;
  readonly room: () => Promise<void>;
  /** Late windows looked at in one step. */
  readonly pageSize: number;
}

export async function latePass(series: string, options: LatePassOptions): Promise<void> {
  const { store, job, save, room, pageSize } = options;
  for (const piece of remainingOf(job())) {
    let cursor = piece.start;
    while (cursor < piece.end) {
      await room();
      const wanted = { series, first: cursor, last: piece.end - 1 };
      const found = await store.findLate(job().batchId, wanted, pageSize);
      const end = found.length < pageSize ? piece.end : found.at(-1)!.number + 1;
      const covered = normalise(found.map(({ number }) => ({ start: number, end: number + 1 })));
      const gone = subtract([{ start: cursor, end }], covered);
      const voids = gone.map((window) => ({ window, reason: 'history-expired' as const }));
      const requeue = found.filter(({ state }) => state === 'archived').map(({ id }) => id);
      await save({ covered, voids }, { requeue, ...declaredVoid(job(), voids) });
      cursor = end;
    }
  }
}
