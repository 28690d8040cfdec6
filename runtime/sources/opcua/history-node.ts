// The state of reading one node's history. Pure: given each answer, it says what to ask next, which values came, and how
// far they are complete.
//
// Nothing is taken from one answer alone, since a server may say Good to less than all. Each question begins at the
// newest value that is known, which the answer has to show once more: so its memory reached back to that value when it
// answered, and no value fell between two questions. What follows that value, up to the last one shown, is whole, since
// servers answer in order of time. That nothing follows the last one shown is borne out by another look (see
// history-back.ts). Places that a server holds for the rest are used only where more values share one time than come
// at once, or where an answer is empty; then the same question is asked again, unchanged, since some servers count
// their places from its start.
import type { Reading } from '../../../wire/reading.ts';
import { readingOf } from './content.ts';
import type { HistoryAsk, HistoryNodeOptions, NodeOutcome, Run } from './history-node-types.ts';
import { meaningOf, plainName } from './history-status.ts';
import { isBound, isSame, stampOf } from './history-values.ts';
import type { HistoryResult, Times, WireValue } from './opcua-session.ts';

const lost = { value: 0x809d_0000, name: 'BadDataLost' };
const maxValuesPerNode = 100_000;
const maxStalls = 20;
/** From before a value's time to behind it. */
const leastSpanMs = 2;

interface Held {
  readonly ask: HistoryAsk;
  readonly continuation: Uint8Array;
  /** The time that the values share for whose sake it is held, and how many of them came at first. */
  readonly at: number;
  readonly atOnce: number;
}

export class HistoryNode {
  readonly tag: string;
  readonly nodeId: string;
  readonly times: Times;
  /** Start of the range that is read. */
  readonly from: number;
  /** In order of time, not handed on yet. */
  #pending: WireValue[] = [];
  /** The newest values that are known, which share one time. */
  #newest: WireValue[] = [];
  #newestAt = Number.NEGATIVE_INFINITY;
  /** Of these, those that the question under way has still to show. */
  #toShow: WireValue[] = [];
  /** It has shown some of them: an answer that ends there was cut short. */
  #showsSome = false;
  #seen: number;
  #held: Held | undefined;
  /** Values after the run are requested by time; the run itself must be confirmed by a second read. */
  #run: Run | undefined;
  #wentOn = false;
  /** The first value behind the run, as it came with a place. */
  #beyond: WireValue | undefined;
  readonly #reaches: boolean;
  #unmoored: number | undefined;
  /** A question that begins before what is known did not come as far as that. */
  #isAlone = false;
  /** Of the time range that is asked for at once; shrinks where the server cannot hold a place. */
  #spanMs = Number.POSITIVE_INFINITY;
  readonly #usualValues: number;
  #valuesPerNode: number;
  #stalls = 0;
  #doubts = 0;
  #count = 0;
  #problem = '';

  constructor({ tag, nodeId, times, range, valuesPerNode, anchor, reaches }: HistoryNodeOptions) {
    this.tag = tag;
    this.nodeId = nodeId;
    this.times = times;
    this.from = range.start;
    this.#seen = range.start;
    this.#usualValues = valuesPerNode;
    this.#valuesPerNode = valuesPerNode;
    this.#reaches = reaches;
    if (anchor) this.#add([anchor], stampOf(anchor)!);
  }

  /** Below this, one answer has shown all. */
  get seen(): number {
    return this.#seen;
  }
  /** Time of the newest value that is known; from before the range, too. */
  get newestAt(): number {
    return this.#newestAt;
  }
  /** Values that share the newest time that is known. */
  get newestCount(): number {
    return this.#newest.length;
  }
  get isKnown(): boolean {
    return this.#newest.length > 0;
  }
  /** Values that the last answer brought. */
  get count(): number {
    return this.#count;
  }
  /** Why the last answer failed. */
  get problem(): string {
    return this.#problem;
  }
  /** The place that the server holds for this node. */
  get held(): Uint8Array | undefined {
    return this.#held?.continuation;
  }
  /** A run that waits to be confirmed, after the values behind it were requested. */
  get openRun(): Run | undefined {
    return this.#run && this.#wentOn ? this.#run : undefined;
  }

  /** Where a question began that no known value was to be shown in: the memory has to reach back to before it still. */
  get unmooredAt(): number | undefined {
    return this.#unmoored;
  }

  /** Only a question of its own will do: on from a place, or from what is known of this node. */
  get isAlone(): boolean {
    if (this.#held !== undefined || this.#run !== undefined) return true;
    return this.#isAlone || this.#spanMs !== Number.POSITIVE_INFINITY;
  }

  /** All below `proven` is known. */
  next(end: number, proven: number): HistoryAsk {
    if (this.#held) return { ...this.#held.ask, continuation: this.#held.continuation };
    // From a little before: asked for a time that several values share, open62541 begins amid them.
    const known = this.#run ? this.#run.at + 1 : (this.isKnown ? this.#newestAt : this.from) - 1;
    // A server that holds no places is asked bit by bit: a bit without values must not be asked for again and again.
    const start = this.#spanMs === Number.POSITIVE_INFINITY ? known : Math.max(known, proven - 1);
    return { start, end: Math.min(end, start + this.#spanMs), valuesPerNode: this.#valuesPerNode };
  }

  /** The server's place is given up: what follows is asked for by time. */
  forget(): Uint8Array | undefined {
    const held = this.#held?.continuation;
    this.#held = undefined;
    return held;
  }

  take(ask: HistoryAsk, result: HistoryResult): NodeOutcome {
    this.#count = 0;
    this.#problem = plainName(result.status);
    const meaning = meaningOf(result.status);
    if (meaning === 'no-places') return this.#narrow(ask);
    if (meaning === 'place-gone' && ask.continuation) return this.#widen();
    if (meaning === 'no-history' || meaning === 'denied') return 'refused';
    const isEnd = meaning === 'all' || meaning === 'empty' || meaning === 'lost';
    if (!isEnd && meaning !== 'more') return 'failed';
    if (!ask.continuation) this.#begin(ask);
    if (meaning === 'lost') this.#noteLoss();
    const before = this.#newestAt;
    const run = ask.continuation && this.#held?.at !== Number.NEGATIVE_INFINITY ? this.#held : undefined;
    const { outcome, isBeyond } = this.#takeValues(ask, result.values, run?.at ?? Number.POSITIVE_INFINITY);
    if (outcome !== 'ok') return outcome;
    if (this.#run && ask.start > this.#run.at && !this.#goesOn(ask, result.values))
      return this.#fail('it shows other values by time than with a continuation point');
    const isCut = !isEnd || result.continuation !== undefined || result.values.length >= ask.valuesPerNode;
    if (run !== undefined && (isBeyond || !isCut)) return this.#endRun(run);
    if (isCut) return this.#goOn(ask, result, before);
    if (this.#toShow.length > 0) return this.#onUnshown(ask);
    this.#held = undefined;
    this.#isAlone = false;
    this.#spanMs *= 2;
    if (this.#count === 0 && ask.end <= this.#seen) return this.#stall();
    this.#stalls = 0;
    this.#seen = Math.max(this.#seen, ask.end);
    return 'ok';
  }

  /** Another look shows a value that no answer had: what follows the newest one is asked for again. */
  doubt(): NodeOutcome {
    this.#seen = Math.max(this.from, Math.min(this.#seen, this.#newestAt));
    this.#doubts += 1;
    // Asked from further back, together with others, its answer may end before what is new.
    this.#isAlone = true;
    // What follows them is not shown together with them, however often that is asked for.
    if (this.#doubts > 1 && this.isKnown && !this.#run) this.#passRun();
    this.#problem = 'it shows a value from one side, and not from the other';
    return this.#doubts > maxStalls ? 'failed' : 'ok';
  }

  /** The memory still reaches back. */
  moor(): void {
    this.#unmoored = undefined;
  }

  /** The run is borne out. */
  closeRun(): void {
    this.#run = undefined;
  }

  /** Whether `value` is the newest that is known. */
  knows(value: WireValue): boolean {
    return this.#newest.some((known) => isSame(known, value));
  }

  takeBelow(end: number): readonly Reading[] {
    const all = this.#pending;
    let count = all.length;
    while (count > 0 && stampOf(all[count - 1]!)! >= end) count -= 1;
    if (count === 0) return [];
    this.#pending = all.slice(count);
    const readings: Reading[] = [];
    for (let at = 0; at < count; at++) {
      const value = all[at]!;
      readings.push(readingOf(stampOf(value)!, this.tag, value));
    }
    return readings;
  }

  #begin({ start }: HistoryAsk): void {
    const isMoored = start <= this.#newestAt;
    this.#showsSome = false;
    this.#toShow = isMoored ? [...this.#newest] : [];
    if (!isMoored && !this.#run && (this.#reaches || this.isKnown))
      this.#unmoored = Math.min(this.#unmoored ?? start, start);
  }

  /** Those up to `limit`; `isBeyond`: there were others. */
  #takeValues(
    ask: HistoryAsk,
    values: readonly WireValue[],
    limit: number,
  ): { readonly outcome: NodeOutcome; readonly isBeyond: boolean } {
    let last = Number.NEGATIVE_INFINITY;
    let isBeyond = false;
    const found: WireValue[] = [];
    const ended = (outcome: NodeOutcome) => ({ outcome, isBeyond });
    for (const [at, value] of values.entries()) {
      const index = stampOf(value);
      if (isBound(value) || (at === 0 && this.#isRepeated(ask, value))) continue;
      if (index === undefined) return ended(this.#fail('a value has no time'));
      // Bounding values lie outside, and say nothing about what is inside.
      if (index < ask.start || index >= ask.end) continue;
      if (index < last) return ended(this.#fail('its values are not in order of time'));
      last = index;
      if (index < this.#newestAt || (index === this.#newestAt && this.#isShown(value))) continue;
      if (index > this.#newestAt && this.#toShow.length > 0) return ended('moved');
      if (index > limit) {
        isBeyond = true;
        this.#beyond = value;
        break;
      }
      found.push(value);
    }
    this.#count = found.length;
    if (found.length > 0) {
      this.#add(found, stampOf(found.at(-1)!)!);
      this.#doubts = 0;
    }
    return ended('ok');
  }

  /** Some servers begin what follows a place with the last value once more. */
  #isRepeated({ continuation }: HistoryAsk, value: WireValue): boolean {
    return (
      continuation !== undefined && this.knows(value) && !this.#toShow.some((each) => isSame(each, value))
    );
  }

  /** The answer ended before what is known: asked from further back, it may have been cut short without a word. */
  #onUnshown({ start, continuation }: HistoryAsk): NodeOutcome {
    if (this.#showsSome) return this.#stall();
    if (continuation || this.#isAlone || start >= this.#newestAt - 1) return 'moved';
    this.#isAlone = true;
    return this.#stall();
  }

  #fail(problem: string): NodeOutcome {
    this.#problem = problem;
    return 'failed';
  }

  #isShown(value: WireValue): boolean {
    const at = this.#toShow.findIndex((known) => isSame(known, value));
    if (at < 0) return false;
    this.#toShow.splice(at, 1);
    this.#showsSome = true;
    return true;
  }

  /** In order; none is older than what is known. */
  #add(values: readonly WireValue[], last: number): void {
    let first = values.length;
    while (first > 0 && stampOf(values[first - 1]!) === last) first -= 1;
    const newest = values.slice(first);
    this.#newest = last === this.#newestAt ? [...this.#newest, ...newest] : newest;
    this.#newestAt = last;
    for (const value of values) if (stampOf(value)! >= this.from) this.#pending.push(value);
  }

  /** There is more, or may be. */
  #goOn(ask: HistoryAsk, { continuation, values }: HistoryResult, before: number): NodeOutcome {
    const hasMoved = this.#newestAt > before && this.#newestAt > ask.start;
    if (this.#toShow.length > 0 && ask.start < before - 1 && !ask.continuation) {
      this.#isAlone = true;
      return this.#stall();
    }
    if (hasMoved) {
      this.#held = undefined;
      this.#valuesPerNode = this.#usualValues;
      this.#isAlone = false;
      this.#stalls = 0;
      this.#seen = this.#newestAt;
      return 'ok';
    }
    // More of them at once where that is for us to say; a place where it is not.
    const isOurs = values.length >= ask.valuesPerNode && ask.valuesPerNode < maxValuesPerNode;
    if (!continuation && !isOurs && this.#isFilledByRun(ask, values)) return this.#passRun();
    if (!continuation || (isOurs && !ask.continuation)) return this.#widen();
    const { continuation: _, ...first } = ask;
    const atOnce = this.#held?.atOnce || values.length;
    this.#held = { ask: first, continuation, at: this.#newestAt, atOnce };
    return this.#count > 0 ? 'ok' : this.#stall();
  }

  /** The server gives no more at once, and has no places: values of one time are all that it ever gives. */
  #isFilledByRun(ask: HistoryAsk, values: readonly WireValue[]): boolean {
    if (ask.continuation || this.#run || !this.isKnown || this.#toShow.length > 0) return false;
    return values.every((value) => isBound(value) || stampOf(value) === this.#newestAt);
  }

  /** What follows them is asked for behind them. */
  #passRun(): NodeOutcome {
    this.#run = { at: this.#newestAt, atOnce: this.#newest.length, values: this.#newest };
    this.#wentOn = false;
    return 'ok';
  }

  /** All that came of one time is here. What came after it with a place is asked for again, by time. */
  #endRun({ at, atOnce }: Held): NodeOutcome {
    if (this.#toShow.length > 0) return 'moved';
    this.#held = undefined;
    this.#run = { at, atOnce, values: this.#newest };
    this.#wentOn = false;
    return 'ok';
  }

  /** What came behind the run with a place has to come by time, too. */
  #goesOn({ end }: HistoryAsk, values: readonly WireValue[]): boolean {
    const next = this.#beyond;
    this.#beyond = undefined;
    this.#wentOn = true;
    return !next || stampOf(next)! >= end || values.some((value) => isSame(value, next));
  }

  /** The server says that it lost something: nothing is claimed of the tag from there until its next value. */
  #noteLoss(): void {
    const time = new Date(this.#seen);
    this.#pending.push({ statusCode: lost, sourceTimestamp: time, serverTimestamp: time });
  }

  #narrow({ start, end }: HistoryAsk): NodeOutcome {
    this.#held = undefined;
    if (end - start <= leastSpanMs) return this.#widen();
    this.#spanMs = Math.max(leastSpanMs, Math.floor((end - start) / 4));
    return this.#stall();
  }

  /** More values share one time than were asked for at once. */
  #widen(): NodeOutcome {
    this.#held = undefined;
    this.#isAlone = true;
    this.#valuesPerNode = Math.min(maxValuesPerNode, this.#valuesPerNode * 4);
    return this.#stall();
  }

  #stall(): NodeOutcome {
    this.#stalls += 1;
    return this.#stalls > maxStalls ? this.#fail('its answers do not move on') : 'ok';
  }
}
