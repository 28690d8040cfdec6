// The history of an OPC UA server with bad habits, at the level of its services, and an oracle that knows every value at
// every time: what was ever recorded, and what is still held. Each habit is one that a server was seen with, or that the
// specification lets it have.
import { type Random, randomInt } from '../../../../kernel/random.ts';
import { serviceFailed } from '../opcua-errors.ts';
import type { HistoryRequest, HistoryResult, OpcuaSession, WireStatus, WireValue } from '../opcua-session.ts';

export interface Habits {
  /**
   * `kept`: a place stands for the rest of its question. `offset`: it is a number of values from the start of whatever
   * question it comes with, as open62541 has it. `none`: the rest is left out without a word. `refused`: what does not
   * fit is refused.
   */
  readonly places: 'kept' | 'offset' | 'none' | 'refused';
  /** At most so many values in one answer, whatever was asked for. */
  readonly most: number;
  /** Fewer still now and then, at least one, and no word of it. */
  readonly isShort: boolean;
  /** Answers without a value and with a place, now and then. */
  readonly isSlow: boolean;
  /** Places are gone when they are used, now and then. */
  readonly forgets: boolean;
  /** A page after a place: begins with the last value once more, leaves out what shares its time, or leaves out one. */
  readonly seam: 'right' | 'repeats' | 'skips-time' | 'skips-one';
  /** Sends values from outside of what was asked for, or what stands for bounds that are not there. */
  readonly bounds: 'none' | 'values' | 'statuses';
  /** A question that begins at a time that several values share begins amid them, as open62541 has it. */
  readonly beginsAmid: boolean;
  /** The end of a question belongs to it. */
  readonly hasEnd: boolean;
  readonly emptyStatus: 'Good' | 'GoodNoData' | 'BadNoData';
  /** Says that there is more with a status. */
  readonly saysMore: boolean;
  /** How it takes a question from late to early. */
  readonly back: 'right' | 'forward' | 'empty' | 'refused' | 'unsupported';
  /** The times that it keeps; what it says when the other one is asked for, or nothing. */
  readonly times: 'both' | 'source' | 'server' | 'server-silent';
  /** Forgets its oldest values while it is read, now and then. */
  readonly isRing: boolean;
  /** Is too busy now and then. */
  readonly isBusy: boolean;
}

export interface HostileNode {
  readonly kind: 'kept' | 'unsupported' | 'no-access' | 'denied' | 'unknown';
  /** All that was ever recorded, in order of time. */
  readonly recorded: readonly WireValue[];
  /** Of these, so many of the oldest are gone. */
  gone: number;
}

export const goodStatus: WireStatus = { value: 0, name: 'Good' };

export class HostileHistory {
  readonly nodes = new Map<string, HostileNode>();
  readonly #habits: Habits;
  readonly #random: Random;
  /** Epoch ms. */
  now: number;
  requests = 0;
  /** Of each answer that would be Good. */
  status = goodStatus;
  /** Questions that places were used with, other than those that they came of. */
  changed = 0;
  /** Places that it holds, but for `offset`, where it holds none. */
  readonly places = new Map<string, { readonly nodeId: string; readonly from: number }>();
  readonly #given = new Set<string>();
  #nextPlace = 1;

  constructor(habits: Habits, random: Random, now: number) {
    this.#habits = habits;
    this.#random = random;
    this.now = now;
  }

  session(): OpcuaSession {
    return {
      limits: { nodesPerHistoryRead: 3, historyContinuationPoints: 0 },
      lost: new AbortController().signal,
      serverTime: async () => this.now,
      read: async (nodeIds: readonly string[]) =>
        nodeIds.map((nodeId) => ({
          value: { dataType: 3, arrayType: 0, value: this.nodes.get(nodeId)?.kind === 'no-access' ? 1 : 5 },
          statusCode: goodStatus,
          sourceTimestamp: null,
          serverTimestamp: null,
        })),
      historyRead: async (request: HistoryRequest) => this.#read(request),
      historyRelease: async (nodes: HistoryRequest['nodes']) => {
        for (const { continuation } of nodes) this.places.delete(textOf(continuation!));
      },
    } as unknown as OpcuaSession;
  }

  held(nodeId: string): readonly WireValue[] {
    const { recorded, gone } = this.nodes.get(nodeId)!;
    return recorded.slice(gone);
  }

  #read(request: HistoryRequest): readonly HistoryResult[] {
    this.requests += 1;
    if (this.requests > 20_000) throw new Error('it asks for ever');
    if (this.#habits.isBusy && this.#now(8)) throw serviceFailed('history', 'BadServerTooBusy');
    const results = request.nodes.map((node) => this.#answer(request, node));
    if (this.#habits.isRing && this.#now(4))
      for (const node of this.nodes.values())
        node.gone = Math.min(node.recorded.length, node.gone + randomInt(this.#random, 4));
    return results;
  }

  #answer(request: HistoryRequest, { nodeId, continuation }: HistoryRequest['nodes'][number]): HistoryResult {
    const refusal = this.#refusal(nodeId, request);
    if (refusal) return bad(refusal);
    const { start, end, valuesPerNode } = request;
    const isBack = end < start;
    if (isBack && this.#habits.back === 'refused') return bad('BadInvalidArgument');
    if (isBack && this.#habits.back === 'unsupported') return bad('BadHistoryOperationUnsupported');
    const all = this.#valuesOf(nodeId, start, end);
    let from = 0;
    if (continuation) {
      const place = this.#take(textOf(continuation), nodeId, `${start} ${end} ${valuesPerNode}`);
      if (place === undefined) return bad('BadContinuationPointInvalid');
      from = this.#seam(all, place);
    }
    const place = this.#placeAt(nodeId, request, from);
    if (this.#habits.isSlow && place && from < all.length && this.#now(5))
      return { status: goodStatus, values: [], ...place };
    return this.#page(request, nodeId, all, from);
  }

  #page(request: HistoryRequest, nodeId: string, all: readonly WireValue[], from: number): HistoryResult {
    const { places, isShort, saysMore, emptyStatus } = this.#habits;
    const asked = Math.min(request.valuesPerNode, this.#habits.most);
    const most = isShort && this.#now(3) ? 1 + randomInt(this.#random, asked) : asked;
    const isCutShort = most < asked;
    const values = all.slice(from, from + most);
    const next = from + values.length;
    const hasMore = next < all.length;
    const shown = this.#bounded(request, nodeId, values, from === 0);
    if (values.length === 0) return { status: named(emptyStatus), values: shown };
    if (!hasMore || (isCutShort && !saysMore)) return { status: this.status, values: shown };
    if (places === 'refused') return bad('BadNoContinuationPoints');
    const status = saysMore ? named('GoodMoreData') : this.status;
    if (places === 'none') return { status, values: shown };
    return { status, values: shown, ...this.#placeAt(nodeId, request, next) };
  }

  /** What the server has between the two, in the direction that it takes the question. */
  #valuesOf(nodeId: string, start: number, end: number): readonly WireValue[] {
    const isBack = end < start;
    const { back, hasEnd, times } = this.#habits;
    if (isBack && back === 'empty') return [];
    const [low, high] = isBack ? [end, start] : [start, end];
    const inside = this.held(nodeId).filter((value) => {
      const at = timeOf(value);
      if (isBack) return at <= high && (at > low || (hasEnd && at === low));
      return at >= low && (at < high || (hasEnd && at === high));
    });
    const shown = this.#without(inside, start, isBack).map((value) => shownWith(value, times));
    return isBack && back === 'right' ? shown.reverse() : shown;
  }

  /** Of the values at the very start of a question, perhaps only the later half. */
  #without(inside: readonly WireValue[], start: number, isBack: boolean): readonly WireValue[] {
    const count = inside.filter((value) => timeOf(value) === start).length;
    if (!this.#habits.beginsAmid || isBack || count < 2) return inside;
    return inside.slice(count >> 1);
  }

  #refusal(nodeId: string, { times }: HistoryRequest): string | undefined {
    const node = this.nodes.get(nodeId);
    if (!node || node.kind === 'unknown') return 'BadNodeIdUnknown';
    if (node.kind === 'unsupported') return 'BadHistoryOperationUnsupported';
    if (node.kind === 'no-access' || node.kind === 'denied') return 'BadUserAccessDenied';
    const kept = this.#habits.times;
    const isStrict = kept === 'source' || kept === 'server';
    return isStrict && times !== kept ? 'BadTimestampNotSupported' : undefined;
  }

  #seam(all: readonly WireValue[], place: number): number {
    const last = all[place - 1];
    switch (last && this.#habits.seam) {
      case 'repeats':
        return place - 1;
      case 'skips-one':
        return place + 1;
      case 'skips-time': {
        const later = all.findIndex((value, at) => at >= place && timeOf(value) !== timeOf(last!));
        return later < 0 ? all.length : later;
      }
      default:
        return place;
    }
  }

  #placeAt(nodeId: string, { start, end, valuesPerNode }: HistoryRequest, from: number) {
    const { places } = this.#habits;
    if (places !== 'kept' && places !== 'offset') return undefined;
    const question = `${start} ${end} ${valuesPerNode}`;
    const name = places === 'offset' ? `+${from}` : String(this.#nextPlace++);
    this.#given.add(`${name} ${nodeId} ${question}`);
    if (places === 'kept') this.places.set(name, { nodeId, from });
    return { continuation: Buffer.from(name) };
  }

  #take(name: string, nodeId: string, question: string): number | undefined {
    if (!this.#given.has(`${name} ${nodeId} ${question}`)) this.changed += 1;
    const place = this.places.get(name);
    this.places.delete(name);
    if (this.#habits.forgets && this.#now(4)) return undefined;
    return this.#habits.places === 'offset' ? Number(name.slice(1)) : place?.from;
  }

  #bounded(
    { start, end }: HistoryRequest,
    nodeId: string,
    values: readonly WireValue[],
    isFirst: boolean,
  ): readonly WireValue[] {
    const { bounds } = this.#habits;
    if (bounds === 'none' || !isFirst || end < start) return values;
    const before = this.held(nodeId)
      .filter((value) => timeOf(value) < start)
      .at(-1);
    if (bounds === 'values') return before ? [shownWith(before, this.#habits.times), ...values] : values;
    const time = new Date(start);
    const missing = { statusCode: named('BadBoundNotFound'), sourceTimestamp: time, serverTimestamp: time };
    return [missing, ...values];
  }

  #now(oneIn: number): boolean {
    return randomInt(this.#random, oneIn) === 0;
  }
}

export function timeOf({ sourceTimestamp, serverTimestamp }: WireValue): number {
  return (sourceTimestamp ?? serverTimestamp)!.getTime();
}

function shownWith(value: WireValue, times: Habits['times']): WireValue {
  if (times === 'both') return { ...value, serverTimestamp: value.sourceTimestamp };
  if (times === 'source') return value;
  return { ...value, sourceTimestamp: null, serverTimestamp: value.sourceTimestamp };
}

function bad(name: string): HistoryResult {
  return { status: { value: 0x8000_0000, name }, values: [] };
}

function named(name: string): WireStatus {
  const value = name.startsWith('Bad') ? 0x8000_0000 : name === 'Good' ? 0 : 0x00a0_0000;
  return { value, name };
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}
