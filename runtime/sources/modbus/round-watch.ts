// Whether a counter of samples can have come round a whole round between two looks at it: then the next number, and the same
// number, prove nothing. Nothing but time and pace tells: how long nobody looked, and how fast it can count at most.
import type { Clock } from '../../../kernel/clock.ts';

/** It may count so much faster than it was seen to. */
const faster = 2;
/** Nobody knows how long ago the last look of a process before this one was. */
const unknownMs = 365 * 86_400_000;

export interface RoundWatchOptions {
  readonly clock: Clock;
  /** The number of values of the counter. */
  readonly span: number;
  /** Where nothing was missed it takes a sample in this time at most: else its numbers would leap from poll to poll. */
  readonly pollMs: number;
}

export class RoundWatch {
  readonly #options: RoundWatchOptions;
  #intervalMs: number;
  /** Monotonic ms; undefined where nobody ever looked. */
  #lookedAt: number | undefined;

  constructor(options: RoundWatchOptions) {
    this.#options = options;
    this.#intervalMs = options.pollMs;
  }

  /** A process before this one looked so long ago, or less. */
  recall(ageMs = unknownMs): void {
    this.#lookedAt ??= this.#options.clock.monotonic() - ageMs;
  }

  /** A whole round may have gone by since the last look. */
  get mayHaveComeRound(): boolean {
    return this.#passedMs * faster >= this.#options.span * this.#intervalMs;
  }

  /** It shows a number that is `step` above that of the last look, where that is known. */
  looked(step = 0): void {
    const passedMs = this.#passedMs;
    if (step > 1 && step < this.#options.span / 2 && passedMs > 0)
      this.#intervalMs = Math.min(this.#intervalMs, passedMs / step);
    this.#lookedAt = this.#options.clock.monotonic();
  }

  get #passedMs(): number {
    return this.#lookedAt === undefined ? 0 : this.#options.clock.monotonic() - this.#lookedAt;
  }
}
