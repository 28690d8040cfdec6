// One backfill job in memory: its record as the store has it, and the state of the work on it. A change of the record is
// durable before it shows here.
import { createBackoff } from '../../kernel/backoff.ts';
import { sleep } from '../../kernel/clock.ts';
import { describeError, HoldfastError } from '../../kernel/errors.ts';
import { orAborted } from '../../kernel/or-aborted.ts';
import type { BackfillJobsOptions } from './backfill-jobs-api.ts';
import type { BackfillLimits } from './backfill-limits.ts';
import type { JobEnd, JobOutput, JobRecord } from './backfill-store.ts';
import {
  advanced,
  declaredVoid,
  endedBy,
  isOpen,
  type JobChange,
  remainingOf,
  withState,
} from './job-ranges.ts';
import { type RoundOutcome, runRound } from './job-round.ts';
import type { Permit } from './semaphore.ts';
import { voidableOf } from './voidable.ts';

/** How often a full lane is looked at again. */
const roomPollMs = 250;

type Parts = Omit<BackfillJobsOptions, 'limits'> & { readonly limits: BackfillLimits };

export class ActiveJob {
  readonly #parts: Parts;
  readonly #backoff;
  #job: JobRecord;
  readonly #requeued = new Set<number>();
  /** Aborts the work on this job: it is cancelled, or everything stops. */
  #abort = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #notBefore = 0;
  #lastProgressAt: number;
  #sourceMissingSince: number | undefined;
  /** Why the last round got no further. */
  #waiting: string | undefined;

  constructor(job: JobRecord, parts: Parts) {
    const { clock, random, limits } = parts;
    this.#job = job;
    this.#parts = parts;
    this.#backoff = createBackoff({ minMs: limits.retryMinMs, maxMs: limits.retryMaxMs }, random);
    this.#lastProgressAt = clock.monotonic();
  }

  get job(): JobRecord {
    return this.#job;
  }

  get isOpen(): boolean {
    return isOpen(this.#job);
  }

  /** Why the job waits, for people; undefined where it does not. */
  get waiting(): string | undefined {
    return this.isOpen ? this.#waiting : undefined;
  }

  /** Monotonic ms from which the job may be worked on; undefined: never. */
  get dueAt(): number | undefined {
    return this.isOpen && !this.#abort.signal.aborted ? this.#notBefore : undefined;
  }

  /** Resolves when no work on this job runs. */
  get idle(): Promise<void> {
    return this.#running;
  }

  /** Works on the job through `run`, one round at a time. Never rejects. */
  work(run: (round: (permit: Permit) => Promise<void>) => Promise<void>): Promise<void> {
    this.#running = run((permit) => this.#tryRound(permit));
    return this.#running;
  }

  interrupt(cause: HoldfastError): void {
    this.#abort.abort(cause);
  }

  /** Ends the job once its running round has ended: two writers of one record would undo each other. */
  async cancel(declareVoid: boolean): Promise<void> {
    this.interrupt(new HoldfastError('backfill-cancelled', 'the job was cancelled'));
    await this.#running;
    if (!this.isOpen) return;
    try {
      await this.#saveCancelled(declareVoid);
    } catch (error) {
      // Not durable, so not true: the job goes on.
      this.#abort = new AbortController();
      throw error;
    }
  }

  async #tryRound(permit: Permit): Promise<void> {
    const { clock, log, limits } = this.#parts;
    const { requestId, batchId } = this.#job;
    let why = 'it lies beyond what the stream is observed to';
    try {
      const outcome = await this.#runRound(permit);
      if (outcome === 'finished') return await this.#finish();
      if (outcome === 'over' || (outcome === 'ahead' && this.#isOld()))
        return await this.#end('beyond-observed', why);
      if (outcome !== 'ahead') why = outcome.blocked;
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      why = describeError(error);
      if (!(error instanceof HoldfastError))
        log.error({ code: 'unexpected-trouble', requestId, err: error }, 'a backfill step failed');
    }
    try {
      if (clock.monotonic() - this.#lastProgressAt >= limits.giveUpMs)
        return await this.#end('no-progress', why);
    } catch (error) {
      why = describeError(error);
    }
    const pauseMs = this.#backoff.next();
    this.#notBefore = clock.monotonic() + pauseMs;
    // Each reason once: the same is asked again for hours.
    const isNew = why !== this.#waiting;
    this.#waiting = why;
    log[isNew ? 'info' : 'debug']({ requestId, batchId, why, pauseMs }, 'backfill job waits');
  }

  /** Measured by the wall clock, so that a restart does not begin the time again. */
  #isOld(): boolean {
    const { clock, limits } = this.#parts;
    return clock.now() - this.#job.createdAt >= limits.aheadMs;
  }

  #runRound(permit: Permit): Promise<RoundOutcome> {
    const { store, clock, limits } = this.#parts;
    const { signal } = this.#abort;
    return runRound({
      store,
      requeued: this.#requeued,
      job: () => this.#job,
      save: async (change, output) => {
        signal.throwIfAborted();
        await this.#save(change, output);
      },
      frontier: () => this.#frontier(signal),
      history: () => this.#history(),
      sourceIsGone: () => this.#sourceMissingMs() >= limits.sourceGoneMs,
      room: () => this.#room(signal),
      permit,
      limits,
      clock,
      signal,
    });
  }

  #history() {
    const history = this.#parts.sources(this.#job.batchId);
    if (history !== 'removed') this.#sourceMissingSince = undefined;
    else this.#sourceMissingSince ??= this.#parts.clock.monotonic();
    return history;
  }

  /** Waits for the disk, which may refuse for a long time. */
  #frontier(signal: AbortSignal) {
    return orAborted(this.#parts.frontier(this.#job.batchId), signal);
  }

  #sourceMissingMs(): number {
    const now = this.#parts.clock.monotonic();
    return now - (this.#sourceMissingSince ?? now);
  }

  async #room(signal: AbortSignal): Promise<void> {
    const { clock, queued, limits } = this.#parts;
    signal.throwIfAborted();
    while (queued() >= limits.maxQueued) await sleep(clock, roomPollMs, signal);
  }

  async #save(change: JobChange, output: JobOutput): Promise<void> {
    const { store, clock } = this.#parts;
    const next = advanced(this.#job, change, clock.now());
    await store.save(next, output);
    this.#job = next;
    // What is observed meanwhile is no reason to look again at once.
    if (Object.keys(output).length > 0) this.#backoff.reset();
    this.#lastProgressAt = clock.monotonic();
    this.#waiting = undefined;
  }

  async #finish(): Promise<void> {
    const { store, clock, log } = this.#parts;
    if (this.#job.state !== 'done') {
      // Nothing remained without any step: the range was all answered when the process last died.
      const done = withState(this.#job, 'done', clock.now());
      await store.save(done);
      this.#job = done;
    }
    const { requestId, batchId, range, voids } = this.#job;
    log.info({ requestId, batchId, range, voids: voids.length }, 'backfill job done');
  }

  /** Ends the job with a rest that is neither answered nor declared void. */
  async #end(ended: JobEnd, why: string): Promise<void> {
    const { store, clock, log } = this.#parts;
    const given = endedBy(this.#job, ended, clock.now());
    await store.save(given);
    this.#job = given;
    const { requestId, batchId } = given;
    log.warn(
      { code: 'backfill-given-up', requestId, batchId, ended, why, remaining: remainingOf(given) },
      'backfill job given up',
    );
  }

  async #saveCancelled(declareVoid: boolean): Promise<void> {
    const { store, clock, limits } = this.#parts;
    const lost = declareVoid
      ? await voidableOf(this.#job, await this.#parts.frontier(this.#job.batchId), store, limits.archivePage)
      : [];
    const voids = lost.map((window) => ({ window, reason: 'cancelled' as const }));
    const next = endedBy(advanced(this.#job, { voids }, clock.now()), 'cancelled', clock.now());
    await store.save(next, voids.length > 0 ? declaredVoid(this.#job, voids) : {});
    this.#job = next;
  }
}
