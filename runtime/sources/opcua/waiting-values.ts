// Values that wait until nothing older can come.
import type { Quality, Reading } from '../../../wire/reading.ts';
import type { Content } from './content.ts';

export interface WaitingValue extends Content {
  /** Where it is placed. */
  readonly index: number;
  readonly tag: string;
  /** The value's own time; -Infinity where it has none. */
  readonly own: number;
  readonly server?: number | undefined;
  /** It tells of a change that was watched; else of what the item held before, or was read to hold. */
  readonly isNews: boolean;
  /** There is none, for a reason that the server gave. */
  readonly isRefused?: boolean;
}

export class WaitingValues {
  #values: WaitingValue[] = [];

  get length(): number {
    return this.#values.length;
  }

  push(value: WaitingValue): void {
    this.#values.push(value);
  }

  /** In order of time. */
  takeBelow(limit: number): readonly WaitingValue[] {
    const taken = this.#values.filter(({ index }) => index < limit);
    if (taken.length > 0) this.#values = this.#values.filter(({ index }) => index >= limit);
    return inOrder(taken);
  }

  /** Half of them lie below. */
  middle(): number {
    const indexes = this.#values.map(({ index }) => index).sort((a, b) => a - b);
    return indexes[indexes.length >> 1]!;
  }
}

/** That a tag has no value; placed at `until`, where that is known. */
export function refusedOf(tag: string, quality: Quality, until: number | undefined): WaitingValue {
  const own = Number.NEGATIVE_INFINITY;
  return { index: until ?? own, own, tag, value: null, quality, isNews: false, isRefused: true };
}

export function readingOf({ index, tag, value, quality }: WaitingValue): Reading {
  return { index, tag, value, quality };
}

/** Stable: values of one tag at one time stay in the order in which the server sent them. */
export function inOrder<T extends { readonly index: number }>(values: readonly T[]): readonly T[] {
  return values.toSorted((a, b) => a.index - b.index);
}
