// A queue of cells whose merged aggregate is known at any time, at a constant number of merges for each cell on the average, also for
// aggregates that cannot be subtracted (MIN, MAX): the front holds what merges from each cell to the front's end, the back one sum.
import type { Cell, Cells } from './cells.ts';

interface Entry {
  readonly time: number;
  readonly cell: Cell;
  /** Of this cell and all after it within the front. */
  merged?: unknown[];
}

export class TwoStacks {
  readonly #cells: Cells;
  /** Oldest last, so that it can be popped. */
  readonly #front: Entry[] = [];
  readonly #back: Entry[] = [];
  /** Of the back; `undefined` after its last cell has grown. */
  #backMerged: unknown[] | undefined;
  /** Of the back's first cells, which grow no more, and how many these are. */
  #settled: unknown[] | undefined;
  #settledCount = 0;

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
    if (last?.time === time) {
      this.#backMerged = undefined;
      return last.cell;
    }
    const cell = this.#cells.create();
    // The last cell is merged once it cannot grow any more.
    this.#back.push({ time, cell });
    this.#backMerged = undefined;
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
    this.#backMerged = undefined;
    this.#settledCount = 0;
  }

  #pushFront(entry: Entry): void {
    const after = this.#front.at(-1)?.merged;
    entry.merged = this.#cells.merged(after === undefined ? [entry.cell] : [entry.cell, partOf(after)]);
    this.#front.push(entry);
  }

  /** States of all cells together. Bring it up to date by `evict` before. */
  merged(): unknown[] {
    const front = this.#front.at(-1)?.merged;
    const back = this.#mergeBack();
    if (front === undefined) return back;
    return this.#cells.merged([partOf(front), partOf(back)]);
  }

  #mergeBack(): unknown[] {
    if (this.#backMerged !== undefined) return this.#backMerged;
    if (this.#settledCount === 0) this.#settled = undefined;
    const settle = this.#back.length - 1;
    if (settle > this.#settledCount) {
      const more = this.#back.slice(this.#settledCount, settle).map(({ cell }) => cell);
      const before = this.#settled === undefined ? [] : [partOf(this.#settled)];
      this.#settled = this.#cells.merged([...before, ...more]);
      this.#settledCount = settle;
    }
    const last = this.#back.at(-1);
    const parts: Cell[] = [];
    if (this.#settled !== undefined) parts.push(partOf(this.#settled));
    if (last !== undefined) parts.push(last.cell);
    this.#backMerged = this.#cells.merged(parts);
    return this.#backMerged;
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
    for (const [time, cell] of back) this.#back.push({ time, cell: this.#cells.load(cell) });
  }
}

/** As a cell, for merging. */
function partOf(states: unknown[]): Cell {
  return { states, rows: 0, bytes: 0 };
}
