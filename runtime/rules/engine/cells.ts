// Aggregates of one group over one stretch of time, and how such cells are merged, kept and saved.
import type { Frame } from '../expressions/frame.ts';
import type { Value } from '../expressions/values.ts';
import type { Aggregate } from './aggregates.ts';
import type { Budget } from './budget.ts';
import { decode, encode } from './codec.ts';
import { maxRun, type RowRun } from './row-run.ts';

/** One state for each aggregate. `rows` and `bytes`: what of it counts against the limits. */
export interface Cell {
  readonly states: unknown[];
  rows: number;
  bytes: number;
}

/** A group's key: `text` is JSON, the same for equal keys. */
export interface GroupKey {
  readonly values: readonly Value[];
  readonly text: string;
}

export class Cells {
  readonly #aggregates: readonly Aggregate[];
  readonly #budget: Budget;
  readonly #keeps: boolean;
  readonly #read: unknown[] = [];
  /** What a run of rows gives to each, where all of them are of numbers. */
  readonly #columns: readonly Float64Array[] | undefined;
  /** Memory of a cell without what its aggregates keep: the object, its array, and some numbers for each. */
  readonly #ownBytes: number;

  constructor(aggregates: readonly Aggregate[], budget: Budget) {
    this.#aggregates = aggregates;
    this.#budget = budget;
    this.#keeps = aggregates.some(({ keeps }) => keeps);
    const isNumeric = aggregates.every(({ column }) => column !== undefined);
    this.#columns = isNumeric ? aggregates.map(() => new Float64Array(maxRun)) : undefined;
    this.#ownBytes = 96 + aggregates.length * 56;
  }

  /** @throws RowRefused */
  create(): Cell {
    this.#budget.takeRow(this.#ownBytes);
    return { states: this.#aggregates.map((one) => one.create()), rows: 1, bytes: this.#ownBytes };
  }

  /** Before `add`: all that can go wrong goes wrong here. @throws RowProblem, RowRefused */
  read(frame: Frame): void {
    if (this.#keeps) this.#budget.checkRow(0);
    const aggregates = this.#aggregates;
    for (let i = 0; i < aggregates.length; i++) this.#read[i] = aggregates[i]!.read(frame);
  }

  /** All rows of the run, where that can be done at once; false, and nothing is changed, where each has to be looked at by itself. */
  takeRun(cell: Cell, frame: Frame, run: RowRun): boolean {
    const [aggregates, columns] = [this.#aggregates, this.#columns];
    if (columns === undefined) return false;
    try {
      for (let i = 0; i < aggregates.length; i++) aggregates[i]!.column!.read(frame, run, columns[i]!);
    } catch {
      return false;
    }
    const count = run.to - run.from;
    for (let i = 0; i < aggregates.length; i++)
      aggregates[i]!.column!.add(cell.states[i], columns[i]!, count);
    return true;
  }

  /** What was read last. */
  add(cell: Cell): void {
    const aggregates = this.#aggregates;
    for (let i = 0; i < aggregates.length; i++) {
      const bytes = aggregates[i]!.add(cell.states[i], this.#read[i]);
      if (bytes === 0) continue;
      cell.rows++;
      cell.bytes += bytes;
      this.#budget.addRows(1, bytes);
    }
  }

  /** What it held no longer counts. */
  drop(cell: Cell): void {
    this.#budget.giveRows(cell.rows, cell.bytes);
  }

  /** In the order of time; the cells stay as they are. What comes out counts against no limit. */
  merged(cells: readonly Cell[]): unknown[] {
    const all = this.#aggregates.map((aggregate) => aggregate.create());
    for (const cell of cells) this.mergeInto(all, cell);
    return all;
  }

  /** As `merged`, into states that nobody else holds. */
  mergeInto(states: readonly unknown[], { states: others }: Cell): void {
    for (let i = 0; i < this.#aggregates.length; i++) this.#aggregates[i]!.merge(states[i], others[i]);
  }

  values(states: readonly unknown[]): Value[] {
    return states.map((state, i) => this.#aggregates[i]!.value(state));
  }

  save({ states, rows, bytes }: Cell): unknown {
    return [rows, bytes, ...states.map((state, i) => this.#aggregates[i]!.save(state))];
  }

  load(saved: unknown): Cell {
    const [rows, bytes, ...states] = saved as [number, number, ...unknown[]];
    this.#budget.addRows(rows, bytes);
    return { rows, bytes, states: states.map((state, i) => this.#aggregates[i]!.load(state)) };
  }
}

export function saveKey({ values, text }: GroupKey): unknown {
  return [text, values.map(encode)];
}

export function loadKey(saved: unknown): GroupKey {
  const [text, values] = saved as [string, unknown[]];
  return { text, values: values.map(decode) };
}
