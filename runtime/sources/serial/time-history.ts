// Re-reads a range of time from the instrument's memory, by dumps of a page at a time.
//
// Why a page is true. It begins where the memory still reached back to after the dump: the instrument says so (`bounds`),
// or still holds a record from before the page. It ends where the dump shows that it left nothing out: with its mark, or,
// where only silence ended it, before the time of its last record. Where records are numbered, each dump has to be without
// a gap, and shows by its own first and last record how far it reaches on both sides; no mark takes part in that. And
// nothing is said of what may still be recorded: no page reaches beyond the newest record.
//
// What lies before the oldest record that it holds, as it says after it was asked for it in vain, is gone. Without
// bounds, it is asked for everything before, in ever larger steps, and what lies before its first record is gone where
// nothing older comes.
//
// What its clock leapt over is neither empty nor gone before it is past by ours as well: it may be set back, and come by there
// again. Where several records may have one time, some of those with the oldest that it holds may be gone: they are given, and a
// null behind them says so.
//
// All of that rests on records in the order of their times. Where a dump shows that the clock was set back within it, or
// that was seen live, nothing is proven for the time that came twice. Nor where the memory lacks what was heard live.
import { type Clock, sleep } from '../../../kernel/clock.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { Window } from '../../../wire/window.ts';
import { leapsIn, longestIn } from '../codec/log-leaps.ts';
import { CompletePage, GonePage, type HistoryPage } from '../history-page.ts';
import type { SourceHistory } from '../source.ts';
import { settledAfterMs, type TimeState } from './by-time.ts';
import type { HistoryConfig, StampConfig } from './config.ts';
import { type MemoryAccess, wholeDump } from './memory-access.ts';
import { toReadings } from './record-layout.ts';
import { unproven } from './serial-errors.ts';
import {
  DumpOrder,
  type HeldTimes,
  heldTimes,
  isConsecutive,
  type TimedDump,
  type TimedRecord,
  timedDump,
  withoutRepetitions,
} from './time-memory.ts';

export interface TimeHistoryOptions {
  readonly access: MemoryAccess;
  readonly state: () => TimeState;
  readonly stamp: NonNullable<StampConfig['timestamp']>;
  /** What the instrument's times are rounded to. */
  readonly stepMs: number;
  /** How many numbers the counter goes through; undefined where the records of a dump are not numbered. */
  readonly span: number | undefined;
  readonly history: Pick<HistoryConfig, 'pageMs' | 'overlapMs' | 'end'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Longest page, where little is recorded. */
const maxPageMs = 31 * 86_400_000;
/** What is asked for in vain, beside the first time, before it is declared gone without bounds. */
const confirmations = 3;
/** Longest wait within one read. */
const patienceMs = 3000;
/** Our clocks may differ by that much. */
const slackMs = 2000;

export function timeHistory(options: TimeHistoryOptions): SourceHistory {
  const { span, state } = options;
  const order =
    span === undefined ? undefined : new DumpOrder(span, (window) => state().clock.cameTwice(window));
  return { read: (range, signal) => new TimeRead(options, order, range, signal).pages() };
}

class TimeRead {
  readonly #options: TimeHistoryOptions;
  readonly #order: DumpOrder | undefined;
  readonly #end: number;
  readonly #signal: AbortSignal;
  readonly #isNumbered: boolean;
  #pageMs: number;
  /** Asked for before a page, to see how far the memory reaches back. */
  #backMs: number;
  /** Everything before is answered. */
  #cursor: number;

  constructor(options: TimeHistoryOptions, order: DumpOrder | undefined, range: Window, signal: AbortSignal) {
    this.#options = options;
    this.#order = order;
    this.#cursor = range.start;
    this.#end = range.end;
    this.#signal = signal;
    this.#isNumbered = options.span !== undefined;
    this.#pageMs = options.history.pageMs;
    const needsBack = this.#isNumbered || !options.access.bounds || options.history.end === undefined;
    this.#backMs = needsBack ? Math.max(options.history.overlapMs, options.stepMs) : 0;
  }

  async *pages(): AsyncGenerator<HistoryPage> {
    while (this.#cursor < this.#end) {
      this.#signal.throwIfAborted();
      const held = await this.#bounds();
      const frontier = this.#frontier(held);
      if (frontier === undefined || this.#cursor >= frontier) {
        if (await this.#isSettledSoon()) continue;
        return;
      }
      const limit = Math.min(this.#end, frontier);
      this.#requireOnce({ start: this.#cursor, end: Math.min(limit, this.#cursor + this.#pageMs) });
      const before = this.#cursor;
      if (held === 'empty') yield this.#gone(limit, frontier);
      else if (held && this.#cursor < held.oldest) yield await this.#expired(Math.min(held.oldest, limit));
      else yield* this.#page(limit, frontier);
      if (this.#cursor > before || this.#isRetry) continue;
      if (before + this.#pageMs >= frontier || this.#pageMs >= maxPageMs) return;
      this.#pageMs = Math.min(maxPageMs, 2 * this.#pageMs);
    }
  }

  /** The page is to be asked for once more, in another size. */
  #isRetry = false;

  async *#page(limit: number, frontier: number): AsyncGenerator<HistoryPage> {
    this.#isRetry = false;
    const window = { start: this.#cursor, end: Math.min(limit, this.#cursor + this.#pageMs) };
    const { history, stepMs } = this.#options;
    // What is numbered, or ended by silence, reaches as far as the record behind it shows.
    const aheadMs = this.#isNumbered || history.end === undefined ? Math.max(history.overlapMs, stepMs) : 0;
    const dump = await this.#dump({ start: window.start - this.#backMs, end: window.end + aheadMs });
    if (dump === 'too-large') {
      this.#isRetry = this.#pageMs > 1;
      this.#pageMs = Math.max(1, Math.floor(this.#pageMs / 2));
      return;
    }
    // This dump may have been the first that shows it.
    this.#requireOnce(window);
    const last = dump.records.at(-1)?.time ?? Number.NEGATIVE_INFINITY;
    const recordedTo = Math.max(frontier, last);
    // Behind the newest record, none can have its time any more.
    const until = last === frontier - 1 ? Math.max(dump.until, frontier) : dump.until;
    const to = Math.min(window.end, until, recordedTo);
    const heldFrom = await this.#heldFrom(dump);
    if (heldFrom === 'wider') {
      this.#isRetry = true;
      return;
    }
    if (heldFrom === undefined) yield* this.#beforeFirst(dump, to);
    else {
      yield* this.#overtaken(dump, heldFrom, to);
      if (to > this.#cursor) yield this.#complete(dump, { end: to, heldFrom, recordedTo });
    }
  }

  /**
   * From where on the memory holds everything, as is known after the dump. Undefined where it holds nothing from before
   * the page; `wider`: the dump has to reach further back to show it.
   */
  async #heldFrom(dump: TimedDump): Promise<number | 'wider' | undefined> {
    const [first] = dump.records;
    const hasBack = first !== undefined && first.time < this.#cursor;
    // Numbers without a gap: what came was not overtaken.
    if (this.#isNumbered && hasBack) return first.time;
    // Nor does a mark show that such a dump begins with the first one: it may be what is left of the dump before.
    const isOpen = !hasBack && (this.#isNumbered || dump.ended === 'record-beyond');
    if (this.#options.access.bounds) {
      const held = await this.#bounds();
      if (held === undefined || held === 'empty') throw unproven('it was cleared while it was read');
      const { asked } = dump;
      const isLate = first === undefined || first.time > held.oldest;
      if (isLate && held.oldest >= asked.start && held.oldest < asked.end) throw lacking(held.oldest);
      const isFirst = first?.time === held.oldest;
      if (isOpen && held.oldest < this.#cursor && !isFirst) return this.#reachTo(held.oldest);
      return this.#heldSince(dump, held.oldest);
    }
    const back = await this.#recordBefore(hasBack ? first.time : undefined);
    if (isOpen && back !== undefined) return this.#reachTo(back);
    return back;
  }

  /** By the instrument's word, and by what came: records that were overwritten since are in hand. */
  #heldSince({ records, sharesTimes }: TimedDump, oldest: number): number {
    const [first] = records;
    if (first === undefined) return oldest;
    // Numbers without a gap: from the first one that came on nothing is missing, but what shared its time before it.
    if (this.#isNumbered && first.time < oldest) return first.time + (sharesTimes ? 1 : 0);
    return oldest;
  }

  #reachTo(time: number): 'wider' {
    const backMs = this.#cursor - time;
    // It has been asked for, and did not come.
    if (backMs <= this.#backMs) throw lacking(time);
    this.#backMs = Math.min(2 * Math.max(this.#backMs, 1), backMs);
    if (this.#backMs > maxPageMs) throw unproven(`no record was made for long before ${this.#cursor}`);
    return 'wider';
  }

  /** The time of a record from before the page that is held now; undefined where there is none. */
  async #recordBefore(known: number | undefined): Promise<number | undefined> {
    if (known !== undefined) {
      const again = await this.#asked({ start: known, end: known + 1 });
      if (again.records.some(({ time }) => time === known)) return known;
      throw unproven('it is overwritten faster than it can be read');
    }
    let end = this.#cursor - this.#backMs;
    for (let stepMs = Math.max(this.#backMs, 60_000); end > 0; stepMs *= 2) {
      const dump = await this.#asked({ start: Math.max(0, end - stepMs), end });
      const last = dump.records.findLast(({ time }) => time < this.#cursor);
      if (last) return last.time;
      if (dump.ended === 'record-beyond') throw unproven('only silence says that it holds nothing older');
      end -= stepMs;
    }
    return undefined;
  }

  /** Nothing older is held: what lies before the first record of the dump is gone, and the rest is asked for again. */
  async *#beforeFirst(dump: TimedDump, to: number): AsyncGenerator<HistoryPage> {
    const first = dump.records.find(({ time }) => time >= this.#cursor)?.time;
    const end = Math.min(first ?? dump.asked.end, Math.max(to, this.#cursor));
    if (end > this.#cursor) {
      for (let asked = 0; asked < confirmations; asked++)
        await this.#requireNothing({ start: this.#cursor, end });
      yield this.#gone(end, end);
    }
    if (first === undefined || first >= to) return;
    // The oldest that there is.
    const recordedTo = Math.max(to, dump.records.at(-1)!.time);
    yield this.#complete(dump, { end: to, heldFrom: first, recordedTo });
  }

  /** It says that it holds nothing before `end`: it is asked for it all the same, for its clock may have been set back. */
  async #expired(end: number): Promise<HistoryPage> {
    await this.#requireNothing({ start: this.#cursor, end });
    const held = await this.#bounds();
    if (held === undefined || held === 'empty' || held.oldest < end)
      throw unproven('its oldest record is older than before');
    return this.#gone(end, held.oldest);
  }

  /**
   * Overwritten while it was read: records that came all the same are given, and what lay between them is gone. Where two
   * have one time, one of them may be gone already.
   */
  *#overtaken(dump: TimedDump, heldFrom: number, to: number): Generator<HistoryPage> {
    const limit = Math.min(heldFrom, to);
    for (const { time } of dump.records) {
      if (time < this.#cursor || time >= limit || dump.sharesTimes) continue;
      if (time > this.#cursor) yield this.#gone(time, heldFrom);
      yield this.#complete(dump, { end: time + 1, heldFrom: time, recordedTo: to });
    }
    if (limit > this.#cursor) yield this.#gone(limit, heldFrom);
  }

  #gone(to: number, heldFrom: number): HistoryPage {
    const end = Math.min(to, this.#present(this.#cursor));
    if (end <= this.#cursor) throw unproven(ahead);
    const window = { start: this.#cursor, end };
    this.#cursor = end;
    return GonePage.of(window, { reason: 'history-expired', heldFrom });
  }

  #complete(
    dump: TimedDump,
    { end: to, heldFrom, recordedTo }: { end: number; heldFrom: number; recordedTo: number },
  ): HistoryPage {
    this.#requireHeard(dump, heldFrom, recordedTo);
    const { asked, records, ended } = dump;
    const end = this.#beforeLeap(records, to);
    if (end <= this.#cursor) throw unproven(ahead);
    const window = { start: this.#cursor, end };
    this.#cursor = end;
    const inside = records.filter(({ time }) => time >= window.start && time < end);
    const given = this.#isNumbered ? inside : withoutRepetitions(inside);
    const oldest = given.filter(({ time }) => time === heldFrom);
    const readings = [
      ...oldest.flatMap(({ record, time }) => toReadings(record, time)),
      ...(this.#mayShare(dump) ? marksBehind(oldest) : []),
      ...given
        .filter(({ time }) => time !== heldFrom)
        .flatMap(({ record, time }) => toReadings(record, time)),
    ];
    return CompletePage.of(window, readings, { asked, ended, heldFrom, recordedTo });
  }

  /** Several records may have one time. */
  #mayShare({ sharesTimes }: TimedDump): boolean {
    return sharesTimes || this.#options.stepMs > 1;
  }

  #present(from: number): number {
    const { clock, state } = this.#options;
    return state().clock.present(from, { now: clock.monotonic(), wall: clock.now() });
  }

  /** As far as to where nothing is known but that its clock leapt. */
  #beforeLeap(records: readonly TimedRecord[], to: number): number {
    const order = records.map(({ time }, position) => ({ position, time }));
    const inside = order.filter(({ time }) => time >= this.#cursor && time < to);
    const leaps = [
      ...leapsIn(order, longestIn(order)),
      ...(inside.length === 0 ? [{ start: this.#cursor, end: to }] : []),
    ];
    const starts = leaps.flatMap(({ start, end }) => {
      const from = Math.max(start, this.#cursor, this.#present(start - 1));
      return from < end && from < to ? [from] : [];
    });
    return Math.min(to, ...starts);
  }

  async #requireNothing(window: Window): Promise<void> {
    const dump = await this.#dump(window);
    const isThere =
      dump === 'too-large' || dump.records.some(({ time }) => time >= window.start && time < window.end);
    if (isThere) throw unproven('it has records from before its oldest: its clock was set back');
  }

  /** A small one. */
  async #asked(window: Window): Promise<TimedDump> {
    const dump = await this.#dump(window);
    if (dump === 'too-large') throw unproven('what it holds from before is too much for one dump');
    return dump;
  }

  async #dump(asked: Window): Promise<TimedDump | 'too-large'> {
    const { span } = this.#options;
    const dump = await wholeDump({ ...this.#options, signal: this.#signal }, asked, (records) =>
      span === undefined ? true : isConsecutive(records, span),
    );
    if (dump !== 'too-large') this.#order?.note(dump.records);
    return dump === 'too-large'
      ? dump
      : timedDump(dump, this.#isNumbered, (window) => this.#options.state().clock.cameTwice(window));
  }

  async #bounds(): Promise<HeldTimes | 'empty' | undefined> {
    const { access, stamp } = this.#options;
    if (!access.bounds) return undefined;
    const said = await access.bounds(this.#signal);
    return said ? heldTimes(stamp, said) : 'empty';
  }

  /** Everything below has been recorded. Undefined where no record is known. */
  #frontier(held: HeldTimes | 'empty' | undefined): number | undefined {
    const { state, clock, stepMs } = this.#options;
    const { newest } = state();
    const passedMs = newest?.at === undefined ? 0 : clock.monotonic() - newest.at;
    const latest = Math.max(clock.now(), newest === undefined ? 0 : newest.timestamp + passedMs);
    const isSettled = newest?.at !== undefined && passedMs >= settledAfterMs(stepMs);
    const said = held === undefined || held === 'empty' ? newest?.timestamp : held.newest;
    // What its clock shows in the future is not recorded up to there.
    if (said === undefined || said > latest + slackMs + stepMs) return undefined;
    return said === newest?.timestamp && isSettled ? said + 1 : said;
  }

  /** Only the time of the newest record is left, and soon no other can have it. */
  async #isSettledSoon(): Promise<boolean> {
    const { state, clock, stepMs } = this.#options;
    const { newest } = state();
    if (newest?.at === undefined || newest.timestamp !== this.#cursor) return false;
    const leftMs = settledAfterMs(stepMs) - (clock.monotonic() - newest.at);
    if (leftMs <= 0 || leftMs > patienceMs) return false;
    await sleep(clock, leftMs, this.#signal);
    return true;
  }

  #requireHeard({ asked, records, until }: TimedDump, heldFrom: number, recordedTo: number): void {
    const times = new Set(records.map(({ time }) => time));
    const heard = this.#options
      .state()
      .heard.within(Math.max(asked.start, heldFrom), Math.min(until, recordedTo));
    const lacking = heard.find((time) => !times.has(time));
    if (lacking !== undefined)
      throw unproven(`it lacks a record of ${lacking} that was heard: it was cleared, or its clock was set`);
  }

  #requireOnce({ start, end }: Window): void {
    const { repeated } = this.#options.state().clock;
    if (repeated.some((each) => start < each.end && end > each.start))
      throw unproven(
        'its clock was set back, and that time came twice: nobody can tell what is missing of it',
      );
  }
}

const lacking = (time: number) => unproven(`a dump lacks the record at ${time}, which it holds`);

const ahead = 'its clock stands ahead of ours: what it leapt over may come yet';

/** Of each tag that one of them has. */
function marksBehind(records: readonly TimedRecord[]): readonly Reading[] {
  const readings = records.flatMap(({ record, time }) => toReadings(record, time));
  const marks = readings.map(
    ({ tag, index }): Reading => ({ index, tag, value: null, quality: 'bad:records-gone' }),
  );
  return [...new Map(marks.map((mark) => [mark.tag, mark])).values()];
}
