// Whether a time that an instrument shows is believed. Pure.
//
// One garbled digit of a year, in an instrument without check sums, would place a record in another century: the stream
// would have been claimed up to there, and whatever comes after would be late for ever. So a leap of more than a day, in
// either direction, and any leap into the future is held until the next record bears it out; if the next record goes on
// from where we were, the held one was garbage. An instrument whose clock was really set, or that was not heard for a
// week, costs one record's delay.
//
// A clock that stands in the future may be wrong for a few seconds or from now on. Its records are given, but nothing
// is claimed by them until its time has come or it has stood there for long: what is claimed in the future is claimed
// twice, once the clock is put right.

/** Longer than any correction of a clock but the first. */
export const leapMs = 86_400_000;
/** What time synchronisation corrects all day, and what a message may be held up. */
const slackMs = 2000;
/** A clock that runs fast by more than 1,000 ppm is wrong. */
const drift = 1 / 1000;
/** A clock that has stood ahead for so long stays there. */
const settledMs = 600_000;

export type TimeStep =
  /** `bearsOut`: the held record comes first. `isClaimed`: it says how far observation has come. */
  | { readonly kind: 'placed'; readonly bearsOut: boolean; readonly isClaimed: boolean }
  | { readonly kind: 'held' };

export interface ShownTime {
  readonly timestamp: number;
  /** Monotonic ms. */
  readonly now: number;
  /** Our wall clock, epoch ms. */
  readonly wall: number;
}

/** The newest time that is believed, and when it was shown; that is not known from before a restart. */
export interface KnownTime {
  readonly timestamp: number;
  readonly at: number | undefined;
}

export class TimeGuard {
  readonly #stepMs: number;
  #last: KnownTime | undefined;
  #held: number | undefined;
  /** The clock stands in the future since; monotonic. */
  #aheadSince: number | undefined;

  /** `stepMs`: what the instrument's times are rounded to. */
  constructor(last: KnownTime | undefined, stepMs: number) {
    this.#last = last;
    this.#stepMs = stepMs;
  }

  take(shown: ShownTime): TimeStep {
    const held = this.#held;
    if (!this.#isLeap(shown)) return this.#believe(shown, false);
    const bearsOut = held !== undefined && Math.abs(shown.timestamp - held) <= leapMs;
    if (this.#aheadSince === undefined && !bearsOut) {
      this.#held = shown.timestamp;
      return { kind: 'held' };
    }
    this.#held = undefined;
    if (!this.#isAhead(shown)) return this.#believe(shown, bearsOut);
    this.#aheadSince ??= shown.now;
    if (shown.now - this.#aheadSince >= settledMs) return this.#believe(shown, bearsOut);
    return { kind: 'placed', bearsOut, isClaimed: false };
  }

  /** It does not go on from the last one that was believed. */
  #isLeap(shown: ShownTime): boolean {
    const last = this.#last;
    if (last === undefined) return false;
    return Math.abs(shown.timestamp - last.timestamp) > leapMs || this.#isAhead(shown);
  }

  /** It is in the future, by our clock and by what can have passed since the last one. */
  #isAhead({ timestamp, now, wall }: ShownTime): boolean {
    if (timestamp <= wall + slackMs) return false;
    const last = this.#last;
    if (last === undefined) return false;
    if (last.at === undefined) return timestamp - last.timestamp > leapMs;
    const passedMs = now - last.at;
    return timestamp - last.timestamp > passedMs * (1 + drift) + slackMs + this.#stepMs;
  }

  #believe({ timestamp, now }: ShownTime, bearsOut: boolean): TimeStep {
    // Said again, it was shown first before: its clock has gone on since then.
    const isAgain = timestamp === this.#last?.timestamp && this.#last.at !== undefined;
    if (!isAgain) this.#last = { timestamp, at: now };
    this.#held = undefined;
    this.#aheadSince = undefined;
    return { kind: 'placed', bearsOut, isClaimed: true };
  }
}
