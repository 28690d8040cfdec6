// Estimates how long the spool's room lasts without a network. The amount stored for the first time since the start (sent
// by now, or waiting) is sampled every ten minutes and kept for a day: the rate is that of the last day, or of the part of
// it that is known. What waits longer than the spool keeps unsent data is removed though there be room: the age of the
// oldest counts as well.
import type { Clock, Timer } from '../../kernel/clock.ts';

export interface FillRate {
  start(): void;
  stop(): void;
  /** Undefined until it has watched for a minute, and while nothing is stored. */
  fullInSeconds(room: Room): number | undefined;
}

export interface Room {
  readonly bytes: number | undefined;
  /** So long is kept what was not sent; undefined where nothing goes by its age. */
  readonly unsentMs?: number | undefined;
  /** Age of the oldest message that waits now. */
  readonly oldestUnsentAgeMs?: number;
}

const lookMs = 600_000;
const maxLooks = 144;
const leastMs = 60_000;
/** More than a year counts as never. */
const mostSeconds = 365 * 86_400;

/** `storedBytes`: a sum that only grows while the process runs. */
export function watchFillRate(clock: Clock, storedBytes: () => number): FillRate {
  const looks: { readonly at: number; readonly bytes: number }[] = [];
  let timer: Timer | undefined;
  const look = () => {
    looks.push({ at: clock.monotonic(), bytes: storedBytes() });
    if (looks.length > maxLooks) looks.shift();
    timer = clock.setTimer(lookMs, look);
  };
  return {
    start: look,
    stop: () => timer?.cancel(),
    fullInSeconds({ bytes: roomBytes, unsentMs = Number.POSITIVE_INFINITY, oldestUnsentAgeMs = 0 }) {
      const [first] = looks;
      if (roomBytes === undefined || first === undefined) return undefined;
      const ms = clock.monotonic() - first.at;
      const bytes = storedBytes() - first.bytes;
      if (ms < leastMs || bytes <= 0) return undefined;
      const ageLeftMs = Math.max(0, unsentMs - Math.max(0, oldestUnsentAgeMs));
      return Math.round(Math.min(mostSeconds, ageLeftMs / 1000, (roomBytes * ms) / bytes / 1000));
    },
  };
}
