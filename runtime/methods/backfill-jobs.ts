// Backfill jobs: accepted only once they are durable, answered step by step, each step one atomic write of
// the job together with what it produced. So at every moment the store says exactly what was answered, and
// a process that starts on it, after a crash anywhere, goes on there.
//
// Jobs of one stream take turns, oldest first: two that ask for the same range never read it at once, and
// the second finds what the first has queued. A job that is blocked (equipment away, history not recorded
// yet) steps back with growing pauses and lets the others by.
import { type Backoff, createBackoff } from '../../kernel/backoff.ts';
import { type Clock, sleep } from '../../kernel/clock.ts';
import { describeError, HoldfastError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import type { Random } from '../../kernel/random.ts';
import { type BackfillRequest, type FieldError, resolveRange } from '../../wire/methods.ts';
import type { SourceHistory } from '../sources/source.ts';
import { type BackfillLimits, defaultBackfillLimits } from './backfill-limits.ts';
import type { BackfillStore, JobOutput, JobRecord } from './backfill-store.ts';
import { advanced, isOpen, type JobChange, outlivedJobs, remainingOf, withState } from './job-ranges.ts';
import { runRound } from './job-round.ts';
import { createSemaphore } from './semaphore.ts';
import { createTurns } from './turns.ts';

export interface BackfillJobsOptions {
  readonly store: BackfillStore;
  /**
   * The history of the equipment behind a stream; `no-history` where it remembers nothing; undefined where
   * the stream has no source now.
   */
  readonly sources: (batchId: string) => SourceHistory | 'no-history' | undefined;
  /** Messages now waiting in the backfill lane. */
  readonly queued: () => number;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits?: Partial<BackfillLimits>;
  readonly log: Log;
  readonly metrics: Metrics;
}

export type BackfillOutcome =
  | { readonly kind: 'accepted'; readonly job: JobRecord }
  | { readonly kind: 'known'; readonly job: JobRecord }
  | { readonly kind: 'invalid'; readonly errors: readonly FieldError[] }
  | { readonly kind: 'unknown-stream' }
  | { readonly kind: 'too-many' }
  | { readonly kind: 'stopping' };

export interface BackfillJobs {
  /** Loads the durable jobs and goes on where they stood. Call once, before requests come. */
  start(): Promise<void>;
  /** Resolves once the job is durable. Rejects where the store cannot take it. */
  request(request: BackfillRequest): Promise<BackfillOutcome>;
  get(requestId: string): JobRecord | undefined;
  /** With `declareVoid`, what is not yet queued becomes void `cancelled`. Undefined: no such job. */
  cancel(requestId: string, declareVoid: boolean): Promise<JobRecord | undefined>;
  jobs(): readonly JobRecord[];
  /** Ends what runs; the jobs stay as they are in the store. */
  stop(): Promise<void>;
}

export function createBackfillJobs(options: BackfillJobsOptions): BackfillJobs {
  return new Jobs(options);
}

interface Entry {
  job: JobRecord;
  /** Aborts what runs for this job: it is cancelled, or everything stops. */
  abort: AbortController;
  running: Promise<void>;
  readonly backoff: Backoff;
  /** Monotonic ms: not to be tried before. */
  notBefore: number;
  lastProgressAt: number;
  sourceMissingSince?: number;
}

/** How often a full lane is looked at again. */
const roomPollMs = 250;

class Jobs implements BackfillJobs {
  readonly #options: BackfillJobsOptions;
  readonly #limits: BackfillLimits;
  readonly #entries = new Map<string, Entry>();
  /** Requests whose first save runs: a second one with the same id waits for it. */
  readonly #accepting = new Map<string, Promise<BackfillOutcome>>();
  readonly #permits;
  readonly #turns;
  #stopping = false;

  constructor(options: BackfillJobsOptions) {
    this.#options = options;
    this.#limits = { ...defaultBackfillLimits, ...options.limits };
    this.#permits = createSemaphore(this.#limits.concurrentStreams);
    this.#turns = createTurns({
      clock: options.clock,
      next: (batchId) => this.#nextOf(batchId),
      run: (entry: Entry) => this.#round(entry),
    });
  }

  async start(): Promise<void> {
    for (const job of await this.#options.store.jobs()) this.#entries.set(job.requestId, this.#entry(job));
    await this.#forgetOld();
    for (const { job } of this.#entries.values()) if (isOpen(job)) this.#turns.wake(job.batchId);
    this.#count();
  }

  request(request: BackfillRequest): Promise<BackfillOutcome> {
    const { requestId } = request;
    const first = this.#accepting.get(requestId);
    if (first) return first.then((outcome) => this.#known(request) ?? outcome);
    const accepting = this.#accept(request).finally(() => this.#accepting.delete(requestId));
    this.#accepting.set(requestId, accepting);
    return accepting;
  }

  get(requestId: string): JobRecord | undefined {
    return this.#entries.get(requestId)?.job;
  }

  jobs(): readonly JobRecord[] {
    return [...this.#entries.values()].map(({ job }) => job);
  }

  async cancel(requestId: string, declareVoid: boolean): Promise<JobRecord | undefined> {
    const entry = this.#entries.get(requestId);
    if (!entry || !isOpen(entry.job)) return entry?.job;
    // First whatever runs comes to its end: two writers of one record would undo each other.
    entry.abort.abort(new HoldfastError('backfill-cancelled', 'the job was cancelled'));
    await entry.running;
    if (!isOpen(entry.job)) return entry.job;
    try {
      await this.#saveCancelled(entry, declareVoid);
    } catch (error) {
      // Not durable, so not true: the job goes on.
      entry.abort = new AbortController();
      this.#turns.wake(entry.job.batchId);
      throw error;
    }
    this.#options.log.info({ requestId, declareVoid }, 'backfill job cancelled');
    return entry.job;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#turns.stop();
    for (const { abort } of this.#entries.values()) {
      abort.abort(new HoldfastError('backfill-stopping', 'the module stops'));
    }
    await Promise.all([...this.#entries.values()].map(({ running }) => running));
    await Promise.allSettled(this.#accepting.values());
  }

  async #accept(request: BackfillRequest): Promise<BackfillOutcome> {
    const { store, clock, log } = this.#options;
    if (this.#stopping) return { kind: 'stopping' };
    const known = this.#known(request);
    if (known) return known;
    const stream = store.stream(request.batchId);
    if (!stream) return { kind: 'unknown-stream' };
    const range = resolveRange(request, stream.index);
    if (!range.ok) return { kind: 'invalid', errors: range.errors };
    const open = [...this.#entries.values()].filter(({ job }) => isOpen(job)).length;
    if (open + this.#accepting.size >= this.#limits.maxOpenJobs) return { kind: 'too-many' };

    const now = clock.now();
    const { requestId, batchId } = request;
    const job: JobRecord = {
      requestId,
      batchId,
      index: stream.index,
      range: range.value,
      state: 'accepted',
      covered: [],
      voids: [],
      createdAt: now,
      updatedAt: now,
    };
    await store.save(job);
    log.info({ requestId, batchId, range: range.value }, 'backfill job accepted');
    this.#entries.set(requestId, this.#entry(job));
    await this.#forgetOld();
    this.#turns.wake(batchId);
    this.#count();
    return { kind: 'accepted', job };
  }

  #known(request: BackfillRequest): BackfillOutcome | undefined {
    const job = this.get(request.requestId);
    if (!job) return undefined;
    // An id made from the range comes again when the range is asked for again.
    if (request.derivedId && !isOpen(job)) return undefined;
    return { kind: 'known', job };
  }

  #entry(job: JobRecord): Entry {
    const { clock, random } = this.#options;
    return {
      job,
      abort: new AbortController(),
      running: Promise.resolve(),
      backoff: createBackoff({ minMs: this.#limits.retryMinMs, maxMs: this.#limits.retryMaxMs }, random),
      notBefore: 0,
      lastProgressAt: clock.monotonic(),
    };
  }

  /** The stream's oldest job that may run, or when the next one may. */
  #nextOf(batchId: string): { entry: Entry } | { at: number } | undefined {
    const now = this.#options.clock.monotonic();
    const open = [...this.#entries.values()]
      .filter(({ job, abort }) => job.batchId === batchId && isOpen(job) && !abort.signal.aborted)
      .sort((a, b) => a.job.createdAt - b.job.createdAt);
    const ready = open.find(({ notBefore }) => notBefore <= now);
    if (ready) return { entry: ready };
    if (open.length === 0) return undefined;
    return { at: Math.min(...open.map(({ notBefore }) => notBefore)) };
  }

  /** Never rejects. */
  #round(entry: Entry): Promise<void> {
    const work = this.#permits.run(() => this.#tryRound(entry)).finally(() => this.#count());
    entry.running = work;
    return work;
  }

  async #tryRound(entry: Entry): Promise<void> {
    const { clock, log } = this.#options;
    const { requestId, batchId } = entry.job;
    let why = 'the equipment has not recorded it yet';
    try {
      if ((await this.#runRound(entry)) === 'finished') return await this.#finish(entry);
    } catch (error) {
      if (entry.abort.signal.aborted) return;
      why = describeError(error);
      if (!(error instanceof HoldfastError)) log.error({ requestId, err: error }, 'a backfill step failed');
    }
    try {
      if (clock.monotonic() - entry.lastProgressAt >= this.#limits.giveUpMs)
        return await this.#giveUp(entry, why);
    } catch (error) {
      why = describeError(error);
    }
    const pauseMs = entry.backoff.next();
    entry.notBefore = clock.monotonic() + pauseMs;
    log.debug({ requestId, batchId, why, pauseMs }, 'backfill job waits');
  }

  #runRound(entry: Entry): Promise<'finished' | 'blocked'> {
    const { store, sources, clock } = this.#options;
    const { batchId } = entry.job;
    const { signal } = entry.abort;
    return runRound({
      store,
      job: () => entry.job,
      save: async (change, output) => {
        signal.throwIfAborted();
        await this.#save(entry, change, output);
      },
      history: () => {
        const history = sources(batchId);
        if (history !== undefined) delete entry.sourceMissingSince;
        else entry.sourceMissingSince ??= clock.monotonic();
        return history;
      },
      sourceIsGone: () =>
        clock.monotonic() - (entry.sourceMissingSince ?? clock.monotonic()) >= this.#limits.sourceGoneMs,
      room: () => this.#room(signal),
      limits: this.#limits,
      clock,
      signal,
    });
  }

  async #save(entry: Entry, change: JobChange, output: JobOutput): Promise<void> {
    const next = advanced(entry.job, change, this.#options.clock.now());
    await this.#options.store.save(next, output);
    entry.job = next;
    entry.backoff.reset();
    entry.lastProgressAt = this.#options.clock.monotonic();
  }

  async #finish(entry: Entry): Promise<void> {
    const { store, clock, log } = this.#options;
    if (entry.job.state !== 'done') {
      // Nothing remained without any step: the range was all answered when the process last died.
      const done = withState(entry.job, 'done', clock.now());
      await store.save(done);
      entry.job = done;
    }
    const { requestId, batchId, range, voids } = entry.job;
    log.info({ requestId, batchId, range, voids: voids.length }, 'backfill job done');
    await this.#forgetOld();
  }

  async #giveUp(entry: Entry, why: string): Promise<void> {
    const { store, clock, log } = this.#options;
    const given = withState(entry.job, 'cancelled', clock.now());
    await store.save(given);
    entry.job = given;
    const { requestId, batchId } = given;
    log.warn({ requestId, batchId, why, remaining: remainingOf(given) }, 'backfill job given up');
  }

  async #saveCancelled(entry: Entry, declareVoid: boolean): Promise<void> {
    const { store, clock } = this.#options;
    const { job } = entry;
    const { batchId, index } = job;
    const voids = declareVoid
      ? remainingOf(job).map((window) => ({ window, reason: 'cancelled' as const }))
      : [];
    const next = withState(advanced(job, { voids }, clock.now()), 'cancelled', clock.now());
    await store.save(
      next,
      declareVoid ? { voids: voids.map(({ window, reason }) => ({ batchId, index, window, reason })) } : {},
    );
    entry.job = next;
  }

  async #room(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    while (this.#options.queued() >= this.#limits.maxQueued)
      await sleep(this.#options.clock, roomPollMs, signal);
  }

  /** What is finished and old, or more than is kept. */
  async #forgetOld(): Promise<void> {
    const { store, clock, log } = this.#options;
    const oldestKept = clock.now() - this.#limits.keepFinishedMs;
    for (const { requestId } of outlivedJobs(this.jobs(), this.#limits.maxFinishedJobs, oldestKept)) {
      try {
        await store.forget(requestId);
        this.#entries.delete(requestId);
      } catch (error) {
        log.warn({ requestId, reason: describeError(error) }, 'a finished backfill job is kept longer');
        return;
      }
    }
  }

  #count(): void {
    const open = [...this.#entries.values()].filter(({ job }) => isOpen(job)).length;
    this.#options.metrics.gauge('holdfast_backfill_open_jobs', open);
  }
}
