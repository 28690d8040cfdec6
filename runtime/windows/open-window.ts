// The window that a stream is filling: its readings, how far observation is complete, and which part the journal has.
import type { Reading } from '../../wire/reading.ts';
import { ReadingLog, type ReadingsLater, withReadings } from './reading-log.ts';
import type { JournalAppend } from './window-store.ts';

export interface OpenWindowOptions {
  readonly start: number;
  /** Claimed already from here on: the window must end. */
  readonly ceiling: number;
  /** Monotonic ms when it began. */
  readonly since: number;
  /** The last "observed until", or where the source resumed, which may be below `start`. */
  readonly stated: number;
  /** Index of the latest reading. */
  readonly position: number;
}

export interface Sized {
  readonly reading: Reading;
  readonly bytes: number;
}

export class OpenWindow {
  readonly start: number;
  readonly ceiling: number;
  readonly since: number;
  stated: number;
  position: number;
  /** Observation is complete below this. */
  until: number;
  /** Monotonic ms when `until` last grew. */
  grewAt: number;
  /** Estimated, as plain JSON. */
  bytes = 0;
  /** In order of arrival. */
  readonly #readings = new ReadingLog();
  #isSorted = true;
  /** How many of the readings the journal has, and the `until` that it knows. */
  #journaled = 0;
  #journaledUntil: number;

  constructor({ start, ceiling, since, stated, position }: OpenWindowOptions) {
    this.start = start;
    this.ceiling = ceiling;
    this.since = since;
    this.stated = stated;
    this.position = position;
    this.until = start;
    this.grewAt = since;
    this.#journaledUntil = start;
  }

  get count(): number {
    return this.#readings.count;
  }

  /** The one that touches it, from `start` on: observation went on. */
  next(start: number, since: number): OpenWindow {
    const next = new OpenWindow({ ...this, start, since });
    next.until = this.until;
    next.grewAt = this.grewAt;
    return next;
  }

  push(reading: Reading, bytes: number): void {
    const { lastIndex } = this.#readings;
    if (lastIndex !== undefined && lastIndex > reading.index) this.#isSorted = false;
    this.#readings.push(reading);
    this.bytes += bytes;
  }

  /** The window's readings below `end`, in index order, and the rest. Not to be pushed to any more. */
  splitAt(end: number): { readonly readings: ReadingsLater; readonly rest: readonly Sized[] } {
    const log = this.#readings;
    if (this.#isSorted && (log.lastIndex ?? Number.NEGATIVE_INFINITY) < end)
      return { readings: () => log.slice(), rest: [] };
    const sorted = log.slice().sort((a, b) => a.index - b.index);
    let split = sorted.length;
    while (split > 0 && sorted[split - 1]!.index >= end) split--;
    const rest = sorted.slice(split).map((reading) => ({ reading, bytes: 64 + reading.tag.length }));
    const below = sorted.slice(0, split);
    return { readings: () => below, rest };
  }

  /** What the journal lacks. `progress`: only how far observation reaches. */
  dirty(): 'no' | 'progress' | 'readings' {
    if (this.#readings.count > this.#journaled) return 'readings';
    return this.until > this.#journaledUntil ? 'progress' : 'no';
  }

  /** For the journal; it counts as handed over. */
  takeAppend(): JournalAppend | undefined {
    if (this.dirty() === 'no') return undefined;
    const log = this.#readings;
    const [from, to] = [this.#journaled, log.count];
    this.#journaled = to;
    this.#journaledUntil = this.until;
    return withReadings({ start: this.start, end: this.until }, () => log.slice(from, to));
  }
}
