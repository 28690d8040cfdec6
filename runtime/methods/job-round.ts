// One round of one backfill job: the archive first, then the source's history, then what neither has.
// A round goes as far as it gets; the job's record in the store is what the next round starts from, in this
// process or after a power cut.
import type { Clock } from '../../kernel/clock.ts';
import { intersection } from '../../wire/coverage.ts';
import type { VoidReason } from '../../wire/mini-batch.ts';
import type { SourceHistory } from '../sources/source.ts';
import { archivePass } from './archive-pass.ts';
import type { BackfillStore, JobOutput, JobRecord } from './backfill-store.ts';
import type { CutLimits } from './history-batches.ts';
import { historyPass } from './history-pass.ts';
import { type JobChange, remainingOf } from './job-ranges.ts';
import { latePass } from './late-pass.ts';

export interface RoundOptions {
  readonly store: Pick<BackfillStore, 'find' | 'findLate' | 'stream'>;
  /** See ArchivePassOptions. */
  readonly requeued: Set<number>;
  /** The job as it stands; changes with each `save`. */
  readonly job: () => JobRecord;
  /** Makes a step durable, together with what it produced. */
  readonly save: (change: JobChange, output: JobOutput) => Promise<void>;
  readonly history: () => SourceHistory | 'no-history' | undefined;
  /** The stream has had no source for long enough to say that it has none. */
  readonly sourceIsGone: () => boolean;
  readonly room: () => Promise<void>;
  readonly limits: CutLimits & { readonly pageTimeoutMs: number; readonly archivePage: number };
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** `blocked`: what remains cannot be answered now. */
export async function runRound(options: RoundOptions): Promise<'finished' | 'blocked'> {
  const { lateSeries } = options.job();
  if (lateSeries !== undefined) {
    await latePass(lateSeries, { ...options, pageSize: options.limits.archivePage });
    return 'finished';
  }
  await answerFromArchive(options);
  while (remainingOf(options.job()).length > 0) {
    const history = options.history();
    if (history === undefined && !options.sourceIsGone()) return 'blocked';
    if (history === undefined || history === 'no-history') await declareVoid('no-history', options);
    else if ((await answerFromHistory(history, options)) === 'later') return 'blocked';
  }
  return 'finished';
}

async function answerFromArchive(options: RoundOptions): Promise<void> {
  const { store, job, save } = options;
  const { batchId } = job();
  const { open } = store.stream(batchId) ?? {};
  if (open) {
    // What is being filled now goes up when it closes, and survives a crash until then.
    const covered = intersection(remainingOf(job()), [open]);
    if (covered.length > 0) await save({ covered }, {});
  }
  await archivePass(remainingOf(job()), {
    find: (range, limit) => store.find(batchId, range, limit),
    save: (change, requeue) => save(change, requeue.length > 0 ? { requeue } : {}),
    room: options.room,
    pageSize: options.limits.archivePage,
    requeued: options.requeued,
  });
}

async function answerFromHistory(
  history: SourceHistory,
  options: RoundOptions,
): Promise<'complete' | 'later'> {
  const { batchId, index } = options.job();
  for (const piece of remainingOf(options.job())) {
    const pass = await historyPass(piece, {
      batchId,
      index,
      history,
      limits: options.limits,
      pageTimeoutMs: options.limits.pageTimeoutMs,
      clock: options.clock,
      signal: options.signal,
      room: options.room,
      save: (change, batches) =>
        options.save(change, {
          ...(batches.length > 0 ? { batches } : {}),
          ...(change.voids
            ? { voids: change.voids.map(({ window, reason }) => ({ batchId, index, window, reason })) }
            : {}),
        }),
    });
    if (pass === 'later') return 'later';
  }
  return 'complete';
}

async function declareVoid(reason: VoidReason, options: RoundOptions): Promise<void> {
  const { batchId, index } = options.job();
  const voids = remainingOf(options.job()).map((window) => ({ window, reason }));
  await options.save({ voids }, { voids: voids.map(({ window }) => ({ batchId, index, window, reason })) });
}
