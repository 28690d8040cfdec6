// Compares the wall clock with the monotonic one. Their difference moves only when the wall clock is set: what
// slews the one (adjtime, NTP) slews the other as well.
import type { Boot } from '../../kernel/boot.ts';
import type { Clock } from '../../kernel/clock.ts';

export interface Glance {
  /** Wall clock less time since the machine started, ms. */
  readonly offsetMs: number;
  /** How far the wall clock was set since the last glance; 0 for what is within the noise of reading two clocks. */
  readonly stepMs: number;
}

// The wall clock is read in whole ms, and the process may be held between two reads.
const noiseMs = 20;
const longestReadMs = 2;
const maxReads = 3;

export class WallWatch {
  readonly #clock: Clock;
  readonly #boot: Boot;
  #offsetMs: number | undefined;

  /** `offsetMs`: as an earlier process of this run of the machine saw it last. */
  constructor(clock: Clock, boot: Boot, offsetMs?: number) {
    this.#clock = clock;
    this.#boot = boot;
    this.#offsetMs = offsetMs;
  }

  glance(): Glance {
    const offsetMs = this.#read();
    const before = this.#offsetMs;
    if (before !== undefined && Math.abs(offsetMs - before) <= noiseMs)
      return { offsetMs: before, stepMs: 0 };
    this.#offsetMs = offsetMs;
    return { offsetMs, stepMs: before === undefined ? 0 : offsetMs - before };
  }

  #read(): number {
    let best = { offsetMs: 0, tookMs: Number.POSITIVE_INFINITY };
    for (let reads = 0; reads < maxReads && best.tookMs > longestReadMs; reads++) {
      const before = this.#boot.sinceStartMs();
      const wall = this.#clock.now();
      const tookMs = this.#boot.sinceStartMs() - before;
      if (tookMs < best.tookMs) best = { offsetMs: Math.round(wall - before), tookMs };
    }
    return best.offsetMs;
  }
}
