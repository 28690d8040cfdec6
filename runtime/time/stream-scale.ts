// Places one stream's local time (ms since the machine started) on the wall clock's scale.
//
// Why no two windows overlap and no index goes back: every position that is given out is at or above
// `#position`, and raises it past itself. `#position` starts at the stream's floor, the end of all earlier
// claims. So whatever the wall clock does, a local time that is later gets a position that is higher, above
// all that was claimed. Where the wall clock is behind that, positions are squeezed, one ms each, until it has
// caught up; what is further off than a slew is marked by its quality.

export interface Offset {
  /** Wall clock less local time, ms. */
  readonly offsetMs: number;
  /** Not the wall clock's, or not one that is trusted: readings are marked. */
  readonly marked: boolean;
}

export interface Placed {
  readonly index: number;
  /** The place is uncertain. */
  readonly marked: boolean;
}

export class StreamScale {
  readonly #slewMs: number;
  #offset: Offset;
  /** The lowest index that is free. */
  #position: number;
  /** The latest local time that was placed, or stated to be observed, and its index. */
  #lastLocal = Number.NEGATIVE_INFINITY;
  #lastIndex: number;
  /** The end that was given out last, and the local time that it was stated for. */
  #stated = Number.NEGATIVE_INFINITY;
  #statedLocal = Number.NEGATIVE_INFINITY;

  constructor(offset: Offset, slewMs: number, floor: number | undefined) {
    this.#offset = offset;
    this.#slewMs = slewMs;
    this.#position = floor ?? Number.NEGATIVE_INFINITY;
    this.#lastIndex = this.#position;
  }

  get position(): number {
    return this.#position;
  }

  set offset(offset: Offset) {
    this.#offset = offset;
  }

  /** As it stood when a decision was taken, to place the same times again in the same way. */
  restart(offset: Offset, position: number | undefined): void {
    this.#offset = offset;
    this.#position = position ?? this.#position;
    this.#lastIndex = this.#position;
    this.#lastLocal = Number.NEGATIVE_INFINITY;
    this.#stated = Number.NEGATIVE_INFINITY;
    this.#statedLocal = Number.NEGATIVE_INFINITY;
  }

  /** The index of a reading. Readings of one local time share it. */
  place(local: number): Placed {
    const right = local + this.#offset.offsetMs;
    if (local > this.#lastLocal) {
      this.#lastLocal = local;
      this.#lastIndex = Math.max(right, this.#position);
      this.#position = this.#lastIndex + 1;
    }
    const index = this.#lastIndex;
    return { index, marked: this.#offset.marked || index - right > this.#slewMs };
  }

  /**
   * Where observation (re)starts: all readings from `local` on will get this index or a higher one. However far the
   * wall clock is behind, one position is left out for what was not observed before, unless it went on.
   */
  start(local: number, goesOn: boolean): number {
    this.#position = Math.max(local + this.#offset.offsetMs, this.#position + (goesOn ? 0 : 1));
    this.#lastLocal = Number.NEGATIVE_INFINITY;
    this.#lastIndex = this.#position - 1;
    this.#stated = this.#position;
    this.#statedLocal = local;
    return this.#position;
  }

  /** The end of what was observed below `local`: readings below it have lower indices, later ones do not. */
  end(local: number): number {
    // The same moment has one place, whatever the clock was set to since.
    if (local === this.#statedLocal) return this.#stated;
    this.#statedLocal = local;
    if (local > this.#lastLocal) {
      this.#lastLocal = local - 1;
      this.#position = Math.max(local + this.#offset.offsetMs, this.#position);
      this.#lastIndex = this.#position - 1;
      this.#stated = this.#position;
    } else {
      // Spoken of already: the last reading keeps its index, and what was stated stands.
      this.#stated = Math.max(this.#stated, this.#lastIndex - (this.#lastLocal - local));
    }
    return this.#stated;
  }

  /** How far positions run ahead of the wall clock at `local`. */
  aheadMs(local: number): number {
    return Math.max(0, this.#position - 1 - (local + this.#offset.offsetMs));
  }
}
