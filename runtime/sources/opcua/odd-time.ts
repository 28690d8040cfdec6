// Checks the time of a value. Pure.
import type { Quality } from '../../../wire/reading.ts';
import type { WireValue } from './opcua-session.ts';

/** What was odd about a value's time or its arrival. */
export type OddTime = 'late' | 'ahead' | 'overflow' | 'in-a-break';

export interface Stamp {
  /** As it is given. */
  readonly own: number;
  /** Where the value is placed. */
  readonly index: number;
  readonly odd?: OddTime;
  /** When the server had it, where it says so and that can be. */
  readonly server?: number | undefined;
}

/** A clock of equipment that is further ahead of the server's than this is wrong. */
const maxAheadMs = 5000;
/** Nothing was measured before: such a date stands for none. */
const earliest = Date.UTC(1990, 0, 1);

/** Of a value in a message that was published at `publishedAt`. */
export function stampOf(value: WireValue, publishedAt: number, timestamp: 'source' | 'server'): Stamp {
  const told = timeOf(value.serverTimestamp);
  const own = timestamp === 'source' ? (timeOf(value.sourceTimestamp) ?? told) : told;
  const server = told !== undefined && told <= publishedAt ? told : undefined;
  if (own === undefined) return { own: publishedAt, index: publishedAt, server };
  if (own <= publishedAt + maxAheadMs) return { own, index: own, server };
  const isNear = told !== undefined && told <= publishedAt + maxAheadMs;
  return { own, index: isNear ? told : publishedAt, odd: 'ahead', server };
}

function timeOf(date: Date | null): number | undefined {
  const time = date?.getTime();
  return time === undefined || Number.isNaN(time) || time < earliest ? undefined : time;
}

export function doubt(quality: Quality, odd: OddTime): Quality {
  return quality === 'good' ? `uncertain:time-${odd}` : quality;
}
