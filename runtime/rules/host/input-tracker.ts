// Tracks the ranges of a stream in which every reading is known, one after the other, from the stream's commits. Only what
// windows claim counts: late readings, and readings beyond what was observed, are not seen here. Pure.
import type { MiniBatch } from '../../../wire/mini-batch.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { StreamChange } from '../../windows/window-store.ts';

/** Every reading with `start <= index < end`, in index order. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly readings: readonly Reading[];
  /**
   * How it stands to the one before. `hole`: nobody knows what lies between. `back`: it lies before it, as after a clock that was
   * set ahead and put right again.
   */
  readonly follows: 'touching' | 'hole' | 'back';
}

/** Readings that are kept for a claim. */
const maxAhead = 20_000;

export class InputTracker {
  /** What is known without a hole: all readings from here ... */
  #from: number | undefined;
  /** ... to here. */
  #until: number | undefined;
  /** Readings of the open window, which is not complete yet. */
  #pending: Reading[] = [];
  /** Sent ahead of what may claim them, by index. */
  #ahead: Reading[] = [];
  /** From here to there something was sent ahead that is not kept here. */
  #lost = { start: Number.POSITIVE_INFINITY, end: Number.NEGATIVE_INFINITY };
  #isAmid = false;

  /** Begins while a window is open: what that holds already is not known, so it begins with the next one. */
  static amid(): InputTracker {
    const tracker = new InputTracker();
    tracker.#isAmid = true;
    return tracker;
  }

  /** Knows the same, and goes on by itself. */
  copy(): InputTracker {
    const copy = new InputTracker();
    copy.#from = this.#from;
    copy.#until = this.#until;
    copy.#ahead = [...this.#ahead];
    copy.#lost = this.#lost;
    return copy;
  }

  get until(): number | undefined {
    return this.#until;
  }

  /** What a commit made durable. */
  take({ closed, restart, append }: StreamChange): readonly Span[] {
    if (restart || closed.some(({ late }) => !late)) this.#isAmid = false;
    // What an open window goes on with comes again whole.
    if (restart) this.#pending = [];
    const spans: Span[] = [];
    for (const { batch, late } of closed) if (late) this.hold(batch.readings);
    const claimed = closed.filter(({ late }) => !late).map(({ batch }) => batch);
    for (const batch of claimed.sort((a, b) => a.window.start - b.window.start)) {
      spans.push(...this.takeBatch(batch));
    }
    if (append === undefined || this.#isAmid) return spans;
    this.#pending.push(...append.readings);
    const { start, end } = append;
    spans.push(...this.#reach(start, end, this.#pending));
    this.#pending = this.#pending.filter(({ index }) => index >= end);
    return spans;
  }

  /** Sent, and claimed by nothing so far. `unknownTo`: below it something was sent that nobody has. */
  hold(readings: readonly Reading[], unknownTo = Number.NEGATIVE_INFINITY): void {
    const until = this.#until ?? Number.NEGATIVE_INFINITY;
    if (unknownTo > until) this.#lose(until, unknownTo);
    for (const reading of readings) if (reading.index >= until) this.#ahead.push(reading);
    if (this.#ahead.length <= maxAhead) return;
    // The farthest go: what a clock that runs ahead by years has stamped may never be claimed.
    this.#ahead.sort((a, b) => a.index - b.index);
    const gone = this.#ahead.splice(maxAhead);
    this.#lose(gone[0]!.index, gone.at(-1)!.index + 1);
  }

  #lose(start: number, end: number): void {
    this.#lost = { start: Math.min(this.#lost.start, start), end: Math.max(this.#lost.end, end) };
  }

  /** Observation is over, and what waited for its end was sent. */
  holdPending(): void {
    this.hold(this.#pending);
    this.#pending = [];
  }

  /** A window that is closed, perhaps long ago. */
  takeBatch({ window: { start, end }, readings }: MiniBatch): readonly Span[] {
    return this.#reach(start, end, readings);
  }

  #reach(start: number, end: number, readings: readonly Reading[]): readonly Span[] {
    const [from, until] = [this.#from, this.#until];
    if (end <= start) return [];
    const isBack = from !== undefined && start < from;
    const from_ = until === undefined || isBack ? start : Math.max(until, start);
    // What was sent ahead and is not known here is a hole for who follows.
    const begin = end <= this.#lost.start ? from_ : Math.max(from_, Math.min(end, this.#lost.end));
    this.#until = isBack ? end : Math.max(end, until ?? end);
    const ahead = this.#takeAhead(begin, end);
    if (end <= begin) return [];
    const isTouching = !isBack && until !== undefined && begin <= until;
    const follows = isBack ? 'back' : isTouching ? 'touching' : 'hole';
    if (follows !== 'touching') this.#from = begin;
    const own = readings.filter(({ index }) => index >= begin && index < end);
    const known = ahead.length === 0 ? undefined : new Set(own.map(placeOf));
    const within =
      known === undefined ? own : [...own, ...ahead.filter((reading) => !known.has(placeOf(reading)))];
    return [{ start: begin, end, follows, readings: within.sort((a, b) => a.index - b.index) }];
  }

  /** Removes and returns the readings in `[start, end)`, and drops those before it, which nothing can claim any more. */
  #takeAhead(start: number, end: number): readonly Reading[] {
    if (this.#ahead.length === 0) return [];
    const taken = this.#ahead.filter(({ index }) => index >= start && index < end);
    this.#ahead = this.#ahead.filter(({ index }) => index >= end);
    return taken;
  }
}

const placeOf = ({ index, tag }: Reading) => `${index} ${tag}`;
