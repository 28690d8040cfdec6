// How far a stream's observation may advance in the time that has passed. Pure.
//
// A time stamp comes from the equipment's clock, and that clock may jump. No time passed in what it jumped over, so nothing of it was
// observed: such an advance is refused, and the stream breaks. A delayed message is no jump: the largest lead of stamps over monotonic
// time seen so far may be reached again at any time, but may be exceeded only by what a fast or adjusted clock gains.
import type { IndexKind } from '../../wire/window.ts';
import type { StreamStart } from './window-store.ts';

/** Corrections of this size are usual for time synchronisation. */
const slackMs = 2000;
/** A clock that runs fast by more than 1,000 ppm is wrong. */
const drift = 1 / 1000;
/** Observation may begin in the past: with values that an item has held for a while. */
const firstSlackMs = 12_000;
/** Stamps that keep step with time for so long come out of a queue that is empty. */
const caughtUpMs = 10_000;
const stepMs = 1000;

/**
 * What bounds the advance of a stream's index:
 * - `live`: the time that passes.
 * - `own`: nothing, since this gateway stamps by its own monotonic clock.
 * - `derived`: nothing, since what it is computed from is bounded.
 * - `silenceMs`: messages wait in a queue, and may come faster than they were made. From one to the next the index advances by at most
 *   `silenceMs`, the longest time that the sender lets pass, or by the time since the stream's last claim. The present is no bound: read
 *   from a queue, a clock that was set ahead looks like a sender that was silent for as long.
 */
export type PaceKind = 'live' | 'own' | 'derived' | { readonly silenceMs: number };

export interface Pace {
  /** Observation begins at `at`, or goes on there, which is proven. `now`: monotonic ms. */
  begin(at: number, now: number, isProven?: boolean): void;
  /** Whether observation may advance from `from` to `until` by `now`. Only allowed advances count for later calls. */
  allows(from: number, until: number, now: number): boolean;
}

/** `start`: what is known of the stream; `now` is monotonic ms. */
export function createPace(
  index: IndexKind,
  kind: PaceKind,
  start: Pick<StreamStart, 'floor' | 'ageMs'> & { readonly now: number },
): Pace {
  if (index === 'sequence') return numberPace;
  if (kind === 'own' || kind === 'derived') return freePace;
  const { floor: end, ageMs, now } = start;
  const claimed = end === undefined || ageMs === undefined ? undefined : { end, at: now - ageMs };
  return new TimePace(kind === 'live' ? undefined : { ...kind, claimed });
}

/** The end of all that was claimed before, and the monotonic ms at which it was. */
interface Claimed {
  readonly end: number;
  readonly at: number;
}

const freePace: Pace = { begin: () => {}, allows: () => true };

/** Each record has a number, and none is left out: to pass one over is a break, and has to be said. */
const numberPace: Pace = {
  begin: () => {},
  allows: (from, until) => until <= from + 1,
};

interface Queue {
  readonly silenceMs: number;
  /** Undefined where it is not known. */
  readonly claimed: Claimed | undefined;
}

class TimePace implements Pace {
  readonly #queue: Queue | undefined;
  /** Greatest lead of the index over monotonic time that is allowed, as it stood at `#at`. */
  #lead = Number.POSITIVE_INFINITY;
  #highest = Number.NEGATIVE_INFINITY;
  #at = 0;
  /** For a queue: the lead that was not exceeded since. */
  #steady: { readonly lead: number; readonly since: number } | undefined;

  constructor(queue: Queue | undefined) {
    this.#queue = queue;
  }

  begin(at: number, now: number, isProven = false): void {
    const lead = at - now;
    // As far as the clock was known to stand before, it leaps now as little as later.
    const known = this.#lead + (now - this.#at) * drift;
    this.#lead = Math.max(lead + slackMs, Math.min(lead + firstSlackMs, known));
    this.#highest = Number.NEGATIVE_INFINITY;
    this.#at = now;
    // It may have been set back, or these are of a time when it stood elsewhere.
    if (!isProven && at - now < (this.#steady?.lead ?? 0) - slackMs) this.#steady = undefined;
  }

  allows(from: number, until: number, now: number): boolean {
    const lead = until - now;
    const allowed = this.#lead + (now - this.#at) * drift;
    if (lead > allowed && !this.#isQueued(from, until, now)) return false;
    if (lead > (this.#steady?.lead ?? Number.NEGATIVE_INFINITY) + stepMs) this.#steady = { lead, since: now };
    this.#highest = Math.max(this.#highest, lead);
    // What a queue made up for counts from here on.
    this.#lead = Math.max(lead, Math.min(this.#highest + slackMs, allowed));
    this.#at = now;
    return true;
  }

  #isQueued(from: number, until: number, now: number): boolean {
    if (this.#queue === undefined) return false;
    const { lead, since } = this.#steady ?? { lead: 0, since: now };
    // Once the queue is empty, what waits in it later was made later, too.
    if (now - since >= caughtUpMs) return until - now <= lead + slackMs + (now - since) * drift;
    const { silenceMs, claimed } = this.#queue;
    if (until - from <= silenceMs) return true;
    return claimed !== undefined && until - claimed.end <= (now - claimed.at) * (1 + drift) + slackMs;
  }
}
