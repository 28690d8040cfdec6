// columns/1, encoding. The hot path of the edge module: one pass over the readings fills one column a tag,
// then a single JSON.stringify writes everything (measured faster than building text by hand).
//
// The column layout gives readings back position by position and, within one, in the order of the tag
// list. That is how polled equipment delivers them. Readings in any other order, and readings so sparse
// that saying where each one stands costs more than naming its tag, go as a row list instead: decoding
// always returns exactly the order that was encoded.
import { HoldfastError } from '../kernel/errors.ts';
import type { ColumnsDocument, QualityRuns, SparseColumn } from './columns-layout.ts';
import { maxConstantLength } from './limits.ts';
import type { Reading, Value } from './reading.ts';
import { ReadingGuard } from './reading-guard.ts';
import type { IndexKind } from './window.ts';

/** @throws HoldfastError as `encodeBody` does. */
export function writeColumns(kind: IndexKind, readings: readonly Reading[]): string {
  const table = tabulate(kind, readings);
  return JSON.stringify(
    prefersRows(table, readings.length) ? toRows(table, readings) : toColumns(table, readings),
  );
}

interface Table {
  readonly columns: readonly Column[];
  /** The first index, then the difference of each position to the one before. */
  readonly steps: readonly number[];
  /** The column of each reading. */
  readonly columnOf: readonly number[];
  /** Within each position the readings come in the order of the columns, each tag once at most. */
  readonly isOrdered: boolean;
  readonly qualities: QualityNames;
}

function tabulate(kind: IndexKind, readings: readonly Reading[]): Table {
  const guard = new ReadingGuard(kind, readings.length);
  const qualities = new QualityNames();
  const finder = new ColumnFinder(qualities);
  const steps: number[] = [];
  const columnOf: number[] = [];
  let isOrdered = true;
  let lastIndex = 0;
  let last = -1;
  for (let at = 0; at < readings.length; at++) {
    const reading = readings[at]!;
    guard.admit(reading, at);
    if (reading.index !== lastIndex || at === 0) {
      steps.push(stepTo(reading.index, lastIndex));
      lastIndex = reading.index;
      last = -1;
    }
    const number = finder.find(reading.tag, last + 1);
    if (number <= last) isOrdered = false;
    last = number;
    columnOf.push(number);
    finder.columns[number]!.add(steps.length - 1, reading.value, reading.quality);
  }
  return { columns: finder.columns, steps, columnOf, isOrdered, qualities };
}

function stepTo(index: number, last: number): number {
  const step = index - last;
  if (Number.isSafeInteger(step)) return step;
  throw new HoldfastError('wire-body-too-large', `no body reaches from index ${last} to ${index}`);
}

function toColumns(table: Table, readings: readonly Reading[]): ColumnsDocument {
  return {
    n: readings.length,
    t: table.steps,
    tags: table.columns.map((column) => column.tag),
    ...table.qualities.member(),
    cols: table.columns.map((column) => column.render(table.steps.length)),
  };
}

function toRows(table: Table, readings: readonly Reading[]): ColumnsDocument {
  const runs = new QualityRunner(table.qualities);
  for (const reading of readings) runs.add(reading.quality);
  return {
    n: readings.length,
    t: readings.map((reading, at) => reading.index - (at === 0 ? 0 : readings[at - 1]!.index)),
    tags: table.columns.map((column) => column.tag),
    ...table.qualities.member(),
    g: table.columnOf,
    v: readings.map((reading) => reading.value),
    ...runs.member(),
  };
}

/** Compares what the two layouts spend on saying where each reading stands; its value costs both the same. */
function prefersRows(table: Table, readings: number): boolean {
  if (!table.isOrdered) return true;
  let columnBytes = 0;
  // Beside one step a position, which both need: a "0," for each further reading of a position.
  let rowBytes = 2 * (readings - table.steps.length);
  table.columns.forEach((column, number) => {
    columnBytes += column.presenceBytes(table.steps.length);
    rowBytes += column.count * (digits(number) + 1);
  });
  return rowBytes < columnBytes;
}

/** Numbers tags in order of first appearance. */
class ColumnFinder {
  readonly columns: Column[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #qualities: QualityNames;

  constructor(qualities: QualityNames) {
    this.#qualities = qualities;
  }

  /** `expected`: polled tags repeat in one order, so a guess is nearly always right and spares the look-up. */
  find(tag: string, expected: number): number {
    if (this.columns[expected]?.tag === tag) return expected;
    const known = this.#numbers.get(tag);
    if (known !== undefined) return known;
    this.#numbers.set(tag, this.columns.length);
    return this.columns.push(new Column(tag, new QualityRunner(this.#qualities))) - 1;
  }
}

class Column {
  readonly tag: string;
  readonly #values: Value[] = [];
  /** [skip, take, skip, take, ...]. */
  readonly #presence: number[] = [];
  #nextPosition = 0;
  #isConstant = true;
  readonly #qualities: QualityRunner;

  constructor(tag: string, qualities: QualityRunner) {
    this.tag = tag;
    this.#qualities = qualities;
  }

  get count(): number {
    return this.#values.length;
  }

  add(position: number, value: Value, quality: string): void {
    const presence = this.#presence;
    if (position === this.#nextPosition && presence.length > 0) presence[presence.length - 1]!++;
    else presence.push(position - this.#nextPosition, 1);
    this.#nextPosition = position + 1;
    if (this.#isConstant && this.#values.length > 0 && value !== this.#values[0]) this.#isConstant = false;
    this.#values.push(value);
    this.#qualities.add(quality);
  }

  presenceBytes(positions: number): number {
    if (this.count === positions) return 0;
    return this.#presence.reduce((bytes, run) => bytes + digits(run) + 1, '{"v":,"p":[]}'.length);
  }

  render(positions: number): readonly Value[] | SparseColumn {
    const presence = this.count === positions ? {} : { p: this.#presence };
    const qualities = this.#qualities.member();
    const values = this.#hasOneValue() ? { c: this.#values[0]! } : { v: this.#values };
    if (values.v !== undefined && presence.p === undefined && qualities.q === undefined) return values.v;
    return { ...values, ...presence, ...qualities };
  }

  #hasOneValue(): boolean {
    const value = this.#values[0];
    if (!this.#isConstant || this.count < 3 || (typeof value === 'object' && value !== null)) return false;
    return typeof value !== 'string' || value.length <= maxConstantLength;
  }
}

/** Numbers the qualities of a body in order of first appearance. */
class QualityNames {
  readonly #numbers = new Map<string, number>();

  numberOf(quality: string): number {
    const known = this.#numbers.get(quality);
    if (known !== undefined) return known;
    this.#numbers.set(quality, this.#numbers.size);
    return this.#numbers.size - 1;
  }

  member(): { qs?: readonly string[] } {
    const names = [...this.#numbers.keys()];
    return names.every((name) => name === 'good') ? {} : { qs: names };
  }
}

class QualityRunner {
  readonly #names: QualityNames;
  readonly #runs: number[] = [];
  #last = '';
  #allGood = true;

  constructor(names: QualityNames) {
    this.#names = names;
  }

  add(quality: string): void {
    if (quality === this.#last) {
      this.#runs[this.#runs.length - 1]!++;
      return;
    }
    this.#runs.push(this.#names.numberOf(quality), 1);
    this.#last = quality;
    if (quality !== 'good') this.#allGood = false;
  }

  member(): { q?: QualityRuns } {
    return this.#allGood ? {} : { q: this.#runs };
  }
}

function digits(count: number): number {
  return count < 10 ? 1 : count < 100 ? 2 : count < 1000 ? 3 : count < 10_000 ? 4 : 6;
}
