// What the server answers when it is asked for its history (OPC 10000-11, 6.5.3), with its habits.
import type {
  HistoryNode,
  HistoryRequest,
  HistoryResult,
  WireStatus,
  WireValue,
} from '../../../runtime/sources/opcua/opcua-session.ts';
import type { Dice } from '../dice.ts';
import { type Change, good, placeOf, type Server, wireOf } from './server.ts';
import type { HistoryHabits, ServerPlan, ServerTag } from './server-plan.ts';

export interface HistoryAnswersOptions {
  readonly plan: ServerPlan;
  readonly habits: HistoryHabits;
  readonly server: Server;
  readonly dice: Dice;
  readonly isHostile: () => boolean;
}

interface Point {
  readonly nodeId: string;
  /** What is still to come, where the point stands for that; else how many came. */
  readonly rest: readonly Change[];
  readonly count: number;
}

const bad = (value: number, name: string): WireStatus => ({ value: (0x8000_0000 | value) >>> 0, name });
const unsupported = bad(0x0071_0000, 'BadHistoryOperationUnsupported');
const pointInvalid = bad(0x004a_0000, 'BadContinuationPointInvalid');
const noPoints = bad(0x004b_0000, 'BadNoContinuationPoints');
const noTimes = bad(0x00a1_0000, 'BadTimestampNotSupported');
const unknownNode = bad(0x0034_0000, 'BadNodeIdUnknown');
const boundMissing = bad(0x00d7_0000, 'BadBoundNotFound');
const empties: Readonly<Record<string, WireStatus>> = {
  Good: good,
  GoodNoData: { value: 0x00a5_0000, name: 'GoodNoData' },
  BadNoData: bad(0x009b_0000, 'BadNoData'),
};
const moreData: WireStatus = { value: 0x00a6_0000, name: 'GoodMoreData' };

export class HistoryAnswers {
  readonly #options: HistoryAnswersOptions;
  #points = new Map<string, Point>();
  #nextPoint = 1;

  constructor(options: HistoryAnswersOptions) {
    this.#options = options;
  }

  answer(request: HistoryRequest): readonly HistoryResult[] {
    return request.nodes.map((node) => this.#answerNode(request, node));
  }

  release(nodes: readonly HistoryNode[]): void {
    for (const { continuation } of nodes) if (continuation) this.#points.delete(keyOf(continuation));
  }

  #answerNode(request: HistoryRequest, { nodeId, continuation }: HistoryNode): HistoryResult {
    const { plan, habits, dice, isHostile } = this.#options;
    const tag = plan.tags.find((each) => each.nodeId === nodeId);
    if (!tag) return { status: unknownNode, values: [] };
    if (!tag.hasHistory) return { status: unsupported, values: [] };
    const { times = 'both' } = request as { times?: 'both' | 'source' | 'server' };
    if (habits.refusesTimes && times !== (tag.hasSourceTime ? 'source' : 'server'))
      return { status: noTimes, values: [] };
    const range = this.#within(tag, request);
    if (!continuation) return this.#page(request, nodeId, range, 0, 'first');
    const point = this.#points.get(keyOf(continuation));
    this.#points.delete(keyOf(continuation));
    const isGone = habits.forgets && isHostile() && dice.chance(0.15);
    if (!point || point.nodeId !== nodeId || isGone) return { status: pointInvalid, values: [] };
    if (habits.points === 'offset') return this.#page(request, nodeId, range, point.count, 'next');
    return this.#page(request, nodeId, point.rest, 0, 'next');
  }

  /** In the order of the request. */
  #within(tag: ServerTag, { start, end }: HistoryRequest): readonly Change[] {
    const all = this.#options.server.history(tag.name).toSorted((a, b) => placeOf(a) - placeOf(b));
    if (end >= start) return all.filter((change) => placeOf(change) >= start && placeOf(change) < end);
    return all.filter((change) => placeOf(change) <= start && placeOf(change) > end).toReversed();
  }

  #page(
    request: HistoryRequest,
    nodeId: string,
    changes: readonly Change[],
    skip: number,
    page: 'first' | 'next',
  ): HistoryResult {
    const { habits, dice, isHostile } = this.#options;
    const { points, most, isUneven, repeats, saysMore } = habits;
    const asked = request.valuesPerNode > 0 ? Math.min(request.valuesPerNode, most) : most;
    const rest = changes.slice(skip);
    const least = points === 'kept' || points === 'offset' ? 0 : 1;
    const count = isUneven && isHostile() && dice.chance(0.3) ? dice.between(least, asked) : asked;
    const given = rest.slice(0, count);
    const left = rest.slice(count);
    const before = repeats && page === 'next' && skip > 0 ? [changes[skip - 1]!] : [];
    const values = [
      ...this.#bounds(request, nodeId, page),
      ...[...before, ...given].map((change) => this.#wire(change, request)),
    ];
    if (left.length === 0) {
      const isEmpty = values.length === 0 && page === 'first';
      return { status: isEmpty ? empties[habits.emptyStatus]! : good, values };
    }
    if (points === 'refused') return { status: noPoints, values: [] };
    const status = saysMore ? moreData : good;
    if (points === 'none') return { status, values };
    const key = String(this.#nextPoint++);
    this.#points.set(key, { nodeId, rest: left, count: skip + given.length });
    return { status, values, continuation: Buffer.from(key) };
  }

  /** Values on either side of the range, or what says that there are none. */
  #bounds({ start, end }: HistoryRequest, nodeId: string, page: 'first' | 'next'): readonly WireValue[] {
    const { habits, server, plan } = this.#options;
    if (!habits.hasBounds || page === 'next' || end < start) return [];
    const tag = plan.tags.find((each) => each.nodeId === nodeId)!;
    const before = server.history(tag.name).findLast((change) => placeOf(change) < start);
    if (before) return [wireOf(before)];
    const time = new Date(start);
    return [{ value: null, statusCode: boundMissing, sourceTimestamp: time, serverTimestamp: time }];
  }

  #wire(change: Change, request: HistoryRequest): WireValue {
    const { times = 'both' } = request as { times?: 'both' | 'source' | 'server' };
    const wire = wireOf(change);
    if (times === 'source') return { ...wire, serverTimestamp: null };
    return times === 'server' ? { ...wire, sourceTimestamp: null } : wire;
  }
}

function keyOf(continuation: Uint8Array): string {
  return Buffer.from(continuation).toString();
}
