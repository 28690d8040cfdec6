// Makes one connection after the other, for ever: an attempt, the connection's life, a pause, and again. What ends
// a pause or an attempt early: the network is back, the uplink was configured anew, the uplink stops.
import { type Clock, sleep } from '../../kernel/clock.ts';
import { HoldfastError } from '../../kernel/errors.ts';
import type { Random } from '../../kernel/random.ts';
import { failureKind } from './client-errors.ts';
import type { EdgeTarget } from './edge-client.ts';
import type { EdgeSession } from './edge-session.ts';
import { createReconnectPause, type EndedAttempt, type ReconnectLimits } from './reconnect-pause.ts';
import { createReturnWatch, type Reach } from './return-watch.ts';

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
  const { clock, random, limits } = options;
  const pause = createReconnectPause(limits, clock, random);
  let stopped: HoldfastError | undefined;
  let target: EdgeTarget | undefined;
  let waiting: Waiting | undefined;

  const hurry = (cause: HoldfastError) => {
    if (waiting?.mayHurry) waiting.controller.abort(cause);
  };
  const watch = createReturnWatch({
    ...options,
    onReturn(awayAt) {
      pause.networkReturned();
      // An attempt that began since then may find its way, and is left alone.
      if (waiting?.attemptAt !== undefined && waiting.attemptAt > awayAt) return;
      hurry(new HoldfastError('uplink-network-returned', 'the network is back', { retryable: true }));
    },
  });

  /** Work that `stop` may end at any time, and `hurry` if it may. */
  async function interruptible<T>(
    how: Omit<Waiting, 'controller'>,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const controller = new AbortController();
    if (stopped) controller.abort(stopped);
    waiting = { controller, ...how };
    try {
      return await work(controller.signal);
    } finally {
      waiting = undefined;
    }
  }

  const rest = (ms: number, mayHurry: boolean) =>
    interruptible({ mayHurry }, (signal) => sleep(clock, ms, signal)).catch(() => {});

  function openSession(): Promise<EdgeSession> {
    const onTarget = (where: EdgeTarget) => {
      target = where;
      watch.start(where);
    };
    const attempt = { mayHurry: true, attemptAt: clock.monotonic() };
    return interruptible(attempt, (signal) => options.open(onTarget, signal));
  }

  /** One attempt, and the life of what came of it. */
  async function connectOnce(): Promise<{ ended: EndedAttempt; cause: unknown }> {
    const beganAt = clock.monotonic();
    try {
      pause.began();
      const session = await openSession();
      // In the moment between opening and use.
      if (stopped) session.end(stopped);
      watch.stop();
      const since = clock.monotonic();
      const cause = await options.live(session);
      const heldMs = Math.max(1, clock.monotonic() - since);
      return { ended: endedOf(beganAt, heldMs, session.carried, cause), cause };
    } catch (cause) {
      return { ended: endedOf(beganAt, 0, false, cause), cause };
    }
  }

  function endedOf(beganAt: number, heldMs: number, carried: boolean, cause: unknown): EndedAttempt {
    const unauthorized = failureKind(cause) === 'unauthorized';
    return { tookMs: clock.monotonic() - beganAt, heldMs, carried, unauthorized };
  }

  return {
    hurry,
    stop(cause) {
      stopped = cause;
      waiting?.controller.abort(cause);
    },
    async run() {
      while (!stopped) {
        const { ended, cause } = await connectOnce();
        if (stopped) break;
        // A return is no failure, and nothing to diagnose.
        if (!isReturn(cause)) options.onLost(cause, target);
        if (target) watch.start(target);
        await rest(pause.after(ended), true);
        await rest(pause.owedMs(), false);
      }
      watch.stop();
    },
  };
}

function isReturn(cause: unknown): boolean {
  return cause instanceof HoldfastError && cause.code === 'uplink-network-returned';
}
