// The logger's memory: the last so many records, each with its time. What it holds is a range of positions without a
// gap, so two numbers and a ring of times are all there is to it.
import type { LoggerRecord } from './logger-record.ts';

export class LoggerMemory {
  readonly capacity: number;
  readonly #times: Float64Array;
  #limit: number;
  #oldest = 1;
  #newest = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#limit = capacity;
    this.#times = new Float64Array(capacity);
  }

  /** Positions, both included; `oldest > newest` while nothing is held. */
  get range(): { readonly oldest: number; readonly newest: number } {
    return { oldest: this.#oldest, newest: this.#newest };
  }

  append({ position, timestamp }: LoggerRecord): void {
    // After a reset the positions go on somewhere else, and nothing from before is held.
    if (position !== this.#newest + 1 || this.#oldest > this.#newest) this.#oldest = position;
    this.#newest = position;
    this.#times[position % this.capacity] = timestamp;
    this.#expire();
  }

  /** Keeps at most `records` from now on. Null: all of its capacity. */
  limit(records: number | null): void {
    this.#limit = Math.min(this.capacity, records ?? this.capacity);
    this.#expire();
  }

  erase(): void {
    this.#oldest = this.#newest + 1;
  }

  at(position: number): LoggerRecord | undefined {
    if (position < this.#oldest || position > this.#newest) return undefined;
    return { position, timestamp: this.#times[position % this.capacity]! };
  }

  /** In order, from `from` up to and including `to`. What falls out meanwhile is left out. */
  *records(from: number, to: number): Generator<LoggerRecord> {
    for (let position = Math.max(from, this.#oldest); position <= Math.min(to, this.#newest); position++) {
      const record = this.at(position);
      if (record) yield record;
    }
  }

  #expire(): void {
    this.#oldest = Math.max(this.#oldest, this.#newest - this.#limit + 1);
  }
}
