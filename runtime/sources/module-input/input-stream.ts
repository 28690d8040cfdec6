// What messages mean for observation: the statements that follow from each. No I/O, no clock.
//
// Whether anything is missing between two messages is told by the messages, never by our connection: the hub keeps
// what comes while this module is away, and delivers it in order. So a number that follows the last one, or without
// numbers a time not more than `silenceMs` after it, continues the stream, also across a restart of this module; a jump
// in the numbers or a longer time is a break. A sender without numbers that loses a message inside of `silenceMs` is
// not found out: that is what numbers are for.
import type { Reading } from '../../../wire/reading.ts';
import type { SourceSink } from '../source.ts';
import type { Sample, SampleValue } from './message-reader.ts';

/** With its place in the stream. */
export interface PlacedSample {
  readonly index: number;
  readonly values: readonly SampleValue[];
}

export interface InputStreamOptions {
  readonly silenceMs: number;
  /** Where the stream ended that was observed before this process. Undefined for one that is stamped on arrival. */
  readonly floor: number | undefined;
}

export class InputStream {
  readonly #silenceMs: number;
  /** How far observation was ever stated to reach. */
  #frontier: number | undefined;
  #isObserving = false;
  /** Whatever comes next continues the stream, if its time allows. */
  #mayContinue = true;
  #number: number | undefined;

  constructor({ silenceMs, floor }: InputStreamOptions) {
    this.#silenceMs = silenceMs;
    this.#frontier = floor;
  }

  /** Where something without a time of its own belongs; undefined before anything has come. */
  get latest(): number | undefined {
    return this.#frontier === undefined ? undefined : this.#frontier - 1;
  }

  /** A session begins: nothing was stated in it yet. */
  reset(): void {
    this.#isObserving = false;
  }

  /** One message's samples. */
  take(samples: readonly PlacedSample[], number: number | undefined, sink: SourceSink): void {
    this.#checkNumber(number, sink);
    const sorted = samples.toSorted((a, b) => a.index - b.index);
    let readings: Reading[] = [];
    const flush = () => {
      if (readings.length > 0) sink.emit({ kind: 'readings', readings });
      readings = [];
    };
    for (const { index, values } of sorted) {
      if (this.#isGap(index)) {
        flush();
        this.breakOff('message-gap', sink);
      }
      this.#resumeAt(index, sink);
      for (const value of values) readings.push({ index, ...value });
      this.#frontier = Math.max(this.#frontier ?? index + 1, index + 1);
    }
    flush();
    this.#observe(sink);
  }

  breakOff(reason: string, sink: SourceSink): void {
    if (!this.#isObserving || this.#frontier === undefined) return;
    this.#isObserving = false;
    sink.emit({ kind: 'broken', at: this.#frontier, reason });
  }

  #checkNumber(number: number | undefined, sink: SourceSink): void {
    const last = this.#number;
    if (number === undefined) return;
    this.#number = number;
    if (last === undefined || number === last + 1) return;
    this.breakOff(number > last ? 'messages-missed' : 'counter-restarted', sink);
    this.#mayContinue = false;
  }

  #isGap(index: number): boolean {
    return this.#isObserving && this.#frontier !== undefined && index - this.#frontier >= this.#silenceMs;
  }

  #resumeAt(index: number, sink: SourceSink): void {
    if (this.#isObserving) return;
    const last = this.#frontier;
    const continues =
      this.#mayContinue && last !== undefined && index >= last && index - last < this.#silenceMs;
    this.#isObserving = true;
    this.#mayContinue = true;
    const at = continues ? last : index;
    this.#frontier = at;
    sink.emit({ kind: 'resumed', at });
  }

  #observe(sink: SourceSink): void {
    if (this.#isObserving && this.#frontier !== undefined)
      sink.emit({ kind: 'observed', until: this.#frontier });
  }
}

/** Samples without a time of their own get `arrival`. */
export function placeSamples(samples: readonly Sample[], arrival: number): readonly PlacedSample[] {
  return samples.map(({ time, values }) => ({ index: time ?? arrival, values }));
}
