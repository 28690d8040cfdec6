// A queue of cells whose merged aggregate is known at any time, at a constant number of merges for each cell on the average, also for
// aggregates that cannot be subtracted (MIN, MAX): the front holds what merges from each cell to the front's end, the back one sum.
import type { Cell, Cells } from './cells.ts';

interface Entry {
  readonly time: number;
  readonly cell: Cell;
  /** The merged state of this cell and all after it within the front. */
  merged?: unknown[];
}

export class TwoStacks {
  readonly #cells: Cells;
  /** Oldest last, so that it can be popped. */
  readonly #front: Entry[] = [];
  readonly #back: Entry[] = [];
  /** The merged state of the back without its last cell, which may still grow. */
  #settled: unknown[] | undefined;

  constructor(cells: Cells) {
    this.#cells = cells;
  }

  get isEmpty(): boolean {
    return this.#front.length + this.#back.length === 0;
  }

  get lastTime(): number {
    return (this.#back.at(-1) ?? this.#front[0])?.time ?? Number.NEGATIVE_INFINITY;
  }

  /** The cell of this time, which is the latest; made where there is none. @throws RowRefused */
  cellAt(time: number): Cell {
    const last = this.#back.at(-1);
    if (last?.time === time) return last.cell;
    const cell = this.#cells.create();
    this.#settleLast();
    this.#back.push({ time, cell });
    return cell;
  }

  /** Lets go of cells at or before `time`. */
  evict(time: number): void {
    for (;;) {
      if (this.#front.length === 0) this.#flip(time);
      const oldest = this.#front.at(-1);
      if (oldest === undefined || oldest.time > time) return;
      this.#front.pop();
      this.#cells.drop(oldest.cell);
    }
  }

  /** Where the oldest cell has to go, the back becomes the front. */
  #flip(time: number): void {
    if (this.#back.length === 0 || this.#back[0]!.time > time) return;
    while (this.#back.length > 0) {
      const entry = this.#back.pop()!;
      this.#pushFront(entry);
    }
    this.#settled = undefined;
  }

  #pushFront(entry: Entry): void {
    const after = this.#front.at(-1)?.merged;
    entry.merged = this.#cells.merged(after === undefined ? [entry.cell] : [entry.cell, partOf(after)]);
    this.#front.push(entry);
  }

  /** States of all cells together. Bring it up to date by `evict` before. */
  merged(): unknown[] {
    const parts: Cell[] = [];
    const front = this.#front.at(-1)?.merged;
    if (front !== undefined) parts.push(partOf(front));
    if (this.#settled !== undefined) parts.push(partOf(this.#settled));
    const last = this.#back.at(-1);
    if (last !== undefined) parts.push(last.cell);
    return this.#cells.merged(parts);
  }

  /** The last cell grows no more. */
  #settleLast(): void {
    const last = this.#back.at(-1);
    if (last === undefined) return;
    if (this.#settled === undefined) this.#settled = this.#cells.merged([last.cell]);
    else this.#cells.mergeInto(this.#settled, last.cell);
  }

  drop(): void {
    for (const { cell } of [...this.#front, ...this.#back]) this.#cells.drop(cell);
    this.#front.length = 0;
    this.#back.length = 0;
  }

  /** What was merged is merged again in the same order, so that sums of fractions come out the same to the last bit. */
  save(): unknown {
    const entries = (list: readonly Entry[]) => list.map(({ time, cell }) => [time, this.#cells.save(cell)]);
    return [entries(this.#front), entries(this.#back)];
  }

  load(saved: unknown): void {
    const [front, back] = saved as [[number, unknown][], [number, unknown][]];
    for (const [time, cell] of front) {
      this.#pushFront({ time, cell: this.#cells.load(cell) });
    }
    for (const [time, cell] of back) {
      this.#settleLast();
      this.#back.push({ time, cell: this.#cells.load(cell) });
    }
  }
}

/** As a cell, for merging. */
function partOf(states: unknown[]): Cell {
  return { states, rows: 0, bytes: 0 };
}
