// Steps of an equipment's clock, as seen while it is watched. Records made before a step back and never read may have times
// that come a second time: code that states such a time as read or observed must know of the step. And after a step
// forward, records may still come at times that the clock jumped over, once it is put right.
//
// A clock that shows less than has passed, after samples went unseen, was set back, or the sample is old: the equipment was off, or
// takes samples rarely. Where samples are counted, and it took as many as time has passed, it was set back. Else the next sample
// tells: it comes up to where the clock should stand, or it does not, though it is nearer than that, or cannot be so old, since a poll
// before it showed another one.
//
// One number is kept with the stream for the next start: the time up to which some times came twice.
import type { Clock } from '../../../kernel/clock.ts';

export interface ClockStep {
  /** Grows by one. */
  readonly id: number;
  /** When it was seen, monotonic ms. */
  readonly at: number;
  /** The last time that was shown before, and below which all lies that came unseen. */
  readonly shown: number;
  readonly expected: number;
  /** The first time that was shown after. */
  readonly after: number;
  /**
   * The clock did not go back, but shows so much less than has passed while samples went unseen: it was set back among
   * these, or it only stood still, or the sample is so old. Absent: it went back, or that is clear by now.
   */
  readonly lostMs?: number;
}

/** Samples went unseen between two that were shown, by their times and numbers. */
export interface Miss {
  readonly before: Numbered;
  readonly after: Numbered;
  /** Where the clock would stand had nobody set it. */
  readonly expected: number;
}

export interface Numbered {
  readonly time: number;
  readonly number: number;
}

/** Allowance for corrections by time synchronisation, and for the delay of a sample. */
const slackMs = 2000;
/** A clock that runs fast by more than 1,000 ppm is wrong. */
const drift = 1 / 1000;
const maxSteps = 64;
/** Many samples take this much more or less time than as many usual intervals. */
const irregular = 1 / 20;
/** The next two may be so much closer than the last ones were. */
const uneven = 3 / 4;
/** Intervals between samples of which the median is the usual one; fewer than the least tell nothing. */
const maxIntervals = 15;
const leastIntervals = 3;
const leastToTrust = 8;
const mostRecalledMs = 120_000;
/** The resolution in which the time up to which some came twice is stored. */
export const twiceStepMs = 600_000;

/** What was shown lagged, and it is not known why. */
interface Lag {
  /** Of the step. */
  readonly id: number;
  /** What was shown. */
  readonly time: number;
  /** What was shown before. */
  readonly before: Shown;
  readonly lostMs: number;
  /** Where it should stand. */
  readonly to: number;
  readonly passedMs: number;
  readonly since: SampleCount | undefined;
}

/** Samples that were taken since the last one that was shown, with the one that is shown now. */
export interface SampleCount {
  readonly count: number;
  /** False where it may be too many: it counts from an earlier one. */
  readonly isSure: boolean;
}

interface Shown {
  readonly time: number;
  readonly at: number;
  /** Its own number, where samples are counted. */
  readonly number?: number | undefined;
}

export interface Recalled {
  /** By the machine's own count of time, not by a wall clock. */
  readonly isAgeSure?: boolean | undefined;
  /** It was shown as a sample's time. */
  readonly isShown?: boolean | undefined;
  /** Of the sample that showed it. */
  readonly number?: number | undefined;
  /** So far below stood the time of a sample that lagged, and nobody knew why; 0 or absent: none did. */
  readonly lagMs?: number | undefined;
}

export class ClockSteps {
  /** The value last handed over to be stored, and the number of the sample that it was stored with. */
  keptTwiceTo = 0;
  lastTaken: number | undefined;
  readonly #clock: Clock;
  readonly #stepMs: number;
  readonly #since: number;
  #shown: Shown | undefined;
  /** When it was still the newest sample, monotonic ms: the next one was not taken before. */
  #newestAt = Number.NEGATIVE_INFINITY;
  #recalled: Shown | undefined;
  #recalledAs: Recalled = {};
  #knownFrom = Number.POSITIVE_INFINITY;
  #steps: readonly ClockStep[] = [];
  #count = 0;
  #freeFrom = Number.NEGATIVE_INFINITY;
  /** Least lead of its clock over monotonic time. */
  #lead = Number.POSITIVE_INFINITY;
  #twiceTo = 0;
  #twiceBefore = 0;
  /** As far as some may have come twice: what was shown lagged after something was missed, and nobody has looked into the log. */
  #suspectedTo = 0;
  #lag: Lag | undefined;
  /** Between samples that followed each other, the newest last. */
  #intervals: readonly number[] = [];
  /** Samples may have come unseen since the last time was shown. */
  #hasMissed = false;
  #misses: readonly Miss[] = [];
  /** As kept by a process before this one, until a sample is shown. */
  #recalledTwiceTo = Number.NEGATIVE_INFINITY;

  /** `stepMs`: what its times are rounded to. */
  constructor(clock: Clock, stepMs: number) {
    this.#clock = clock;
    this.#stepMs = stepMs;
    this.#since = clock.monotonic();
  }

  /** In their order. */
  get all(): readonly ClockStep[] {
    return this.#steps;
  }

  /** Since the last call. */
  takeMisses(): readonly Miss[] {
    const misses = this.#misses;
    this.#misses = [];
    return misses;
  }

  /** Below, a sample that was missed may have its time. */
  get freeFrom(): number {
    return this.#freeFrom;
  }

  /** Below, times are known to have come twice; 0 where none is. Exact to `twiceStepMs`, and never too low. */
  get twiceTo(): number {
    return this.#twiceTo;
  }

  /** The same, as it was kept by a process before this one. */
  get twiceBefore(): number {
    return this.#twiceBefore;
  }

  /** What is to be kept of that: over a restart nobody knows any more why some may have come twice. */
  get toKeep(): number {
    return Math.max(this.#twiceTo, this.#suspectedTo, this.#pendingTo);
  }

  /** How far the clock had come before this process; undefined where that is not known. */
  get recalled():
    | { readonly time: number; readonly expected: number; readonly isShown: boolean; readonly lagMs: number }
    | undefined {
    const recalled = this.#recalled;
    if (recalled === undefined) return undefined;
    const { isShown = false, lagMs = 0 } = this.#recalledAs;
    return { time: recalled.time, expected: this.#expected(recalled), isShown, lagMs };
  }

  /**
   * So far below `time` stands a sample that lags, and it is not known why: for the next process, which the log may tell.
   * 0 where none does, or where most of that is only what clocks may differ by.
   */
  lagBelow(time: number): number {
    const lag = this.#lag;
    if (lag === undefined) return 0;
    const lagMs = time - lag.time;
    return lagMs > 0 && lagMs < 2 * lag.lostMs ? lagMs : 0;
  }

  /** A process after this one could not find out any more why it lagged: by more than samples are apart, as far as that is known. */
  get #pendingTo(): number {
    const lag = this.#lag;
    if (lag === undefined || this.#isExplained(lag)) return 0;
    const apartMs = lag.since
      ? lag.passedMs / Math.max(1, lag.since.count)
      : (this.#intervalMs ?? Number.POSITIVE_INFINITY);
    return lag.lostMs > 2 * apartMs ? roundUp(lag.to) : 0;
  }

  /** At least so far apart two samples are, as the last ones were, and one at `time` is from the one before. */
  apartMs(time: number): number {
    const next = time - (this.#shown?.time ?? time);
    const intervals = next > 0 ? [...this.#intervals, next] : this.#intervals;
    if (intervals.length === 0) return Number.POSITIVE_INFINITY;
    const leastMs = Math.min(...intervals);
    const isFew = intervals.length < leastToTrust;
    // Each of the first few may have another sample between.
    if (this.#stepMs === 1) return leastMs * (isFew ? 1 / 2 : uneven);
    // Of rounded times only many together tell. Where these are few, or some are the same, samples come faster than that, and some go by unseen.
    const meanMs = intervals.reduce((sum, each) => sum + each, 0) / intervals.length;
    return leastMs === 0 || isFew ? meanMs / 2 : meanMs * uneven;
  }

  /** How long ago what was shown last was the newest sample for sure. */
  get sinceNewestMs(): number {
    return this.#clock.monotonic() - this.#newestAt;
  }

  get #intervalMs(): number | undefined {
    const sorted = this.#intervals.filter((each) => each > 0).toSorted((a, b) => a - b);
    return sorted.length < leastIntervals ? undefined : sorted[sorted.length >> 1];
  }

  /**
   * So far time has passed for what begins at `from`: by our clock, which shows `wall`, or by the equipment's, where it was
   * known before, and as it was before it leapt ahead.
   */
  present(from: number, wall: number): number {
    const own = from >= this.#knownFrom ? this.#clock.monotonic() + this.#lead : wall;
    return Math.floor(Math.max(wall, own));
  }

  /** As far as it had come before this process: so long ago, or less. */
  recall(time: number, ageMs: number, as: Recalled = {}): void {
    if (this.#shown) return;
    this.#shown = { time, at: this.#clock.monotonic() - ageMs, number: as.isShown ? as.number : undefined };
    this.#recalled = this.#shown;
    this.#recalledAs = as;
    this.#knownFrom = time;
    this.#lead = time - this.#shown.at;
  }

  /** What was kept before this process. */
  recallTwice(twiceTo: number): void {
    if (twiceTo <= this.#twiceTo) return;
    this.#twiceTo = this.#twiceBefore = this.keptTwiceTo = this.#recalledTwiceTo = twiceTo;
    const [shown, after] = [twiceTo - twiceStepMs, Number.POSITIVE_INFINITY];
    this.#note({ at: this.#since, shown, expected: twiceTo, after });
  }

  /** Samples may have been missed since the last time was shown: up to where the clock would stand if it had not been set. */
  miss(): void {
    // What went by while no process watched may have come at the first of the times that came twice.
    this.#freeFrom = Math.max(this.#freeFrom, this.#recalledTwiceTo);
    const shown = this.#shown;
    if (!shown) return;
    this.#hasMissed = true;
    if (!this.#isUnsure(shown)) this.#freeFrom = Math.max(this.#freeFrom, this.#expected(shown));
  }

  /** The newest sample shows `time`. */
  show(time: number, since?: SampleCount, number?: number): void {
    const now = this.#clock.monotonic();
    const shown = this.#shown;
    this.#recalledTwiceTo = Number.NEGATIVE_INFINITY;
    if (shown && !this.#hasMissed && time >= shown.time && (since?.count ?? 1) === 1)
      this.#intervals = [...this.#intervals, time - shown.time].slice(-maxIntervals);
    if (shown?.time === time) return;
    if (shown) this.#judgeLag(time, shown, since);
    this.#lead = Math.min(this.#lead, time - now);
    this.#knownFrom = Math.min(this.#knownFrom, time);
    if (shown) this.#compare(time, shown, since);
    if (shown && this.#hasMissed) this.#noteMiss(shown, { time, number });
    this.#hasMissed = false;
    this.#shown = { time, at: now, number };
  }

  /** What was shown last was the newest sample at monotonic `at`. */
  wasNewest(at: number): void {
    this.#newestAt = at;
  }

  #noteMiss(shown: Shown, { time, number }: Omit<Shown, 'at'>): void {
    if (shown.number === undefined || number === undefined || this.#isUnsure(shown)) return;
    const before = { time: shown.time, number: shown.number };
    const miss = { before, after: { time, number }, expected: this.#expected(shown) };
    this.#misses = [...this.#misses, miss].slice(-maxSteps);
  }

  #compare(time: number, shown: Shown, since: SampleCount | undefined): void {
    const now = this.#clock.monotonic();
    const passedMs = now - shown.at;
    const lostMs = this.#lostMs(time, shown);
    // Where observation was only to begin there, no sample had that time.
    const isFirm = shown !== this.#recalled || this.#recalledAs.isShown || this.#isUnsure(shown);
    const isBack = isFirm && time < shown.time;
    const isLagging = this.#hasMissed && lostMs > 0 && !this.#isUnsure(shown);
    if (!isBack && !isLagging) return;
    const lag = { id: this.#count, time, before: shown, lostMs, to: this.#expected(shown), passedMs, since };
    const isProven = isBack || this.#isExplained(lag) === false;
    this.#note({
      at: now,
      shown: shown.time,
      expected: lag.to,
      after: time,
      ...(!isProven && { lostMs }),
    });
    if (isBack) this.cameTwice(lag.to);
    else if (isProven) this.#suspect(lag.to);
    else this.#lag = lag;
  }

  /** What was shown after a sample that lagged. */
  #judgeLag(time: number, shown: Shown, since: SampleCount | undefined): void {
    const lag = this.#lag;
    if (lag === undefined) return;
    const isExplained = this.#isExplained(lag);
    const hasCaughtUp = this.#lostMs(time, lag.before) <= 0;
    const isNear = time > shown.time && time - shown.time < lag.lostMs;
    const oldestMs = this.#hasMissed ? Number.POSITIVE_INFINITY : this.sinceNewestMs;
    const isTooOld = this.#lostMs(time, lag.before) > oldestMs;
    // Of samples that are counted the very next one has to.
    const isNext = !lag.since?.isSure || since?.count === 1;
    const wasOff = hasCaughtUp && isExplained !== false && (isExplained || isNext);
    if (!wasOff && isExplained !== false && !isNear && !isTooOld) return;
    const step = this.#steps.find(({ id }) => id === lag.id);
    const others = this.#steps.filter((each) => each !== step);
    this.#steps = wasOff || step === undefined ? others : inOrder([...others, asProven(step)]);
    if (!wasOff) this.#suspect(lag.to);
    this.#lag = undefined;
  }

  /** By the samples that were taken meanwhile it may have been off for as long as it lags. Undefined where that is not known. */
  #isExplained({ since, passedMs, lostMs }: Lag): boolean | undefined {
    const intervalMs = this.#intervalMs;
    if (!since?.isSure || intervalMs === undefined) return undefined;
    const sampledMs = since.count * intervalMs;
    return lostMs <= passedMs - sampledMs * (1 - irregular) + 2 * intervalMs;
  }

  #lostMs(time: number, before: Shown): number {
    const passedMs = this.#clock.monotonic() - before.at;
    return Math.floor(before.time + passedMs * (1 - drift) - time - slackMs);
  }

  #suspect(to: number): void {
    this.#suspectedTo = Math.max(this.#suspectedTo, roundUp(to));
  }

  /** Times up to this one came twice, as the equipment's log shows. */
  cameTwice(to: number): void {
    this.#twiceTo = Math.max(this.#twiceTo, roundUp(to));
  }

  /** How long ago it was shown to a process before this one: after a start of the machine only a wall clock tells, which may have been set. */
  #isUnsure(shown: Shown): boolean {
    if (shown !== this.#recalled || this.#recalledAs.isAgeSure) return false;
    return this.#clock.monotonic() - shown.at > mostRecalledMs;
  }

  #note(step: Omit<ClockStep, 'id'>): void {
    this.#steps = [...this.#steps, { ...step, id: this.#count }].slice(-maxSteps);
    this.#count += 1;
  }

  #expected(shown: Shown): number {
    const passedMs = this.#clock.monotonic() - shown.at;
    const latest = shown.time + this.#stepMs - 1 + passedMs * (1 + drift);
    return Math.floor(latest / this.#stepMs) * this.#stepMs + 1;
  }
}

function asProven({ lostMs: _, ...step }: ClockStep): ClockStep {
  return step;
}

function inOrder(steps: readonly ClockStep[]): readonly ClockStep[] {
  return steps.toSorted((a, b) => a.id - b.id);
}

function roundUp(time: number): number {
  return Math.ceil(time / twiceStepMs) * twiceStepMs;
}
