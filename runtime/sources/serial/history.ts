// Re-reads a range of the stream from the instrument's memory, by dumps of a page at a time.
//
// Why a page's window is true. A dump counts only when it was whole: it ended with its mark, and nothing in it was
// damaged. By number, every record between the oldest and the newest exists, so one that a whole dump does not have,
// asked for twice, is no longer held: it is declared expired. By time, silence between two records is what it
// seems, provided that the memory reaches back to before it: the instrument says so itself (`bounds`), or a record
// before the range proves it; what lies before the first record otherwise is declared expired, not empty. Nothing is
// said of what comes after the newest record that is known: it may still be made.
import type { Log } from '../../../kernel/log.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { Window } from '../../../wire/window.ts';
import { type HistoryPage, unprovenPage } from '../history-page.ts';
import type { SourceHistory } from '../source.ts';
import { type DumpResult, isTooLarge, stillDamaged } from './dump.ts';
import type { Bounds, HistoryOrder } from './history-order.ts';
import { toReadings } from './record-layout.ts';

export interface HistoryAccess {
  /** Takes turns with live polling. Prompt when the signal aborts. */
  dump(window: Window, signal: AbortSignal): Promise<DumpResult>;
  /** Undefined where the memory is empty. Absent: the instrument cannot be asked. */
  readonly bounds?: (signal: AbortSignal) => Promise<Bounds | undefined>;
}

export interface HistoryOptions {
  readonly order: () => HistoryOrder;
  readonly access: HistoryAccess;
  readonly log: Log;
}

/** A damaged dump is asked for again so often. */
const maxAttempts = 3;

export function createHistory(options: HistoryOptions): SourceHistory {
  return { read: (range, signal) => new HistoryRead(options, range, signal).pages() };
}

/** What one page of the memory holds, in order, each index once. */
interface Held {
  readonly found: ReadonlyMap<number, readonly Reading[]>;
  /** A record before the page was in the answer. */
  readonly isProven: boolean;
}

class HistoryRead {
  readonly #order: HistoryOrder;
  readonly #access: HistoryAccess;
  readonly #log: Log;
  readonly #end: number;
  readonly #signal: AbortSignal;
  #page: number;
  /** Everything before is answered. */
  #cursor: number;
  /** The newest record that this read has seen. */
  #newestSeen = Number.NEGATIVE_INFINITY;

  constructor({ order, access, log }: HistoryOptions, range: Window, signal: AbortSignal) {
    this.#order = order();
    this.#access = access;
    this.#log = log;
    this.#cursor = range.start;
    this.#end = range.end;
    this.#signal = signal;
    this.#page = this.#order.page;
  }

  async *pages(): AsyncGenerator<HistoryPage> {
    this.#signal.throwIfAborted();
    let bounds = await this.#access.bounds?.(this.#signal);
    while (this.#cursor < this.#end) {
      const oldest = Math.max(
        this.#order.oldestPossible(this.#newest(bounds)),
        bounds?.oldest ?? Number.NEGATIVE_INFINITY,
      );
      if (this.#cursor < oldest) {
        yield this.#expired(Math.min(oldest, this.#end));
        continue;
      }
      // More may have been made while we read.
      if (this.#cursor > (bounds?.newest ?? Number.POSITIVE_INFINITY))
        bounds = await this.#access.bounds?.(this.#signal);
      const newest = this.#newest(bounds);
      if (newest !== undefined && this.#cursor > newest) return;
      const before = this.#cursor;
      yield* this.#readPage({ start: before, end: Math.min(this.#end, before + this.#page) }, bounds);
      if (this.#cursor === before) return;
    }
  }

  #newest(bounds: Bounds | undefined): number | undefined {
    const known = [this.#order.newest, bounds?.newest].filter((each) => each !== undefined);
    const newest = Math.max(this.#newestSeen, ...known);
    return Number.isFinite(newest) ? newest : undefined;
  }

  #expired(end: number): HistoryPage {
    const window = { start: this.#cursor, end };
    this.#cursor = end;
    return unprovenPage.gone(window, 'history-expired');
  }

  *#answer(end: number, readings: readonly Reading[]): Generator<HistoryPage> {
    if (end <= this.#cursor) return;
    const window = { start: this.#cursor, end };
    this.#cursor = end;
    yield unprovenPage.complete(window, readings);
  }

  async *#readPage(window: Window, bounds: Bounds | undefined): AsyncGenerator<HistoryPage> {
    const held = await this.#ask(window);
    if (held === 'too-large') {
      this.#page = Math.max(1, Math.floor((window.end - window.start) / 2));
      yield* this.#readPage({ start: window.start, end: window.start + this.#page }, bounds);
      return;
    }
    if (this.#order.isDense) yield* this.#densePages(window, held, bounds);
    else yield* this.#sparsePages(window, held, bounds);
  }

  /** Every index up to the newest has a record, or has lost it. */
  async *#densePages(window: Window, first: Held, bounds: Bounds | undefined): AsyncGenerator<HistoryPage> {
    let found = first.found;
    const end = Math.min(window.end, (this.#newest(bounds) ?? window.start - 1) + 1);
    const isWhole = () => countIn(found, this.#cursor, end) === end - this.#cursor;
    if (!isWhole()) {
      // What is declared expired is lost for good: it is asked for once more.
      const again = await this.#ask(window);
      if (again !== 'too-large') found = new Map([...found, ...again.found]);
    }
    while (this.#cursor < end) {
      let to = this.#cursor;
      while (to < end && found.has(to)) to += 1;
      const readings = indexes(this.#cursor, to).flatMap((index) => found.get(index)!);
      yield* this.#answer(to, readings);
      while (to < end && !found.has(to)) to += 1;
      if (to > this.#cursor) yield this.#expired(to);
    }
  }

  *#sparsePages(
    window: Window,
    { found, isProven }: Held,
    bounds: Bounds | undefined,
  ): Generator<HistoryPage> {
    const times = [...found.keys()].sort((a, b) => a - b);
    const newest = this.#newest(bounds);
    const isBeyond = newest !== undefined && newest >= window.end;
    const [first] = times;
    if (!isProven && !bounds && first !== this.#cursor) {
      const to = first ?? (isBeyond ? window.end : this.#cursor);
      if (to > this.#cursor) yield this.#expired(to);
    }
    const last = times.at(-1);
    const end = isBeyond ? window.end : last === undefined ? this.#cursor : last + 1;
    yield* this.#answer(
      end,
      times.flatMap((time) => found.get(time)!),
    );
  }

  /** Until the answer is whole. @throws HoldfastError `serial-history-damaged`. */
  async #ask(window: Window): Promise<Held | 'too-large'> {
    const asked = { start: window.start - this.#order.overlap, end: window.end };
    for (let attempt = 1; ; attempt++) {
      try {
        const { records, damaged } = await this.#access.dump(asked, this.#signal);
        if (damaged === 0) return this.#sort(records, asked, window);
        this.#log.debug({ damaged, attempt }, 'a dump was damaged');
        if (attempt >= maxAttempts) throw stillDamaged(attempt);
      } catch (error) {
        if (isTooLarge(error) && window.end - window.start > 1) return 'too-large';
        throw error;
      }
    }
  }

  #sort(records: DumpResult['records'], asked: Window, window: Window): Held {
    const found = new Map<number, readonly Reading[]>();
    let isProven = false;
    for (const record of records) {
      const index = this.#order.indexOf(record, asked);
      if (index === undefined) continue;
      this.#newestSeen = Math.max(this.#newestSeen, index);
      if (index < window.start) isProven = true;
      // Live reading, too, knows only the first of several records with one time.
      else if (index < window.end && !found.has(index)) found.set(index, toReadings(record, index));
    }
    return { found, isProven };
  }
}

function countIn(found: ReadonlyMap<number, unknown>, start: number, end: number): number {
  let count = 0;
  for (let index = start; index < end; index++) if (found.has(index)) count += 1;
  return count;
}

function indexes(start: number, end: number): readonly number[] {
  return Array.from({ length: end - start }, (_, at) => start + at);
}
