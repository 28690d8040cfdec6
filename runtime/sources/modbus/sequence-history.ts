// Re-reads a range of record numbers from a device's event log, in pages of whole requests. Where numbers are the index
// no clock takes part: the record at a position is known without a search, and a clock that was set back, or
// never set, changes nothing.
//
// Why a page's window is true: each record is proven to be the one that was asked for (record-log.ts), and records are
// numbered without gaps. What lies before the oldest record that the device holds is declared expired.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Window } from '../../../wire/window.ts';
import { type HistoryPage, unprovenPage } from '../history-page.ts';
import type { RecordCounter } from '../serial/record-counter.ts';
import type { SourceHistory } from '../source.ts';
import { type HistoryOptions, keepAway, maxStalls, requestsPerPage } from './history.ts';
import { timeReading, toReading } from './poller.ts';
import { type LogRange, type LogRecord, RecordLog } from './record-log.ts';
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
  readonly isFromStart: boolean;
}

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
    for (let stalls = 0; this.#cursor < this.#end; ) {
      this.#signal.throwIfAborted();
      const held = this.#place(keepAway(await this.#records.range(this.#signal), stalls));
      const before = this.#cursor;
      const gone = this.#gone(held);
      if (gone) yield gone;
      else if (this.#cursor > held.newest) return;
      else yield* this.#page(held);
      stalls = this.#cursor > before ? 0 : stalls + 1;
      if (stalls >= maxStalls) {
        const message = 'the event log is overwritten faster than it can be read';
        throw new HoldfastError('modbus-history-unstable', message, { retryable: true });
      }
    }
  }

  #place({ oldest, newest }: LogRange): Held {
    const position = this.#counter().positionNear(newest);
    const { firstRecord } = this.#map.config;
    const isFromStart = firstRecord !== undefined && oldest <= firstRecord;
    return { oldest: position - (newest - oldest), newest: position, newestNumber: newest, isFromStart };
  }

  /** What lies before the oldest record: nothing ever, where the log still has its first one. */
  #gone({ oldest, isFromStart }: Held): HistoryPage | undefined {
    if (this.#cursor >= oldest) return undefined;
    const window = { start: this.#cursor, end: Math.min(oldest, this.#end) };
    this.#cursor = window.end;
    // Numbers before those of this cycle belong to records that were cleared.
    return isFromStart && window.start >= oldest - (this.#map.config.firstRecord ?? 0)
      ? unprovenPage.complete(window, [])
      : unprovenPage.gone(window, 'history-expired');
  }

  async *#page({ newest, newestNumber }: Held): AsyncGenerator<HistoryPage> {
    const start = this.#cursor;
    const first = newestNumber - (newest - start);
    const last = Math.min(newest, this.#end - 1);
    const limit = Math.min(this.#records.pageOf(requestsPerPage), last - start + 1);
    const records = await this.#records.records(first, limit, this.#signal);
    if (!records) return;
    this.#cursor = start + records.length;
    const readings = records.flatMap((record, at) => this.#readings(record, start + at));
    yield unprovenPage.complete({ start, end: this.#cursor }, readings);
  }

  #readings({ bytes, timestamp }: LogRecord, index: number) {
    const { tags, timeTag } = this.#map.record;
    const readings = tags.map((tag) => toReading(tag, bytes, tag.address, index));
    if (timeTag !== undefined) readings.push(timeReading(timeTag, timestamp, index));
    return readings;
  }
}
