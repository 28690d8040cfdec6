// Finds jumps in the times of an event log: the clock may have been set there.
import type { Window } from '../../../wire/window.ts';

export interface TimedPosition {
  readonly position: number;
  /** Epoch ms. */
  readonly time: number;
}

/** Between records that are further apart than usual: their clock may have been set. */
export function leapsIn(order: readonly TimedPosition[], longestMs: number): readonly Window[] {
  return intervalsIn(order).flatMap((interval, at) =>
    interval > longestMs ? [{ start: order[at]!.time + 1, end: order[at + 1]!.time }] : [],
  );
}

/** The longest time between two records while their clock is not set. */
export function longestIn(order: readonly TimedPosition[]): number {
  const usual = intervalsIn(order)
    .slice(-64)
    .filter((interval) => interval > 0)
    .sort((a, b) => a - b);
  return 2 * (usual[(usual.length - 1) >> 1] ?? 0);
}

/** Times between records that follow each other. */
export function intervalsIn(order: readonly TimedPosition[]): readonly number[] {
  return order.slice(1).map(({ time }, at) => time - order[at]!.time);
}
