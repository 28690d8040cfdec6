// Re-reads a range of time from a device's event log, in pages of whole requests.
//
// Why a page's window is true. Records are numbered without gaps, so between the first record at or after the
// window's start, found by search, and the last one read, none is left out; each is proven to be the one asked
// for. The window ends at the end of the range if a record beyond it was seen, else right after the last
// record: later ones may still be written. What lies before the oldest record held is declared expired, not
// empty: nobody can tell what was there.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { Window } from '../../../wire/window.ts';
import type { HistoryPage, SourceHistory } from '../source.ts';
import { toReading } from './poller.ts';
import { type LogRange, type LogRecord, RecordLog, type Turn } from './record-log.ts';
import type { MappedHistory } from './register-map.ts';

export interface HistoryOptions {
  readonly map: MappedHistory;
  readonly unit: number;
  readonly maxRegisters: number;
  /** Takes a turn at the connection, for one request at a time. */
  readonly turn: Turn;
  readonly log: Log;
}

export const requestsPerPage = 16;
/** A log that is overwritten faster than it can be read is not read to its end by trying for ever. */
export const maxStalls = 5;

export function createHistory(options: HistoryOptions): SourceHistory {
  const { map, log } = options;
  const records = new RecordLog(options);
  return { read: (range, signal) => new HistoryRead(map, records, range, signal, log).pages() };
}

/** `overwritten`: the log moved on under us; start again from where the pages end. */
type Step = 'done' | 'overwritten';

class HistoryRead {
  readonly #map: MappedHistory;
  readonly #records: RecordLog;
  readonly #end: number;
  readonly #signal: AbortSignal;
  readonly #log: Log;
  /** Everything before is answered. */
  #cursor: number;

  constructor(map: MappedHistory, records: RecordLog, range: Window, signal: AbortSignal, log: Log) {
    this.#map = map;
    this.#records = records;
    this.#cursor = range.start;
    this.#end = range.end;
    this.#signal = signal;
    this.#log = log;
  }

  async *pages(): AsyncGenerator<HistoryPage> {
    for (let stalls = 0; this.#cursor < this.#end; ) {
      const before = this.#cursor;
      const step = yield* this.#attempt(stalls);
      if (step === 'done') return;
      stalls = this.#cursor > before ? 0 : stalls + 1;
      this.#log.debug({ stalls }, 'the event log was overwritten while it was read');
      if (stalls >= maxStalls) {
        const message = 'the event log is overwritten faster than it can be read';
        throw new HoldfastError('modbus-history-unstable', message, { retryable: true });
      }
    }
  }

  async *#attempt(stalls: number): AsyncGenerator<HistoryPage, Step> {
    const log = keepAway(await this.#records.range(this.#signal), stalls);
    if (log.newest < log.oldest) return 'done';
    const oldestTime = await this.#records.timestamp(log.oldest, this.#signal);
    if (oldestTime === undefined) return 'overwritten';
    if (this.#cursor < oldestTime && log.oldest !== this.#map.config.firstRecord) {
      const window = { start: this.#cursor, end: Math.min(oldestTime, this.#end) };
      this.#cursor = window.end;
      yield { kind: 'unavailable', window, reason: 'history-expired' };
    }
    if (this.#cursor >= this.#end) return 'done';
    const newestTime = await this.#records.timestamp(log.newest, this.#signal);
    if (newestTime === undefined) return 'overwritten';
    if (this.#cursor > newestTime) return 'done';
    const first = await this.#firstFrom(log, this.#cursor);
    return first === undefined ? 'overwritten' : yield* this.#readFrom(first, log);
  }

  /** Number of the first record at or after `time`, which the newest is; undefined when overwritten. */
  async #firstFrom(log: LogRange, time: number): Promise<number | undefined> {
    let low = log.oldest;
    let high = log.newest;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const timestamp = await this.#records.timestamp(middle, this.#signal);
      if (timestamp === undefined) return undefined;
      if (timestamp < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  async *#readFrom(first: number, range: LogRange): AsyncGenerator<HistoryPage, Step> {
    let log = range;
    let next = first;
    const pageRecords = this.#records.pageOf(requestsPerPage);
    while (next <= log.newest) {
      const limit = Math.min(pageRecords, log.newest - next + 1);
      const records = await this.#records.records(next, limit, this.#signal);
      if (!records) return 'overwritten';
      next += records.length;
      const page = this.#page(records);
      if (page) yield page;
      if (this.#cursor >= this.#end) return 'done';
      // Only once the end is reached: more may have been written meanwhile.
      if (next > log.newest) log = await this.#records.range(this.#signal);
    }
    return 'done';
  }

  /** Moves the cursor past what `records` answer. Undefined where they answer nothing new. */
  #page(records: readonly LogRecord[]): HistoryPage | undefined {
    const readings: Reading[] = [];
    const start = this.#cursor;
    for (const { number, timestamp, bytes } of records) {
      if (timestamp === undefined) {
        this.#log.warn({ number }, 'a record of the event log shows no valid time: left out');
        continue;
      }
      // Live reading, too, knows only the first of several samples with one timestamp.
      if (timestamp < this.#cursor) continue;
      if (timestamp >= this.#end) {
        this.#cursor = this.#end;
        break;
      }
      for (const tag of this.#map.record.tags) readings.push(toReading(tag, bytes, tag.address, timestamp));
      this.#cursor = timestamp + 1;
    }
    if (this.#cursor === start) return undefined;
    return { kind: 'readings', window: { start, end: this.#cursor }, readings };
  }
}

/** Oldest records left out after the first stall, as a part of the log; twice as many after each further one. */
const firstMargin = 1 / 64;

/**
 * Where the log was overwritten under us, its oldest records will be gone before we get to them: they are given
 * up at once rather than chased.
 */
export function keepAway(log: LogRange, stalls: number): LogRange {
  if (stalls === 0 || log.newest < log.oldest) return log;
  const margin = Math.ceil((log.newest - log.oldest) * firstMargin * 2 ** (stalls - 1));
  return { oldest: log.oldest + margin, newest: log.newest };
}
