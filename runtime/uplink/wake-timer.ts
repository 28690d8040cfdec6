import type { Clock, Timer } from '../../kernel/clock.ts';

export interface WakeTimer {
  /** Calls back after `delayMs`, unless it does so earlier already. */
  in(delayMs: number): void;
  cancel(): void;
}

/** One timer for many reasons to wake up: the earliest counts. */
export function createWakeTimer(clock: Clock, callback: () => void): WakeTimer {
  let timer: Timer | undefined;
  let dueAt = Number.POSITIVE_INFINITY;
  const cancel = () => {
    timer?.cancel();
    timer = undefined;
    dueAt = Number.POSITIVE_INFINITY;
  };
  return {
    in(delayMs) {
      const at = clock.monotonic() + delayMs;
      if (at >= dueAt) return;
      timer?.cancel();
      dueAt = at;
      timer = clock.setTimer(delayMs, () => {
        cancel();
        callback();
      });
    },
    cancel,
  };
}
