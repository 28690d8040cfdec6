// The one file that reads the machine's time. Everything else takes a `Clock`, so that tests and the simulation can run
// hours in milliseconds, and can test a wrong wall clock.

export interface Timer {
  /** Idempotent. A cancelled timer's callback never runs. */
  cancel(): void;
}

export interface Clock {
  /** Wall clock: UTC epoch milliseconds, an integer. May step in either direction. */
  now(): number;
  /** Milliseconds since an arbitrary origin, fractional. Never goes back, unaffected by clock steps. */
  monotonic(): number;
  /** Runs `callback` once after `delayMs` of monotonic time. */
  setTimer(delayMs: number, callback: () => void): Timer;
}

// Node silently turns a longer delay into 1 ms.
const maxTimerMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(delayMs, callback) {
    const handle = setTimeout(callback, Math.min(Math.max(0, delayMs), maxTimerMs));
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Resolves after `delayMs`; rejects with the signal's reason, at once, when it aborts. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.setTimer(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/**
 * Settles as `work` does, or rejects with `makeError()` after `limitMs`. The work itself goes on:
 * callers must throw away whatever it belongs to. A late rejection of the work is swallowed.
 */
export function withTimeout<T>(
  clock: Clock,
  limitMs: number,
  work: Promise<T>,
  makeError: () => Error,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(limitMs, () => reject(makeError()));
    work.then(resolve, reject).finally(() => timer.cancel());
  });
}
