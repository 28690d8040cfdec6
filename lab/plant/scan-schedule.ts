// When samples are made. Slot k is due at start + k * period on the monotonic clock, and its time stamp is
// exactly that: a late timer makes a sample late, never the next one later, so time stamps do not drift.
import type { Clock, Timer } from '../../kernel/clock.ts';

export interface ScanScheduleOptions {
  readonly clock: Clock;
  readonly periodMs: number;
  /** Slots from before the start that are run at once, as if the equipment had been on for longer. */
  readonly prefillSlots: number;
}

// A stalled process makes up for what it missed; after a suspended machine the equipment was simply off.
const maxCatchUpSlots = 10_000;

/** Runs the first slot (and the prefill) before it returns. Returns what stops it. */
export function startScanSchedule(
  options: ScanScheduleOptions,
  onSlot: (timestampMs: number) => void,
): { stop(): void } {
  const { clock, periodMs, prefillSlots } = options;
  const startMs = clock.now();
  const origin = clock.monotonic();
  let next = -prefillSlots;
  let timer: Timer | undefined;

  const run = () => {
    const due = Math.floor((clock.monotonic() - origin) / periodMs);
    if (due - next > maxCatchUpSlots + prefillSlots) next = due;
    while (next <= due) onSlot(startMs + next++ * periodMs);
    timer = clock.setTimer(origin + next * periodMs - clock.monotonic(), run);
  };
  run();
  return { stop: () => timer?.cancel() };
}
