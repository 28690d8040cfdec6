// Re-reads a range of record numbers from the instrument's memory, by dumps of a page at a time.
//
// Why a page is true. Positions of one round are records, one each, so a page is complete where each has come: no end of
// a dump, no mark and no silence, takes part in that. That the numbers are still those of the same records is proven
// after the dump: by the bounds that the instrument tells, or by the newest record that was seen, which it still holds.
//
// What lies before the oldest record that it holds, as it says then, is gone. So is what the memory cannot hold any
// more, by its capacity. A record that should be held and does not come is asked for by itself, four times more, and is
// gone when each of those dumps shows that it is left out: it has ended with its mark, or went on with a later record.
// Anything else proves nothing: it is asked for again later.
import type { Log } from '../../../kernel/log.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { Window } from '../../../wire/window.ts';
import type { RecordCounter } from '../codec/record-counter.ts';
import { CompletePage, GonePage, type HistoryPage } from '../history-page.ts';
import type { SourceHistory } from '../source.ts';
import type { HistoryConfig } from './config.ts';
import { type MemoryAccess, type WholeDump, wholeDump } from './memory-access.ts';
import { type HeldNumbers, heldNumbers } from './number-memory.ts';
import { type DecodedRecord, toReadings } from './record-layout.ts';
import { unproven } from './serial-errors.ts';

export interface NumberHistoryOptions {
  readonly access: MemoryAccess;
  readonly counter: () => RecordCounter;
  /** The number of values of the counter. */
  readonly span: number;
  readonly history: Pick<HistoryConfig, 'capacity' | 'pageRecords'>;
  readonly log: Log;
}

/** Dumps that a record has to be missing in, beside the first one, before it is declared gone. */
const confirmations = 4;

/** As much is asked for at once where nothing comes. */
const maxPageRecords = 100_000;

interface Confirmed {
  readonly held: HeldNumbers;
  readonly isLeftOut: boolean;
}

export function numberHistory(options: NumberHistoryOptions): SourceHistory {
  return { read: (range, signal) => new NumberRead(options, range, signal).pages() };
}

class NumberRead {
  readonly #options: NumberHistoryOptions;
  readonly #counter: RecordCounter;
  readonly #mark: number;
  readonly #end: number;
  readonly #signal: AbortSignal;
  #pageRecords: number;
  /** Everything before is answered. */
  #cursor: number;
  /** Of the page that is being read. */
  #found = new Map<number, readonly Reading[]>();

  constructor(options: NumberHistoryOptions, range: Window, signal: AbortSignal) {
    this.#options = options;
    this.#counter = options.counter();
    this.#mark = this.#counter.mark;
    this.#cursor = range.start;
    this.#end = range.end;
    this.#signal = signal;
    this.#pageRecords = Math.min(options.history.pageRecords, options.span);
  }

  async *pages(): AsyncGenerator<HistoryPage> {
    while (this.#cursor < this.#end) {
      this.#signal.throwIfAborted();
      const held = await this.#held();
      if (!held) return;
      const gone = this.#gone(held, this.#end);
      if (gone) {
        yield gone;
        continue;
      }
      const { roundStart } = this.#counter;
      if (this.#cursor < roundStart)
        throw unproven(
          `${this.#cursor} was recorded before the record counter started anew, and nothing says that the memory holds no such records any more (history.bounds, history.capacity)`,
        );
      // The rest may still be made.
      if (this.#cursor > held.newest) return;
      const end = Math.min(this.#end, this.#cursor + this.#pageRecords, held.newest + 1);
      yield* this.#page({ start: this.#cursor, end });
    }
  }

  async *#page(window: Window): AsyncGenerator<HistoryPage> {
    this.#found = new Map();
    const dump = await this.#dump(window);
    if (dump === 'too-large') {
      this.#pageRecords = Math.max(1, Math.floor((window.end - window.start) / 2));
      return;
    }
    let held = await this.#heldNow();
    while (this.#cursor < window.end) {
      const to = this.#next(window.end, (index) => !this.#found.has(index));
      if (to > this.#cursor) yield this.#complete(to, dump.asked);
      if (this.#cursor >= window.end) return;
      const missing = this.#next(window.end, (index) => this.#found.has(index));
      const gone = this.#gone(held, missing);
      if (gone) yield gone;
      else {
        const isWholePage = missing - this.#cursor >= this.#pageRecords;
        const confirmed = await this.#confirmMissing({ start: this.#cursor, end: missing }, held);
        held = confirmed.held;
        if (!confirmed.isLeftOut) continue;
        yield this.#left(missing);
        // More of it is likely to be gone.
        if (isWholePage)
          this.#pageRecords = Math.min(2 * this.#pageRecords, maxPageRecords, this.#options.span);
      }
    }
  }

  /**
   * Asks again for what did not come, until it does or has not often enough.
   * @throws HoldfastError `serial-history-unproven` where a dump does not show that it is left out.
   */
  async #confirmMissing(missing: Window, before: HeldNumbers): Promise<Confirmed> {
    let held = before;
    for (let asked = 0; asked < confirmations; asked++) {
      // With the record behind it: that it comes shows that nothing more does before it.
      const end = Math.min(missing.end + 1, held.newest + 1);
      const dump = await this.#dump({ start: missing.start, end });
      if (dump === 'too-large') throw unproven('a few records are too large for one dump (history.maxBytes)');
      held = await this.#heldNow();
      const hasCome = this.#next(missing.end, (index) => this.#found.has(index)) < missing.end;
      if (hasCome || (held.oldest ?? missing.start) > missing.start) return { held, isLeftOut: false };
      const isBehind = dump.records.some((record) => this.#positionOf(record, dump.asked) === missing.end);
      if (dump.end === 'silence' && !isBehind)
        throw unproven(
          `${missing.start} to ${missing.end - 1} did not come, and only silence ended the dump`,
        );
    }
    return { held, isLeftOut: true };
  }

  /** All up to `end` have been asked for often enough, and are left out of what the memory holds. */
  #left(end: number): HistoryPage {
    const window = { start: this.#cursor, end };
    this.#cursor = end;
    return GonePage.of(window, { reason: 'history-expired', heldFrom: end });
  }

  #gone({ oldest }: HeldNumbers, limit: number): HistoryPage | undefined {
    if (oldest === undefined || this.#cursor >= oldest) return undefined;
    const window = { start: this.#cursor, end: Math.min(oldest, limit) };
    this.#cursor = window.end;
    return GonePage.of(window, { reason: 'history-expired', heldFrom: oldest });
  }

  #complete(end: number, asked: Window): HistoryPage {
    const window = { start: this.#cursor, end };
    this.#cursor = end;
    const indexes = Array.from({ length: end - window.start }, (_, at) => window.start + at);
    const readings = indexes.flatMap((index) => this.#found.get(index)!);
    const evidence = { asked, ended: 'every-number', heldFrom: window.start, recordedTo: end } as const;
    return CompletePage.of(window, readings, evidence);
  }

  /** The first position from the cursor on for which `isOver` holds. */
  #next(limit: number, isOver: (index: number) => boolean): number {
    let at = this.#cursor;
    while (at < limit && !isOver(at)) at += 1;
    return at;
  }

  async #dump(window: Window): Promise<WholeDump | 'too-large'> {
    this.#requireRound();
    const dump = await wholeDump({ ...this.#options, signal: this.#signal }, window, (records) =>
      this.#isInOrder(records, window),
    );
    if (dump === 'too-large') return dump;
    this.#requireRound();
    for (const record of dump.records) {
      const index = this.#positionOf(record, window);
      if (index !== undefined) this.#found.set(index, toReadings(record, index));
    }
    return dump;
  }

  #positionOf({ number }: DecodedRecord, { start, end }: Window): number | undefined {
    const position = this.#counter.positionFrom(start, number!);
    return position < end ? position : undefined;
  }

  /** One after the other, oldest or newest first: others are not of one dump. */
  #isInOrder(records: readonly DecodedRecord[], window: Window): boolean {
    const positions = records.flatMap((record) => this.#positionOf(record, window) ?? []);
    const isSorted = (sign: 1 | -1) =>
      positions.every((position, at) => at === 0 || sign * (position - positions[at - 1]!) > 0);
    return isSorted(1) || isSorted(-1);
  }

  /** What the memory holds; undefined where nothing is known of it yet. */
  async #held(): Promise<HeldNumbers | undefined> {
    const { access, span } = this.#options;
    this.#requireRound();
    const { position } = this.#counter;
    if (access.bounds) {
      const said = await access.bounds(this.#signal);
      this.#requireRound();
      // Live records may have come meanwhile, which it did not hold when it was asked.
      const since = this.#counter.position! - (position ?? this.#counter.position!);
      return this.#withCapacity(heldNumbers(this.#counter, span, said, since));
    }
    return position === undefined ? undefined : this.#withCapacity({ oldest: undefined, newest: position });
  }

  /** After a dump: the numbers are still those of the same records. */
  async #heldNow(): Promise<HeldNumbers> {
    const { access } = this.#options;
    if (!access.bounds) await this.#requireNewest();
    const held = await this.#held();
    if (!held) throw unproven('no record was seen yet');
    return held;
  }

  /** Without bounds, the newest record that was seen live shows that the counter did not start anew. */
  async #requireNewest(): Promise<void> {
    const newest = this.#counter.position!;
    if (this.#found.has(newest)) return;
    const start = Math.max(this.#counter.roundStart, newest - 1);
    const dump = await wholeDump({ ...this.#options, signal: this.#signal }, { start, end: newest + 1 });
    this.#requireRound();
    const isThere =
      dump !== 'too-large' &&
      dump.records.some((record) => this.#positionOf(record, { start, end: newest + 1 }) !== undefined);
    if (!isThere)
      throw unproven(
        `it has no record ${this.#counter.numberAt(newest)}, which was seen: its counter may have started anew`,
      );
  }

  #requireRound(): void {
    if (this.#counter.mark !== this.#mark || this.#counter.isDoubtful)
      throw unproven('the record counter started anew, or may have, while the memory was read');
  }

  /** What it cannot hold any more, since so many records were made after it. */
  #withCapacity({ oldest, newest }: HeldNumbers): HeldNumbers {
    const { capacity } = this.#options.history;
    if (capacity === undefined) return { oldest, newest };
    const from = newest - capacity + 1;
    const { roundStart, countedFrom } = this.#counter;
    // Beyond a leap of the counter, or a reset, nobody knows how many were made.
    if (from < Math.max(roundStart, countedFrom)) return { oldest, newest };
    return { oldest: Math.max(oldest ?? from, from), newest };
  }
}
