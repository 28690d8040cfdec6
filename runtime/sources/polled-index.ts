// The index of readings that we stamp ourselves: the wall clock, kept from going back, and compared with the
// monotonic clock so that a step of the wall clock is never taken for time that was observed.
import type { Clock } from '../../kernel/clock.ts';

/** A smaller step back is slewed: the index goes on by 1 ms a poll until the clock has caught up. */
const maxSlewMs = 2000;
/** A smaller step forward is what time synchronisation does all day. */
const maxForwardMs = 2000;

export interface IndexedPoll {
  readonly index: number;
  /** The wall clock was set between the last poll and this one: observation broke in between. */
  readonly stepped?: 'clock-stepped-forward' | 'clock-stepped-back';
}

export class PolledIndex {
  readonly #clock: Clock;
  #last: { readonly index: number; readonly wall: number; readonly monotonic: number } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The index of a poll that was answered just now. Grows from poll to poll unless the clock was set back. */
  next(): IndexedPoll {
    const wall = this.#clock.now();
    const monotonic = this.#clock.monotonic();
    const last = this.#last;
    const poll = last ? follow(last, wall, monotonic) : { index: wall };
    this.#last = { index: poll.index, wall, monotonic };
    return poll;
  }
}

function follow(
  last: { readonly index: number; readonly wall: number; readonly monotonic: number },
  wall: number,
  monotonic: number,
): IndexedPoll {
  if (last.index - wall > maxSlewMs) return { index: wall, stepped: 'clock-stepped-back' };
  const index = Math.max(wall, last.index + 1);
  const stepMs = wall - last.wall - (monotonic - last.monotonic);
  return stepMs > maxForwardMs ? { index, stepped: 'clock-stepped-forward' } : { index };
}
