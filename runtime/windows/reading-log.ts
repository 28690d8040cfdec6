// The readings of an open window, in the order in which they came, in little memory.
//
// They live for seconds: long enough for V8's collector to move each object twice, and to look through all of them in each of its
// rounds. Polled equipment gives many readings for one position, with the same tags each time: of those only the values
// are kept, 8 bytes instead of 80, and readings are made of them when they are asked for.
import type { Quality, Reading, Value } from '../../wire/reading.ts';

/**
 * Makes them when they are asked for, each time: so a commit has those of one stream at a time in memory, and not of all, which
 * would outlive a round of V8's collector.
 */
export type ReadingsLater = () => readonly Reading[];

export function withReadings<T extends object>(of: T, make: ReadingsLater) {
  return {
    ...of,
    get readings(): readonly Reading[] {
      return make();
    },
  };
}

/** Readings of one position, one behind the other. */
interface Row {
  readonly index: number;
  /** Shared with the row before, as far as that has the same. There may be more than values. */
  tags: string[];
  readonly values: Value[];
  /** Absent: all `good`. */
  qualities: Quality[] | undefined;
}

export class ReadingLog {
  /** A reading that is alone at its position stays as it came. */
  readonly #rows: (Reading | Row)[] = [];
  /** Those of the last row. */
  #tags: string[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get lastIndex(): number | undefined {
    return this.#rows.at(-1)?.index;
  }

  push(reading: Reading): void {
    this.#count += 1;
    const last = this.#rows.at(-1);
    if (last === undefined || last.index !== reading.index) this.#rows.push(reading);
    else this.#add(isRow(last) ? last : this.#begin(last), reading);
  }

  /** As of an array. What is pushed later does not change it. */
  slice(from = 0, to = this.#count): Reading[] {
    let row = this.#rows.length;
    let before = this.#count;
    while (before > from) before -= sizeOf(this.#rows[--row]!);
    const readings: Reading[] = [];
    for (; before + readings.length < to; row++) expand(this.#rows[row]!, readings);
    const isExact = before === from && before + readings.length === to;
    return isExact ? readings : readings.slice(from - before, to - before);
  }

  /** A row, in place of the last reading. */
  #begin(first: Reading): Row {
    const row: Row = { index: first.index, tags: this.#tags, values: [], qualities: undefined };
    this.#add(row, first);
    this.#rows[this.#rows.length - 1] = row;
    return row;
  }

  #add(row: Row, { tag, value, quality }: Reading): void {
    const at = row.values.length;
    if (row.tags[at] !== tag) {
      // Behind its own last value a row before does not look.
      if (at < row.tags.length) this.#tags = row.tags = row.tags.slice(0, at);
      row.tags.push(tag);
    }
    row.values.push(value);
    if (quality !== 'good') row.qualities ??= new Array<Quality>(at).fill('good');
    row.qualities?.push(quality);
  }
}

function isRow(entry: Reading | Row): entry is Row {
  return 'values' in entry;
}

function sizeOf(entry: Reading | Row): number {
  return isRow(entry) ? entry.values.length : 1;
}

function expand(entry: Reading | Row, into: Reading[]): void {
  if (!isRow(entry)) {
    into.push(entry);
    return;
  }
  const { index, tags, values, qualities } = entry;
  for (let at = 0; at < values.length; at++)
    into.push({ index, tag: tags[at]!, value: values[at]!, quality: qualities?.[at] ?? 'good' });
}
