// What a stream is known to have held, from what its commits say: stretches in which every reading is there, one behind the
// other. Only what windows claim counts: late readings, and what lies beyond what was observed, are never seen here. Pure.
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

export class InputTracker {
  /** What is known without a hole: all readings from here ... */
  #from: number | undefined;
  /** ... to here. */
  #until: number | undefined;
  /** Of the open window: not known yet to be all that there are. */
  #pending: Reading[] = [];

  get until(): number | undefined {
    return this.#until;
  }

  /** What a commit made durable. */
  take({ closed, restart, append }: StreamChange): readonly Span[] {
    // What an open window goes on with comes again whole.
    if (restart) this.#pending = [];
    const spans: Span[] = [];
    const claimed = closed.filter(({ late }) => !late).map(({ batch }) => batch);
    for (const batch of claimed.sort((a, b) => a.window.start - b.window.start)) {
      spans.push(...this.takeBatch(batch));
    }
    if (append === undefined) return spans;
    this.#pending.push(...append.readings);
    const { start, end } = append;
    spans.push(...this.#reach(start, end, this.#pending));
    this.#pending = this.#pending.filter(({ index }) => index >= end);
    return spans;
  }

  /** A window that is closed, perhaps long ago. */
  takeBatch({ window: { start, end }, readings }: MiniBatch): readonly Span[] {
    return this.#reach(start, end, readings);
  }

  #reach(start: number, end: number, readings: readonly Reading[]): readonly Span[] {
    const [from, until] = [this.#from, this.#until];
    if (end <= start) return [];
    const isBack = from !== undefined && start < from;
    const begin = until === undefined || isBack ? start : Math.max(until, start);
    if (end <= begin) return [];
    const follows = isBack ? 'back' : until !== undefined && start <= until ? 'touching' : 'hole';
    if (follows !== 'touching') this.#from = start;
    this.#until = end;
    const within = readings.filter(({ index }) => index >= begin && index < end);
    return [{ start: begin, end, follows, readings: within.sort((a, b) => a.index - b.index) }];
  }
}
