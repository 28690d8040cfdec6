// When to poll: at multiples of the period from the start, by the monotonic clock, so that polls neither
// drift nor pile up. A poll that is still running when the next is due delays that one within its own slot;
// slots that went by entirely are missed, and never made up for.
//
// Those who share a line begin at the same moment, and would all be due at once for ever, each late by the polls of the others:
// so slots may be moved to where the line turned out to be free.
import { type Clock, sleep } from '../../../kernel/clock.ts';

export interface PollSchedule {
  /** Waits for the next poll. Resolves with the number of polls that were missed before it; rejects on abort. */
  next(signal: AbortSignal): Promise<number>;
  /** To be called when a poll has ended: the number of polls that were missed while it was under way. */
  ended(): number;
  /** The poll of this slot had to wait so long for others: its slots begin so much later from now on. */
  move(lateMs: number): void;
  readonly periodMs: number;
  /** When the next poll is due, on the monotonic clock. */
  readonly dueAt: number;
}

export function createPollSchedule(clock: Clock, periodMs: number): PollSchedule {
  let origin = clock.monotonic();
  /** The slot of the next poll; the first is due at once. */
  let slot = 0;
  const slotNow = () => Math.floor((clock.monotonic() - origin) / periodMs);
  const skipTo = (next: number): number => {
    const missed = Math.max(0, next - slot);
    slot += missed;
    return missed;
  };
  return {
    periodMs,
    async next(signal) {
      const waitMs = origin + slot * periodMs - clock.monotonic();
      if (waitMs > 0) await sleep(clock, waitMs, signal);
      else signal.throwIfAborted();
      // Timers may fire a fraction early: then it is still the slot before, and nothing was missed.
      const missed = skipTo(slotNow());
      slot += 1;
      return missed;
    },
    ended: () => skipTo(slotNow()),
    move(lateMs) {
      origin += lateMs;
    },
    get dueAt() {
      return origin + slot * periodMs;
    },
  };
}
