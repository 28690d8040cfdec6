import type { Random } from './random.ts';

export interface BackoffOptions {
  readonly minMs: number;
  readonly maxMs: number;
  /** Growth per failure. Default 2. */
  readonly factor?: number;
}

export interface Backoff {
  /** The next delay in ms. Grows with each call until `reset`. */
  next(): number;
  reset(): void;
}

/**
 * Exponential backoff with "equal jitter": half of each delay is fixed, half random, so that a fleet
 * that lost one hub does not come back in step, and no delay is ever close to zero.
 */
export function createBackoff(options: BackoffOptions, random: Random): Backoff {
  const factor = options.factor ?? 2;
  let ceilingMs = options.minMs;
  return {
    next() {
      const delayMs = ceilingMs / 2 + (random.next() * ceilingMs) / 2;
      ceilingMs = Math.min(options.maxMs, ceilingMs * factor);
      return delayMs;
    },
    reset() {
      ceilingMs = options.minMs;
    },
  };
}
