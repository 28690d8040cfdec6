// Ranges of time that a clock passed twice because it was set back, as far as that was noticed.
//
// A memory that keeps the latest values forgets them in the order in which it wrote them. That it holds a value from before
// a range shows that it holds the range, but not where that value may have been written when the clock came by for the second time: what
// was written at the first may be forgotten by then. A value from before the whole stretch was written before both.
import type { Clock } from '../../../kernel/clock.ts';
import type { Window } from '../../../wire/window.ts';

/** The server's own clock among those of tags: a name that no tag has. */
export const serverClock = '';

/** Where more are known, the first of them are forgotten: they are hardly asked for any more. */
const maxStretches = 200;
/** A value is heard of so much later than it was made, or less. */
const onTheWayMs = 2000;
const outOfOrderMs = 50;

/** Stretches that lie no further apart are kept for the next process as one; of others the last alone is. */
const keptAsOneMs = 86_400_000;
/** A stretch is kept as its end and its length, in whole minutes, in one whole number below 2^53. */
const minuteMs = 60_000;
const minutes = 2 ** 26;
const keptSince = Date.UTC(2000, 0, 1);

/** Changed in place: there is one for each tag, and each value tells its time. */
interface Shown {
  time: number;
  /** Monotonic ms. */
  at: number;
  /** Monotonic ms at which it was first heard of; undefined where it is only known from the disk. */
  since: number | undefined;
}

export class RepeatedTimes {
  readonly #clock: Pick<Clock, 'monotonic'>;
  #stretches: readonly Window[] = [];
  #kept: Window | undefined;
  #count = 0;
  readonly #last = new Map<string, Shown>();
  /** Of each clock, how far it leapt ahead of the time that passed, and when; monotonic ms. */
  #leaps: readonly { readonly name: string; readonly byMs: number; readonly at: number }[] = [];

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /** Grows each time that a clock is seen to have gone back by more than values are out of order. */
  get count(): number {
    return this.#count;
  }

  /** For the next process; undefined where nothing came twice, but for values out of order. */
  get kept(): number | undefined {
    if (!this.#kept) return undefined;
    const end = Math.ceil((this.#kept.end - keptSince) / minuteMs);
    const length = end - Math.floor((this.#kept.start - keptSince) / minuteMs);
    return end >= 0 && end < minutes ? Math.min(length, minutes - 1) * minutes + end : undefined;
  }

  /** What the process before kept. */
  recall(kept: number): void {
    const end = keptSince + (kept % minutes) * minuteMs;
    this.#keep(this.#add({ start: end - Math.floor(kept / minutes) * minuteMs, end }));
  }

  /** Sets how far clock `name` had come, where that is not known yet. */
  begin(name: string, time: number): void {
    if (!this.#last.has(name)) this.#last.set(name, { time, at: this.#clock.monotonic(), since: undefined });
  }

  /** Clock `name` shows `time`: the time of a value of that tag, or the server's. `at`: monotonic ms. */
  note(name: string, time: number, at = this.#clock.monotonic()): void {
    const last = this.#last.get(name);
    if (last === undefined) {
      this.#last.set(name, { time, at, since: at });
      return;
    }
    if (time < last.time) this.#onBack(last, time, at);
    const byMs = time - last.time - (at - last.at);
    if (byMs > onTheWayMs) this.#leaps = [...this.#leaps, { name, byMs, at }].slice(-maxStretches);
    last.time = time;
    last.at = at;
    last.since ??= at;
  }

  /**
   * What clock `name` leapt ahead within the last `withinMs`: so much of what it shows is no time that passed. Infinity where
   * it has not been heard for so long: nobody knows what it did before, in the time of another process.
   */
  leaptMs(name: string, withinMs: number): number {
    if (withinMs === 0) return 0;
    const since = this.#clock.monotonic() - withinMs;
    if ((this.#last.get(name)?.since ?? Number.POSITIVE_INFINITY) > since) return Number.POSITIVE_INFINITY;
    return this.#leaps.reduce(
      (sum, leap) => sum + (leap.name === name && leap.at >= since ? leap.byMs : 0),
      0,
    );
  }

  #onBack(last: Shown, time: number, at: number): void {
    if (time < last.time - outOfOrderMs) this.#count += 1;
    // It may have run on before it was set, and since.
    const unseenMs = Math.ceil(at - last.at) + onTheWayMs;
    const stretch = this.#add({ start: time - unseenMs, end: last.time + unseenMs });
    if (last.time - time > onTheWayMs) this.#keep(stretch);
  }

  #keep(stretch: Window): void {
    const kept = this.#kept ?? stretch;
    const isNear = stretch.start - kept.end <= keptAsOneMs && kept.start - stretch.end <= keptAsOneMs;
    this.#kept = isNear ? hull(kept, stretch) : stretch;
  }

  /** All that touches `range`, and what touches that; undefined where nothing does. */
  around(range: Window): Window | undefined {
    let { start, end } = range;
    let found: Window | undefined;
    for (;;) {
      const next = this.#stretches.find(
        (each) =>
          each.start < end &&
          each.end > start &&
          !(found && each.start >= found.start && each.end <= found.end),
      );
      if (!next) return found;
      found = found ? hull(found, next) : next;
      [start, end] = [Math.min(start, found.start), Math.max(end, found.end)];
    }
  }

  /** Gives it with what it touches. */
  #add(stretch: Window): Window {
    let joined = stretch;
    const others = this.#stretches.filter((each) => {
      if (each.start > joined.end || each.end < joined.start) return true;
      joined = hull(joined, each);
      return false;
    });
    this.#stretches = [...others, joined].slice(-maxStretches);
    return joined;
  }
}

function hull(a: Window, b: Window): Window {
  return { start: Math.min(a.start, b.start), end: Math.max(a.end, b.end) };
}
