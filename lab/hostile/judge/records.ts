// What equipment made: one record after the other, each with the values that it showed.
import type { Value } from '../../../wire/reading.ts';
import type { Via } from './judge.ts';

export interface Shown {
  readonly value: Value;
  /** The equipment vouches for it. */
  readonly good: boolean;
}

export interface Made {
  /** Grows by one. */
  readonly id: number;
  /** True time, ms. */
  readonly at: number;
  readonly values: ReadonlyMap<string, Shown>;
}

/** What the kind of stream has to say about records and positions. `M` is the scenario's own kind of record. */
export interface RecordRules<M extends Made> {
  /** Position of the record; undefined where that is not known (yet). */
  placeOf(made: M): number | undefined;
  /** A good value of `made` was delivered at `index`: undefined where it belongs there, else why not. */
  misplaced(made: M, index: number, via: Via): string | undefined;
  /**
   * Whether position `index` had come by `trueTime`. A later record at a position that had come is a repetition (a clock
   * was set back): who stated that position could not know of it.
   */
  hadCome(index: number, trueTime: number): boolean;
  /**
   * Whether the equipment was past position `index` by `trueTime`, though its clock may have leapt over it. What lies in the
   * past by the module's own clock as well is to be answered some day: nobody can know that the clock will be
   * set back again to there. Default: never.
   */
  hadPassed?(index: number, trueTime: number): boolean;
  /** The equipment can be asked for it now. */
  isHeld(made: M): boolean;
  /** Lost in a way that nobody can notice. Default: never. */
  isHidden?(made: M): boolean;
  /**
   * It was made before observation began at `since`, in true time, and nothing that anybody was shown from then on tells
   * of positions as far as its own. Default: never.
   */
  isOutOfSight?(made: M, since: number): boolean;
  /** Where it was said to have no value, if that was said of the time at which it was made. Default: its position. */
  saidAt?(made: M): number;
  /** Lost in a way that nobody can notice, and gone from the memory before anybody looked there. Default: never. */
  isForgotten?(made: M): boolean;
  /** Nobody knows any more what was seen after `since`, in true time. */
  rollBack?(since: number, now: number): void;
  /** A good value that no record shows, and that is right all the same. Default: none is. */
  isShownElse?(index: number, tag: string, value: Value): boolean;
  /**
   * The equipment did not let the module watch this value: honest where the value was said to be bad before, and has not
   * been said to be anything else since. Default: never.
   */
  isUnwatched?(made: M): boolean;
  /** History may say of the record that it is not to be had. Default: never. */
  isUnreadable?(made: M): boolean;
  /**
   * The equipment forgot the record, or made it a moment ago, in a way that nobody can tell yet from its never having been.
   * Default: never.
   */
  isBeyondProof?(made: M): boolean;
  /** The equipment refused the value, so that a null is honest. Default: never. */
  isExcused?(made: M, tag: string): boolean;
}

/** Everything that was made, found again by what it shows. */
export class Records<M extends Made> {
  readonly all: M[] = [];
  readonly #byValue = new Map<string, M[]>();

  add(made: M): M {
    this.all.push(made);
    for (const [tag, { value }] of made.values) {
      const key = keyOf(tag, value);
      const list = this.#byValue.get(key);
      if (list) list.push(made);
      else this.#byValue.set(key, [made]);
    }
    return made;
  }

  showing(tag: string, value: Value): readonly M[] {
    return this.#byValue.get(keyOf(tag, value)) ?? [];
  }
}

function keyOf(tag: string, value: Value): string {
  return `${tag} ${JSON.stringify(value)}`;
}
