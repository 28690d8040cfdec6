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
  readonly finder: ColumnFinder;
  /** The first index, then the difference of each position to the one before. */
  readonly steps: readonly number[];
  /** Within each position the readings come in the order of the columns, each tag once at most. */
  readonly isOrdered: boolean;
  readonly qualities: QualityNames;
}

function tabulate(kind: IndexKind, readings: readonly Reading[]): Table {
  const guard = new ReadingGuard(kind, readings.length);
  const qualities = new QualityNames();
  const finder = new ColumnFinder(qualities);
  const steps: number[] = [];
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
    const number = finder.add(reading, steps.length - 1, last + 1);
    if (number <= last) isOrdered = false;
    last = number;
  }
  return { finder, steps, isOrdered, qualities };
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
    tags: table.finder.columns.map((column) => column.tag),
    ...table.qualities.member(),
    cols: table.finder.columns.map((column) => column.render(table.steps.length)),
  };
}

function toRows({ finder, qualities }: Table, readings: readonly Reading[]): ColumnsDocument {
  const runs = new QualityRunner(qualities);
  for (const reading of readings) runs.add(reading.quality);
  return {
    n: readings.length,
    t: readings.map((reading, at) => reading.index - (at === 0 ? 0 : readings[at - 1]!.index)),
    tags: finder.columns.map((column) => column.tag),
    ...qualities.member(),
    g: readings.map(({ tag }) => finder.numberOf(tag)),
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
  table.finder.columns.forEach((column, number) => {
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

  /** Returns the number of its column. `expected`: polled tags repeat in one order, so a guess is nearly always right and spares the look-up. */
  add(reading: Reading, position: number, expected: number): number {
    this.#qualities.note(reading.quality);
    const number = this.columns[expected]?.tag === reading.tag ? expected : this.numberOf(reading.tag);
    if (number === this.columns.length) this.columns.push(new Column(reading, position, this.#qualities));
    else this.columns[number]!.add(reading, position);
    return number;
  }

  numberOf(tag: string): number {
    const known = this.#numbers.get(tag);
    if (known !== undefined) return known;
    this.#numbers.set(tag, this.columns.length);
    return this.columns.length;
  }
}

/** Nearly all have each position and are `good`: the lists that say otherwise are made only where they are needed. */
class Column {
  readonly tag: string;
  readonly #from: number;
  readonly #values: Value[];
  /** [skip, take, skip, take, ...]. Absent: one run. */
  #runs: number[] | undefined;
  #nextPosition: number;
  readonly #names: QualityNames;
  /** Absent: all `good`. */
  #qualities: QualityRunner | undefined;

  constructor({ tag, value, quality }: Reading, position: number, names: QualityNames) {
    this.tag = tag;
    this.#names = names;
    this.#from = position;
    this.#nextPosition = position + 1;
    this.#values = [value];
    if (quality !== 'good') this.#note(quality);
  }

  get count(): number {
    return this.#values.length;
  }

  add({ value, quality }: Reading, position: number): void {
    if (position !== this.#nextPosition) {
      this.#runs ??= [this.#from, this.count];
      this.#runs.push(position - this.#nextPosition, 1);
    } else if (this.#runs) this.#runs[this.#runs.length - 1]!++;
    this.#nextPosition = position + 1;
    this.#values.push(value);
    if (this.#qualities !== undefined || quality !== 'good') this.#note(quality);
  }

  presenceBytes(positions: number): number {
    if (this.count === positions) return 0;
    return this.#presence().reduce((bytes, run) => bytes + digits(run) + 1, '{"v":,"p":[]}'.length);
  }

  render(positions: number): readonly Value[] | SparseColumn {
    const isFull = this.count === positions;
    const isConstant = this.#hasOneValue();
    if (isFull && !isConstant && this.#qualities === undefined) return this.#values;
    return {
      ...(isConstant ? { c: this.#values[0]! } : { v: this.#values }),
      ...(isFull ? {} : { p: this.#presence() }),
      ...this.#qualities?.member(),
    };
  }

  #presence(): readonly number[] {
    return this.#runs ?? [this.#from, this.count];
  }

  /** The quality of the last value; if it is the first that is not good, those before were all good. */
  #note(quality: string): void {
    this.#qualities ??= new QualityRunner(this.#names, this.count - 1);
    this.#qualities.add(quality);
  }

  #hasOneValue(): boolean {
    const [value] = this.#values;
    if (this.count < 3 || (typeof value === 'object' && value !== null)) return false;
    if (typeof value === 'string' && value.length > maxConstantLength) return false;
    return this.#values.every((each) => each === value);
  }
}

/** Numbers the qualities of a body in order of first appearance. */
class QualityNames {
  readonly #numbers = new Map<string, number>();
  #last = '';

  /** To be called with the quality of each reading, in order. */
  note(quality: string): void {
    if (quality === this.#last) return;
    this.#last = quality;
    if (!this.#numbers.has(quality)) this.#numbers.set(quality, this.#numbers.size);
  }

  numberOf(quality: string): number {
    return this.#numbers.get(quality)!;
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

  /** `good`: so many before the first that is added. */
  constructor(names: QualityNames, good = 0) {
    this.#names = names;
    if (good === 0) return;
    this.#last = 'good';
    this.#runs.push(names.numberOf('good'), good);
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
