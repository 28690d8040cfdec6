// What is known of an instrument's clock, across sessions and restarts.
//
// A clock that is set back has some times come twice. What was recorded the first time and was not heard may stand at times
// that are still to come the second time: so after something was missed, nothing is claimed up to where the clock would
// stand had nobody set it. And nobody can tell from the memory whether a time that came twice is all there.
//
// All that is known after a restart of ours is one number, kept with the stream (`mark`): how far our clock was ahead of
// the instrument's, and before which time some may have come twice.
import type { Window } from '../../../wire/window.ts';
import type { KnownTime } from './time-guard.ts';

/** What time synchronisation corrects, and what a message may be held up. */
const slackMs = 2000;
/** A clock that runs fast by more than 1,000 ppm is wrong. */
const drift = 1 / 1000;
/** Times that came twice, of which that is remembered one by one. */
const maxRepeated = 100;

export interface ClockNow {
  /** Monotonic ms. */
  readonly now: number;
  /** Our wall clock, epoch ms. */
  readonly wall: number;
}

export class InstrumentClock {
  readonly #stepMs: number;
  /** The newest time that was shown, and when; or what it would have shown. */
  #known: KnownTime | undefined;
  #repeated: readonly Window[] = [];
  #freeFrom = Number.NEGATIVE_INFINITY;
  #aheadS: number | undefined;

  /** `stepMs`: what its times are rounded to. `mark`: as `mark` gave it before a restart. */
  constructor(stepMs: number, mark: number | undefined, at: ClockNow) {
    this.#stepMs = stepMs;
    if (mark === undefined) return;
    const { aheadS, repeatedTo } = decode(mark);
    this.#aheadS = aheadS;
    if (aheadS !== undefined) this.#known = { timestamp: at.wall - aheadS * 1000, at: at.now };
    if (repeatedTo !== undefined) this.#repeated = [{ start: Number.NEGATIVE_INFINITY, end: repeatedTo }];
  }

  /** The newest time that is believed; undefined where none is. */
  get known(): KnownTime | undefined {
    return this.#known;
  }

  /** Below, something that was missed may have its time. */
  get freeFrom(): number {
    return this.#freeFrom;
  }

  /** Times that came twice. */
  get repeated(): readonly Window[] {
    return this.#repeated;
  }

  /** It shows `timestamp`. `hasMissed`: something may have been recorded unheard since the last time that it showed. */
  show(timestamp: number, { now, wall }: ClockNow, hasMissed: boolean): void {
    const known = this.#known;
    if (known?.at !== undefined) {
      const passedMs = Math.max(0, now - known.at);
      const expected = known.timestamp + passedMs + this.#stepMs;
      if (hasMissed) this.#freeFrom = Math.max(this.#freeFrom, Math.ceil(expected + passedMs * drift));
      if (timestamp < Math.max(known.timestamp, expected - 2 * this.#stepMs - slackMs))
        this.#repeat({ start: timestamp, end: Math.ceil(expected + passedMs * drift) + 1 });
    }
    this.#known = { timestamp, at: now };
    const aheadS = Math.ceil((wall - timestamp) / 1000);
    // Not for each record: what is kept with the stream costs a write.
    if (this.#aheadS === undefined || Math.abs(aheadS - this.#aheadS) > 1) this.#aheadS = aheadS;
  }

  /** What has to be known after a restart. */
  get mark(): number {
    const repeatedTo =
      this.#repeated.length > 0 ? Math.max(...this.#repeated.map(({ end }) => end)) : undefined;
    return encode(this.#aheadS, repeatedTo);
  }

  #repeat(window: Window): void {
    const all = [...this.#repeated, window];
    // Those that are not remembered one by one are one.
    const [first, second, ...rest] = all;
    this.#repeated =
      all.length > maxRepeated
        ? [{ start: Math.min(first!.start, second!.start), end: Math.max(first!.end, second!.end) }, ...rest]
        : all;
  }
}

// Seconds in one whole number below 2^52: 22 bits for how far our clock is ahead, 30 for the time, from 2020 to 2054.
const aheadSpan = 2 ** 22;
const timeSpan = 2 ** 30;
const since = Date.UTC(2020, 0, 1) / 1000;

function encode(aheadS: number | undefined, repeatedTo: number | undefined): number {
  const half = aheadSpan / 2;
  const isSmall = aheadS !== undefined && Math.abs(aheadS) < half - 1;
  const low = isSmall ? aheadS + half : 0;
  const seconds = repeatedTo === undefined ? 0 : Math.ceil(repeatedTo / 1000) - since;
  return Math.min(timeSpan - 1, Math.max(repeatedTo === undefined ? 0 : 1, seconds)) * aheadSpan + low;
}

function decode(mark: number): {
  readonly aheadS: number | undefined;
  readonly repeatedTo: number | undefined;
} {
  const low = mark % aheadSpan;
  const high = Math.floor(mark / aheadSpan);
  return {
    aheadS: low === 0 ? undefined : low - aheadSpan / 2,
    repeatedTo: high === 0 ? undefined : (high + since) * 1000,
  };
}
