// What of a rule's time was decided and told already: no moment is decided a second time. Pure.
//
// Usually all below one position. But a clock that jumps ahead and is put right again comes by the hours in between, and by what was
// told beyond them: those ranges are kept until they are passed. What lies within a jump was not lived through, so there only
// the moments that have a row count as told.
import { covers, normalise, union } from '../../../wire/coverage.ts';
import type { Window } from '../../../wire/window.ts';

/** As noted with a commit: a position, or with it the ranges that were told before the clock was set back. */
export type ToldNote = number | { readonly to: number | null; readonly passed: readonly Window[] };

/** More are joined: what lies between is then never decided, and a hole. */
const maxRanges = 64;

export class Told {
  #to: number | undefined;
  #passed: readonly Window[];
  #course: readonly Window[] = [];

  constructor(note?: unknown) {
    const { to, passed } = readNote(note);
    this.#to = to;
    this.#passed = passed;
  }

  /** All below was told, but for what the clock has yet to come by. */
  get to(): number | undefined {
    return this.#to;
  }

  /** The clock was set back, and what was told then is not passed yet. */
  get wasSetBack(): boolean {
    return this.#passed.length > 0;
  }

  has(time: number): boolean {
    if (time < (this.#to ?? Number.NEGATIVE_INFINITY)) return true;
    return this.#passed.length > 0 && covers(this.#passed, { start: time, end: time + 1 });
  }

  /** All of `[start, until)` is decided. `isLived`: it was, at least in part, seen. */
  decided(start: number, until: number, isLived: boolean): void {
    if (until <= (this.#to ?? Number.NEGATIVE_INFINITY)) return;
    this.#to = until;
    if (isLived) this.#add({ start, end: until });
    if (until >= (this.#passed.at(-1)?.end ?? Number.POSITIVE_INFINITY)) this.#passed = [];
  }

  row(time: number): void {
    this.#add({ start: time, end: time + 1 });
  }

  setBack(): void {
    this.#passed = joined(union(this.#passed, this.#course));
    this.#course = [];
    this.#to = undefined;
  }

  note(): ToldNote | undefined {
    if (!this.wasSetBack) return this.#to;
    return { to: this.#to ?? null, passed: this.#passed };
  }

  #add({ start, end }: Window): void {
    if (end <= start) return;
    const last = this.#course.at(-1);
    if (last !== undefined && start >= last.start && start <= last.end)
      this.#course = [...this.#course.slice(0, -1), { start: last.start, end: Math.max(last.end, end) }];
    else this.#course = joined(normalise([...this.#course, { start, end }]));
  }
}

function joined(ranges: readonly Window[]): readonly Window[] {
  if (ranges.length <= maxRanges) return ranges;
  const over = ranges.length - maxRanges;
  return [{ start: ranges[0]!.start, end: ranges[over]!.end }, ...ranges.slice(over + 1)];
}

function readNote(note: unknown): { readonly to: number | undefined; readonly passed: readonly Window[] } {
  if (typeof note === 'number') return { to: note, passed: [] };
  const { to, passed } = (note ?? {}) as { readonly to?: unknown; readonly passed?: unknown };
  const isRange = (each: Partial<Window> | null) =>
    Number.isSafeInteger(each?.start) && Number.isSafeInteger(each?.end);
  return {
    to: typeof to === 'number' ? to : undefined,
    passed: Array.isArray(passed) ? normalise(passed.filter(isRange)) : [],
  };
}
