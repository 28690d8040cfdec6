// Whether a time that equipment shows may be claimed, where its clock stands ahead of ours. Pure.
//
// A clock that stands in the future may be wrong for a few seconds or from now on. What it shows is given, but nothing is claimed
// by it until its time has come or it has stood there for long: what is claimed in the future is claimed twice once the clock
// is put right, so all would come late until then, and what is lost meanwhile would open no gap.

/** What time synchronisation corrects all day, and what a sample may be held up. */
const slackMs = 2000;
/** So far clocks are apart that nobody synchronises: of equipment of which nothing is known. */
const firstSlackMs = 60_000;
/** A clock that runs fast by more than 1,000 ppm is wrong. */
const drift = 1 / 1000;
/** What is shown with more delay than this is that of a clock that was set back. */
const maxDelayMs = 60_000;
/** A clock that has stood ahead for so long stays there. */
export const settledMs = 600_000;

export interface ShownTime {
  readonly timestamp: number;
  /** Monotonic ms. */
  readonly now: number;
  /** Our wall clock, epoch ms. */
  readonly wall: number;
}

/** A time that is believed, and the monotonic ms at which it was shown. */
export interface BelievedTime {
  readonly timestamp: number;
  readonly at: number;
}

/** It is in the future, by our clock and by what can have passed since `best`. `stepMs`: what times are rounded to. */
export function isAhead(
  { timestamp, now, wall }: ShownTime,
  best: BelievedTime | undefined,
  stepMs: number,
): boolean {
  if (best === undefined) return timestamp > wall + firstSlackMs;
  if (timestamp <= wall + slackMs) return false;
  return timestamp - best.timestamp > (now - best.at) * (1 + drift) + slackMs + stepMs;
}

/**
 * Of two times that are believed, the one that was shown with less delay: a sample may be as old as the next one is away. Of a clock
 * that was set back, the later one.
 */
export function betterOf(best: BelievedTime | undefined, next: BelievedTime): BelievedTime {
  if (best === undefined) return next;
  const delayMs = next.at - best.at - (next.timestamp - best.timestamp);
  return delayMs <= 0 || delayMs > maxDelayMs ? next : best;
}

/** Of a stream of which nothing was claimed yet. */
export class FirstClaim {
  #isBelieved: boolean;
  /** The clock stands far in the future since; monotonic. */
  #since: number | undefined;

  constructor(isKnown = false) {
    this.#isBelieved = isKnown;
  }

  /** Something of the stream was claimed by a process before this one. */
  recall(): void {
    this.#isBelieved = true;
  }

  /** Whether what is shown may be claimed. */
  isBelieved(shown: ShownTime): boolean {
    if (!this.#isBelieved && isAhead(shown, undefined, 0)) {
      this.#since ??= shown.now;
      if (shown.now - this.#since < settledMs) return false;
    }
    this.#isBelieved = true;
    return true;
  }
}
