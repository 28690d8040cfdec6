// When to poll: at multiples of the period from the start, by the monotonic clock, so that polls neither
// drift nor pile up. A poll that is still running when the next is due delays that one within its own slot;
// slots that went by entirely are missed, and never made up for.
import { type Clock, sleep } from '../../../kernel/clock.ts';

export interface PollSchedule {
  /** Waits for the next poll. Resolves with the number of polls that were missed before it; rejects on abort. */
  next(signal: AbortSignal): Promise<number>;
}

export function createPollSchedule(clock: Clock, periodMs: number): PollSchedule {
  const origin = clock.monotonic();
  /** The slot of the next poll; the first is due at once. */
  let slot = 0;
  return {
    async next(signal) {
      const waitMs = origin + slot * periodMs - clock.monotonic();
      if (waitMs > 0) await sleep(clock, waitMs, signal);
      else signal.throwIfAborted();
      // Timers may fire a fraction early: never before the slot we waited for.
      const current = Math.max(slot, Math.floor((clock.monotonic() - origin) / periodMs));
      const missed = current - slot;
      slot = current + 1;
      return missed;
    },
  };
}
