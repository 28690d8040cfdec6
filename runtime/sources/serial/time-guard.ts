// Whether a time that an instrument shows is believed. Pure.
//
// One garbled digit of a year, in an instrument without check sums, would place a record in another century: the stream
// would have been claimed up to there, and whatever comes after would be late for ever. So a leap of more than a day, in
// either direction, is held until the next record bears it out by a time close to it; if the next record goes on
// from where we were, the held one was garbage. An instrument whose clock was really set, or that was not heard for a
// week, costs one record's delay.

/** Longer than any correction of a clock but the first. */
const leapMs = 86_400_000;

export type TimeStep =
  | { readonly kind: 'believed' }
  | { readonly kind: 'held' }
  /** The held record is borne out by this one: it comes first. */
  | { readonly kind: 'confirmed' };

export class TimeGuard {
  #last: number | undefined;
  #held: number | undefined;

  /** `last`: the newest time that is known. */
  constructor(last: number | undefined) {
    this.#last = last;
  }

  take(timestamp: number): TimeStep {
    const [last, held] = [this.#last, this.#held];
    if (last === undefined || Math.abs(timestamp - last) <= leapMs)
      return this.#accept(timestamp, 'believed');
    if (held !== undefined && Math.abs(timestamp - held) <= leapMs)
      return this.#accept(timestamp, 'confirmed');
    this.#held = timestamp;
    return { kind: 'held' };
  }

  #accept(timestamp: number, kind: 'believed' | 'confirmed'): TimeStep {
    this.#last = timestamp;
    this.#held = undefined;
    return { kind };
  }
}
