// Re-reads a range of time from a device's event log, in pages of whole requests.
//
// Why a page is true. Before it is given the times of all records that the log holds are known (log-scan.ts), as of a look at
// its pointers after the page's own records were read. So those with a time in its window are those that were read, wherever in the
// log they stand; each is proven to be the one that was asked for. The window lies above all times of which records went
// before they were read, and below the newest record: later ones may still be written, in seconds also with the same
// stamp. What lies before all that is held is declared expired, never empty: nobody can tell what was there, a memory
// that was cleared looks like a new one. Where some of a time is held and some is gone, it can neither be given as all nor be
// called gone: it is answered once the rest is overwritten.
//
// A record that is held and shows no valid time was made between its neighbours: the time between them is declared lost.
// Where stamps are coarse it may share that of a neighbour: then a null beside that one's values says so.
import type { Clock } from '../../../kernel/clock.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { Window } from '../../../wire/window.ts';
import type { TimedPosition } from '../codec/log-leaps.ts';
import { CompletePage, GonePage, type HistoryPage } from '../history-page.ts';
import type { SourceHistory } from '../source.ts';
import type { ClockSteps } from './clock-steps.ts';
import { LogScan, maxStalls, requestsPerPage, unstable } from './log-scan.ts';
import { LogTimes } from './log-times.ts';
import type { Doubt } from './log-view.ts';
import { toReading } from './poller.ts';
import { type LogRecord, RecordLog, type Turn } from './record-log.ts';
import type { MappedHistory } from './register-map.ts';

export interface HistoryOptions {
  readonly map: MappedHistory;
  readonly unit: number;
  readonly maxRegisters: number;
  /** Takes a turn at the connection, for one request at a time. */
  readonly turn: Turn;
  readonly log: Log;
}

export interface TimeHistoryOptions extends HistoryOptions {
  readonly clock: Clock;
  /** Of the equipment's clock, as seen live. */
  readonly steps: ClockSteps;
}

export function createHistory(options: TimeHistoryOptions): SourceHistory {
  const { map, clock, steps } = options;
  const records = new RecordLog(options);
  const times = new LogTimes({
    clock,
    steps,
    isCoarse: map.record.timestamp!.isCoarse,
    modulus: map.newest.modulus,
    firstRecord: map.config.firstRecord,
  });
  const scan = new LogScan({ records, times });
  return {
    read: (range, signal) => new HistoryRead(options, { records, times, scan }, range, signal).pages(),
  };
}

/** State that outlives a read. */
interface Memory {
  readonly records: RecordLog;
  readonly times: LogTimes;
  readonly scan: LogScan;
}

class HistoryRead {
  readonly #map: MappedHistory;
  readonly #log: Log;
  /** As `ClockSteps.present`, when it was asked. */
  readonly #present: (from: number) => number;
  readonly #times: LogTimes;
  readonly #scan: LogScan;
  readonly #end: number;
  readonly #signal: AbortSignal;
  /** Records a page; fewer while the log is overwritten fast. */
  #pageRecords: number;
  /** Everything before is answered. */
  #cursor: number;

  constructor(
    { map, log, clock, steps }: TimeHistoryOptions,
    memory: Memory,
    range: Window,
    signal: AbortSignal,
  ) {
    const wall = clock.now();
    this.#map = map;
    this.#log = log;
    this.#present = (from) => steps.present(from, wall);
    this.#times = memory.times;
    this.#scan = memory.scan;
    this.#pageRecords = memory.records.pageOf(requestsPerPage);
    this.#cursor = range.start;
    this.#end = range.end;
    this.#signal = signal;
  }

  async *pages(): AsyncGenerator<HistoryPage> {
    const largest = this.#pageRecords;
    let held = await this.#scan.complete(this.#signal);
    for (let stalls = 0; held !== undefined && this.#cursor < this.#end; ) {
      this.#signal.throwIfAborted();
      const gone = this.#gone();
      if (gone) {
        yield gone;
        stalls = 0;
        continue;
      }
      const plan = this.#plan();
      if (plan === undefined) return;
      const found = await this.#read(plan.records);
      // As it is after the records were read.
      held = await this.#scan.complete(this.#signal);
      const page = held && this.#page(plan, found);
      if (page) yield page;
      this.#pageRecords = page
        ? Math.min(largest, 2 * this.#pageRecords)
        : Math.max(1, this.#pageRecords >> 1);
      stalls = page ? 0 : stalls + 1;
      if (stalls >= maxStalls) throw unstable();
    }
  }

  /** The page that declares lost what lies before all held records, or what a damaged record may have held. */
  #gone(): HistoryPage | undefined {
    const lowest = this.#times.lowest;
    if (lowest === undefined || this.#times.recordedTo === undefined) return undefined;
    // A clock that stands ahead may be set back, and come by there again.
    const present = this.#present(this.#cursor);
    if (this.#cursor < Math.min(lowest, present)) {
      const window = { start: this.#cursor, end: Math.min(lowest, present, this.#end) };
      this.#cursor = window.end;
      return GonePage.of(window, { reason: 'history-expired', heldFrom: lowest });
    }
    const doubt = this.#doubtAt(this.#cursor);
    if (!doubt?.isBounded || this.#times.isCoarse || isIn(this.#times.gone, this.#cursor)) return undefined;
    // Where its clock leapt there, it may be set back to what it leapt over.
    const window = { start: this.#cursor, end: Math.min(doubt.end, present, this.#end) };
    if (window.end <= window.start || this.#times.within(window).length > 0) return undefined;
    this.#cursor = window.end;
    const said = 'the record in its place shows no valid time, or another number, again and again';
    return GonePage.of(window, { reason: 'no-history', said });
  }

  #doubtAt(time: number): Doubt | undefined {
    return this.#times.doubts.find(({ start, end }) => time >= start && time < end);
  }

  /** The next page: from the cursor on, as far as all is known to be there. Undefined where that cannot be said yet. */
  #plan(): Plan | undefined {
    const { recordedTo, gone, unseen } = this.#times;
    if (recordedTo === undefined || this.#cursor >= recordedTo) return undefined;
    const blocked = [...gone, ...this.#blockingDoubts(), ...this.#times.leaps(this.#present)];
    if (isIn(blocked, this.#cursor)) {
      this.#log.info(
        { from: this.#cursor },
        'range partly overwritten or damaged: answered when its remaining records are overwritten as well',
      );
      return undefined;
    }
    const start = this.#cursor;
    const end = Math.min(this.#end, recordedTo, ...startsBehind(blocked, start));
    const heldFrom = Math.max(
      Number.NEGATIVE_INFINITY,
      ...gone.map((window) => window.end).filter((each) => each <= start),
    );
    const all = this.#times.within({ start, end });
    const last = all[this.#pageRecords - 1];
    if (last === undefined || all.at(-1)!.time === last.time)
      return { window: { start, end }, records: all, heldFrom, unseen };
    const window = { start, end: last.time + 1 };
    return { window, records: all.filter(({ time }) => time <= last.time), heldFrom, unseen };
  }

  /** Where stamps are coarse a null tells of the damaged record instead. */
  #blockingDoubts(): readonly Window[] {
    return this.#times.doubts.filter(({ isBounded }) => !isBounded || !this.#times.isCoarse);
  }

  async #read(wanted: readonly TimedPosition[]): Promise<ReadonlyMap<number, LogRecord>> {
    const found = new Map<number, LogRecord>();
    const { round } = this.#times;
    const positions = wanted.map(({ position }) => position).sort((a, b) => a - b);
    for (let at = 0; at < positions.length; ) {
      const first = positions[at]!;
      let count = 1;
      while (positions[at + count] === first + count) count += 1;
      const taken = await this.#scan.take(first, count, this.#signal);
      if (this.#times.round !== round) return new Map();
      for (const [offset, record] of taken.entries()) {
        if (record === 'gone') continue;
        if (record?.timestamp === undefined) this.#times.forget(first + offset);
        else found.set(first + offset, record);
      }
      at += taken.length;
    }
    return found;
  }

  /** The proven part of the plan. Undefined where there is none. */
  #page({ window, records, heldFrom, unseen }: Plan, found: ReadonlyMap<number, LogRecord>) {
    const { recordedTo, within } = this.#times;
    if (recordedTo === undefined || this.#times.unseen !== unseen) return undefined;
    const { start } = window;
    const doubts = this.#blockingDoubts();
    if (isIn(doubts, start)) return undefined;
    const planned = new Set(records.map(({ position }) => position));
    // What could not be read, and what was written meanwhile.
    const missing = records.filter(({ position }) => !found.has(position));
    const added = within.call(this.#times, window).filter(({ position }) => !planned.has(position));
    const unread = [...missing, ...added].map(({ time }) => time);
    const end = Math.min(window.end, recordedTo, ...unread, ...startsBehind(doubts, start));
    if (end <= start) return undefined;
    const given = records.filter(({ time }) => time < end);
    const readings = given.flatMap(({ position, time }) => this.#readingsOf(found.get(position)!, time));
    const times = given.map(({ time }) => time);
    this.#cursor = end;
    return CompletePage.of(
      { start, end },
      [...readings, ...this.#marks({ start, end }, times)].sort(byIndex),
      {
        asked: window,
        ended: recordedTo > end ? 'record-beyond' : 'every-number',
        heldFrom,
        recordedTo,
      },
    );
  }

  #readingsOf({ bytes }: LogRecord, time: number): readonly Reading[] {
    return this.#map.record.tags.map((tag) => toReading(tag, bytes, tag.address, time));
  }

  /**
   * Where stamps are coarse: a damaged record may have the time of either neighbour, or any between, and be later than what
   * others have there, by a clock that came by twice.
   */
  #marks({ start, end }: Window, times: readonly number[]): readonly Reading[] {
    if (!this.#times.isCoarse) return [];
    const inside = this.#times.doubts.filter((doubt) => doubt.start < end && doubt.end > start);
    const places = new Set(
      inside.flatMap((doubt) => [
        Math.max(doubt.start, start),
        ...times.filter((time) => time >= doubt.start && time < doubt.end),
        doubt.end - 1,
      ]),
    );
    return [...places]
      .filter((index) => index < end)
      .flatMap((index) =>
        this.#map.record.tags.map(({ name: tag }) => ({
          index,
          tag,
          value: null,
          quality: 'bad:record-damaged' as const,
        })),
      );
  }
}

interface Plan {
  readonly window: Window;
  readonly records: readonly TimedPosition[];
  readonly heldFrom: number;
  /** As `LogTimes.unseen` was. */
  readonly unseen: number;
}

function isIn(windows: readonly Window[], time: number): boolean {
  return windows.some(({ start, end }) => time >= start && time < end);
}

function startsBehind(windows: readonly Window[], time: number): readonly number[] {
  return windows.map(({ start }) => start).filter((start) => start > time);
}

const byIndex = (a: Reading, b: Reading) => a.index - b.index;
