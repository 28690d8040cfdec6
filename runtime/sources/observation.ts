// What a session has stated about its stream so far, and the statements that follow from each poll.
import type { Reading } from '../../wire/reading.ts';
import type { SourceSink } from './source.ts';

export class Observation {
  readonly #sink: SourceSink;
  /** How far observation reaches; undefined while it is broken. */
  #until: number | undefined;

  constructor(sink: SourceSink) {
    this.#sink = sink;
  }

  get isBroken(): boolean {
    return this.#until === undefined;
  }

  /**
   * All readings at `index` that are worth reporting, perhaps none, and with them everything before: observation
   * resumes here if it was broken.
   */
  report(index: number, readings: readonly Reading[]): void {
    if (this.#until === undefined) this.#sink.emit({ kind: 'resumed', at: index });
    this.#until = index + 1;
    if (readings.length > 0) this.#sink.emit({ kind: 'readings', readings });
    this.#sink.emit({ kind: 'observed', until: this.#until });
  }

  /** Says again how far observation reaches: the equipment answers, there is nothing new. */
  confirm(): void {
    if (this.#until !== undefined) this.#sink.emit({ kind: 'observed', until: this.#until });
  }

  /** Nothing is to be reported before `until`: observation resumes there if it was broken. */
  reach(until: number): void {
    if (this.#until === undefined) this.#sink.emit({ kind: 'resumed', at: until });
    this.#until = Math.max(this.#until ?? until, until);
    this.#sink.emit({ kind: 'observed', until: this.#until });
  }

  breakOff(reason: string): void {
    if (this.#until === undefined) return;
    const at = this.#until;
    this.#until = undefined;
    this.#sink.emit({ kind: 'broken', at, reason });
  }
}
