// Re-reads a range of record numbers from a device's event log, in pages of whole requests. Where numbers are the index
// no clock takes part: the record at a position is known without a search, and a clock that was set back, or
// never set, changes nothing.
//
// Why a page is true. Positions have numbers only in the present round of the counter, and only while nothing speaks for a
// new one: otherwise the range is asked for again later. Each record is the one that was asked for by its own number, where
// it has one; and the log's pointers, read again after the records, say that none of them was overwritten meanwhile, and
// that the counter has not started anew. What lies before the oldest record then held is declared expired. A record
// that is held and yet shows another number, three times, is not to be had: it alone is declared lost.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Window } from '../../../wire/window.ts';
import type { RecordCounter } from '../codec/record-counter.ts';
import { CompletePage, GonePage, type HistoryPage } from '../history-page.ts';
import type { SourceHistory } from '../source.ts';
import type { HistoryOptions } from './history.ts';
import { requestsPerPage } from './log-scan.ts';
import { timeReading, toReading } from './poller.ts';
import { type LogRecord, RecordLog } from './record-log.ts';
import type { MappedHistory } from './register-map.ts';

export interface SequenceHistoryOptions extends HistoryOptions {
  /** The source's own: what live reading takes for the next position is what the log's newest record has. */
  readonly counter: () => RecordCounter;
}

export function createSequenceHistory(options: SequenceHistoryOptions): SourceHistory {
  const records = new RecordLog(options);
  return { read: (range, signal) => new SequenceRead(options, records, range, signal).pages() };
}

/** Positions of the records that the log holds, both included, and the number of the newest. */
interface Held {
  readonly oldest: number;
  readonly newest: number;
  readonly newestNumber: number;
}

/** Reads of a record that shows another number before it is declared lost. */
const maxTries = 3;
/** A sample may be seen before so many others have come into the log. */
const maxLag = 1;

class SequenceRead {
  readonly #map: MappedHistory;
  readonly #counter: () => RecordCounter;
  readonly #records: RecordLog;
  readonly #end: number;
  readonly #signal: AbortSignal;
  /** Everything before is answered. */
  #cursor: number;

  constructor(
    { map, counter }: SequenceHistoryOptions,
    records: RecordLog,
    range: Window,
    signal: AbortSignal,
  ) {
    this.#map = map;
    this.#counter = counter;
    this.#records = records;
    this.#cursor = range.start;
    this.#end = range.end;
    this.#signal = signal;
  }

  async *pages(): AsyncGenerator<HistoryPage> {
    let tries = 0;
    while (this.#cursor < this.#end) {
      this.#signal.throwIfAborted();
      const before = this.#cursor;
      const asked = await this.#held();
      if (this.#cursor > asked.newest) return;
      const slots = this.#cursor < asked.oldest ? [] : await this.#slots(asked);
      const held = slots.length === 0 ? asked : await this.#held();
      if (held.newest < asked.newest) throw this.#doubt();
      const gone = this.#gone(held);
      if (gone) yield gone;
      const page = this.#page(slots.slice(this.#cursor - before), held);
      if (page) yield page;
      tries = this.#cursor > before ? 0 : tries + 1;
      if (tries < maxTries) continue;
      yield this.#lost();
      tries = 0;
    }
  }

  async #held(): Promise<Held> {
    const { oldest, newest } = await this.#records.range(this.#signal);
    const counter = this.#counter();
    const { modulus } = this.#map.newest;
    const position = counter.positionOfNewest(((newest % modulus) + modulus) % modulus, maxLag);
    if (position === undefined) throw this.#doubt();
    // Before the present round lie records that were cleared.
    const first = Math.max(position - (newest - oldest), counter.roundStart);
    return { oldest: first, newest: position, newestNumber: newest };
  }

  #doubt(): HoldfastError {
    const message =
      'the record counter may have started anew, so nobody knows yet which record has which position';
    return new HoldfastError('modbus-history-doubtful', message, { retryable: true });
  }

  async #slots({ newest, newestNumber }: Held): Promise<readonly (LogRecord | undefined)[]> {
    const last = Math.min(newest, this.#end - 1);
    const limit = Math.min(this.#records.pageOf(requestsPerPage), last - this.#cursor + 1);
    return this.#records.slots(newestNumber - (newest - this.#cursor), limit, this.#signal);
  }

  /** The page that declares lost what lies before the oldest record. */
  #gone({ oldest }: Held): HistoryPage | undefined {
    if (this.#cursor >= oldest) return undefined;
    const window = { start: this.#cursor, end: Math.min(oldest, this.#end) };
    this.#cursor = window.end;
    return GonePage.of(window, { reason: 'history-expired', heldFrom: oldest });
  }

  /** The records from the cursor on, up to one that is not there. */
  #page(slots: readonly (LogRecord | undefined)[], held: Held): HistoryPage | undefined {
    const end = slots.indexOf(undefined);
    const records = (end < 0 ? slots : slots.slice(0, end)) as readonly LogRecord[];
    if (records.length === 0) return undefined;
    const window = { start: this.#cursor, end: this.#cursor + records.length };
    this.#cursor = window.end;
    const readings = records.flatMap((record, at) => this.#readings(record, window.start + at));
    return CompletePage.of(window, readings, {
      asked: window,
      ended: 'every-number',
      heldFrom: held.oldest,
      recordedTo: held.newest + 1,
    });
  }

  #lost(): HistoryPage {
    const window = { start: this.#cursor, end: this.#cursor + 1 };
    this.#cursor = window.end;
    const said = `the record in its place shows another number, ${maxTries} times, while it is said to be held`;
    return GonePage.of(window, { reason: 'no-history', said });
  }

  #readings({ bytes, timestamp }: LogRecord, index: number) {
    const { tags, timeTag } = this.#map.record;
    const readings = tags.map((tag) => toReading(tag, bytes, tag.address, index));
    if (timeTag !== undefined) readings.push(timeReading(timeTag, timestamp, index));
    return readings;
  }
}
