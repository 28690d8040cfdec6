// What a stream is known to have held before any commit has it, for rules that decide at once: the same stretches as those of
// commits (input-tracker.ts), from what its source says and from what its open window claims by then.
import type { Reading } from '../../../wire/reading.ts';
import type { Window } from '../../../wire/window.ts';
import type { SourceEvent } from '../../sources/source.ts';
import type { StreamChange } from '../../windows/window-store.ts';
import type { InputTracker, Span } from './input-tracker.ts';

/** Readings that nothing claims yet; beyond that the input starts over. */
const maxUnclaimed = 100_000;

export class EarlyInput {
  readonly #tracker: InputTracker;
  #unclaimed: Reading[] = [];
  /** What waits in the tracker belongs to an observation that is over. */
  #isAnew = true;
  /** The window was open already at the beginning: the input waits for a commit with a complete one. */
  #isInside: boolean;

  constructor(tracker: InputTracker, isInside: boolean) {
    this.#tracker = tracker;
    this.#isInside = isInside;
  }

  /** `open`: what the window claims after the event; none where it claims nothing, or was broken. */
  take(batchId: string, event: SourceEvent, open: Window | undefined): readonly Span[] {
    if (event.kind === 'resumed' || event.kind === 'broken') this.#begin();
    // What comes late may lie beyond all claims, and be claimed later.
    if (event.kind === 'readings' && event.isLate) this.#tracker.hold(event.readings);
    else if (event.kind === 'readings') this.#unclaimed.push(...event.readings);
    if (this.#unclaimed.length > maxUnclaimed) {
      this.#isInside = true;
      this.#unclaimed = [];
    }
    if (open === undefined || this.#isInside) return [];
    return this.#claim(batchId, open, []);
  }

  /** A window in whole, as a commit has it: from there on all is known. */
  seed({ batchId, restart, append }: StreamChange): readonly Span[] {
    if (!this.#isInside || !restart || append === undefined) return [];
    this.#isInside = false;
    this.#isAnew = true;
    return this.#claim(batchId, append, append.readings);
  }

  #claim(batchId: string, { start, end }: Window, known: readonly Reading[]): readonly Span[] {
    const places = new Set(known.map(placeOf));
    const fresh =
      known.length === 0 ? this.#unclaimed : this.#unclaimed.filter((each) => !places.has(placeOf(each)));
    const append = { start, end, readings: [...known, ...fresh] };
    const restart = this.#isAnew;
    this.#unclaimed = [];
    this.#isAnew = false;
    return this.#tracker.take({ batchId, index: 'time', closed: [], restart, append });
  }

  #begin(): void {
    this.#tracker.holdPending();
    this.#tracker.hold(this.#unclaimed);
    this.#unclaimed = [];
    this.#isAnew = true;
  }
}

const placeOf = ({ index, tag }: Reading) => `${index} ${tag}`;
