// What the times of a log's records say together: their orders, what records without a time may have had, and where the clock leapt. Pure.
import type { Window } from '../../../wire/window.ts';
import { leapsIn, longestIn, type TimedPosition } from '../codec/log-leaps.ts';

/** Times that a record without a valid time of its own may have had. */
export interface Doubt extends Window {
  /** Both bounds are times of the neighbouring records. */
  readonly isBounded: boolean;
}

/** What follows from the times that are known. */
export interface LogView {
  /** Those that show a time, by their positions. */
  readonly order: readonly TimedPosition[];
  readonly byTime: readonly TimedPosition[];
  readonly doubts: readonly Doubt[];
  readonly leaps: readonly Window[];
}

/** In the place of a record's time: it shows none. */
export const damaged = Number.NaN;
/** Times of neighbours that are further apart are not taken for one stretch of time that is gone. */
export const joinMs = 60_000;

export interface KnownTimes {
  /** By position; `damaged` where the record shows none. */
  readonly times: ReadonlyMap<number, number>;
  /** Positions that are held. */
  readonly first: number;
  readonly newest: number | undefined;
  /** The time of the record right before the first one; undefined where it is not known. */
  readonly edge: number | undefined;
  /** Several records may have one time. */
  readonly isCoarse: boolean;
}

export function viewOf({ times, first, newest = -Infinity, edge, isCoarse }: KnownTimes): LogView {
  const order: TimedPosition[] = [];
  const doubts: Doubt[] = [];
  let before = edge;
  let isOpen = false;
  for (let position = first; position <= newest; position++) {
    const time = times.get(position);
    if (time === undefined) continue;
    if (Number.isNaN(time)) {
      isOpen = true;
      continue;
    }
    if (isOpen) doubts.push(...between(before, time, isCoarse));
    isOpen = false;
    before = time;
    order.push({ position, time });
  }
  const byTime = order.toSorted((a, b) => a.time - b.time || a.position - b.position);
  // The clock may have leapt right behind the last record that went.
  const known =
    edge !== undefined && Number.isFinite(edge) ? [{ position: first - 1, time: edge }, ...order] : order;
  return { order, byTime, doubts, leaps: leapsIn(known, longestIn(order)) };
}

function between(before: number | undefined, after: number, isCoarse: boolean): readonly Doubt[] {
  const from = isCoarse ? 0 : 1;
  const to = after + 1 - from;
  if (before === undefined) return [{ start: Number.NEGATIVE_INFINITY, end: to, isBounded: false }];
  if (before < after) return before + from < to ? [{ start: before + from, end: to, isBounded: true }] : [];
  if (before === after) return [{ start: before, end: after + 1, isBounded: true }];
  return [
    { start: before, end: before + joinMs, isBounded: false },
    { start: after - joinMs, end: after + 1, isBounded: false },
  ];
}

/** The first position in `byTime` whose time is not below. */
export function lowerBound(byTime: readonly TimedPosition[], time: number): number {
  let low = 0;
  let high = byTime.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (byTime[middle]!.time < time) low = middle + 1;
    else high = middle;
  }
  return low;
}
