// Keeps connecting: an attempt, the connection's life, a pause, and again. A pause or an attempt ends early when the
// network is back, the uplink gets new settings, or the uplink stops.
import { type Clock, sleep } from '../../kernel/clock.ts';
import { HoldfastError } from '../../kernel/errors.ts';
import type { Random } from '../../kernel/random.ts';
import { failureKind } from './client-errors.ts';
import type { EdgeTarget } from './edge-client.ts';
import type { EdgeSession } from './edge-session.ts';
import {
  createReconnectPause,
  type EndedAttempt,
  type ReconnectLimits,
  type ReconnectPause,
} from './reconnect-pause.ts';
import { createReturnWatch, type Reach, type ReturnWatch } from './return-watch.ts';

export interface ConnectionLoopOptions {
  /** Opens a session; gives up when `signal` aborts. Calls `onTarget` once it knows where it connects. */
  readonly open: (onTarget: (target: EdgeTarget) => void, signal: AbortSignal) => Promise<EdgeSession>;
  /** Uses the session until it ends; resolves with the cause. */
  readonly live: (session: EdgeSession) => Promise<unknown>;
  /** A connection or an attempt has ended. */
  readonly onLost: (cause: unknown, target: EdgeTarget | undefined) => void;
  readonly reach: Reach;
  readonly limits: ReconnectLimits;
  readonly clock: Clock;
  readonly random: Random;
}

export interface ConnectionLoop {
  /** Resolves after `stop`, once nothing of it is left. */
  run(): Promise<void>;
  /** Ends a pause or an attempt, and makes the next attempt. */
  hurry(cause: HoldfastError): void;
  stop(cause: HoldfastError): void;
}

interface Waiting {
  readonly controller: AbortController;
  readonly mayHurry: boolean;
  /** Monotonic ms, where it is an attempt that waits. */
  readonly attemptAt?: number;
}

export function createConnectionLoop(options: ConnectionLoopOptions): ConnectionLoop {
  return new EndlessLoop(options);
}

class EndlessLoop implements ConnectionLoop {
  readonly #options: ConnectionLoopOptions;
  readonly #pause: ReconnectPause;
  readonly #watch: ReturnWatch;
  #stopped: HoldfastError | undefined;
  #target: EdgeTarget | undefined;
  #waiting: Waiting | undefined;

  constructor(options: ConnectionLoopOptions) {
    this.#options = options;
    this.#pause = createReconnectPause(options.limits, options.clock, options.random);
    this.#watch = createReturnWatch({ ...options, onReturn: (awayAt) => this.#onReturn(awayAt) });
  }

  async run(): Promise<void> {
    while (!this.#stopped) {
      const { ended, cause } = await this.#connectOnce();
      if (this.#stopped) break;
      // A return is no failure, and nothing to diagnose.
      if (!isReturn(cause)) this.#options.onLost(cause, this.#target);
      if (this.#target) this.#watch.start(this.#target);
      await this.#rest(this.#pause.after(ended), true);
      await this.#rest(this.#pause.owedMs(), false);
    }
    this.#watch.stop();
  }

  hurry(cause: HoldfastError): void {
    if (this.#waiting?.mayHurry) this.#waiting.controller.abort(cause);
  }

  stop(cause: HoldfastError): void {
    this.#stopped = cause;
    this.#waiting?.controller.abort(cause);
  }

  #onReturn(awayAt: number): void {
    this.#pause.networkReturned();
    // An attempt that began since then may find its way, and is left alone.
    if (this.#waiting?.attemptAt !== undefined && this.#waiting.attemptAt > awayAt) return;
    this.hurry(new HoldfastError('uplink-network-returned', 'the network is back', { retryable: true }));
  }

  /** Makes one attempt, and waits for the end of its connection. */
  async #connectOnce(): Promise<{ ended: EndedAttempt; cause: unknown }> {
    const { clock, live } = this.#options;
    const beganAt = clock.monotonic();
    try {
      this.#pause.began();
      const session = await this.#openSession();
      // In the moment between opening and use.
      if (this.#stopped) session.end(this.#stopped);
      this.#watch.stop();
      const since = clock.monotonic();
      const cause = await live(session);
      const heldMs = Math.max(1, clock.monotonic() - since);
      return { ended: this.#endedOf(beganAt, heldMs, session.carried, cause), cause };
    } catch (cause) {
      return { ended: this.#endedOf(beganAt, 0, false, cause), cause };
    }
  }

  #openSession(): Promise<EdgeSession> {
    const { clock, open } = this.#options;
    const onTarget = (where: EdgeTarget) => {
      this.#target = where;
      this.#watch.start(where);
    };
    const attempt = { mayHurry: true, attemptAt: clock.monotonic() };
    return this.#interruptible(attempt, (signal) => open(onTarget, signal));
  }

  #rest(ms: number, mayHurry: boolean): Promise<void> {
    return this.#interruptible({ mayHurry }, (signal) => sleep(this.#options.clock, ms, signal)).catch(
      () => {},
    );
  }

  /** Work that `stop` may end at any time, and `hurry` if it may. */
  async #interruptible<T>(
    how: Omit<Waiting, 'controller'>,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const controller = new AbortController();
    if (this.#stopped) controller.abort(this.#stopped);
    this.#waiting = { controller, ...how };
    try {
      return await work(controller.signal);
    } finally {
      this.#waiting = undefined;
    }
  }

  #endedOf(beganAt: number, heldMs: number, carried: boolean, cause: unknown): EndedAttempt {
    const unauthorized = failureKind(cause) === 'unauthorized';
    return { tookMs: this.#options.clock.monotonic() - beganAt, heldMs, carried, unauthorized };
  }
}

function isReturn(cause: unknown): boolean {
  return cause instanceof HoldfastError && cause.code === 'uplink-network-returned';
}
