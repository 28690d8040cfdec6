// Past moments, for ages and for people. The wall clock may be set at any time (a gateway without a battery starts in 1970, and
// learns the date later): an age is then still the time that passed, and the moment is told by the clock as it is set now.
import type { Clock } from './clock.ts';

export interface Moment {
  /** Monotonic ms. */
  readonly now: number;
  /** Epoch ms. */
  readonly wall: number;
}

export const momentOf = (clock: Clock): Moment => ({ now: clock.monotonic(), wall: clock.now() });

/** By less the wall clock is slewed, not set: what is told twice stays the same. */
const slewMs = 1000;

/** When it was, on the wall clock as it is set now, epoch ms. */
export function wallTimeOf({ now, wall }: Moment, clock: Clock): number {
  const setByMs = clock.now() - wall - (clock.monotonic() - now);
  return Math.abs(setByMs) < slewMs ? wall : Math.round(wall + setByMs);
}
