// From the numbers that an instrument gives its records to positions that only grow. Pure.
//
// A counter of an instrument ends somewhere and starts again (wraps), and it starts again when its battery is changed
// or someone clears its memory (is reset). A position is `cycle x span + number`: in the first cycle it is the number
// itself; a wrap goes on in the next cycle without a hole; a reset goes on in the next cycle too, and what lies between
// is a hole that nobody can fill. So positions never repeat, and a position's number is known without remembering
// anything but the last position, which the stream's own windows tell after a restart.
//
// A step that is too large is not believed at once: one garbled digit in an instrument without check sums would
// otherwise move the stream into the next cycle for good. It is held until the next record bears it out, by the same
// number again or by the one that follows; if the next record goes on from where we were, the held one was garbage.

export interface CounterOptions {
  /** The numbers that the counter goes through, both included. */
  readonly first: number;
  readonly last: number;
  /** A larger step forward is held. Default: 10,000, or a quarter of the counter where that is less. */
  readonly maxJump?: number | undefined;
}

export type Step =
  /** The record that was placed before. */
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'held' }
  | {
      readonly kind: 'placed';
      readonly position: number;
      /** Why records may be missing before it. */
      readonly broken?: 'records-missed' | 'counter-reset';
      /**
       * Where the counter started anew: positions from `begin` on are those of its new round. Between what was placed
       * before and that, up to `lost` excluded, records may have been made; there never were any from there on.
       */
      readonly reset?: { readonly lost: number; readonly begin: number };
      /** Position of the record that was held and is now borne out: it comes before this one. */
      readonly confirmed?: number;
      /** The held record was garbage. */
      readonly dropped?: boolean;
    };

export class RecordCounter {
  readonly #options: CounterOptions;
  readonly #span: number;
  readonly #maxJump: number;
  #last: number | undefined;
  #held: number | undefined;

  /** `last` is the position of the last record that is known, if any. */
  constructor(options: CounterOptions, last?: number) {
    this.#options = options;
    this.#span = options.last - options.first + 1;
    this.#maxJump = options.maxJump ?? Math.min(10_000, Math.max(1, Math.floor(this.#span / 4)));
    this.#last = last;
  }

  /** Position of the newest record that was placed. */
  get position(): number | undefined {
    return this.#last;
  }

  /** The number that the instrument gives the record at `position`. */
  numberAt(position: number): number {
    const { first } = this.#options;
    return first + mod(position - first, this.#span);
  }

  /** The position of `number` at or after `from`. */
  positionFrom(from: number, number: number): number {
    return from + mod(number - this.numberAt(from), this.#span);
  }

  /** The position of `number` that is nearest to the newest record. */
  positionNear(number: number): number {
    if (this.#last === undefined) return number;
    const at = this.positionFrom(this.#last, number);
    return at - this.#last > this.#span / 2 ? at - this.#span : at;
  }

  /** It goes on from the newest record, or from the one that is held. */
  isNext(number: number): boolean {
    const from = [this.#held, this.#last === undefined ? undefined : this.numberAt(this.#last)];
    return from.some((known) => known !== undefined && mod(number - known, this.#span) === 1);
  }

  /** A session begins: what was held in the last one cannot be borne out any more. */
  forgetHeld(): void {
    this.#held = undefined;
  }

  place(number: number): Step {
    const last = this.#last;
    if (last === undefined) return this.#placed({ position: number });
    const ahead = mod(number - this.numberAt(last), this.#span);
    const wasHeld = this.#held !== undefined;
    if (ahead === 0) {
      this.#held = undefined;
      return { kind: 'unchanged' };
    }
    if (ahead <= this.#maxJump) {
      const dropped = wasHeld ? { dropped: true } : {};
      return this.#placed({
        position: last + ahead,
        ...(ahead > 1 ? ({ broken: 'records-missed' } as const) : {}),
        ...dropped,
      });
    }
    return this.#bearOut(number, last) ?? this.#hold(number);
  }

  #hold(number: number): Step {
    this.#held = number;
    return { kind: 'held' };
  }

  /** Undefined where the held record, if any, is not borne out by this one. */
  #bearOut(number: number, last: number): Step | undefined {
    const held = this.#held;
    if (held === undefined) return undefined;
    const step = mod(number - held, this.#span);
    if (step > 1) return undefined;
    const isForward = held > this.numberAt(last);
    const cycleStart = last - (this.numberAt(last) - this.#options.first);
    const start = isForward ? cycleStart : cycleStart + this.#span;
    const confirmed = start + held - this.#options.first;
    return this.#placed({
      position: confirmed + step,
      broken: isForward ? 'records-missed' : 'counter-reset',
      ...(isForward ? {} : { reset: { lost: Math.min(last + 1 + this.#maxJump, start), begin: start } }),
      ...(step === 0 ? {} : { confirmed }),
    });
  }

  #placed(step: Omit<Extract<Step, { kind: 'placed' }>, 'kind'>): Step {
    this.#held = undefined;
    this.#last = step.position;
    return { kind: 'placed', ...step };
  }
}

function mod(value: number, by: number): number {
  return ((value % by) + by) % by;
}
