// Carries out the actions of rules and of people: one after the other for each target, at least once, and never after the
// deadline.
//
// An action is durable before it is given to `take`. Its outcome is given to `onOutcome`, once; the caller stores it
// together with the removal of the intent. So after a crash at any point an intent is either still there, and is carried
// out again under the same id if there is time left, or its outcome is.
//
// The deadline is checked three times: before a try, while it waits for its turn (the signal), and right before the bytes
// go out (`onSend`), since a process may be stopped for any length of time between any two lines.
import { type Backoff, createBackoff } from '../../../kernel/backoff.ts';
import { type Clock, sleep } from '../../../kernel/clock.ts';
import { describeError, HoldfastError } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Metrics } from '../../../kernel/metrics.ts';
import type { Random } from '../../../kernel/random.ts';
import type { Value } from '../../../wire/reading.ts';
import { type Intent, type Moment, type Outcome, remainingMs, targetKey } from './intent.ts';

/**
 * Carries out one intent. `onSend` is called right before something goes out, and throws where it must not; `onRefused` where the target
 * answered that it did not take what went out.
 */
export interface Performer {
  /** Resolves once it is confirmed. @throws HoldfastError; retryable where another try may succeed. */
  perform(
    intent: Intent,
    given: { readonly expected?: Value | undefined; onSend(): void; onRefused(): void },
    signal: AbortSignal,
  ): Promise<void>;
}

export interface ExecutorOptions {
  readonly performer: Performer;
  readonly clock: Clock;
  readonly moment: () => Moment;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Called for each intent that was given to `take`. Synchronous. */
  readonly onOutcome: (intent: Intent, outcome: Outcome) => void;
  /** Tries of one intent. Default 20. */
  readonly maxAttempts?: number;
  /** Intents that wait for one target; more are refused. Default 1,000. */
  readonly maxWaiting?: number;
}

export interface ExecutorState {
  readonly waiting: number;
  readonly outcomes: Readonly<Partial<Record<Outcome['kind'], number>>>;
}

export interface Executor {
  /** Durable intents, in the order in which they were decided. */
  take(intents: readonly Intent[]): void;
  /** Carries out an action that is not stored: its outcome is for the caller alone. Never rejects. */
  run(intent: Intent, expected?: Value): Promise<Outcome>;
  /** Ends those that are given as durable and that nothing was sent of. One that is just being carried out is told as it ends. */
  withdraw(isMeant: (intent: Intent) => boolean, why: Pick<Outcome, 'code' | 'message'>): void;
  state(): ExecutorState;
  /** Begins nothing more. What has no outcome yet has one in a later process. */
  stop(): Promise<void>;
}

export function createExecutor(options: ExecutorOptions): Executor {
  return new QueueExecutor(options);
}

interface Job {
  readonly intent: Intent;
  /** Its outcome is for a caller alone. */
  readonly isOwn?: boolean;
  /** It is not wanted any more. */
  withdrawn?: Pick<Outcome, 'code' | 'message'>;
  readonly expected?: Value | undefined;
  settle(outcome: Outcome): void;
}

interface Target {
  readonly waiting: Job[];
  /** Monotonic ms of the latest tries. */
  readonly triedAt: number[];
  working: Promise<void> | undefined;
  /** Ends its wait for another try. */
  pause?: AbortController | undefined;
}

const backoffLimits = { minMs: 250, maxMs: 5000 };
const minuteMs = 60_000;
const stopped: Outcome = {
  kind: 'failed',
  code: 'rules-stopping',
  message: 'the module is stopping',
  attempts: 0,
};
/** Targets that are remembered: beyond them those that nothing waits for are forgotten. */
const maxTargets = 10_000;

class QueueExecutor implements Executor {
  readonly #options: ExecutorOptions;
  readonly #targets = new Map<string, Target>();
  readonly #stop = new AbortController();
  /** Callers of `run` that wait. */
  readonly #unsettled = new Set<(outcome: Outcome) => void>();
  readonly #outcomes: Partial<Record<Outcome['kind'], number>> = {};

  constructor(options: ExecutorOptions) {
    this.#options = options;
  }

  take(intents: readonly Intent[]): void {
    for (const intent of intents) {
      this.#enqueue({ intent, settle: (outcome) => this.#options.onOutcome(intent, outcome) });
    }
  }

  run(intent: Intent, expected?: Value): Promise<Outcome> {
    return new Promise((resolve) => {
      if (this.#stop.signal.aborted) return resolve(stopped);
      this.#unsettled.add(resolve);
      const settle = (outcome: Outcome) => {
        this.#unsettled.delete(resolve);
        resolve(outcome);
      };
      this.#enqueue({ intent, expected, settle, isOwn: true });
    });
  }

  withdraw(isMeant: (intent: Intent) => boolean, why: Pick<Outcome, 'code' | 'message'>): void {
    for (const target of this.#targets.values()) {
      const meant = target.waiting.filter(({ intent, isOwn }) => !isOwn && isMeant(intent));
      for (const job of meant) job.withdrawn = why;
      // The first one is being carried out, or waits for its next try.
      target.pause?.abort();
      for (const job of meant) {
        if (job === target.waiting[0]) continue;
        target.waiting.splice(target.waiting.indexOf(job), 1);
        this.#settle(job, { kind: 'refused', ...why, attempts: 0 });
      }
    }
  }

  state(): ExecutorState {
    const waiting = [...this.#targets.values()].reduce((sum, target) => sum + target.waiting.length, 0);
    return { waiting, outcomes: { ...this.#outcomes } };
  }

  async stop(): Promise<void> {
    for (const resolve of this.#unsettled) resolve(stopped);
    this.#stop.abort(new HoldfastError('rules-stopping', 'the module is stopping', { retryable: true }));
    await Promise.all([...this.#targets.values()].map(({ working }) => working));
  }

  #enqueue(job: Job): void {
    const target = this.#target(targetKey(job.intent.target));
    const { maxWaiting = 1000 } = this.#options;
    if (target.waiting.length >= maxWaiting) {
      const message = `${maxWaiting} others wait for the same target`;
      this.#settle(job, { kind: 'refused', code: 'rules-too-many-actions', message, attempts: 0 });
      return;
    }
    target.waiting.push(job);
    target.working ??= this.#work(target);
  }

  #target(key: string): Target {
    const known = this.#targets.get(key);
    if (known) return known;
    if (this.#targets.size >= maxTargets) {
      for (const [other, { waiting }] of this.#targets) if (waiting.length === 0) this.#targets.delete(other);
    }
    const target: Target = { waiting: [], triedAt: [], working: undefined };
    this.#targets.set(key, target);
    return target;
  }

  async #work(target: Target): Promise<void> {
    // Whoever gave the intent goes on first.
    await Promise.resolve();
    try {
      for (;;) {
        const job = target.waiting[0];
        if (job === undefined || this.#stop.signal.aborted) return;
        const outcome = await this.#carryOut(target, job);
        if (outcome === undefined) return;
        target.waiting.shift();
        this.#settle(job, outcome);
      }
    } finally {
      // In the turn in which nothing was left to do: what comes in a later one would wait for a worker that has ended.
      target.working = undefined;
    }
  }

  #settle({ intent, settle }: Job, outcome: Outcome): void {
    const { log, metrics } = this.#options;
    this.#outcomes[outcome.kind] = (this.#outcomes[outcome.kind] ?? 0) + 1;
    metrics.count('holdfast_rules_actions_total', { rule: intent.rule, outcome: outcome.kind });
    const isFine = outcome.kind === 'done' || outcome.kind === 'dry-run';
    if (!isFine)
      log.warn(
        { code: 'rules-action-expired', rule: intent.rule, id: intent.id, ...outcome },
        'an action was not carried out',
      );
    settle(outcome);
  }

  /** Undefined where the module stops before there is an outcome. */
  async #carryOut(target: Target, job: Job): Promise<Outcome | undefined> {
    const { intent } = job;
    const { clock, random, maxAttempts = 20 } = this.#options;
    const backoff = createBackoff(backoffLimits, random);
    let attempts = 0;
    let isSent = false;
    let last: Failure | undefined;
    for (;;) {
      if (this.#stop.signal.aborted) return undefined;
      if (job.withdrawn) return { kind: isSent ? 'unconfirmed' : 'refused', ...job.withdrawn, attempts };
      const left = remainingMs(intent, this.#options.moment());
      if (typeof left === 'string') return tooLate(left, isSent, last, attempts);
      if (intent.dryRun) return { kind: 'dry-run', attempts };
      if (attempts >= maxAttempts)
        return { kind: kindOf('failed', isSent, last), ...reasonOf(last), attempts };
      const waitMs = this.#waitMs(target, intent);
      if (waitMs > 0) {
        last ??= {
          code: 'rules-rate-limited',
          message: `${intent.perMinute} a minute are allowed for this target`,
        };
        await this.#sleep(target, clock, Math.min(waitMs, left + 1));
        continue;
      }
      attempts += 1;
      target.triedAt.push(clock.monotonic());
      const tried = await this.#attempt(job, left);
      if (tried === 'done') return { kind: 'done', attempts };
      last = tried;
      if (this.#stop.signal.aborted) return undefined;
      // A no to this try says nothing of an earlier one that nobody answered.
      if (!tried.isRetryable && isSent) return { kind: 'unconfirmed', ...reasonOf(last), attempts };
      isSent ||= tried.isSent;
      if (!tried.isRetryable) return { kind: 'refused', ...reasonOf(last), attempts };
      const isOver = typeof remainingMs(intent, this.#options.moment()) === 'string';
      if (!isOver && !job.withdrawn) await this.#pause(target, backoff, left);
    }
  }

  async #attempt(job: Job, leftMs: number) {
    const { intent, expected } = job;
    const { performer, clock } = this.#options;
    const abort = new AbortController();
    const { signal } = abort;
    const onStop = () => abort.abort(this.#stop.signal.reason);
    this.#stop.signal.addEventListener('abort', onStop, { once: true });
    const timer = clock.setTimer(leftMs + 1, () => abort.abort(expiredError()));
    let isSent = false;
    let isRefused = false;
    const onRefused = () => {
      isSent = false;
      isRefused = true;
    };
    const onSend = () => {
      signal.throwIfAborted();
      if (typeof remainingMs(intent, this.#options.moment()) === 'string') throw expiredError();
      if (job.withdrawn) throw new HoldfastError('rules-changed', job.withdrawn.message ?? '');
      isSent = true;
    };
    try {
      await unlessAborted(performer.perform(intent, { expected, onSend, onRefused }, signal), signal);
      return 'done' as const;
    } catch (error) {
      const code = error instanceof HoldfastError ? error.code : 'rules-action-failed';
      // What is no HoldfastError is a defect of ours: the next try would end in the same way.
      const isRetryable = error instanceof HoldfastError && error.retryable;
      return { isSent, isRefused, isRetryable, code, message: describeError(error).slice(0, 500) };
    } finally {
      timer.cancel();
      this.#stop.signal.removeEventListener('abort', onStop);
    }
  }

  /** Until another try is allowed for this target. */
  #waitMs({ triedAt }: Target, { perMinute }: Intent): number {
    const now = this.#options.clock.monotonic();
    while (triedAt.length > 0 && now - triedAt[0]! >= minuteMs) triedAt.shift();
    const first = triedAt.at(-perMinute);
    return first === undefined ? 0 : minuteMs - (now - first);
  }

  #pause(target: Target, backoff: Backoff, leftMs: number): Promise<void> {
    return this.#sleep(target, this.#options.clock, Math.min(backoff.next(), leftMs + 1));
  }

  async #sleep(target: Target, clock: Clock, ms: number): Promise<void> {
    const pause = new AbortController();
    target.pause = pause;
    await sleep(clock, ms, AbortSignal.any([this.#stop.signal, pause.signal])).catch(() => {});
    target.pause = undefined;
  }
}

/** How a try failed. */
interface Failure {
  readonly code: string;
  readonly message: string;
  /** The target answered that it did not take it. */
  readonly isRefused?: boolean;
}

function reasonOf(last: Failure | undefined): Pick<Outcome, 'code' | 'message'> {
  return last === undefined ? {} : { code: last.code, message: last.message };
}

/** `otherwise`: where nothing was sent. What each try was answered with no is refused, also if another one might have succeeded. */
function kindOf(
  otherwise: 'failed' | 'expired',
  isSent: boolean,
  last: Failure | undefined,
): Outcome['kind'] {
  if (isSent) return 'unconfirmed';
  return last?.isRefused ? 'refused' : otherwise;
}

function tooLate(
  reason: 'expired' | 'clock-untrusted',
  isSent: boolean,
  last: Failure | undefined,
  attempts: number,
): Outcome {
  const kind = kindOf('expired', isSent, last);
  if (kind !== 'expired' || (reason === 'expired' && last)) return { kind, ...reasonOf(last), attempts };
  if (reason === 'expired')
    return { kind, code: 'rules-action-expired', message: 'its time was over', attempts };
  const message = 'nobody can say how old it is while the clock is not trusted';
  return { kind: 'expired', code: 'rules-clock-untrusted', message, attempts };
}

function expiredError(): HoldfastError {
  return new HoldfastError('rules-action-expired', 'its time is over', { retryable: true });
}

/** Rejects when the signal aborts; work that cannot be ended goes on unobserved. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
