// Tracks the times of the records in an event log, from one read to the next.
//
// Records are numbered without gaps, but their times need not grow: a clock that is set back, or ahead and back, puts the
// same times into the log twice, in parts that no search would find. So the time of every record that the log holds is
// looked at, once: records do not change. What is held at a time is then known, wherever in the log it stands.
//
// What is no longer held is remembered as the times that it had: of these, nobody can say any more that all is there. Records
// that went before they were looked at had times between those of their neighbours, or, where these show that the clock
// was set back, as far around them as the time that passed since allows. Before the first record that was ever looked at,
// all times may have had records; that its time is where these end is what the equipment shows of a clock that
// was not set back, and the only thing that is taken without proof.
//
// Positions go on where a counter comes round, or starts anew.
import type { Clock } from '../../../kernel/clock.ts';
import { normalise } from '../../../wire/coverage.ts';
import type { Window } from '../../../wire/window.ts';
import { intervalsIn, longestIn, type TimedPosition } from '../codec/log-leaps.ts';
import type { ClockStep, ClockSteps, Miss } from './clock-steps.ts';
import { type Doubt, damaged, joinMs, type LogView, lowerBound, viewOf } from './log-view.ts';
import type { LogRange } from './record-log.ts';

export interface LogTimesOptions {
  readonly clock: Clock;
  /** Of the equipment's clock, as seen live. */
  readonly steps: ClockSteps;
  /** Several records may have one time. */
  readonly isCoarse: boolean;
  /** Where the numbers start again from 0. */
  readonly modulus: number;
  /** Number of the first record that the equipment ever wrote. Default 1. */
  readonly firstRecord: number | undefined;
}

const maxGone = 256;
/** Allowance for corrections by time synchronisation. */
const slackMs = 2000;
/** What is kept of a sample's time may have been moved up by so much. */
const maxMovedMs = 100;
/** It may have sampled so much faster than its log shows. */
const faster = 2;

export class LogTimes {
  readonly #options: LogTimesOptions;
  #isCoarse: boolean;
  readonly #times = new Map<number, number>();
  #first = 0;
  /** Position and number of the newest record; undefined before the first look. */
  #newest: { readonly position: number; readonly number: number } | undefined;
  #round = 0;
  #gone: readonly Window[] = [];
  /** Times that the clock jumped over between records that are gone. */
  #leapt: readonly Window[] = [];
  /** The time of the last record that went; records that nobody looked at may have gone since. */
  #edge: number | undefined;
  #isTorn = true;
  /** When all was known last, monotonic ms; and since when nothing went unseen. */
  #knownAt: number | undefined;
  #knownSince = Number.POSITIVE_INFINITY;
  /** Steps of the clock that were looked for. */
  #stepsSeen = 0;
  #unseen = 0;
  /** Undefined where something has changed since. */
  #current: LogView | undefined;

  constructor(options: LogTimesOptions) {
    this.#options = options;
    this.#isCoarse = options.isCoarse;
  }

  /** Several records may have one time. */
  get isCoarse(): boolean {
    return this.#isCoarse;
  }

  /** Changes when the counter starts anew. */
  get round(): number {
    return this.#round;
  }

  /** Takes the range that the log holds now; returns it as positions. */
  see({ oldest, newest }: LogRange): LogRange {
    const { modulus } = this.#options;
    const number = mod(newest, modulus);
    const known = this.#newest;
    const ahead = known === undefined ? 0 : mod(number - known.number, modulus);
    if (known !== undefined && ahead > modulus / 2) {
      this.restart();
      return this.see({ oldest, newest });
    }
    const position = known === undefined ? newest : known.position + ahead;
    const first = position - (newest - oldest);
    if (known !== undefined && first < this.#first && newest >= oldest) {
      this.restart();
      return this.see({ oldest, newest });
    }
    if (known === undefined) this.#first = first;
    this.#newest = { position, number };
    for (let at = this.#first; at < first; at++) this.#drop(at);
    this.#first = Math.max(this.#first, first);
    return { oldest: first, newest: position };
  }

  /** The number by which the record at `position` is asked for. */
  numberAt(position: number): number {
    const { position: at, number } = this.#newest!;
    return number - (at - position);
  }

  /** The counter has started anew: what was held before is gone. */
  restart(): void {
    const newest = this.#newest;
    this.#round += 1;
    if (newest) for (let at = this.#first; at <= newest.position; at++) this.#drop(at);
    this.#times.clear();
    this.#current = undefined;
    this.#newest = undefined;
    // Records may have come after the newest that was looked at.
    this.#isTorn = true;
    this.#knownSince = Number.POSITIVE_INFINITY;
  }

  /** Grows whenever it turns out that records went unseen. */
  get unseen(): number {
    return this.#unseen;
  }

  isKnown(position: number): boolean {
    return this.#times.has(position);
  }

  timeOf(position: number): number | undefined {
    const time = this.#times.get(position);
    return time === undefined || Number.isNaN(time) ? undefined : time;
  }

  /** `time` undefined: the record shows none. */
  note(position: number, time: number | undefined): void {
    if (position < this.#first) return;
    this.#times.set(position, time ?? damaged);
    this.#current = undefined;
    const [before, after] = [this.timeOf(position - 1), this.timeOf(position + 1)];
    if (time === undefined) return;
    if (before !== undefined && time < before) this.#options.steps.cameTwice(before);
    if (after !== undefined && after < time) this.#options.steps.cameTwice(time);
  }

  forget(position: number): void {
    this.#times.delete(position);
    this.#current = undefined;
  }

  /**
   * All that is held was looked at. Returns how often its times go back within the log.
   */
  complete(): number {
    const { steps, clock } = this.#options;
    const now = clock.monotonic();
    const { order } = this.#view;
    const back: { readonly from: number; readonly to: number }[] = [];
    for (const [at, { time }] of order.entries()) {
      const last = order[at - 1]?.time;
      if (last !== undefined && time < last) back.push({ from: last, to: time });
      if (time === last && !this.#isCoarse) {
        this.#isCoarse = true;
        this.#current = undefined;
      }
    }
    if (this.#knownAt === undefined) {
      this.#recall(steps.recalled);
      this.#recallLag(steps.recalled);
      this.#recallTwice();
    }
    this.#settleEdge();
    this.#matchSteps(steps.all, back);
    for (const miss of steps.takeMisses()) if (this.#isTooMany(miss)) this.#loseTo(miss.expected);
    this.#knownAt = now;
    this.#knownSince = Math.min(this.#knownSince, now);
    return back.length;
  }

  /** The lowest time that is held; undefined where none is known. */
  get lowest(): number | undefined {
    return this.#view.byTime[0]?.time;
  }

  /** Everything below was recorded. Undefined where the newest record that was looked at shows no time. */
  get recordedTo(): number | undefined {
    let newest = this.#newest?.position;
    while (newest !== undefined && newest >= this.#first && !this.#times.has(newest)) newest -= 1;
    const time = newest === undefined ? undefined : this.timeOf(newest);
    // The next one may have the same time.
    return time === undefined ? undefined : this.#isCoarse ? time : time + 1;
  }

  /** Records held with a time in the window, by their times. */
  within({ start, end }: Window): readonly TimedPosition[] {
    const { byTime } = this.#view;
    return byTime.slice(lowerBound(byTime, start), lowerBound(byTime, end));
  }

  /** Times of which records are gone. */
  get gone(): readonly Window[] {
    return this.#gone;
  }

  /**
   * What the equipment's clock leapt over, as far as that is still to come: it may be set back, and come by there again.
   */
  leaps(present: (from: number) => number): readonly Window[] {
    return [...this.#leapt, ...this.#view.leaps].flatMap(({ start, end }) => {
      const from = Math.max(start, present(start - 1));
      return from < end ? [{ start: from, end }] : [];
    });
  }

  /** Times that records have which are held, and show none. */
  get doubts(): readonly Doubt[] {
    return this.#view.doubts;
  }

  /** Results that are derived from the known times; cached, since they change less often than they are used. */
  get #view(): LogView {
    this.#current ??= viewOf({
      times: this.#times,
      first: this.#first,
      newest: this.#newest?.position,
      edge: this.#isTorn ? undefined : this.#edge,
      isCoarse: this.#isCoarse,
    });
    return this.#current;
  }

  /** Removes a record that is no longer held. */
  #drop(position: number): void {
    const time = this.#times.get(position);
    this.#times.delete(position);
    this.#current = undefined;
    if (time === undefined) this.#knownSince = Number.POSITIVE_INFINITY;
    if (time === undefined || Number.isNaN(time)) {
      this.#isTorn = true;
      return;
    }
    this.#tearBefore(time);
    const edge = this.#edge;
    const isNext = edge !== undefined && time >= edge && time - edge <= joinMs;
    this.#add({ start: isNext ? edge : time, end: time + 1 });
    if (edge !== undefined && time - edge > joinMs && Number.isFinite(edge))
      this.#leapt = bounded([...this.#leapt, { start: edge + 1, end: time }]);
    this.#edge = time;
  }

  /** Nothing of this round was overwritten. */
  get #isWhole(): boolean {
    return this.numberAt(this.#first) === (this.#options.firstRecord ?? 1);
  }

  /** What a memory held that was cleared before, nobody knows, unless the site says which record was the first of all. */
  get #isFirstOfAll(): boolean {
    return this.#isWhole && this.#options.firstRecord !== undefined && this.#round === 0;
  }

  /** Of what went unseen, as far as the record behind it tells. */
  #settleEdge(): void {
    if (!this.#isTorn) return;
    const next = this.#view.order[0]?.time;
    if (next === undefined) return;
    this.#current = undefined;
    const hasShared = !this.#isFirstOfAll && (this.#options.isCoarse || (this.#isCoarse && !this.#isWhole));
    this.#tearBefore(next, hasShared);
    this.#edge ??= Number.NEGATIVE_INFINITY;
  }

  /** `hasShared`: one that went unseen may have had the same time as the next. */
  #tearBefore(next: number, hasShared = this.#isCoarse): void {
    const wasTorn = this.#isTorn;
    this.#isTorn = false;
    if (!wasTorn) return;
    this.#unseen += 1;
    const edge = this.#edge ?? Number.NEGATIVE_INFINITY;
    const end = next + (hasShared ? 1 : 0);
    if (edge <= next) {
      if (edge < end) this.#add({ start: edge, end });
      return;
    }
    const passedMs = this.#options.clock.monotonic() - (this.#knownAt ?? 0) + slackMs;
    this.#add({ start: edge, end: edge + passedMs });
    // However far back: it may have been set ahead again, by less.
    this.#add({ start: Number.NEGATIVE_INFINITY, end: next + 1 });
  }

  /**
   * What was shown before this process stands, by what the log holds, where its clock only leapt: so it was set back since, and
   * what was recorded then is gone.
   */
  #recall(recalled: ClockSteps['recalled']): void {
    if (recalled === undefined) return;
    const { time, expected: end, isShown } = recalled;
    // A sample's time stands in the log where it was not lost; what observation was to begin at may lie behind one.
    const behindMs = isShown ? (this.#isCoarse ? 1000 : 1) : joinMs;
    if (this.#view.leaps.some((leap) => time > leap.start + behindMs && time < leap.end))
      this.#add({ start: Number.NEGATIVE_INFINITY, end });
  }

  /**
   * A process before this one was shown a sample that lagged, and ended before the next came, which would have told why. The log
   * has the next: had the sample been that old, none could follow so soon. So the clock had been set back.
   */
  #recallLag(recalled: ClockSteps['recalled']): void {
    if (recalled === undefined || recalled.lagMs === 0) return;
    const { time, lagMs, expected } = recalled;
    const lagged = time - lagMs;
    const { order } = this.#view;
    // Each beginning without a proof may have moved what is kept up by 1.
    const at = order.findLastIndex((each) => each.time <= lagged + 1 && each.time > lagged - maxMovedMs);
    // Where it is gone, and all that is held is later, what is held came after it.
    const next = at < 0 && this.lowest! < lagged ? undefined : order[at + 1];
    if (next && next.time > lagged && next.time - lagged < lagMs / 2) this.#loseTo(expected);
  }

  /**
   * Below a time that is kept from before this process some came twice, and of what is gone by now nobody knows any more
   * when it was recorded.
   */
  #recallTwice(): void {
    const { twiceBefore: end } = this.#options.steps;
    if (end > 0) this.#add({ start: Number.NEGATIVE_INFINITY, end });
  }

  /** A step that was seen live, and that neither the log shows nor what was known of it then, is of records that are gone. */
  #matchSteps(
    steps: readonly ClockStep[],
    back: readonly { readonly from: number; readonly to: number }[],
  ): void {
    let left = back.length;
    const { order } = this.#view;
    for (const { id, at, shown, expected, after, lostMs } of steps.toReversed()) {
      if (id < this.#stepsSeen) break;
      // The newest sample may be as old as the next one is away.
      if (at >= this.#knownSince || (lostMs !== undefined && lostMs <= longestIn(order))) continue;
      const found = back
        .slice(0, left)
        .findLastIndex(({ from, to }) => from >= shown && from < expected && to <= after);
      if (found >= 0) left = found;
      else this.#loseTo(expected);
    }
    this.#stepsSeen = Math.max(this.#stepsSeen, ...steps.map(({ id }) => id + 1));
  }

  /**
   * More samples went unseen, and from the log, than its clock shows time for: it was set back among them. Where it samples at all
   * paces, that is never said.
   */
  #isTooMany({ before, after }: Miss): boolean {
    const { order } = this.#view;
    const [first] = order;
    const { modulus } = this.#options;
    const isShown = ({ position, time }: TimedPosition) =>
      time === after.time && mod(this.numberAt(position), modulus) === after.number;
    // The log numbers its records as the samples are.
    if (!first || !order.some(isShown)) return false;
    const gone = mod(this.numberAt(first.position) - before.number, modulus);
    if (gone === 0 || gone > modulus / 2) return false;
    const fastestMs = Math.min(...intervalsIn(order).filter((interval) => interval >= 0));
    return Number.isFinite(fastestMs) && (gone * fastestMs) / faster > first.time - before.time;
  }

  /** The clock was set back among records that are gone: however far, for it may have been set ahead again by less. */
  #loseTo(expected: number): void {
    this.#unseen += 1;
    this.#add({ start: Number.NEGATIVE_INFINITY, end: expected });
    this.#options.steps.cameTwice(expected);
  }

  #add(window: Window): void {
    this.#gone = bounded([...this.#gone, window]);
  }
}

/** Where there are too many, the two that are closest are one. */
function bounded(all: readonly Window[]): readonly Window[] {
  const windows = normalise(all);
  if (windows.length <= maxGone) return windows;
  const gaps = windows.slice(1).map(({ start }, at) => start - windows[at]!.end);
  const at = gaps.indexOf(Math.min(...gaps));
  const joined = { start: windows[at]!.start, end: windows[at + 1]!.end };
  return [...windows.slice(0, at), joined, ...windows.slice(at + 2)];
}

function mod(value: number, by: number): number {
  return ((value % by) + by) % by;
}
