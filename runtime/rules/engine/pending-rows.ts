// Rows that wait for the watermark. In columns: an object for each row would cost as much as the rule itself.
import type { RuleInputRow } from '../engine-api.ts';

interface Origin {
  readonly input: string;
  readonly origin: string;
}

/** In order, the first `count` of each. */
export interface DueRows {
  readonly count: number;
  readonly indexes: readonly number[];
  readonly rows: readonly RuleInputRow[];
  inputOf(at: number): string;
}

export class PendingRows {
  #indexes: number[] = [];
  #rows: RuleInputRow[] = [];
  /** Positions in `#origins`. */
  #from: number[] = [];
  readonly #origins: Origin[] = [];
  readonly #known = new Map<string, number>();
  #last: (Origin & { readonly at: number }) | undefined;
  #lastIndex = Number.NEGATIVE_INFINITY;
  #isSorted = true;

  get length(): number {
    return this.#indexes.length;
  }

  push(input: string, origin: string, index: number, row: RuleInputRow): void {
    const from = this.#originOf(input, origin);
    const { length } = this.#indexes;
    if (index <= this.#lastIndex && length > 0 && this.#isSorted)
      this.#isSorted = this.#order(index, from, this.#indexes[length - 1]!, this.#from[length - 1]!) >= 0;
    this.#lastIndex = index;
    this.#indexes.push(index);
    this.#rows.push(row);
    this.#from.push(from);
  }

  /** Those with an index below `until` are taken out. */
  take(until: number): DueRows {
    this.#sort();
    const [indexes, rows, from, origins] = [this.#indexes, this.#rows, this.#from, this.#origins];
    const { length } = indexes;
    const isAll = length === 0 || indexes[length - 1]! < until;
    const count = isAll ? length : indexes.findIndex((index) => index >= until);
    this.#indexes = isAll ? [] : indexes.slice(count);
    this.#rows = isAll ? [] : rows.slice(count);
    this.#from = isAll ? [] : from.slice(count);
    return { count, indexes, rows, inputOf: (at) => origins[from[at]!]!.input };
  }

  /** In order: index, input, origin and row of each. */
  *entries(): Generator<readonly [number, string, string, RuleInputRow]> {
    this.#sort();
    for (const [at, index] of this.#indexes.entries()) {
      const { input, origin } = this.#origins[this.#from[at]!]!;
      yield [index, input, origin, this.#rows[at]!];
    }
  }

  /** The same as for the row before, nearly always. */
  #originOf(input: string, origin: string): number {
    const last = this.#last;
    if (last !== undefined && last.input === input && last.origin === origin) return last.at;
    const name = JSON.stringify([input, origin]);
    const at = this.#known.get(name) ?? this.#origins.push({ input, origin }) - 1;
    this.#known.set(name, at);
    this.#last = { input, origin, at };
    return at;
  }

  /** By position, then by name of input and origin. */
  #order(index: number, from: number, otherIndex: number, otherFrom: number): number {
    if (index !== otherIndex) return index - otherIndex;
    const [one, other] = [this.#origins[from]!, this.#origins[otherFrom]!];
    if (one.input !== other.input) return one.input < other.input ? -1 : 1;
    return one.origin === other.origin ? 0 : one.origin < other.origin ? -1 : 1;
  }

  /** Stable: of one position and origin in the order of calls. */
  #sort(): void {
    if (this.#isSorted) return;
    const [indexes, rows, from] = [this.#indexes, this.#rows, this.#from];
    const places = [...indexes.keys()].sort((a, b) =>
      this.#order(indexes[a]!, from[a]!, indexes[b]!, from[b]!),
    );
    this.#indexes = places.map((at) => indexes[at]!);
    this.#rows = places.map((at) => rows[at]!);
    this.#from = places.map((at) => from[at]!);
    this.#isSorted = true;
    this.#lastIndex = this.#indexes.at(-1) ?? Number.NEGATIVE_INFINITY;
  }
}
