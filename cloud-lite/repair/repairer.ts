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
import { createHubPace } from './hub-pace.ts';
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
  const { database, methods, limits, clock, random, log, metrics } = options;
  const pace = createHubPace(maxCalls, clock, random);
  const calls = new Set<Promise<void>>();
  let wakeUp: () => void = () => {};
  let woken = false;
  const state: { lastSweepAt?: number; trouble?: string } = {};

  const times = (): OutcomeTimes => ({
    now: clock.now(),
    retryMs: (failures) => delayAfter(createBackoff(retryBackoff, random), failures),
    followUpMs: Math.min(60_000, Math.max(1000, limits.detectionDelayMs)),
  });

  const look = async (signal: AbortSignal) => {
    try {
      const result = await sweep(database, random, clock.now(), limits);
      if (result !== undefined) {
        state.lastSweepAt = clock.now();
        metrics.count('holdfast_gaps_found_total', undefined, result.gapsFound);
        metrics.count('holdfast_gaps_closed_total', undefined, result.gapsClosed);
        metrics.count('holdfast_requests_recorded_total', undefined, result.requestsRecorded);
        const { failed, ...counts } = result;
        if (Object.values(counts).some((count) => count > 0)) log.info(counts, 'swept');
        for (const { what, error } of failed) {
          metrics.count('holdfast_sweep_failures_total');
          log.error(
            { what, err: describeError(error) },
            'the database fails on this one: it is not judged, others are',
          );
        }
      }
      for (const request of await claim(database, clock.now(), pace.room(calls.size), limits)) {
        const done = call(request, signal).finally(() => calls.delete(done));
        calls.add(done);
      }
      delete state.trouble;
    } catch (error) {
      state.trouble = tellableTrouble(error);
      metrics.count('holdfast_sweep_failures_total');
      log.error({ err: describeError(error) }, 'a sweep failed; the next one tries again');
    }
  };

  const call = async (request: DueRequest, signal: AbortSignal) => {
    try {
      if (request.state === 'pending') await send(request, signal);
      else await lookAfter(request, signal);
      wake();
    } catch (error) {
      await fail(request, error, signal).catch((last: unknown) => {
        if (!signal.aborted)
          log.error({ request: request.id, err: describeError(last) }, 'a call is to be repeated');
      });
    }
  };

  /** Aborted, or the database is away: the claim runs out, and the call is made again. All else would be so for ever. */
  const fail = async (request: DueRequest, error: unknown, signal: AbortSignal) => {
    if (signal.aborted || (error instanceof HoldfastError && error.retryable)) throw error;
    log.error({ request: request.id, err: describeError(error) }, 'a call failed');
    const why = `the call failed: ${cutText(describeError(error), 300)}`;
    await recordFailure(database, request, why, times(), limits);
  };

  const send = async (request: DueRequest, signal: AbortSignal) => {
    const payload = backfillPayload(request);
    const sent = judgeBackfillAnswer(await methods.call(request, 'backfill', payload, signal));
    metrics.count('holdfast_backfill_calls_total', { outcome: sent.kind });
    hear(sent);
    tell(log, request, payload, sent);
    await recordSent(database, request, sent, times(), limits);
  };

  const hear = (answer: Sent | FollowUp) => {
    if (answer.kind !== 'wait' || answer.whose === 'module') pace.took();
    else pace.refused(answer.retryAfterMs);
  };

  const lookAfter = async (request: DueRequest, signal: AbortSignal) => {
    const followUp = judgeFollowUp(
      await methods.call(request, 'getBackfill', { requestId: request.id }, signal),
    );
    hear(followUp);
    await recordFollowUp(database, request, followUp, times(), limits);
  };

  const wake = () => {
    woken = true;
    wakeUp();
  };

  /** Until the interval is over, or soon after a wake; at once when aborted. */
  const pause = (signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      const timers: Timer[] = [];
      const done = () => {
        for (const timer of timers) timer.cancel();
        signal.removeEventListener('abort', done);
        wakeUp = () => {};
        resolve();
      };
      if (signal.aborted) return done();
      signal.addEventListener('abort', done, { once: true });
      timers.push(clock.setTimer(options.sweepIntervalMs, done));
      wakeUp = () => {
        wakeUp = () => {};
        timers.push(clock.setTimer(Math.min(minIntervalMs, options.sweepIntervalMs), done));
      };
      if (woken) wakeUp();
    });

  return {
    async run(signal) {
      while (!signal.aborted) {
        woken = false;
        await look(signal);
        await pause(signal);
      }
      await Promise.allSettled(calls);
    },
    wake,
    state: () => ({ ...state }),
  };
}

/** Of the direct method `backfill` (docs/WIRE.md). */
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
  else log.warn({ ...fields, why: sent.why }, `backfill request: ${sent.kind}`);
}
