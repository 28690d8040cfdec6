// Holds values until no older one can come.
import type { Quality, Reading } from '../../../wire/reading.ts';
import type { Content } from './content.ts';
import { doubt } from './odd-time.ts';

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
  /** Of these, by tag, the one that is no news. */
  readonly #held = new Map<string, WaitingValue>();

  get length(): number {
    return this.#values.length;
  }

  /** What its tag held before it stands no later. */
  push(value: WaitingValue): void {
    if (this.#held.size > 0) {
      const held = this.#takeHeld(value);
      if (held) this.#values.push(held);
    }
    if (!value.isNews) this.#held.set(value.tag, value);
    this.#values.push(value);
  }

  /** That a tag has no value; placed at `until`, where that is known. */
  pushRefused(tag: string, quality: Quality, until: number | undefined): void {
    const own = Number.NEGATIVE_INFINITY;
    this.push({ index: until ?? own, own, tag, value: null, quality, isNews: false, isRefused: true });
  }

  /** News that do not wait, with what their tags held before, where that does: else it would pass for the newer one. */
  withHeld(news: readonly WaitingValue[]): readonly WaitingValue[] {
    return news.flatMap((each) => {
      const held = this.#takeHeld(each);
      return held ? [{ ...held, isNews: true }, each] : [each];
    });
  }

  /** In order of time. */
  takeBelow(limit: number): readonly WaitingValue[] {
    const taken = this.#values.filter(({ index }) => index < limit);
    if (taken.length > 0) this.#values = this.#values.filter(({ index }) => index >= limit);
    if (this.#held.size > 0)
      for (const each of taken) if (this.#held.get(each.tag) === each) this.#held.delete(each.tag);
    return inOrder(taken);
  }

  /** What a tag holds, where that waits where this news of it stands, or behind: as it stands there, before its time. */
  #takeHeld({ tag, index }: WaitingValue): WaitingValue | undefined {
    const held = this.#held.get(tag);
    if (!held || held.index < index) return undefined;
    this.#held.delete(tag);
    this.#values.splice(this.#values.indexOf(held), 1);
    return held.index === index ? held : { ...held, index, quality: doubt(held.quality, 'late') };
  }

  /** Half of them lie below. */
  middle(): number {
    const indexes = this.#values.map(({ index }) => index).sort((a, b) => a - b);
    return indexes[indexes.length >> 1]!;
  }
}

/** What belongs to before `until`, and came later: nearest to its time is when the server had it. */
export function lateFrom(value: WaitingValue, until: number): WaitingValue {
  return {
    ...value,
    index: Math.max(until, value.server ?? until),
    quality: doubt(value.quality, 'late'),
  };
}

export function readingOf({ index, tag, value, quality }: WaitingValue): Reading {
  return { index, tag, value, quality };
}

/** Stable: values of one tag at one time stay in the order in which the server sent them. */
export function inOrder<T extends { readonly index: number }>(values: readonly T[]): readonly T[] {
  return values.toSorted((a, b) => a.index - b.index);
}
