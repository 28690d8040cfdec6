// What nobody could know of in a stream that times order: records that were made unheard while the equipment's clock had leapt
// ahead and was set back, so that they stand at times which no live record gives a reason to expect.
import type { SourceEvent } from '../../../runtime/sources/source.ts';
import type { Stamped } from './stamped-places.ts';

/** A record that the adapter was shown live, and when it told of it, true time. */
export interface Sight {
  readonly id: number;
  readonly at: number;
  /** It was the newest still. */
  readonly isAgain?: true;
}

export interface UnheardOptions<M extends Stamped> {
  readonly records: { readonly all: readonly M[] };
  /** The tag whose value is the number of its record here. */
  readonly idTag: string;
  /** Nobody knows how long ago a disk was put back to. */
  readonly isAgeUnknown: () => boolean;
  /** True time. */
  readonly now: () => number;
}

export class Unheard<M extends Stamped> {
  readonly #options: UnheardOptions<M>;
  /** What the adapter made something of. */
  #sights: Sight[] = [];
  /** What was seen by when a disk was put back: what was claimed before rests on that. */
  readonly #known: (readonly Sight[])[] = [];
  #hasBegun = false;

  constructor(options: UnheardOptions<M>) {
    this.#options = options;
  }

  watch(event: SourceEvent, isTaken: boolean): void {
    this.#hasBegun ||= event.kind === 'resumed' && isTaken;
    // Before anything was claimed, what is shown is kept nowhere: its clock may be one that nobody has put right yet.
    if (!isTaken || !this.#hasBegun) return;
    const at = this.#options.now();
    const last = this.#sights.at(-1);
    // Nothing new is the last one again: a newer one may have been made while that was read.
    if (event.kind === 'observed' && last) this.#sights.push({ ...last, at, isAgain: true });
    const told = event.kind === 'readings' && event.readings.find(({ tag }) => tag === this.#options.idTag);
    if (!told) return;
    // What is said on the way to something new rests on that.
    while (this.#sights.at(-1)?.isAgain && this.#sights.at(-1)?.at === at) this.#sights.pop();
    this.#sights.push({ id: Number(told.value), at });
  }

  rollBack(since: number): void {
    this.#known.push([...this.#sights]);
    this.#sights = this.#sights.filter(({ at }) => at <= since);
  }

  /** By anything that was seen in one life of the disk. */
  some(isSo: (around: Around<M>, record: M) => boolean, record: M): boolean {
    return [this.#sights, ...this.#known].some((seen) => isSo(this.#aroundOf(seen, record), record));
  }

  /** Its clock leapt ahead and was set back while nobody heard it, or before anybody watched. */
  has(record: M): boolean {
    return this.some(({ before, after }) => {
      if (after === undefined) return false;
      if (before === undefined) return record.stamp > after.shown.stamp;
      const passedMs = this.#options.isAgeUnknown() ? 0 : after.at - before.at;
      return record.stamp > Math.max(after.shown.stamp, before.shown.stamp + passedMs);
    }, record);
  }

  #aroundOf(seen: readonly Sight[], { id }: M): Around<M> {
    const seenAs = (sight: Sight | undefined) =>
      sight && { shown: this.#options.records.all[sight.id - 1]!, at: sight.at };
    return {
      before: seenAs(seen.findLast((sight) => sight.id < id)),
      after: seenAs(seen.find((sight) => sight.id >= id)),
    };
  }
}

interface Seen<M> {
  readonly shown: M;
  readonly at: number;
}

/** The last that was shown before it, and the first that was shown of it or after it. */
export interface Around<M> {
  readonly before: Seen<M> | undefined;
  readonly after: Seen<M> | undefined;
}
