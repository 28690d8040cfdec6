// One round of one backfill job: the archive first, then the source's history, then what neither has.
// A round goes as far as it gets; the job's record in the store is what the next round starts from, in this
// process or after a power cut.
//
// Why no void lies over what is observed. The frontier is asked first: below it nothing will be claimed that is not in
// the store by then. Then the archive is looked through, and what it holds counts as answered. So what is left below the
// frontier is in no window, and in none to come; what lies beyond is later.
import type { Clock } from '../../kernel/clock.ts';
import { type Coverage, intersection, normalise, subtract, union } from '../../wire/coverage.ts';
import type { Window } from '../../wire/window.ts';
import type { SourceHistory } from '../sources/source.ts';
import { archivePass } from './archive-pass.ts';
import type { Frontier, HistoryAnswer } from './backfill-jobs-api.ts';
import type { BackfillStore, JobOutput, JobRecord } from './backfill-store.ts';
import type { CutLimits } from './history-batches.ts';
import { historyPass } from './history-pass.ts';
import { type JobChange, remainingOf, settledOf, type VoidRange } from './job-ranges.ts';
import { latePass } from './late-pass.ts';
import type { Permit } from './semaphore.ts';
import { storedIn } from './stored-in.ts';

export interface RoundOptions {
  readonly store: Pick<BackfillStore, 'find' | 'findLate' | 'stream'>;
  /** See ArchivePassOptions. */
  readonly requeued: Set<number>;
  /** The job as it stands; changes with each `save`. */
  readonly job: () => JobRecord;
  /** Makes a step durable, together with what it produced. */
  readonly save: (change: JobChange, output: JobOutput) => Promise<void>;
  readonly frontier: () => Promise<Frontier>;
  readonly history: () => HistoryAnswer;
  /** The source has been missing from the configuration for long enough that it will probably not come back. */
  readonly sourceIsGone: () => boolean;
  readonly room: () => Promise<void>;
  /** Under which the round runs. */
  readonly permit: Permit;
  readonly limits: CutLimits & { readonly pageTimeoutMs: number; readonly archivePage: number };
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * `blocked`: what remains cannot be answered now. `ahead`: it lies beyond the frontier, and `over` where that will not
 * move any more.
 */
export type RoundOutcome = 'finished' | { readonly blocked: string } | 'ahead' | 'over';

const notRecordedYet = 'the equipment has not recorded it yet, or does not say that this was all';

export async function runRound(options: RoundOptions): Promise<RoundOutcome> {
  const { lateSeries } = options.job();
  const { below, isLive } = await options.frontier();
  if (lateSeries !== undefined) {
    await latePass(lateSeries, { ...options, pageSize: options.limits.archivePage });
    return 'finished';
  }
  await answerFromArchive(options);
  const settled = () => settledOf(remainingOf(options.job()), below);
  while (settled().length > 0) {
    const history = options.history();
    if (history === undefined)
      return { blocked: 'its source is not built, or its configuration may still be taken back' };
    if (history === 'removed' && !options.sourceIsGone()) return { blocked: 'its source is not there now' };
    if (history === 'no-history' || history === 'removed') await declareVoid(settled(), options);
    else if ((await answerFromHistory(history, settled(), options)) === 'later')
      return { blocked: history.waitsFor ?? notRecordedYet };
  }
  if (remainingOf(options.job()).length === 0) return 'finished';
  return !isLive && options.history() === 'removed' && options.sourceIsGone() ? 'over' : 'ahead';
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
  pieces: Coverage,
  options: RoundOptions,
): Promise<'complete' | 'later'> {
  const { batchId, index } = options.job();
  for (const piece of pieces) {
    const pass = await historyPass(piece, {
      batchId,
      index,
      history,
      limits: options.limits,
      pageTimeoutMs: options.limits.pageTimeoutMs,
      clock: options.clock,
      signal: options.signal,
      room: options.room,
      permit: options.permit,
      save: async (change, batches) => {
        const voids = change.voids && (await withTrueReasons(change.voids, options));
        await options.save(voids ? { ...change, voids } : change, {
          ...(batches.length > 0 && { batches }),
          ...(voids && { voids: voids.map((each) => ({ batchId, index, ...each })) }),
        });
      },
    });
    if (pass === 'later') return 'later';
  }
  return 'complete';
}

/** Declares `pieces` lost, after archive and history were asked. */
async function declareVoid(pieces: Coverage, options: RoundOptions): Promise<void> {
  const { batchId, index } = options.job();
  const lost = pieces.map((window) => ({ window, reason: 'no-history' as const }));
  const voids = await withTrueReasons(lost, options);
  await options.save({ voids }, { voids: voids.map((each) => ({ batchId, index, ...each })) });
}

/**
 * Of what no equipment ever remembered, what the gateway removed unsent was evicted: where that was declared and never arrived, and
 * where nobody knew then that there is no history.
 */
async function withTrueReasons(
  voids: readonly VoidRange[],
  options: RoundOptions,
): Promise<readonly VoidRange[]> {
  const unhad = normalise(voids.filter(({ reason }) => reason === 'no-history').map(({ window }) => window));
  const evicted = intersection(unhad, await evictedIn(unhad, options));
  return [
    ...voids.filter(({ reason }) => reason !== 'no-history'),
    ...evicted.map((window) => ({ window, reason: 'evicted' as const })),
    ...subtract(unhad, evicted).map((window) => ({ window, reason: 'no-history' as const })),
  ];
}

async function evictedIn(pieces: Coverage, { store, job, limits }: RoundOptions): Promise<Coverage> {
  const { batchId } = job();
  const evicted: Window[] = [];
  for (const piece of pieces)
    for await (const { window, void: reason } of storedIn(batchId, piece, store, limits.archivePage))
      if (reason === 'evicted') evicted.push(window);
  return union(normalise(evicted), store.stream(batchId)?.evicted ?? []);
}
