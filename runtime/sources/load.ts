// The load that one source puts on its bus and on the hub, in the same terms for every adapter; each has it in its own
// `load.ts`.
import type { Value } from '../../wire/reading.ts';

export interface PollPlan {
  readonly pollMs: number;
  readonly tags: number;
  /** Requests of one poll; 0 where the equipment sends by itself. */
  readonly requests: number;
  /** The blocks that are read, as `holding 0-25`. */
  readonly blocks: readonly string[];
  /** Printed instead of `every ... ms: ... in ... requests`, where the source is not polled like that. */
  readonly how?: string;
}

/** Tags that are expected to get a reading each at the same times. */
export interface Pace {
  readonly periodMs: number;
  readonly tags: readonly SampleTag[];
}

export interface SampleTag {
  readonly name: string;
  /** Returns a function that makes one typical value of the tag at each call; `next` gives a random number from 0 up to 1. */
  wander(next: () => number): () => Value;
}

export interface SourceLoad {
  /** The bus or connection it uses: sources that name the same one are listed together. */
  readonly bus: string;
  readonly polls: readonly PollPlan[];
  readonly requestsPerSecond: number;
  /** Share of the bus's time that it takes, 0 to 1 and above; where that is known. */
  readonly busLoad?: number;
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
