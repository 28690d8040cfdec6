// What was made, and passed again by a clock that was set back, while a disk lived that was put back to before: nobody knows any
// more what was seen then, or that the clock was set.
import type { Made } from './records.ts';

interface Span {
  readonly from: number;
  readonly to: number;
}

export class Undone<M extends Made> {
  readonly #records: { readonly all: readonly M[] };
  readonly #timeOf: (made: M) => number;
  /** In true time. */
  readonly #spans: Span[] = [];

  constructor(records: { readonly all: readonly M[] }, timeOf: (made: M) => number) {
    this.#records = records;
    this.#timeOf = timeOf;
  }

  rollBack(from: number, to: number): void {
    this.#spans.push({ from, to });
  }

  /** When the disk was put back that knew of it, in true time; undefined where none was, or its time was not passed again. */
  until(made: M): number | undefined {
    return this.#spans.findLast((span) => {
      return made.at > span.from && made.at <= span.to && this.#isPassedAgain(made, span);
    })?.to;
  }

  #isPassedAgain(made: M, { to }: Span): boolean {
    const time = this.#timeOf(made);
    return this.#records.all.some(({ id, at }, index, all) => {
      return id > made.id && at <= to && this.#timeOf(all[index]!) <= time;
    });
  }
}
