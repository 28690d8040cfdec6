// Whether a time that an instrument shows is believed. Pure.
//
// One garbled digit of a year, in an instrument without check sums, would place a record in another century: the stream
// would have been claimed up to there, and whatever comes after would be late for ever. So a leap of more than a day, in
// either direction, and any leap into the future is held until the next record bears it out; if the next record goes on
// from where we were, the held one was garbage. An instrument whose clock was really set, or that was not heard for a
// week, costs one record's delay.
//
// In the future nothing is claimed either before it is believed: codec/clock-ahead.ts says why.
import { type BelievedTime, betterOf, isAhead, type ShownTime, settledMs } from '../codec/clock-ahead.ts';

/** Longer than any correction of a clock but the first. */
export const leapMs = 86_400_000;

export type TimeStep =
  /** `bearsOut`: the held record comes first. `isClaimed`: it says how far observation has come. */
  | { readonly kind: 'placed'; readonly bearsOut: boolean; readonly isClaimed: boolean }
  | { readonly kind: 'held' };

/** The newest time that is believed, and when it was shown; that is not known from before a restart. */
export interface KnownTime {
  readonly timestamp: number;
  readonly at: number | undefined;
}

export class TimeGuard {
  readonly #stepMs: number;
  #last: KnownTime | undefined;
  /** That which was shown with the least delay. */
  #best: BelievedTime | undefined;
  #held: number | undefined;
  /** The clock stands in the future since; monotonic. */
  #aheadSince: number | undefined;

  /** `stepMs`: what the instrument's times are rounded to. `best`: what was shown with the least delay. */
  constructor(last: KnownTime | undefined, stepMs: number, best?: BelievedTime) {
    this.#last = last;
    this.#best = best ?? (last?.at === undefined ? undefined : { timestamp: last.timestamp, at: last.at });
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
    if (last === undefined) return this.#isAhead(shown);
    return Math.abs(shown.timestamp - last.timestamp) > leapMs || this.#isAhead(shown);
  }

  #isAhead(shown: ShownTime): boolean {
    const best = this.#best;
    const isBeyond = isAhead(shown, best, this.#stepMs);
    // From before a restart only the time is known.
    if (best !== undefined || this.#last === undefined) return isBeyond;
    return isBeyond && shown.timestamp - this.#last.timestamp > leapMs;
  }

  #believe({ timestamp, now }: ShownTime, bearsOut: boolean): TimeStep {
    // Said again, it was shown first before: its clock has gone on since then.
    const isAgain = timestamp === this.#last?.timestamp && this.#last.at !== undefined;
    if (!isAgain) this.#last = { timestamp, at: now };
    this.#best = betterOf(this.#best, { timestamp, at: now });
    this.#held = undefined;
    this.#aheadSince = undefined;
    return { kind: 'placed', bearsOut, isClaimed: true };
  }
}
