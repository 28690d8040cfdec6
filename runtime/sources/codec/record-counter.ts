// Maps the numbers that an instrument gives its records to positions that only grow. Pure.
//
// A counter of an instrument ends somewhere and starts again (wraps), and it starts anew when its battery is changed or
// someone clears its memory (is reset). In the first round a position is the number itself; a wrap goes on without a
// hole. After a reset a new round begins, behind as many positions as a step may have (`maxJump`): records that the old
// round had after the last one that was seen would have had them. Then comes a hole as wide as the records that the new
// round had before the first one that was seen. Both are holes: nobody claims them, and they are asked for.
//
// Not: the rest of the old round as positions that never had records. That was a claim without a proof, thousands of
// millions of positions wide (a 32-bit counter), and as a hole it would be asked for one request after the other.
//
// So positions never repeat, and the number at a position of the present round is known from two numbers: the last
// position, which the stream's own windows tell after a restart, and the mark of the round (position - number), which
// is kept with them. Positions of earlier rounds have no number that could be asked for: the same numbers are those of
// other records now.
//
// A step that is too large is not believed at once: one garbled digit in an instrument without check sums, or a number
// that was read while the equipment wrote it, would otherwise move the stream into the next cycle for good. It is held
// until the next record confirms it, by the same number again or by one that follows it closely; if the
// next record continues from the last accepted position instead, the held one was garbage.

export interface CounterOptions {
  /** The numbers that the counter goes through, both included. */
  readonly first: number;
  readonly last: number;
  /** A larger step forward is held. Default: 10,000, or a quarter of the counter where that is less. */
  readonly maxJump?: number | undefined;
  /**
   * Numbers come with a check sum, so that one which goes back is hardly ever garbage: the next bears it out also where it
   * could go on from before as well, unless that is the very next one.
   */
  readonly isChecked?: boolean | undefined;
}

export type Placement =
  /** The record that was placed before. */
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'held' }
  | {
      readonly kind: 'placed';
      readonly position: number;
      /** Why records may be missing before it. */
      readonly broken?: 'records-missed' | 'counter-reset';
      /** Position of the record that was held and is now borne out: it comes before this one. */
      readonly confirmed?: number;
      /** Records are missing between that one and this. */
      readonly isApart?: true;
      /** The held record was garbage. */
      readonly dropped?: boolean;
    };

export class RecordCounter {
  readonly #options: CounterOptions;
  readonly #span: number;
  readonly #maxJump: number;
  #last: number | undefined;
  #mark: number;
  #held: number | undefined;
  #isAnew: boolean;
  #countedFrom = Number.NEGATIVE_INFINITY;

  /**
   * `last` is the position of the last record that is known, if any, and `mark` that of its round. Where that is not
   * known, the next record begins a new one: nobody can tell which number a position had.
   */
  constructor(options: CounterOptions, last?: number, mark?: number) {
    this.#options = options;
    this.#span = options.last - options.first + 1;
    this.#maxJump = options.maxJump ?? Math.min(10_000, Math.max(1, Math.floor(this.#span / 4)));
    this.#last = last;
    this.#mark = mark ?? 0;
    this.#isAnew = last !== undefined && mark === undefined;
  }

  /** The number of values of the counter. */
  get span(): number {
    return this.#span;
  }

  /** Of the present round: position - number, before the counter has wrapped. */
  get mark(): number {
    return this.#mark;
  }

  /** A number came that may be of a new round. */
  get isDoubtful(): boolean {
    return this.#held !== undefined || this.#isAnew;
  }

  /** Where the present round begins: what lies before is of an earlier one. */
  get roundStart(): number {
    return this.#mark + this.#options.first;
  }

  /** From here on a record was made for each number: no leap is known. */
  get countedFrom(): number {
    return this.#countedFrom;
  }

  /** Position of the newest record that was placed. */
  get position(): number | undefined {
    return this.#last;
  }

  /** The number that the instrument gives the record at `position` of the present round. */
  numberAt(position: number): number {
    const { first } = this.#options;
    return first + mod(position - this.roundStart, this.#span);
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

  /**
   * The position of the newest record in the equipment's memory, by its number. Undefined where the counter may have
   * started anew since the newest record was placed: the same numbers are then those of other records.
   * @param lag a record may be seen before so many others have come into the memory
   */
  positionOfNewest(number: number, lag = 0): number | undefined {
    const last = this.#last;
    if (last === undefined || this.#held !== undefined || this.#isAnew) return undefined;
    const ahead = mod(number - this.numberAt(last), this.#span);
    if (ahead <= this.#maxJump) return last + ahead;
    return this.#span - ahead <= lag ? last - (this.#span - ahead) : undefined;
  }

  /** The memory shows that the counter has started anew since the newest record was placed, though its numbers hide it. */
  startAnew(): void {
    this.#isAnew = this.#last !== undefined;
  }

  /** The number continues from the newest record, or from the held one: directly, or after missed ones. */
  isAhead(number: number): boolean {
    const from = [this.#held, this.#last === undefined ? undefined : this.numberAt(this.#last)];
    return from.some((known) => {
      const ahead = known === undefined ? 0 : mod(number - known, this.#span);
      return ahead > 0 && ahead <= this.#maxJump;
    });
  }

  /** The number follows that of the newest record, and nothing is held. */
  isNext(number: number): boolean {
    if (this.#last === undefined || this.isDoubtful) return false;
    return mod(number - this.numberAt(this.#last), this.#span) === 1 % this.#span;
  }

  /** A session begins: what was held in the last one cannot be borne out any more. */
  forgetHeld(): void {
    this.#held = undefined;
  }

  place(number: number): Placement {
    const last = this.#last;
    if (last === undefined) return this.#placed({ position: number });
    if (this.#isAnew) return this.#placed(this.#inNextRound(number, last));
    const ahead = mod(number - this.numberAt(last), this.#span);
    const wasHeld = this.#held !== undefined;
    if (ahead === 0) {
      this.#held = undefined;
      return { kind: 'unchanged' };
    }
    const isDoubtful = this.#options.isChecked === true && wasHeld && ahead > 1;
    const borneOut = isDoubtful ? this.#bearOut(number, last) : undefined;
    if (borneOut) return borneOut;
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

  #hold(number: number): Placement {
    this.#held = number;
    return { kind: 'held' };
  }

  /** Undefined where the held record, if any, is not borne out by this one. */
  #bearOut(number: number, last: number): Placement | undefined {
    const held = this.#held;
    if (held === undefined) return undefined;
    const step = mod(number - held, this.#span);
    if (step > this.#maxJump) return undefined;
    const isForward = held > this.numberAt(last);
    const { position: confirmed, ...why } = isForward
      ? { position: last + held - this.numberAt(last), broken: 'records-missed' as const }
      : this.#inNextRound(held, last);
    this.#countedFrom = confirmed;
    return this.#placed({
      position: confirmed + step,
      ...why,
      ...(step > 0 && { confirmed }),
      ...(step > 1 && { isApart: true as const }),
    });
  }

  #inNextRound(number: number, last: number) {
    this.#mark = last + 1 + this.#maxJump - this.#options.first;
    const position = this.#mark + number;
    this.#countedFrom = position;
    return { position, broken: 'counter-reset' as const };
  }

  #placed(step: Omit<Extract<Placement, { kind: 'placed' }>, 'kind'>): Placement {
    this.#held = undefined;
    this.#isAnew = false;
    this.#last = step.position;
    return { kind: 'placed', ...step };
  }
}

function mod(value: number, by: number): number {
  return ((value % by) + by) % by;
}
