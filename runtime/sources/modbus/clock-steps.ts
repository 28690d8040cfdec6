// Steps of an equipment's clock, as seen while it is watched. Records made before a step back and never read may have times
// that come a second time: code that states such a time as read or observed must know of the step. And after a step
// forward, records may still come at times that the clock jumped over, once it is put right.
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
  /** Where those that came unseen after it may begin. */
  readonly from: number;
  /**
   * The clock did not go back, but shows so much less than has passed while samples went unseen: it was set back among
   * these, or it only stood still, or the sample is so old. Absent: it went back.
   */
  readonly lostMs?: number;
}

/** Allowance for corrections by time synchronisation, and for the delay of a sample. */
const slackMs = 2000;
/** A clock that runs fast by more than 1,000 ppm is wrong. */
const drift = 1 / 1000;
const maxSteps = 64;
const mostRecalledMs = 120_000;
/** The resolution in which the time up to which some came twice is stored. */
export const twiceStepMs = 600_000;

export class ClockSteps {
  /** The value last handed over to be stored, and the number of the sample that it was stored with. */
  keptTwiceTo = 0;
  lastTaken: number | undefined;
  readonly #clock: Clock;
  readonly #stepMs: number;
  readonly #since: number;
  #shown: { readonly time: number; readonly at: number } | undefined;
  #recalled: { readonly time: number; readonly at: number } | undefined;
  #isRecalledSurely = false;
  #knownFrom = Number.POSITIVE_INFINITY;
  #steps: readonly ClockStep[] = [];
  #count = 0;
  #freeFrom = Number.NEGATIVE_INFINITY;
  /** Least lead of its clock over monotonic time. */
  #lead = Number.POSITIVE_INFINITY;
  #twiceTo = 0;
  /** As far as some may have come twice: what was shown lagged after something was missed, and nobody has looked into the log. */
  #suspectedTo = 0;
  /** What was shown lagged: by a step back, unless samples are as far apart. */
  #lag: { readonly lostMs: number; readonly to: number } | undefined;
  /** Samples may have come unseen since the last time was shown. */
  #hasMissed = false;
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

  /** Below, a sample that was missed may have its time. */
  get freeFrom(): number {
    return this.#freeFrom;
  }

  /** Below, times are known to have come twice; 0 where none is. Exact to `twiceStepMs`, and never too low. */
  get twiceTo(): number {
    return this.#twiceTo;
  }

  /** What is to be kept of that: over a restart nobody knows any more why some may have come twice. */
  get toKeep(): number {
    return Math.max(this.#twiceTo, this.#suspectedTo);
  }

  /** The time shown last before this process; undefined where that is not known. */
  get recalled(): { readonly time: number; readonly expected: number } | undefined {
    const { time, at } = this.#recalled ?? {};
    return time === undefined || at === undefined
      ? undefined
      : { time, expected: this.#expected({ time, at }) };
  }

  /**
   * So far time has passed for what begins at `from`: by our clock, which shows `wall`, or by the equipment's, where it was
   * known before, and as it was before it leapt ahead.
   */
  present(from: number, wall: number): number {
    const own = from >= this.#knownFrom ? this.#clock.monotonic() + this.#lead : wall;
    return Math.floor(Math.max(wall, own));
  }

  /** As far as it had come before this process: so long before it began, or less. `isSure`: not by a wall clock. */
  recall(time: number, ageMs: number, isSure = false): void {
    if (this.#shown) return;
    this.#shown = { time, at: this.#since - ageMs };
    this.#recalled = this.#shown;
    this.#isRecalledSurely = isSure;
    this.#knownFrom = time;
    this.#lead = time - this.#shown.at;
  }

  /** What was kept before this process. */
  recallTwice(twiceTo: number): void {
    if (twiceTo <= this.#twiceTo) return;
    this.#twiceTo = this.keptTwiceTo = this.#recalledTwiceTo = twiceTo;
    const [shown, after] = [twiceTo - twiceStepMs, Number.POSITIVE_INFINITY];
    this.#note({ at: this.#since, shown, expected: twiceTo, after, from: Number.NEGATIVE_INFINITY });
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
  show(time: number): void {
    const now = this.#clock.monotonic();
    const shown = this.#shown;
    this.#recalledTwiceTo = Number.NEGATIVE_INFINITY;
    if (shown?.time === time) return;
    const lag = this.#lag;
    if (lag && shown && time > shown.time && time - shown.time < lag.lostMs) {
      this.#suspectedTo = Math.max(this.#suspectedTo, roundUp(lag.to));
      this.#lag = undefined;
    }
    this.#lead = Math.min(this.#lead, time - now);
    this.#knownFrom = Math.min(this.#knownFrom, time);
    if (shown) {
      const passedMs = now - shown.at;
      const lostMs = Math.floor(shown.time + passedMs * (1 - drift) - time - slackMs);
      const isBack = time < shown.time;
      if (isBack || (this.#hasMissed && lostMs > 0 && !this.#isUnsure(shown))) {
        const expected = this.#expected(shown);
        const from = time - passedMs - slackMs;
        this.#note({ at: now, shown: shown.time, expected, after: time, from, ...(!isBack && { lostMs }) });
        if (isBack) this.cameTwice(expected);
        else this.#lag = { lostMs, to: expected };
      }
    }
    this.#hasMissed = false;
    this.#shown = { time, at: now };
  }

  /** Times up to this one came twice, as the equipment's log shows. */
  cameTwice(to: number): void {
    this.#twiceTo = Math.max(this.#twiceTo, roundUp(to));
  }

  /** How long ago it was shown to a process before this one: after a start of the machine only a wall clock tells, which may have been set. */
  #isUnsure(shown: { readonly at: number }): boolean {
    if (shown !== this.#recalled || this.#isRecalledSurely) return false;
    return this.#clock.monotonic() - shown.at > mostRecalledMs;
  }

  #note(step: Omit<ClockStep, 'id'>): void {
    this.#steps = [...this.#steps, { ...step, id: this.#count }].slice(-maxSteps);
    this.#count += 1;
  }

  #expected(shown: { readonly time: number; readonly at: number }): number {
    const passedMs = this.#clock.monotonic() - shown.at;
    const latest = shown.time + this.#stepMs - 1 + passedMs * (1 + drift);
    return Math.floor(latest / this.#stepMs) * this.#stepMs + 1;
  }
}

function roundUp(time: number): number {
  return Math.ceil(time / twiceStepMs) * twiceStepMs;
}
