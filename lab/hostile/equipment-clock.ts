// A clock that somebody sets, and what it showed at which true time.

interface Run {
  /** True time, ms. */
  readonly from: number;
  readonly offset: number;
}

export class EquipmentClock {
  readonly #trueNow: () => number;
  readonly #runs: Run[] = [];

  /** `trueNow` never goes back; `offset`: what it shows less true time. */
  constructor(trueNow: () => number, offset: number) {
    this.#trueNow = trueNow;
    this.#runs.push({ from: Number.NEGATIVE_INFINITY, offset });
  }

  now(): number {
    return Math.floor(this.#trueNow() + this.#runs.at(-1)!.offset);
  }

  step(ms: number): void {
    this.#runs.push({ from: this.#trueNow(), offset: this.#runs.at(-1)!.offset + ms });
  }

  /** Whether it showed `time`, to the step that it counts in, at any moment up to `trueTime`. */
  showed(time: number, trueTime: number): boolean {
    return this.#runs.some(({ from, offset }, at) => {
      if (from > trueTime) return false;
      const until = Math.min(this.#runs[at + 1]?.from ?? trueTime, trueTime);
      return time >= Math.floor(from + offset) && time <= until + offset;
    });
  }
}
