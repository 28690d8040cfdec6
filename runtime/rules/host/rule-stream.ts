// The stream of one rule: its rows as readings, how far its inputs were observed, and what became of its actions.
//
// A row's columns are the tags of readings at its System.Timestamp; the n-th further row of one moment has `#n` behind its tags, in
// the order of the engine, which is the same at each repetition. A row that rests on what is not known names the inputs under the tag
// `lacking`. Outcomes of actions stand where the stream is when they come, each under a tag that names its action: `action#` and the
// action's id without the rule. A count would start over with each process, and give two outcomes of one place one name.
import type { Quality, Reading, Value } from '../../../wire/reading.ts';
import type { Continuation } from '../../sources/continuation.ts';
import type { SourceSink } from '../../sources/source.ts';
import type { RuleRow } from '../engine-api.ts';
import { ownTagProblem } from '../own-tags.ts';

export class RuleStream {
  readonly #sink: SourceSink;
  /** Observed to here; undefined while it is broken. */
  #until: number | undefined;
  /** Where the stream is, also while it is broken. */
  #position: number | undefined;
  /** Rows of the latest moment that had any. */
  readonly #used = { index: Number.NaN, rows: 0 };

  constructor(sink: SourceSink, position: number | undefined) {
    this.#sink = sink;
    this.#position = position;
  }

  get isObserving(): boolean {
    return this.#until !== undefined;
  }

  get position(): number | undefined {
    return this.#position;
  }

  resume(at: number, continues?: Continuation): void {
    const isTaken =
      this.#sink.emit({ kind: 'resumed', at, continues }) || this.#sink.emit({ kind: 'resumed', at });
    this.#until = isTaken ? at : undefined;
    this.#position = at;
  }

  /** False where there was no room: it is nowhere, and so nothing may follow from it. */
  row({ time, row }: RuleRow, quality: Quality, lacks: readonly string[] = []): boolean {
    if (this.#used.index !== time) Object.assign(this.#used, { index: time, rows: 0 });
    const count = this.#used.rows++;
    if (this.#until !== undefined) this.#position = time;
    const columns = Object.entries(row).map(([name, value]) => [freeName(name, row), value] as const);
    if (lacks.length > 0) columns.unshift(['lacking', lacks]);
    const readings = columns.map(
      ([name, value]): Reading => ({
        index: time,
        tag: count === 0 ? name : `${name}#${count}`,
        value,
        quality,
      }),
    );
    return this.#emit(readings);
  }

  /** What became of an action. `id`: its intent's. */
  outcome(id: string, value: Value): boolean {
    const index = this.#position;
    if (index === undefined) return false;
    const tag = `action#${id.slice(id.indexOf(';') + 1)}`;
    return this.#emit([{ index, tag, value, quality: 'good' }]);
  }

  observed(until: number): void {
    if (this.#until === undefined || until <= this.#until) return;
    this.#position = until;
    this.#until = this.#sink.emit({ kind: 'observed', until }) ? until : undefined;
  }

  break(reason: string): void {
    if (this.#until === undefined) return;
    this.#sink.emit({ kind: 'broken', at: this.#until, reason });
    this.#until = undefined;
  }

  #emit(readings: readonly Reading[]): boolean {
    if (readings.length === 0) return true;
    // What stands in a hole goes up by itself, and claims nothing around it.
    if (this.#until === undefined) return this.#sink.emit({ kind: 'readings', readings, isLate: true });
    const isTaken = this.#sink.emit({ kind: 'readings', readings });
    if (!isTaken) this.#until = undefined;
    return isTaken;
  }
}

/** What `*` takes over may be named as what the stream has for itself. */
function freeName(name: string, row: RuleRow['row']): string {
  let free = name;
  while (ownTagProblem(free) !== undefined || (free !== name && Object.hasOwn(row, free))) free = `_${free}_`;
  return free;
}
