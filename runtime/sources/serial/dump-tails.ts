// Records that may still come from dumps whose end was not seen: only silence ended them, or they were given up. Where
// records of a dump look like live ones, late ones would be taken for new: by their numbers for a counter that started
// anew, by their times for a clock that was set back.
import type { Window } from '../../../wire/window.ts';
import type { RecordCounter } from '../codec/record-counter.ts';
import type { DecodedRecord } from './record-layout.ts';

interface Tail {
  readonly window: Window;
  /** Monotonic. */
  readonly until: number;
}

const maxTails = 16;

export class DumpTails {
  readonly #limitMs: number;
  #tails: readonly Tail[] = [];

  /** `limitMs`: the longest dump. */
  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  /** Of `window` some may still come. */
  add(window: Window, now: number): void {
    this.#tails = [...this.#tails, { window, until: now + this.#limitMs }].slice(-maxTails);
  }

  /** `counter`: where numbers order the stream. */
  has(record: DecodedRecord, counter: RecordCounter | undefined, now: number): boolean {
    return this.#tails.some(({ window, until }) => now <= until && isWithin(record, window, counter));
  }
}

/** `counter`: where numbers order the stream. */
export function isWithin(
  { number, timestamp }: DecodedRecord,
  { start, end }: Window,
  counter: RecordCounter | undefined,
): boolean {
  if (counter) return counter.positionFrom(start, number!) < end;
  return timestamp! >= start && timestamp! < end;
}
