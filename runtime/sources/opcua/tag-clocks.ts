// What the times of values tell of the clocks of the equipment that gave them: which are slow, and which are ahead. Pure.
//
// A value was sampled after the message before the one that brings it, and until that one. So the clock that gave its time
// is slow by what the time lies before the one at least, and before the other at most. What is stated of a stream waits
// for slow clocks; where observation begins, it waits until it is behind those that are ahead.

/** A clock that is further off than this is not waited for. */
export const maxHoldMs = 120_000;

/** Changed in place: each value tells of its clock. */
interface TagClock {
  /** Of its latest value. */
  own: number;
  /** How far that lay ahead of the message that brought it: its clock is ahead by so much at least. */
  leastLeadMs: number;
  /** It is ahead by no more, as far as its values tell; Infinity where they do not. */
  mostLeadMs: number;
  /** It was watched from then on at the latest, by the server's clock; -Infinity where it was before observation began. */
  readonly watchedFrom: number;
}

export class TagClocks {
  #latenessMs: number;
  readonly #latest = new Map<string, TagClock>();
  /** By how much a tag's clock is slow. */
  readonly #slow = new Map<string, number>();
  #hasBegun = false;
  #holdMs = maxHoldMs;
  #newestFirst = Number.NEGATIVE_INFINITY;

  /** `latenessMs`: clocks that are slow by no more than this are right. */
  constructor(latenessMs: number) {
    this.#latenessMs = latenessMs;
  }

  get latenessMs(): number {
    return this.#latenessMs;
  }

  get tagsSeen(): number {
    return this.#latest.size;
  }

  /** Of the first values of all tags, the newest time; times that are too far ahead stand for none. */
  get newestFirst(): number {
    return this.#newestFirst;
  }

  /** How much older than a message the time of a value in the next one may be: lateness, or what clocks are slow by. */
  get settleMs(): number {
    return Math.max(this.#latenessMs, ...this.#slow.values());
  }

  /** How much newer than a message the time of a value in it may be. */
  get leadMs(): number {
    let most = 0;
    for (const { leastLeadMs, mostLeadMs } of this.#latest.values()) {
      const leadMs = mostLeadMs === Number.POSITIVE_INFINITY ? leastLeadMs : mostLeadMs;
      if (leadMs > most && leadMs <= maxHoldMs) most = leadMs;
    }
    return most;
  }

  /** Observation begins: tags of which the first value is still to come were not watched until then. */
  begin(): void {
    this.#hasBegun = true;
  }

  /** Below, a tag that was not watched from the beginning may have had others, by a clock that was set back since. */
  watchedFrom(tag: string): number {
    return this.#latest.get(tag)?.watchedFrom ?? Number.NEGATIVE_INFINITY;
  }

  /** Grows when an item is sampled more slowly than those before. */
  allow(latenessMs: number): void {
    this.#latenessMs = Math.max(this.#latenessMs, latenessMs);
  }

  /**
   * A value of `tag` with the time `own`, sampled after the time `after` by the server's clock, which may be -Infinity, and
   * until `publishedAt`. Returns the time of the value before; undefined for the first one.
   */
  note(tag: string, own: number, after: number, publishedAt: number): number | undefined {
    const leadMs = own - publishedAt;
    const clock = this.#latest.get(tag);
    if (clock === undefined) {
      if (leadMs <= maxHoldMs) this.#newestFirst = Math.max(this.#newestFirst, own);
      // Nobody knows when it was sampled.
      const mostLeadMs = Number.POSITIVE_INFINITY;
      const watchedFrom = this.#hasBegun ? Math.min(after, publishedAt) : Number.NEGATIVE_INFINITY;
      this.#latest.set(tag, { own, leastLeadMs: leadMs, mostLeadMs, watchedFrom });
      return undefined;
    }
    const before = clock.own;
    const isRight = -leadMs <= this.#latenessMs;
    if (!isRight || this.#slow.size > 0) this.#noteSlow(tag, before, own, after, publishedAt);
    clock.own = own;
    // A lead that is more than the most that was known is that of a clock that was set.
    const mostLeadMs = own - Math.min(after, publishedAt);
    clock.mostLeadMs = leadMs > clock.mostLeadMs ? mostLeadMs : Math.min(clock.mostLeadMs, mostLeadMs);
    clock.leastLeadMs = leadMs;
    return before;
  }

  /** When the server had a value, where it says so, and the equipment's clock is another. */
  hadAt({ own, server }: { readonly own: number; readonly server?: number | undefined }): number | undefined {
    return server !== undefined && server - own > this.#latenessMs ? server : undefined;
  }

  /** The server's clock was set: what is known of others by it is not so any more. */
  forget(): void {
    this.#slow.clear();
    for (const clock of this.#latest.values())
      Object.assign(clock, { leastLeadMs: 0, mostLeadMs: Number.POSITIVE_INFINITY });
  }

  /** There is no room to wait for clocks that are as slow as now. */
  holdLess(): void {
    this.#holdMs = Math.min(this.#holdMs, Math.floor(this.settleMs / 2));
    for (const [tag, slowMs] of this.#slow) if (slowMs > this.#holdMs) this.#slow.delete(tag);
  }

  /** An unchanged time belongs to an old value with another status, and shows nothing about clocks. */
  #noteSlow(tag: string, before: number, own: number, after: number, publishedAt: number): void {
    const [least, most] = [after - own, publishedAt - own];
    const known = this.#slow.get(tag);
    if (most <= this.#latenessMs) this.#slow.delete(tag);
    else if (least > (known ?? this.#latenessMs)) {
      if (own !== before && most <= this.#holdMs) this.#slow.set(tag, most);
    } else if (known !== undefined) this.#slow.set(tag, Math.min(known, most));
  }
}
