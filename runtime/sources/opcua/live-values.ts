// What a session's subscription has told: the newest value of each tag, and up to when, by the server's clock, all is told.
// A history that may be written late is held against it (recorded-to.ts). Pure.
import { stampOf } from './history-values.ts';
import type { WireValue } from './opcua-session.ts';

export interface LiveValue {
  readonly value: WireValue;
  /** The clock that gave its time is slow by no more; undefined where nobody knows when it was sampled. */
  readonly slowMs: number | undefined;
}

/** As far as `toldTo`, and not beyond: what a message that is missing would have told was published later. */
export interface Live {
  /** Epoch ms by the server's clock; undefined before observation begins, and while messages are missing. */
  readonly toldTo: number | undefined;
  newest(tag: string): LiveValue | undefined;
}

export class LiveValues implements Live {
  readonly #newest = new Map<string, LiveValue>();
  #toldTo: number | undefined;

  get toldTo(): number | undefined {
    return this.#toldTo;
  }

  newest(tag: string): LiveValue | undefined {
    return this.#newest.get(tag);
  }

  /** Of a message that was published at `publishedAt`, or read then. */
  take(tag: string, value: WireValue, publishedAt: number): void {
    const before = this.#newest.get(tag);
    const own = stampOf(value);
    // A first value, and one that was told before, may have been sampled long ago.
    const isNews = before !== undefined && own !== undefined && own !== stampOf(before.value);
    this.#newest.set(tag, { value, slowMs: isNews ? Math.max(0, publishedAt - own) : before?.slowMs });
  }

  /** All that was sampled before is told. */
  tellTo(publishedAt: number): void {
    this.#toldTo = publishedAt;
  }

  /** Messages are missing. */
  lose(): void {
    this.#toldTo = undefined;
  }
}
