// One page of history: what the equipment's memory holds for one part of the requested range. A page makes claims that
// nobody can check later, so it cannot be made without its evidence, and claims beyond that evidence are refused.
import { HoldfastError } from '../../kernel/errors.ts';
import type { VoidReason } from '../../wire/mini-batch.ts';
import type { Reading } from '../../wire/reading.ts';
import type { Window } from '../../wire/window.ts';

export type HistoryPage = CompletePage | GonePage;

/** Why a page has all readings of its window. Bounds are index positions. */
export interface Completeness {
  /** The range that the equipment was asked for, in the requests that answer this page. */
  readonly asked: Window;
  /**
   * How its answer says that nothing was left out: a mark at its end; a status or the lack of a continuation; numbers
   * without a gap; a status by which it says that there is nothing; a record beyond the window.
   */
  readonly ended: 'end-mark' | 'no-more' | 'every-number' | 'empty-by-status' | 'record-beyond';
  /** The equipment still held everything from here on, as it stated, or showed, after the data was read. */
  readonly heldFrom: number;
  /** Everything below had been recorded when it was asked: nothing can still be added there. */
  readonly recordedTo: number;
}

/** Why nothing of a window can ever be had. */
export type Absence =
  | {
      readonly reason: 'history-expired';
      /** The oldest position that the equipment held, as it said after it was asked for the window. */
      readonly heldFrom: number;
    }
  | {
      readonly reason: 'no-history';
      /** The equipment's own statement that it has no history, and never will. */
      readonly said: string;
    }
  | {
      /** That of the void. */
      readonly reason: VoidReason;
      /** What the window would follow from is declared lost: the stream, and its void. */
      readonly follows: string;
      readonly declared: Window;
    };

export class CompletePage {
  readonly kind = 'readings';
  readonly window: Window;
  /** In index order; none means verified empty. */
  readonly readings: readonly Reading[];
  readonly #evidence: Completeness;

  private constructor(window: Window, readings: readonly Reading[], evidence: Completeness) {
    this.window = window;
    this.readings = readings;
    this.#evidence = evidence;
  }

  /** @throws HoldfastError `source-page-unproven`, retryable, where the evidence does not carry the claim. */
  static of(window: Window, readings: readonly Reading[], evidence: Completeness): CompletePage {
    const { asked, heldFrom, recordedTo } = evidence;
    requireWindow(window);
    if (asked.start > window.start || asked.end < window.end)
      throw unproven(window, 'it was not asked for all of it');
    if (!(heldFrom <= window.start)) throw unproven(window, `the equipment held it from ${heldFrom} on only`);
    if (!(recordedTo >= window.end))
      throw unproven(window, `the equipment had recorded it to ${recordedTo} only`);
    let last = window.start;
    for (const { index } of readings) {
      if (!(index >= last && index < window.end))
        throw unproven(window, `a reading at ${index} is out of place`);
      last = index;
    }
    return new CompletePage(window, readings, evidence);
  }

  get evidence(): Completeness {
    return this.#evidence;
  }
}

export class GonePage {
  readonly kind = 'unavailable';
  readonly window: Window;
  readonly reason: Absence['reason'];
  readonly #evidence: Absence;

  private constructor(window: Window, evidence: Absence) {
    this.window = window;
    this.reason = evidence.reason;
    this.#evidence = evidence;
  }

  /** @throws HoldfastError `source-page-unproven`, retryable, where the equipment may still hold some of it. */
  static of(window: Window, evidence: Absence): GonePage {
    requireWindow(window);
    if ('heldFrom' in evidence && !(window.end <= evidence.heldFrom))
      throw unproven(window, `the equipment still holds it from ${evidence.heldFrom} on`);
    if ('follows' in evidence) {
      const { declared, follows } = evidence;
      if (declared.start > window.start || declared.end < window.end)
        throw unproven(window, `of ${follows} only [${declared.start}, ${declared.end}) is declared lost`);
    }
    return new GonePage(window, evidence);
  }

  get evidence(): Absence {
    return this.#evidence;
  }
}

function requireWindow(window: Window): void {
  if (!(window.end > window.start)) throw unproven(window, 'it is empty or upside down');
}

function unproven({ start, end }: Window, why: string): HoldfastError {
  const message = `a page of history for [${start}, ${end}) proves nothing (${why}): it is asked for again`;
  return new HoldfastError('source-page-unproven', message, { retryable: true });
}
