// What one source asks of its surroundings, in the same terms for every type of source: each adapter's
// `ask.ts` says it.
import type { Value } from '../../wire/reading.ts';

export interface PollPlan {
  readonly pollMs: number;
  readonly tags: number;
  /** Requests of one poll; 0 where the equipment sends by itself. */
  readonly requests: number;
  /** What is asked for, as `holding 0-25`. */
  readonly blocks: readonly string[];
  /** Said to people instead of `every ... ms: ... in ... requests`, where that is not what happens. */
  readonly how?: string;
}

/** Tags that get a reading each at the same times, as far as anyone can tell beforehand. */
export interface Pace {
  readonly periodMs: number;
  readonly tags: readonly SampleTag[];
}

export interface SampleTag {
  readonly name: string;
  /** Makes what gives the tag's values, one a call; `next` is a random number from 0 up to 1. */
  wander(next: () => number): () => Value;
}

export interface SourceAsk {
  /** Names what it shares with others: sources with the same are listed together. */
  readonly bus: string;
  readonly polls: readonly PollPlan[];
  readonly requestsPerSecond: number;
  /** Part of the bus's time that it takes; where that can be told. */
  readonly load?: number;
  readonly paces: readonly Pace[];
  readonly warnings?: readonly string[];
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** A measured value: wanders a little from reading to reading. */
export function wanderNumber(round: (raw: number) => number, isWhole: boolean): SampleTag['wander'] {
  return (next) => {
    let raw = 1000 + Math.floor(next() * 1000);
    return () => {
      raw += isWhole ? Math.round((next() - 0.5) * 6) : next() - 0.5;
      return round(raw);
    };
  };
}

/** A state that changes now and then. */
export const wanderState: SampleTag['wander'] = (next) => {
  let value = next() < 0.5;
  return () => {
    if (next() < 0.02) value = !value;
    return value;
  };
};
