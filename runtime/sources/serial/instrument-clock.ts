// Tracks an instrument's clock, across sessions and restarts.
//
// A clock that is set back has some times come twice. What was recorded the first time and was not heard may stand at times
// that are still to come the second time: so after something was missed, nothing is claimed up to where the clock would
// stand had nobody set it. And nobody can tell from the memory whether a time that came twice is all there.
//
// A time says that the clock had come as far when the record was made, which may be long ago: it was held up on the line, as
// behind a dump, or it is the newest of an instrument that makes one an hour. So a time that lags proves nothing, unless it lies
// below one that was shown before. It is suspect, where records are missing that may have been made before a step back: until
// another one comes up to where the clock should stand, and no further. A clock that lags for a minute, by several records, was
// set back.
//
// All that is known after a restart of ours is one number, kept with the stream (`mark`): how far our clock was ahead of
// the instrument's, and before which time some may have come twice.
import type { Window } from '../../../wire/window.ts';
import { type KnownTime, leapMs } from './time-guard.ts';

/** Allowance for corrections by time synchronisation, and for the delay of a message. */
const slackMs = 2000;
/** What is known from before a restart is rounded to seconds, and not written again for one of them. */
const markSlackMs = 2000;
/** A clock that runs fast by more than 1,000 ppm is wrong. */
const drift = 1 / 1000;
/** A clock that lags for so long, by so many records, was set back. */
const confirmMs = 60_000;
const confirmRecords = 3;
/** Times that came twice, and times that it went through, of which that is remembered one by one. */
const maxRemembered = 100;

export interface ClockNow {
  /** Monotonic ms. */
  readonly now: number;
  /** Our wall clock, epoch ms. */
  readonly wall: number;
}

interface Estimate {
  readonly timestamp: number;
  readonly at: number;
  /** How much too high it may be. */
  readonly slackMs: number;
}

/** Times that may have come twice, since monotonic `since`. */
interface Suspicion extends Window {
  readonly since: number;
  readonly records: number;
}

export class InstrumentClock {
  readonly #stepMs: number;
  /** The newest time that is believed, and when it was shown; or what it would have shown. */
  #known: KnownTime | undefined;
  /** What it showed last in this process, believed or not. */
  #shown: { readonly timestamp: number; readonly at: number } | undefined;
  /** Where the clock stands, by the record that came with the least delay. */
  #estimate: Estimate | undefined;
  /** It has gone on since this time without a leap; before, it went through these. */
  #runFrom = Number.NEGATIVE_INFINITY;
  #runs: readonly Window[] = [];
  #suspicion: Suspicion | undefined;
  #repeated: readonly Window[] = [];
  #freeFrom = Number.NEGATIVE_INFINITY;
  #aheadS: number | undefined;
  /** Least lead of its clock over monotonic time, and the lowest time that is known of it. */
  #lead = Number.POSITIVE_INFINITY;
  #knownFrom = Number.POSITIVE_INFINITY;

  /**
   * `stepMs`: what its times are rounded to. `mark`: as `mark` gave it before a restart. `least`: where it stands at least, by
   * the machine's own count since it was shown to a process before: our wall clock may have been set since.
   */
  constructor(stepMs: number, mark: number | undefined, at: ClockNow, least = Number.NEGATIVE_INFINITY) {
    this.#stepMs = stepMs;
    if (mark === undefined) return;
    const { aheadS, repeatedTo } = decode(mark);
    this.#aheadS = aheadS;
    if (aheadS !== undefined) {
      const timestamp = Math.max(at.wall - aheadS * 1000, least);
      this.#known = { timestamp, at: at.now };
      this.#lead = timestamp - at.now;
      this.#knownFrom = timestamp;
      this.#estimate = { timestamp, at: at.now, slackMs: slackMs + markSlackMs };
    }
    if (repeatedTo === undefined) return;
    this.#repeated = [{ start: Number.NEGATIVE_INFINITY, end: repeatedTo }];
    // What was missed before it was set back is no longer known.
    this.#freeFrom = repeatedTo;
  }

  /** The newest time that is believed; undefined where none is. */
  get known(): KnownTime | undefined {
    return this.#known;
  }

  /** The time that was shown with the least delay; undefined where none is known since it was set back. */
  get best(): { readonly timestamp: number; readonly at: number } | undefined {
    return this.#estimate;
  }

  /** Below, something that was missed may have its time. */
  get freeFrom(): number {
    return this.#freeFrom;
  }

  /** Times that came twice, or may have. */
  get repeated(): readonly Window[] {
    if (this.#suspicion === undefined) return this.#repeated;
    const { start, end } = this.#suspicion;
    return [...this.#repeated, { start, end }];
  }

  /**
   * It shows `timestamp`. `hasMissed`: something may have been recorded unheard since the last time that it showed.
   * `isBelieved`: false for times in the future, which may be wrong for a moment; the first of all are then forgotten.
   */
  show(timestamp: number, { now, wall }: ClockNow, hasMissed: boolean, isBelieved = true): void {
    if (!isBelieved && this.#known === undefined) return;
    this.#lead = Math.min(this.#lead, timestamp - now);
    this.#knownFrom = Math.min(this.#knownFrom, timestamp);
    const end = this.#beyond(now);
    if (hasMissed && end !== undefined) this.#freeFrom = Math.max(this.#freeFrom, end);
    const shown = this.#shown;
    const passedMs = shown === undefined ? Number.POSITIVE_INFINITY : now - shown.at;
    // It may have been set back further, and have come up to here unheard.
    if (shown !== undefined && end !== undefined && timestamp < shown.timestamp)
      this.#wentBack({ start: timestamp - (hasMissed ? passedMs : 0), end });
    else if (end !== undefined && timestamp > end + this.#estimate!.slackMs + this.#stepMs)
      this.#leapt({ start: timestamp - passedMs, end });
    else this.#judgeLag({ timestamp, now, end, passedMs }, hasMissed);
    this.#renew(timestamp, now);
    if (isBelieved && timestamp !== this.#known?.timestamp) this.#known = { timestamp, at: now };
    if (timestamp !== shown?.timestamp) this.#shown = { timestamp, at: now };
    this.#measureAhead({ now, wall });
  }

  /**
   * At monotonic `at` it showed a time in the future that nothing bore out, and something is missing since: that may have
   * such a time as well. A leap of days is a garbled date.
   */
  mayHaveShown({ timestamp, at }: { timestamp: number; at: number }, { now, wall }: ClockNow): void {
    if (this.#known === undefined) return;
    const end = this.#roundUp(timestamp + (now - at) * (1 + drift));
    if (end <= wall + leapMs) this.#freeFrom = Math.max(this.#freeFrom, end);
  }

  /** What its memory shows. */
  cameTwice(window: Window): void {
    const isKnown = this.#repeated.some(({ start, end }) => start <= window.start && end >= window.end);
    if (!isKnown) this.#repeated = bounded([...this.#repeated, window]);
  }

  /**
   * So far time has passed for what begins at `from`: by our clock, or by the instrument's, where it was known before, and as it was
   * before it leapt ahead. What it leapt over beyond that may come yet, once it is put right.
   */
  present(from: number, { now, wall }: ClockNow): number {
    return Math.floor(Math.max(wall, from >= this.#knownFrom ? now + this.#lead : wall));
  }

  /** What has to be known after a restart. */
  get mark(): number {
    // What is only suspected, too: the next process may not come to see what bears it out.
    const { repeated } = this;
    const repeatedTo = repeated.length > 0 ? Math.max(...repeated.map(({ end }) => end)) : undefined;
    return encode(this.#aheadS, repeatedTo);
  }

  /** Nothing that was recorded so far has this time or a later one, had nobody set the clock. */
  #beyond(now: number): number | undefined {
    const estimate = this.#estimate;
    if (estimate === undefined) return undefined;
    return this.#roundUp(estimate.timestamp + (now - estimate.at) * (1 + drift));
  }

  /** A rounded time stands for all up to the next one. */
  #roundUp(time: number): number {
    return Math.floor((time + this.#stepMs - 1) / this.#stepMs) * this.#stepMs + 1;
  }

  #judgeLag(
    {
      timestamp,
      now,
      end,
      passedMs,
    }: Record<'timestamp' | 'now' | 'passedMs', number> & { end: number | undefined },
    hasMissed: boolean,
  ): void {
    if (end === undefined || !this.#lags(timestamp, now)) {
      this.#suspicion = undefined;
      return;
    }
    const { timestamp: before = timestamp } = this.#shown ?? {};
    const suspicion = this.#suspicion;
    if (suspicion === undefined) {
      // Nobody knows how far it was set back: since the last time that was shown, it may have come up to here.
      const start = Math.min(timestamp - passedMs, before);
      if (hasMissed) this.#suspicion = { start, end, since: now, records: 1 };
      return;
    }
    const records = suspicion.records + (timestamp === before ? 0 : 1);
    this.#suspicion = { ...suspicion, records };
    if (records > confirmRecords && now - suspicion.since >= confirmMs) this.#wentBack(suspicion);
  }

  #lags(timestamp: number, now: number): boolean {
    const { timestamp: shown, at, slackMs: slack } = this.#estimate!;
    return timestamp < shown + (now - at) * (1 - drift) - slack - this.#stepMs;
  }

  /** Of the records so far, the one that came with the least delay counts; a clock that runs slow is followed. */
  #renew(timestamp: number, now: number): void {
    const estimate = this.#estimate;
    if (estimate !== undefined && timestamp < estimate.timestamp + (now - estimate.at) * (1 - drift)) return;
    this.#estimate = { timestamp, at: now, slackMs };
  }

  #measureAhead({ now, wall }: ClockNow): void {
    const { timestamp, at } = this.#estimate!;
    const aheadS = Math.ceil((wall - (timestamp + now - at)) / 1000);
    // Not for each record: what is kept with the stream costs a write.
    if (this.#aheadS === undefined || Math.abs(aheadS - this.#aheadS) > 1) this.#aheadS = aheadS;
  }

  /** It was set ahead: it goes on from `start`, and had come to `end`. That does not say why it lagged before. */
  #leapt({ start, end }: Window): void {
    this.#repeated = bounded(this.repeated);
    this.#suspicion = undefined;
    this.#runs = bounded([...this.#runs, { start: this.#runFrom, end }]);
    this.#runFrom = start;
  }

  /** It was set back to `start`, and had come to `end`. What it went through from there on comes again. */
  #wentBack({ start: to, end: reached }: Window): void {
    const { start = to, end = reached } = this.#suspicion ?? {};
    const from = Math.min(start, to);
    this.#suspicion = undefined;
    const runs = [...this.#runs, { start: this.#runFrom, end: Math.max(end, reached) }];
    const again = runs.filter((run) => run.end > from);
    this.#repeated = bounded([
      ...this.#repeated,
      ...again.map((run) => ({ start: Math.max(run.start, from), end: run.end })),
    ]);
    this.#runs = runs.filter((run) => run.end <= from);
    this.#runFrom = from;
    this.#estimate = undefined;
  }
}

/** Those that are not remembered one by one are one. */
function bounded(windows: readonly Window[]): readonly Window[] {
  const oldest = windows.slice(0, Math.max(0, windows.length - maxRemembered + 1));
  if (oldest.length < 2) return windows;
  const start = Math.min(...oldest.map((window) => window.start));
  const end = Math.max(...oldest.map((window) => window.end));
  return [{ start, end }, ...windows.slice(oldest.length)];
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
