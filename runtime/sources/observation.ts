// Tracks what a source has stated about its stream, for all adapters.
//
// It remembers what may be missing, also where that is noticed before observation begins: `begin` never lies below it.
// Where the sink rejects a statement, observation counts as broken here too, so that the next report begins anew, with all
// values: one that was dropped may have been a change. All values are repeated, too, after a hole that the sink made by
// itself.
import type { Reading } from '../../wire/reading.ts';
import type { Continuation } from './continuation.ts';
import type { ReportFilter } from './report-filter.ts';
import type { SourceSink } from './source.ts';

export interface ObservationOptions {
  /** Which readings of a report are news. It starts over whenever observation does. */
  readonly filter?: ReportFilter | undefined;
}

export interface Report {
  /** Monotonic ms. */
  readonly now: number;
  readonly continues?: Continuation | undefined;
  /** The equipment's number of this sample. */
  readonly number?: number | undefined;
  /** Where the equipment's numbers order the stream, instead: position less number. It is kept also where nothing is taken. */
  readonly mark?: number | undefined;
}

export interface Loss {
  /** Readings below are all reported. Default: as far as was stated. */
  readonly at?: number;
  /** Nothing may be missing from here on. Default: unknown; observation begins with the next report. */
  readonly upTo?: number;
}

export class Observation {
  readonly #sink: SourceSink;
  readonly #filter: ReportFilter | undefined;
  /** How far observation reaches; undefined while it is broken. */
  #until: number | undefined;
  #begunAnew = 0;
  /** Where it began. */
  #from = Number.NEGATIVE_INFINITY;
  /** Observation may not begin below. */
  #lostTo = Number.NEGATIVE_INFINITY;

  constructor(sink: SourceSink, { filter }: ObservationOptions = {}) {
    this.#sink = sink;
    this.#filter = filter;
  }

  get isBroken(): boolean {
    return this.#until === undefined;
  }

  /** Observed since it began. */
  has(index: number): boolean {
    return this.#until !== undefined && index >= this.#from && index < this.#until;
  }

  /** How far was stated; undefined while broken. */
  get until(): number | undefined {
    return this.#until;
  }

  /**
   * All readings at `index`, and with them everything before: observation begins here if it was broken. Those that are
   * no news are left out.
   */
  report(index: number, readings: readonly Reading[], { now, continues, number, mark }: Report): void {
    if (this.#until === undefined && !this.#beginAt(index, continues, mark)) return;
    this.#heedHoles();
    const news = this.#filter?.pass(readings, now) ?? readings;
    if (news.length > 0 && !this.take(news)) return;
    this.observe(index + 1, mark ?? number);
  }

  /**
   * Observation begins at `at`, or right behind what may be missing. Returns where; undefined where the sink refuses:
   * there is no room, or it knows of a loss that the proof does not; then it may begin without one.
   * @param continues proves that it went on since it was broken
   * @param mark as in `SourceEvent`
   */
  begin(at: number, continues?: Continuation, mark?: number): number | undefined {
    const from = Math.max(at, this.#lostTo);
    this.#filter?.reset();
    const isTaken = this.#sink.emit({
      kind: 'resumed',
      at: from,
      ...(continues !== undefined && from === at && { continues }),
      ...(mark !== undefined && { mark }),
    });
    if (!isTaken) return undefined;
    this.#from = from;
    this.#until = from;
    return from;
  }

  /** Readings, in index order where the source is in order. False where they were not taken. */
  take(readings: readonly Reading[]): boolean {
    return this.#emit({ kind: 'readings', readings });
  }

  /** Readings that belong to nothing that is observed: also while observation is broken. False where they were not taken. */
  late(readings: readonly Reading[]): boolean {
    if (readings.length === 0 || this.#sink.emit({ kind: 'readings', readings, isLate: true })) return true;
    this.#until = undefined;
    return false;
  }

  /** Every reading below `until` has been given. False where that was not taken. */
  observe(until: number, number?: number): boolean {
    if (this.#until === undefined) return false;
    this.#until = Math.max(this.#until, until);
    return this.#emit({ kind: 'observed', until: this.#until, ...(number !== undefined && { number }) });
  }

  /** Says again how far observation reaches: the equipment answers, there is nothing new. */
  confirm(): void {
    if (this.#until !== undefined) this.observe(this.#until);
  }

  /** Nothing is to be reported before `until`: observation begins there if it was broken. */
  reach(until: number): void {
    if (this.#until !== undefined || this.begin(until) !== undefined) this.observe(until);
  }

  /** Something may be missing. */
  lose(reason: string, { at = this.#until, upTo = Number.NEGATIVE_INFINITY }: Loss = {}): void {
    this.#lostTo = Math.max(this.#lostTo, upTo);
    if (this.#until === undefined || at === undefined) return;
    this.#until = undefined;
    this.#sink.emit({ kind: 'broken', at: Math.max(this.#from, at), reason });
  }

  /** Values reported before lie on the other side of a hole: all are reported again. */
  #heedHoles(): void {
    const begunAnew = this.#sink.begunAnew?.() ?? 0;
    if (begunAnew !== this.#begunAnew) this.#filter?.reset();
    this.#begunAnew = begunAnew;
  }

  #beginAt(index: number, continues: Continuation | undefined, mark: number | undefined): boolean {
    if (continues !== undefined && this.begin(index, continues, mark) !== undefined) return true;
    return this.begin(index, undefined, mark) !== undefined;
  }

  #emit(event: Parameters<SourceSink['emit']>[0]): boolean {
    if (this.#until === undefined) return false;
    if (this.#sink.emit(event)) return true;
    this.#until = undefined;
    return false;
  }
}
