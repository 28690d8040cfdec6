// Whether a counter of samples can have come round a whole round between two looks at it: then the next number, and the same
// number, prove nothing. Nothing but time and pace tells: how long nobody looked, and how fast it can count at most.
import type { Clock } from '../../../kernel/clock.ts';

/** It may count so much faster than it was seen to. */
const faster = 2;
/** Nobody knows how long ago the last look of a process before this one was. */
const unknownMs = 365 * 86_400_000;
/** Nor how fast it counted then: larger counters take months at any pace. */
const smallSpan = 65_536;
/** The pace is that of so many samples in a row, at least: some may have waited on their way, and come together. */
const inARow = 16;

export interface RoundWatchOptions {
  readonly clock: Clock;
  /** The number of values of the counter. */
  readonly span: number;
  /** Where nothing was missed it takes a sample in this time at most: else its numbers would leap from poll to poll. */
  readonly pollMs: number;
  /** No equipment takes samples faster; as fast a process before this one may have seen them. Default: 10 ms. */
  readonly fastestMs?: number;
}

export class RoundWatch {
  readonly #options: RoundWatchOptions;
  #intervalMs: number;
  /** Monotonic ms; undefined where nobody ever looked. */
  #lookedAt: number | undefined;
  /** As long as this process has not looked. */
  #assumedMs: number | undefined;
  /** When the latest samples were first seen, monotonic ms. */
  #seenAt: readonly number[] = [];

  constructor(options: RoundWatchOptions) {
    this.#options = options;
    this.#intervalMs = options.pollMs;
  }

  /** A process before this one looked so long ago, or less. */
  recall(ageMs = unknownMs): void {
    const { clock, span, pollMs } = this.#options;
    if (this.#lookedAt !== undefined) return;
    this.#lookedAt = clock.monotonic() - ageMs;
    if (span <= smallSpan) this.#assumedMs = Math.min(pollMs, this.#fastestMs);
  }

  /** A whole round may have gone by since the last look. */
  get mayHaveComeRound(): boolean {
    return this.#passedMs * faster >= this.#options.span * (this.#assumedMs ?? this.#intervalMs);
  }

  /** It shows a number that is `step` above that of the last look, where that is known. */
  looked(step = 0): void {
    const passedMs = this.#passedMs;
    if (step > 1 && step < this.#options.span / 2 && passedMs > 0)
      this.#intervalMs = Math.min(this.#intervalMs, passedMs / step);
    this.#lookedAt = this.#options.clock.monotonic();
    this.#assumedMs = undefined;
    if (step > 0) this.#notePace(this.#lookedAt);
  }

  #notePace(now: number): void {
    this.#seenAt = [...this.#seenAt, now].slice(-inARow);
    if (this.#seenAt.length < inARow) return;
    const paceMs = Math.max(this.#fastestMs, (now - this.#seenAt[0]!) / (inARow - 1));
    this.#intervalMs = Math.min(this.#intervalMs, paceMs);
  }

  get #fastestMs(): number {
    return this.#options.fastestMs ?? 10;
  }

  get #passedMs(): number {
    return this.#lookedAt === undefined ? 0 : this.#options.clock.monotonic() - this.#lookedAt;
  }
}
