// Decides when a fault is worth a line in the log: not when it happens now and then, but once it has happened `often` times
// within `windowMs`; and then not again for `againMs`.

const often = 3;
const windowMs = 600_000;
/** It is not said again before. */
const againMs = 3_600_000;
/** More are counted as so many. */
const maxCounted = 1000;

/** Times are monotonic ms. */
export class Repeated {
  #times: number[] = [];
  #saidAt = Number.NEGATIVE_INFINITY;

  /** Notes that it happened; returns how often in the last ten minutes. */
  note(now: number): number {
    this.#times = [...this.#times.filter((at) => now - at < windowMs), now].slice(-maxCounted);
    return this.#times.length;
  }

  /** True once an hour while it happens again and again. */
  isToBeSaid(now: number): boolean {
    if (this.#times.length < often || now - this.#saidAt < againMs) return false;
    this.#saidAt = now;
    return true;
  }

  /** It happened more than once, and in the last ten minutes. */
  isAgain(now: number): boolean {
    return this.#times.length > 1 && now - this.#times.at(-1)! < windowMs;
  }
}
