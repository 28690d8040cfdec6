// A clock that somebody sets, and what it showed at which true time.
//
// A small step forward looks like a clock that time synchronisation adjusts, or like a message that was held up: nobody who
// reads stamps can tell them apart, and all of them are believed. So what such a step jumps over counts as shown: it lies
// between two stamps that follow each other, nothing was made in it, and who states it says the truth as far as anybody
// can know it. Where the clock is set back later, what comes then at such a time is a repetition as any other.

interface Run {
  /** True time, ms. */
  readonly from: number;
  readonly offset: number;
}

/** What is believed of a clock that comes without delay. */
const believedStepMs = 2000;

export class EquipmentClock {
  readonly #trueNow: () => number;
  readonly #believedStepMs: number;
  readonly #runs: Run[] = [];

  /** `trueNow` never goes back; `offset`: what it shows less true time. */
  constructor(trueNow: () => number, offset: number, stepMs = believedStepMs) {
    this.#trueNow = trueNow;
    this.#believedStepMs = stepMs;
    this.#runs.push({ from: Number.NEGATIVE_INFINITY, offset });
  }

  now(): number {
    return Math.floor(this.#trueNow() + this.#runs.at(-1)!.offset);
  }

  /** What it would show had nobody set it ahead, nor back and ahead again by less. */
  leastNow(): number {
    return Math.floor(this.#trueNow() + Math.min(...this.#runs.map(({ offset }) => offset)));
  }

  step(ms: number): void {
    this.#runs.push({ from: this.#trueNow(), offset: this.#runs.at(-1)!.offset + ms });
  }

  /** Whether it showed a time beyond `time` at any moment up to `trueTime`: it has lived through it, or leapt over it. */
  passed(time: number, trueTime: number): boolean {
    return this.#runs.some(({ from, offset }, at) => {
      if (from > trueTime) return false;
      return Math.floor(Math.min(this.#runs[at + 1]?.from ?? trueTime, trueTime) + offset) > time;
    });
  }

  /** Whether it showed `time`, to the step that it counts in, at any moment up to `trueTime`, or passed over it unseen. */
  showed(time: number, trueTime: number): boolean {
    return this.#runs.some(({ from, offset }, at) => {
      if (from > trueTime) return false;
      const until = Math.min(this.#runs[at + 1]?.from ?? trueTime, trueTime);
      return time >= this.#beginOf(at) && time <= until + offset;
    });
  }

  #beginOf(at: number): number {
    const { from, offset } = this.#runs[at]!;
    const stepMs = offset - (this.#runs[at - 1]?.offset ?? offset);
    const isUnseen = stepMs > 0 && stepMs <= this.#believedStepMs;
    return Math.floor(from + offset - (isUnseen ? stepMs : 0));
  }
}
