// Where the reading of one node's history stands. Pure: told of each answer, it says what to ask next, and which
// values came. It pages by the server's continuation points where there are any, and by time where there are none,
// where they vanish, or where the server leaves out the rest without a word.
import type { Reading } from '../../../wire/reading.ts';
import { readingOf } from './content.ts';
import type { HistoryResult, WireValue } from './opcua-session.ts';
import { isBad } from './quality.ts';

export interface HistoryAsk {
  readonly start: number;
  readonly end: number;
  readonly valuesPerNode: number;
  readonly continuation?: Uint8Array;
}

/** `refused`: this node has no history. `failed`: perhaps it has, later. */
export type HistoryOutcome = 'ok' | 'refused' | 'failed';

const refusals = new Set([
  'BadHistoryOperationUnsupported',
  'BadHistoryOperationInvalid',
  'BadServiceUnsupported',
  'BadNotSupported',
  'BadNodeIdUnknown',
  'BadNodeIdInvalid',
  'BadUserAccessDenied',
  'BadNotReadable',
  'BadNoDataAvailable',
]);

/** Statuses by which a server says that there are no values, which is an answer. */
const emptyStatuses = new Set([
  'GoodNoData',
  'BadNoData',
  'BadBoundNotFound',
  'BadNoEntryExists',
  'BadDataLost',
]);

const maxValuesPerNode = 100_000;
const maxStalls = 20;

export function isRefusal(status: string): boolean {
  return refusals.has(status);
}

export function isEmpty(status: string): boolean {
  return emptyStatuses.has(status.replace(/#.*$/s, ''));
}

export function markOf(tag: string, index: number, cause: string): Reading {
  return { index, tag, value: null, quality: `bad:${cause}` };
}

export class HistoryNode {
  readonly tag: string;
  readonly nodeId: string;
  /** In index order, not handed on yet. */
  pending: Reading[] = [];
  isDone = false;
  #start: number;
  readonly #end: number;
  /** Of the time range that is asked for at once; shrinks where the server cannot page. */
  #spanMs: number;
  #valuesPerNode: number;
  #continuation: Uint8Array | undefined;
  /** Values at `#start` that were taken already. */
  #taken = 0;
  /** Of these, those that are to come once more. */
  #toSkip = 0;
  #stalls = 0;
  /** The server holds places where there is more: without one, there is none. */
  #hasPoints = false;

  constructor(tag: string, nodeId: string, range: { start: number; end: number }, valuesPerNode: number) {
    this.tag = tag;
    this.nodeId = nodeId;
    this.#start = range.start;
    this.#end = range.end;
    this.#spanMs = range.end - range.start;
    this.#valuesPerNode = valuesPerNode;
  }

  get continuation(): Uint8Array | undefined {
    return this.#continuation;
  }

  /** Everything of this node below is known. */
  get completeBelow(): number {
    return this.isDone ? this.#end : this.#start;
  }

  next(): HistoryAsk {
    const end = Math.min(this.#end, this.#start + this.#spanMs);
    const ask = { start: this.#start, end, valuesPerNode: this.#valuesPerNode };
    return this.#continuation ? { ...ask, continuation: this.#continuation } : ask;
  }

  /** The server's place is given up: what follows is asked for by time. */
  forget(): Uint8Array | undefined {
    const held = this.#continuation;
    this.#continuation = undefined;
    return held;
  }

  /** It has no more to say: what is left of it is marked where it ends. */
  refuse(): void {
    this.pending.push(markOf(this.tag, this.completeBelow, 'no-history'));
    this.isDone = true;
  }

  takeBelow(end: number): readonly Reading[] {
    const all = this.pending;
    if (all.length === 0 || all[0]!.index >= end) return [];
    let count = all.length;
    while (all[count - 1]!.index >= end) count -= 1;
    this.pending = all.slice(count);
    return count === all.length ? all : all.slice(0, count);
  }

  take(ask: HistoryAsk, { status, values, continuation }: HistoryResult): HistoryOutcome {
    const name = status.name.replace(/#.*$/s, '');
    if (isBad(status) && !isEmpty(name)) return this.#takeBad(name);
    const before = this.#start;
    const taken = this.#take(values, ask);
    this.#continuation = continuation;
    this.#hasPoints ||= continuation !== undefined;
    if (continuation) return this.#progressed(taken > 0);
    const isCut = !this.#hasPoints && values.length >= ask.valuesPerNode;
    if (isCut) {
      // As many values as were asked for, and never a place held: perhaps there are more, perhaps not.
      if (this.#start === before && taken === 0) return this.#askForMore();
      return this.#progressed(true);
    }
    if (ask.end >= this.#end) this.isDone = true;
    else this.#moveTo(ask.end);
    return 'ok';
  }

  #takeBad(name: string): HistoryOutcome {
    if (name === 'BadContinuationPointInvalid' && this.#continuation) {
      this.#continuation = undefined;
      // The same values would come again, and the point might vanish again.
      return this.#taken >= this.#valuesPerNode ? this.#askForMore() : this.#progressed(false);
    }
    if (name === 'BadNoContinuationPoints' || name === 'BadResponseTooLarge') {
      this.#continuation = undefined;
      if (this.#spanMs <= 1) return this.#askForMore();
      this.#spanMs = Math.max(1, Math.floor(this.#spanMs / 4));
      return 'ok';
    }
    return refusals.has(name) ? 'refused' : 'failed';
  }

  /** Takes the values that are new, and moves on to the last one's time: others may share it. */
  #take(values: readonly WireValue[], ask: HistoryAsk): number {
    // Asked for by time, what was taken of the first instant comes again, perhaps over several answers.
    if (!ask.continuation) this.#toSkip = this.#taken;
    let taken = 0;
    for (const value of values) {
      const index = value.sourceTimestamp?.getTime() ?? value.serverTimestamp?.getTime();
      // Bounding values lie outside, and say nothing about what is inside.
      if (index === undefined || index < this.#start || index >= ask.end) continue;
      if (index === this.#start && this.#toSkip > 0) {
        this.#toSkip -= 1;
        continue;
      }
      if (index > this.#start) this.#moveTo(index);
      this.#taken += 1;
      taken += 1;
      this.pending.push(readingOf(index, this.tag, value));
    }
    return taken;
  }

  #moveTo(index: number): void {
    this.#start = index;
    this.#taken = 0;
    this.#toSkip = 0;
  }

  #progressed(didMove: boolean): HistoryOutcome {
    this.#stalls = didMove ? 0 : this.#stalls + 1;
    return this.#stalls > maxStalls ? 'failed' : 'ok';
  }

  /** More values share one time than were asked for at once. */
  #askForMore(): HistoryOutcome {
    if (this.#valuesPerNode >= maxValuesPerNode) return 'failed';
    this.#valuesPerNode = Math.min(maxValuesPerNode, this.#valuesPerNode * 4);
    return 'ok';
  }
}
