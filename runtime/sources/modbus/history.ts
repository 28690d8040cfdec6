// Re-reads a range of time from a device's event log, in pages of whole requests.
//
// Why a page's window is true. Records are numbered without gaps, so between the first record at or after the
// window's start, found by search, and the last one read, none is left out; each is proven to be the one asked
// for. The window ends at the end of the range if a record beyond it was seen, else right after the last
// record: later ones may still be written. What lies before the oldest record held is declared expired, not
// empty: nobody can tell what was there. Where the clock was set back, times do not grow with the numbers: the log is
// then read as several that do (clock-runs.ts), side by side.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { Window } from '../../../wire/window.ts';
import { type HistoryPage, unprovenPage } from '../history-page.ts';
import type { SourceHistory } from '../source.ts';
import { ClockRuns } from './clock-runs.ts';
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
  const records = new RecordLog(options);
  const clock = new ClockRuns();
  return { read: (range, signal) => new HistoryRead(options, records, clock, range, signal).pages() };
}

/** Start again from where the pages end. `overwritten`: the log moved on; `stepped`: a step of its clock was found. */
type Step = 'done' | 'overwritten' | 'stepped';

class HistoryRead {
  readonly #map: MappedHistory;
  readonly #records: RecordLog;
  readonly #clock: ClockRuns;
  readonly #end: number;
  readonly #signal: AbortSignal;
  readonly #log: Log;
  /** Everything before is answered. */
  #cursor: number;

  constructor(
    { map, log }: HistoryOptions,
    records: RecordLog,
    clock: ClockRuns,
    range: Window,
    signal: AbortSignal,
  ) {
    this.#map = map;
    this.#records = records;
    this.#clock = clock;
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
      // Each is found once, and there are few: this ends.
      if (step === 'stepped') continue;
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
    const runs = await this.#clock.of(log, (number) => this.#timeOf(number, log));
    if (!runs) return 'overwritten';
    const oldestTimes = await this.#timesOf(
      runs.map(({ oldest }) => oldest),
      log,
    );
    if (!oldestTimes) return 'overwritten';
    const oldestTime = Math.min(...oldestTimes);
    // Never empty: a memory that was cleared looks like one that is new.
    if (this.#cursor < oldestTime) {
      const window = { start: this.#cursor, end: Math.min(oldestTime, this.#end) };
      this.#cursor = window.end;
      yield unprovenPage.gone(window, 'history-expired');
    }
    if (this.#cursor >= this.#end) return 'done';
    // An older run was partly overwritten: below what is left of it some is held and some is gone, so it can neither be given
    // as all, nor be called gone.
    const isWhole = log.oldest === this.#map.config.firstRecord;
    if (!isWhole && this.#cursor < oldestTimes[0]!) return 'done';
    if (runs.length > 1) return yield* this.#mergeRuns(log, runs);
    const newestTime = await this.#timeOf(log.newest, log);
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
      const timestamp = await this.#timeOf(middle, log);
      if (timestamp === undefined) return undefined;
      if (timestamp < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Of the record, or of the nearest one that shows a valid time. Undefined where it was overwritten. */
  async #timeOf(number: number, { oldest, newest }: LogRange): Promise<number | undefined> {
    for (let away = 0; away <= maxTimeless; away++) {
      for (const near of away === 0 ? [number] : [number + away, number - away]) {
        if (near < oldest || near > newest) continue;
        const time = await this.#records.timestamp(near, this.#signal);
        if (time !== null) return time;
      }
    }
    const message = `${2 * maxTimeless + 1} records of the event log around ${number} show no valid time: was its clock ever set, and is history.timestamp right?`;
    throw new HoldfastError('modbus-history-invalid', message, { retryable: true });
  }

  async #timesOf(numbers: readonly number[], log: LogRange): Promise<readonly number[] | undefined> {
    const times: number[] = [];
    for (const number of numbers) {
      const time = await this.#timeOf(number, log);
      if (time === undefined) return undefined;
      times.push(time);
    }
    return times;
  }

  /**
   * The clock was set back: the same times stand in several runs, and a page has the records of all. Its window ends
   * where the first of them was not read any further.
   */
  async *#mergeRuns(log: LogRange, runs: readonly LogRange[]): AsyncGenerator<HistoryPage, Step> {
    const readers: RunReader[] = [];
    for (const run of runs) {
      const last = await this.#timeOf(run.newest, run);
      const found = await this.#firstFrom(run, this.#cursor);
      if (last === undefined || found === undefined) return 'overwritten';
      const next = last < this.#cursor ? run.newest + 1 : found;
      readers.push({ ...run, next, isNewest: run.newest === log.newest, read: [], until: this.#cursor });
    }
    const share = Math.max(1, Math.floor(this.#records.pageOf(requestsPerPage) / runs.length));
    while (this.#cursor < this.#end) {
      for (const reader of readers) {
        const step = await this.#readOn(reader, share);
        if (step !== 'done') return step;
      }
      const start = this.#cursor;
      const end = Math.min(this.#end, ...readers.map(({ until }) => until));
      // The newest run has nothing later yet: what the older ones hold beyond it cannot be stated as all.
      if (end <= start) return 'done';
      const taken = readers.flatMap(({ read }) => read.filter(({ time }) => time >= start && time < end));
      for (const reader of readers) reader.read = reader.read.filter(({ time }) => time >= end);
      this.#cursor = end;
      const records = taken.toSorted((a, b) => a.time - b.time);
      const readings = records.flatMap(({ record, time }) => this.#readingsOf(record, time));
      yield unprovenPage.complete({ start, end }, readings);
    }
    return 'done';
  }

  /** Reads until something at or after the cursor is there, and tells up to where nothing of this run is missing. */
  async #readOn(reader: RunReader, share: number): Promise<Step> {
    while (reader.until <= this.#cursor && reader.next <= reader.newest) {
      const limit = Math.min(share, reader.newest - reader.next + 1);
      const records = await this.#records.records(reader.next, limit, this.#signal);
      if (!records) return 'overwritten';
      reader.next += records.length;
      for (const record of records) {
        const time = record.timestamp;
        if (time === undefined) continue;
        if (time + 1 < reader.until) {
          this.#clock.note(record.number);
          return 'stepped';
        }
        if (time + 1 >= reader.until) reader.read.push({ time, record });
        reader.until = Math.max(reader.until, time + 1);
      }
    }
    if (reader.next > reader.newest && !reader.isNewest) reader.until = Number.POSITIVE_INFINITY;
    return 'done';
  }

  #readingsOf({ bytes }: LogRecord, time: number): readonly Reading[] {
    return this.#map.record.tags.map((tag) => toReading(tag, bytes, tag.address, time));
  }

  async *#readFrom(first: number, range: LogRange): AsyncGenerator<HistoryPage, Step> {
    let log = range;
    let next = first;
    let previous: number | undefined;
    const pageRecords = this.#records.pageOf(requestsPerPage);
    while (next <= log.newest) {
      const limit = Math.min(pageRecords, log.newest - next + 1);
      const records = await this.#records.records(next, limit, this.#signal);
      if (!records) return 'overwritten';
      next += records.length;
      const step = stepIn(records, previous);
      const page = this.#page(step === undefined ? records : records.slice(0, step));
      if (page) yield page;
      if (step !== undefined) {
        this.#onStep(records[step]!);
        return 'stepped';
      }
      previous = records.findLast(({ timestamp }) => timestamp !== undefined)?.timestamp ?? previous;
      if (this.#cursor >= this.#end) return 'done';
      // Only once the end is reached: more may have been written meanwhile.
      if (next > log.newest) log = await this.#records.range(this.#signal);
    }
    return 'done';
  }

  /** From here on the log's times are known to stand in it twice. What was answered before cannot be taken back. */
  #onStep({ number, timestamp = 0 }: LogRecord): void {
    this.#clock.note(number);
    this.#log.warn(
      { number, backMs: this.#cursor - timestamp },
      'the clock of the equipment was set back within its event log: records with times that were answered already are left out',
    );
  }

  /** Moves the cursor past what `records` answer. Undefined where they answer nothing new. */
  #page(records: readonly LogRecord[]): HistoryPage | undefined {
    const readings: Reading[] = [];
    const start = this.#cursor;
    for (const record of records) {
      const { number, timestamp } = record;
      if (timestamp === undefined) {
        this.#log.warn({ number }, 'a record of the event log shows no valid time: left out');
        continue;
      }
      // Several may have one time.
      const isAgain = readings.length > 0 && timestamp === this.#cursor - 1;
      if (timestamp < this.#cursor && !isAgain) continue;
      if (timestamp >= this.#end) {
        this.#cursor = this.#end;
        break;
      }
      readings.push(...this.#readingsOf(record, timestamp));
      this.#cursor = timestamp + 1;
    }
    if (this.#cursor === start) return undefined;
    return unprovenPage.complete({ start, end: this.#cursor }, readings);
  }
}

/** Records without a valid time that are looked past, to either side. */
const maxTimeless = 4;

interface RunReader extends LogRange {
  /** Number of the record to read next. */
  next: number;
  readonly isNewest: boolean;
  /** Read, and not yet given. */
  read: { readonly time: number; readonly record: LogRecord }[];
  /** Everything of this run that is earlier was read. */
  until: number;
}

/** Position of the first record whose time lies before that of the one before it. */
function stepIn(records: readonly LogRecord[], before: number | undefined): number | undefined {
  let last = before;
  for (const [at, { timestamp }] of records.entries()) {
    if (timestamp === undefined) continue;
    if (last !== undefined && timestamp < last) return at;
    last = timestamp;
  }
  return undefined;
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
