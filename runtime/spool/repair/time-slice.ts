// Yields during long synchronous work on files: every few milliseconds timers and sockets get their turn.
import type { Clock } from '../../../kernel/clock.ts';

const workMs = 5;

export class TimeSlice {
  readonly #clock: Clock;
  #since: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.monotonic();
  }

  /** The time slice is over: `await pause()`. A getter, so that the frequent check costs no promise. */
  get isDue(): boolean {
    return this.#clock.monotonic() - this.#since >= workMs;
  }

  async pause(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#since = this.#clock.monotonic();
  }
}
