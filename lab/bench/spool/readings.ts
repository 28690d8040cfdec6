// What is kept in these benches: streams of 50 slowly changing tags, as polled equipment gives them. They
// compress to about 2.8 bytes a reading (JSON columns, zstd level 1); a seed makes every run the same.
import type { Reading } from '../../../wire/reading.ts';
import type { Recorder } from './recorder.ts';

export const tagsPerPoll = 50;

export class PolledTags {
  readonly #tags: readonly string[];
  readonly #thousandths: number[];
  // xorshift32: the source must cost next to nothing beside what is measured.
  #random: number;

  constructor(seed = 0) {
    this.#random = 0x9e3779b9 + seed;
    this.#tags = Array.from(
      { length: tagsPerPoll },
      (_, n) => `line${seed}/tag${String(n).padStart(2, '0')}`,
    );
    this.#thousandths = this.#tags.map((_, n) => 1_000_000 + 100_000 * n);
  }

  /** One poll: a reading of every tag, all at `index`. */
  poll(index: number): Reading[] {
    const readings: Reading[] = new Array(tagsPerPoll);
    for (let n = 0; n < tagsPerPoll; n++) {
      const draw = this.#next();
      // Nearly every poll moves a tag, by up to 0.063.
      this.#thousandths[n]! += ((draw >>> 8) % 127) - 63;
      readings[n] = { index, tag: this.#tags[n]!, value: this.#thousandths[n]! / 1000, quality: 'good' };
    }
    return readings;
  }

  #next(): number {
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x;
    return x >>> 0;
  }
}

/** Polls of several streams at a steady rate. */
export class Polls {
  readonly #tags: readonly PolledTags[];
  readonly #msPerPoll: number;
  readonly #firstIndex: number;
  #polls = 0;

  constructor(streams: number, readingsPerSecond: number, firstIndex: number) {
    this.#tags = Array.from({ length: streams }, (_, seed) => new PolledTags(seed));
    this.#msPerPoll = (1000 * tagsPerPoll * streams) / readingsPerSecond;
    this.#firstIndex = firstIndex;
  }

  get readings(): number {
    return this.#polls * this.#tags.length * tagsPerPoll;
  }

  /** All polls that are due `elapsedMs` after the beginning and were not made yet. */
  emitUntil(recorder: Recorder, elapsedMs: number): void {
    const due = Math.floor(elapsedMs / this.#msPerPoll);
    for (; this.#polls < due; this.#polls++) {
      const index = this.#indexOf(this.#polls);
      for (const [n, tags] of this.#tags.entries()) recorder.keep(n, tags.poll(index), index + 1);
    }
  }

  // Several polls in one millisecond are numbered: no two may share an index.
  #indexOf(poll: number): number {
    return this.#firstIndex + (this.#msPerPoll < 1 ? poll : Math.floor(poll * this.#msPerPoll));
  }
}
