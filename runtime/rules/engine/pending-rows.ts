// Rows that wait for the watermark. In columns: an object for each row would cost as much as the rule itself.
import type { RuleInputRow } from '../engine-api.ts';

interface Origin {
  readonly input: string;
  readonly origin: string;
}

/** In order, the first `count` of each. To be used before anything is pushed again. */
export interface DueRows {
  readonly count: number;
  readonly indexes: readonly number[];
  readonly rows: readonly RuleInputRow[];
  inputOf(at: number): string;
}

/** Columns that grow each time from nothing would cost as much as what is done with them: so they are used again, up to this length. */
const keptLength = 4096;

interface Columns {
  readonly indexes: number[];
  readonly rows: RuleInputRow[];
  /** Positions in `#origins`. */
  readonly from: number[];
}

const noColumns = (): Columns => ({ indexes: [], rows: [], from: [] });

export class PendingRows {
  /** The first `#length` of each count. */
  #columns = noColumns();
  #spare = noColumns();
  #length = 0;
  readonly #origins: Origin[] = [];
  readonly #known = new Map<string, number>();
  #last: (Origin & { readonly at: number }) | undefined;
  #lastIndex = Number.NEGATIVE_INFINITY;
  #isSorted = true;

  get length(): number {
    return this.#length;
  }

  push(input: string, origin: string, index: number, row: RuleInputRow): void {
    const at = this.#originOf(input, origin);
    const { indexes, rows, from } = this.#columns;
    const length = this.#length++;
    if (index <= this.#lastIndex && length > 0 && this.#isSorted)
      this.#isSorted = this.#order(index, at, indexes[length - 1]!, from[length - 1]!) >= 0;
    this.#lastIndex = index;
    indexes[length] = index;
    rows[length] = row;
    from[length] = at;
  }

  /** Those with an index below `until` are taken out. */
  take(until: number): DueRows {
    this.#sort();
    const { indexes, rows, from } = this.#columns;
    const origins = this.#origins;
    const length = this.#length;
    const isAll = length === 0 || indexes[length - 1]! < until;
    const count = isAll ? length : indexes.findIndex((index) => index >= until);
    if (isAll) {
      const taken = this.#columns;
      this.#columns = this.#spare;
      this.#spare = length <= keptLength ? taken : noColumns();
    } else this.#keep((column) => column.slice(count, length));
    this.#length = length - count;
    return { count, indexes, rows, inputOf: (at) => origins[from[at]!]!.input };
  }

  #keep(part: <Of>(column: readonly Of[]) => Of[]): void {
    const { indexes, rows, from } = this.#columns;
    this.#columns = { indexes: part(indexes), rows: part(rows), from: part(from) };
  }

  /** In order: index, input, origin and row of each. */
  *entries(): Generator<readonly [number, string, string, RuleInputRow]> {
    this.#sort();
    const { indexes, rows, from } = this.#columns;
    for (let at = 0; at < this.#length; at++) {
      const { input, origin } = this.#origins[from[at]!]!;
      yield [indexes[at]!, input, origin, rows[at]!];
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
    const { indexes, from } = this.#columns;
    const places = Array.from({ length: this.#length }, (_, at) => at).sort((a, b) =>
      this.#order(indexes[a]!, from[a]!, indexes[b]!, from[b]!),
    );
    this.#keep((column) => places.map((at) => column[at]!));
    this.#isSorted = true;
    this.#lastIndex = this.#columns.indexes.at(-1) ?? Number.NEGATIVE_INFINITY;
  }
}
