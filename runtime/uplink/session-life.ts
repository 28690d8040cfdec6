// The end of one connection: it comes once, with a cause, and everything that waits on the connection ends with it.
import type { Clock } from '../../kernel/clock.ts';
import { HoldfastError } from '../../kernel/errors.ts';

export interface SessionLife {
  readonly over: boolean;
  /** Why it ended. */
  readonly cause: unknown;
  /** Resolves with the cause. */
  readonly ended: Promise<unknown>;
  /** The first call ends it; later ones do nothing. */
  end(cause: unknown): void;
  /** Calls `listener` at the end, at once if the session is over. Returns a function that removes the listener. */
  onEnd(listener: (cause: unknown) => void): () => void;
  /**
   * Settles as `work` does; rejects with `uplink-timeout` after `limitMs`, or with the cause when life ends.
   * Listeners are taken back: a session lives for months, and a promise never forgets who waited for it.
   */
  limit<T>(what: string, limitMs: number, work: Promise<T>): Promise<T>;
}

export function createSessionLife(clock: Clock): SessionLife {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const listeners = new Set<(cause: unknown) => void>();
  let over = false;
  let cause: unknown;

  const onEnd = (listener: (cause: unknown) => void) => {
    if (over) listener(cause);
    else listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  };

  return {
    get over() {
      return over;
    },
    get cause() {
      return cause;
    },
    ended: promise,
    onEnd,
    end(reason) {
      if (over) return;
      over = true;
      cause = reason ?? connectionLost();
      for (const listener of listeners) listener(cause);
      listeners.clear();
      resolve(cause);
    },
    limit(what, limitMs, work) {
      return new Promise((resolveWork, reject) => {
        // Even then the work must not end as an unhandled rejection.
        work.catch(() => {});
        if (over) {
          reject(cause);
          return;
        }
        const timer = clock.setTimer(limitMs, () => settle(() => reject(timeoutError(what, limitMs))));
        const forget = onEnd((reason) => settle(() => reject(reason)));
        const settle = (how: () => void) => {
          timer.cancel();
          forget();
          how();
        };
        work.then(
          (value) => settle(() => resolveWork(value)),
          (error: unknown) => settle(() => reject(error)),
        );
      });
    },
  };
}

export function timeoutError(what: string, limitMs: number): HoldfastError {
  return new HoldfastError('uplink-timeout', `${what} took longer than ${limitMs / 1000} s`, {
    retryable: true,
  });
}

function connectionLost(): HoldfastError {
  return new HoldfastError('uplink-connection-lost', 'the connection ended', { retryable: true });
}
