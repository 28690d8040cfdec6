// The port of a judge: the events of an episode that it is told, and the facts that judges share.
import type { SourceEvent } from '../../../runtime/sources/source.ts';
import type { VoidReason } from '../../../wire/mini-batch.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { Window } from '../../../wire/window.ts';
import type { Fault } from './verdict.ts';

/**
 * A window of a run of observation, with what the adapter had heard when it was stated: everything that the equipment
 * did up to then, in true time. `from`: when it began; of windows that touch, where the one before ended.
 */
export interface LiveClaim {
  readonly window: Window;
  readonly heard: LiveHeard;
}

export interface LiveHeard {
  readonly from: number;
  readonly to: number;
  /** Of what was heard after this a break was told at once. */
  readonly unbroken: number;
}

/** A page of history that is said to be all that there is. */
export interface HistoryClaim {
  readonly window: Window;
  readonly readings: readonly Reading[];
  /** True time of what the equipment said last before. */
  readonly heard: number;
}

export interface VoidClaim {
  readonly window: Window;
  readonly reason: VoidReason;
}

export type Via = 'live' | 'history';

export interface Judge {
  /** What the adapter said, and whether the windows took it. */
  watch?(event: SourceEvent, isTaken: boolean): void;
  /** Reached the cloud. `via`: from a window or as late, or from a page of history. */
  deliver(reading: Reading, via: Via): void;
  claim(claim: LiveClaim): void;
  claimHistory(claim: HistoryClaim): void;
  /** To be told at once: what the equipment holds changes. */
  claimVoid(claim: VoidClaim): void;
  /** It came late, where a window had claimed its position before, and the disk that was put back has it no more: nothing tells. */
  forgive?(reading: Reading): void;
  /** What the disk was told after `since`, in true time, is undone. */
  rollBack?(since: number): void;
  /** Readings that were delivered. */
  readonly readings: number;
  /** So far; complete after `finish`. */
  readonly faults: readonly Fault[];
  finish(): void;
}

/** How far the adapter was told what the equipment did, in true time. Kept by the peer. */
export class Heard {
  #live = Number.NEGATIVE_INFINITY;
  #history = Number.NEGATIVE_INFINITY;

  get live(): number {
    return this.#live;
  }
  get history(): number {
    return this.#history;
  }

  /** A proper answer, or message, reached the adapter: it shows the equipment as it was at `at`. */
  tell(at: number): void {
    this.#live = Math.max(this.#live, at);
  }

  tellHistory(at: number): void {
    this.#history = Math.max(this.#history, at);
  }

  /** The process was killed: what it had heard and not stored is heard again. */
  forget(): void {
    this.#live = Number.NEGATIVE_INFINITY;
  }
}
