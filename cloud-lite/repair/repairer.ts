// Repair as a running thing: sweeps at an interval and when woken, and makes the calls that are due.
import { createBackoff } from '../../kernel/backoff.ts';
import type { Clock, Timer } from '../../kernel/clock.ts';
import { describeError, HoldfastError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import type { Random } from '../../kernel/random.ts';
import { cutText } from '../../kernel/text.ts';
import { formatLateNumber } from '../../wire/late.ts';
import { formatIndex } from '../../wire/window.ts';
import type { Database } from '../database/database.ts';
import { tellableTrouble } from '../health/trouble.ts';
import { type FollowUp, judgeBackfillAnswer, judgeFollowUp, type RepairLimits, type Sent } from './decide.ts';
import type { HubMethods } from './hub-methods.ts';
import { createHubPace, type HubPace } from './hub-pace.ts';
import { delayAfter, type OutcomeTimes, recordFailure, recordFollowUp, recordSent } from './outcome.ts';
import type { DueRequest } from './queue.ts';
import { claim, sweep } from './sweep.ts';

export interface RepairerOptions {
  readonly database: Database;
  readonly methods: HubMethods;
  readonly limits: RepairLimits;
  readonly sweepIntervalMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface RepairerState {
  /** Epoch ms, of the last look that went through. */
  readonly lastSweepAt?: number;
  /** Why the last look failed, while none went through since. Names no host. */
  readonly trouble?: string;
}

export interface Repairer {
  /** Resolves after an abort of the signal, with no call in flight. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
  /** Something has changed that is worth a look before the interval is over. */
  wake(): void;
  state(): RepairerState;
}

const maxCalls = 64;
/** Looks that were asked for stand at least this far apart. */
const minIntervalMs = 250;
const retryBackoff = { minMs: 4000, maxMs: 300_000 };

export function createRepairer(options: RepairerOptions): Repairer {
  return new SweepingRepairer(options);
}

class SweepingRepairer implements Repairer {
  readonly #options: RepairerOptions;
  readonly #pace: HubPace;
  readonly #calls = new Set<Promise<void>>();
  readonly #state: { lastSweepAt?: number; trouble?: string } = {};
  #wakeUp: () => void = () => {};
  #isWoken = false;

  constructor(options: RepairerOptions) {
    this.#options = options;
    this.#pace = createHubPace(maxCalls, options.clock, options.random);
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#isWoken = false;
      await this.#look(signal);
      await this.#pause(signal);
    }
    await Promise.allSettled(this.#calls);
  }

  wake(): void {
    this.#isWoken = true;
    this.#wakeUp();
  }

  state(): RepairerState {
    return { ...this.#state };
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { database, limits, clock, log, metrics } = this.#options;
    try {
      await this.#sweep();
      for (const request of await claim(database, clock.now(), this.#pace.room(this.#calls.size), limits)) {
        const done = this.#call(request, signal).finally(() => this.#calls.delete(done));
        this.#calls.add(done);
      }
      delete this.#state.trouble;
    } catch (error) {
      this.#state.trouble = tellableTrouble(error);
      metrics.count('holdfast_sweep_failures_total');
      log.error(
        { code: 'sweep-failed', err: describeError(error) },
        'a sweep failed; the next one tries again',
      );
    }
  }

  async #sweep(): Promise<void> {
    const { database, random, limits, clock, log, metrics } = this.#options;
    const result = await sweep(database, random, clock.now(), limits);
    if (result === undefined) return;
    this.#state.lastSweepAt = clock.now();
    const { failed, ...counts } = result;
    metrics.count('holdfast_gaps_found_total', undefined, counts.gapsFound);
    metrics.count('holdfast_gaps_closed_total', undefined, counts.gapsClosed);
    metrics.count('holdfast_requests_recorded_total', undefined, counts.requestsRecorded);
    if (Object.values(counts).some((count) => count > 0)) log.info(counts, 'swept');
    for (const { what, error } of failed) {
      metrics.count('holdfast_sweep_failures_total');
      log.error(
        { code: 'stream-not-judged', what, err: describeError(error) },
        'the database fails on this stream: it is skipped, others are processed',
      );
    }
  }

  async #call(request: DueRequest, signal: AbortSignal): Promise<void> {
    try {
      if (request.state === 'pending') await this.#send(request, signal);
      else await this.#lookAfter(request, signal);
      this.wake();
    } catch (error) {
      await this.#fail(request, error, signal).catch((last: unknown) => {
        if (signal.aborted) return;
        const fields = { request: request.id, err: describeError(last) };
        this.#options.log.error(
          { code: 'backfill-call-failed', ...fields },
          'a call to a module failed; it is repeated',
        );
      });
    }
  }

  /** Aborted, or the database is away: the claim runs out, and the call is made again. All else would be so for ever. */
  async #fail(request: DueRequest, error: unknown, signal: AbortSignal): Promise<void> {
    if (signal.aborted || (error instanceof HoldfastError && error.retryable)) throw error;
    const { database, limits, log } = this.#options;
    log.error(
      { code: 'backfill-call-failed', request: request.id, err: describeError(error) },
      'a call to a module could not be made',
    );
    const why = `the call failed: ${cutText(describeError(error), 300)}`;
    await recordFailure(database, request, why, this.#times(), limits);
  }

  async #send(request: DueRequest, signal: AbortSignal): Promise<void> {
    const { database, methods, limits, log, metrics } = this.#options;
    const payload = backfillPayload(request);
    const sent = judgeBackfillAnswer(await methods.call(request, 'backfill', payload, signal));
    metrics.count('holdfast_backfill_calls_total', { outcome: sent.kind });
    this.#hear(sent);
    tell(log, request, payload, sent);
    await recordSent(database, request, sent, this.#times(), limits);
  }

  async #lookAfter(request: DueRequest, signal: AbortSignal): Promise<void> {
    const { database, methods, limits } = this.#options;
    const answer = await methods.call(request, 'getBackfill', { requestId: request.id }, signal);
    const followUp = judgeFollowUp(answer);
    this.#hear(followUp);
    await recordFollowUp(database, request, followUp, this.#times(), limits);
  }

  #hear(answer: Sent | FollowUp): void {
    if (answer.kind !== 'wait' || answer.whose === 'module') this.#pace.took();
    else this.#pace.refused(answer.retryAfterMs);
  }

  #times(): OutcomeTimes {
    const { clock, random, limits } = this.#options;
    return {
      now: clock.now(),
      retryMs: (failures) => delayAfter(createBackoff(retryBackoff, random), failures),
      followUpMs: Math.min(60_000, Math.max(1000, limits.detectionDelayMs)),
    };
  }

  /** Until the interval is over, or soon after a wake; at once when aborted. */
  #pause(signal: AbortSignal): Promise<void> {
    const { clock, sweepIntervalMs } = this.#options;
    return new Promise<void>((resolve) => {
      const timers: Timer[] = [];
      const done = () => {
        for (const timer of timers) timer.cancel();
        signal.removeEventListener('abort', done);
        this.#wakeUp = () => {};
        resolve();
      };
      if (signal.aborted) return done();
      signal.addEventListener('abort', done, { once: true });
      timers.push(clock.setTimer(sweepIntervalMs, done));
      this.#wakeUp = () => {
        this.#wakeUp = () => {};
        timers.push(clock.setTimer(Math.min(minIntervalMs, sweepIntervalMs), done));
      };
      if (this.#isWoken) this.#wakeUp();
    });
  }
}

/** The payload of the direct method `backfill` (docs/WIRE.md). */
export function backfillPayload({ id: requestId, batchId, index, lateSeries: series, range }: DueRequest) {
  if (series === undefined) {
    const [startWindow, endWindow] = [formatIndex(index, range.start), formatIndex(index, range.end)];
    return { requestId, batchId, startWindow, endWindow };
  }
  return {
    requestId,
    batchId,
    lateNumber: formatLateNumber({ series, number: range.start }),
    lateThrough: formatLateNumber({ series, number: range.end - 1 }),
  };
}

function tell(log: Log, request: DueRequest, payload: object, sent: Sent): void {
  const fields = { device: request.deviceId, module: request.moduleId, ...payload, attempt: request.attempt };
  if (sent.kind === 'accepted') log.info(fields, 'backfill requested');
  else log.warn({ code: 'backfill-not-taken', ...fields, why: sent.why }, `backfill request: ${sent.kind}`);
}
