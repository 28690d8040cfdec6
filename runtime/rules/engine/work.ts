// What one step of a rule does, held against its bound while it is done: a flood that is noticed when it is over has held up
// everything else already.
import type { StepBound } from '../engine-api.ts';

/** The step is over, whatever is left of it: the rule cannot go on from here. No problem of a row. */
export class StepOver extends Error {}

/** Rows between two looks at the time. */
const lookEvery = 256;

export class Work {
  #bound: StepBound | undefined;
  #rows = 0;
  #untilLook = lookEvery;

  begin(bound: StepBound | undefined): void {
    this.#bound = bound;
    this.#rows = 0;
    this.#untilLook = lookEvery;
  }

  /** A row is looked at, wherever it comes from. @throws StepOver */
  look(): void {
    if (--this.#untilLook > 0) return;
    this.#untilLook = lookEvery;
    const why = this.#bound?.isOver();
    if (why !== undefined) throw new StepOver(why);
  }

  /** A row goes out. @throws StepOver */
  out(): void {
    const most = this.#bound?.maxRows ?? Number.POSITIVE_INFINITY;
    if (++this.#rows > most) throw new StepOver(`more than ${most} rows at once: it decides too often`);
  }
}
