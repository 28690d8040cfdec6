// Backfill jobs: accepted only once they are durable, answered step by step, each step one atomic write of
// the job together with what it produced. So at every moment the store says exactly what was answered, and
// a process that starts on it, after a crash anywhere, goes on there.
//
// Jobs of one stream take turns, oldest first: two that ask for the same range never read it at once, and
// the second finds what the first has queued. A job that is blocked (equipment away, history not recorded
// yet) steps back with growing pauses and lets the others by.
import { describeError, HoldfastError } from '../../kernel/errors.ts';
import { type BackfillRequest, type Parsed, resolveRange } from '../../wire/methods.ts';
import type { Window } from '../../wire/window.ts';
import { ActiveJob } from './active-job.ts';
import type { BackfillJobs, BackfillJobsOptions, BackfillOutcome } from './backfill-jobs-api.ts';
import { type BackfillLimits, defaultBackfillLimits } from './backfill-limits.ts';
import type { JobRecord, StreamFacts } from './backfill-store.ts';
import { isOpen, outlivedJobs } from './job-ranges.ts';
import { createSemaphore } from './semaphore.ts';
import { createTurns } from './turns.ts';

export function createBackfillJobs(options: BackfillJobsOptions): BackfillJobs {
  return new Jobs(options);
}

class Jobs implements BackfillJobs {
  readonly #options: BackfillJobsOptions;
  readonly #limits: BackfillLimits;
  readonly #jobs = new Map<string, ActiveJob>();
  /** Requests whose first save runs: a second one with the same id waits for it. */
  readonly #accepting = new Map<string, Promise<BackfillOutcome>>();
  readonly #permits;
  readonly #turns;
  #stopping = false;

  constructor(options: BackfillJobsOptions) {
    this.#options = options;
    this.#limits = { ...defaultBackfillLimits, ...options.limits };
    this.#permits = createSemaphore(this.#limits.concurrentStreams, options.clock);
    this.#turns = createTurns({
      clock: options.clock,
      next: (batchId) => this.#nextOf(batchId),
      run: (job: ActiveJob) => this.#workOn(job),
    });
  }

  async start(): Promise<void> {
    for (const job of await this.#options.store.jobs()) this.#take(job);
    await this.#forgetOld();
    for (const { job, isOpen } of this.#jobs.values()) if (isOpen) this.#turns.wake(job.batchId);
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
    return this.#jobs.get(requestId)?.job;
  }

  waiting(requestId: string): string | undefined {
    return this.#jobs.get(requestId)?.waiting;
  }

  jobs(): readonly JobRecord[] {
    return [...this.#jobs.values()].map(({ job }) => job);
  }

  async cancel(requestId: string, declareVoid: boolean): Promise<JobRecord | undefined> {
    const job = this.#jobs.get(requestId);
    if (!job?.isOpen) return job?.job;
    try {
      await job.cancel(declareVoid);
    } finally {
      // One that could not be cancelled goes on.
      this.#turns.wake(job.job.batchId);
    }
    this.#options.log.info({ requestId, declareVoid }, 'backfill job cancelled');
    return job.job;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#turns.stop();
    const cause = new HoldfastError('backfill-stopping', 'the module stops');
    for (const job of this.#jobs.values()) job.interrupt(cause);
    await Promise.all([...this.#jobs.values()].map(({ idle }) => idle));
    await Promise.allSettled(this.#accepting.values());
  }

  async #accept(request: BackfillRequest): Promise<BackfillOutcome> {
    const { store, clock, log } = this.#options;
    if (this.#stopping) return { kind: 'stopping' };
    const known = this.#known(request);
    if (known) return known;
    const stream = store.stream(request.batchId);
    if (!stream) return { kind: 'unknown-stream' };
    const range = rangeOf(request, stream);
    if (!range.ok) return { kind: 'invalid', errors: range.errors };
    if (this.#openJobs() + this.#accepting.size >= this.#limits.maxOpenJobs) return { kind: 'too-many' };

    const now = clock.now();
    const { requestId, batchId } = request;
    const job: JobRecord = {
      requestId,
      batchId,
      index: stream.index,
      ...(request.kind === 'late' ? { lateSeries: request.late.series } : {}),
      range: range.value,
      state: 'accepted',
      covered: [],
      voids: [],
      createdAt: now,
      updatedAt: now,
    };
    await store.save(job);
    log.info({ requestId, batchId, range: range.value }, 'backfill job accepted');
    this.#take(job);
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

  #take(job: JobRecord): void {
    this.#jobs.set(job.requestId, new ActiveJob(job, { ...this.#options, limits: this.#limits }));
  }

  /** The stream's oldest job that may run, or when the next one may. */
  #nextOf(batchId: string): { entry: ActiveJob } | { at: number } | undefined {
    const now = this.#options.clock.monotonic();
    const open = [...this.#jobs.values()]
      .filter(({ job, dueAt }) => job.batchId === batchId && dueAt !== undefined)
      .sort((a, b) => a.job.createdAt - b.job.createdAt);
    const ready = open.find(({ dueAt }) => dueAt! <= now);
    if (ready) return { entry: ready };
    if (open.length === 0) return undefined;
    return { at: Math.min(...open.map(({ dueAt }) => dueAt!)) };
  }

  /** Never rejects. */
  #workOn(job: ActiveJob): Promise<void> {
    return job.work(async (round) => {
      await this.#permits.run(round);
      if (!job.isOpen) await this.#forgetOld();
      this.#count();
    });
  }

  /** Removes finished jobs that are old, or more than are kept. */
  async #forgetOld(): Promise<void> {
    const { store, clock, log } = this.#options;
    const oldestKept = clock.now() - this.#limits.keepFinishedMs;
    for (const { requestId } of outlivedJobs(this.jobs(), this.#limits.maxFinishedJobs, oldestKept)) {
      try {
        await store.forget(requestId);
        this.#jobs.delete(requestId);
      } catch (error) {
        log.info({ requestId, reason: describeError(error) }, 'a finished backfill job is kept longer');
        return;
      }
    }
  }

  #count(): void {
    this.#options.metrics.gauge('holdfast_backfill_open_jobs', this.#openJobs());
  }

  #openJobs(): number {
    return [...this.#jobs.values()].filter(({ isOpen }) => isOpen).length;
  }
}

function rangeOf(request: BackfillRequest, stream: StreamFacts): Parsed<Window> {
  if (request.kind === 'windows') return resolveRange(request, stream.index);
  const { series, first, last } = request.late;
  // Of a count that goes on, what was never given out cannot be lost, and must not be declared so.
  if (series === stream.late?.series && last > stream.late.number) {
    const problem = `beyond ${stream.late.number}, the last late number of the stream`;
    return { ok: false, errors: [{ field: 'lateThrough', problem }] };
  }
  return { ok: true, value: { start: first, end: last + 1 } };
}
