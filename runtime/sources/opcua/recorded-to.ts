// Up to where a server has written its history. That a page shows nothing is no word of it: historians write late, by
// seconds or minutes, each node in its order.
//
// What can be known: the subscription tells the newest value of a node, and that none has come since. Is that value in the
// history, or one behind it, then all before it is; and where nothing lies behind it, nothing has come. Is it not,
// the history is late, or leaves out values: then as much is claimed as was made longer ago than `settleMs`, which is for
// people to say, since nobody else can. How long ago that was is known only as far back as the server's clock was heard in
// this process: before, it may have been set.
import type { Window } from '../../../wire/window.ts';
import type { ReadNode } from './history-pages.ts';
import type { HistoryRequests } from './history-requests.ts';
import { isView, meaningOf, plainName } from './history-status.ts';
import { isBound, isSameContent, stampOf } from './history-values.ts';
import type { Live, LiveValue } from './live-values.ts';
import { historyFailed } from './opcua-errors.ts';
import type { HistoryResult, WireValue } from './opcua-session.ts';

export interface RecordedToOptions {
  readonly requests: HistoryRequests;
  readonly range: Window;
  /** The server's clock, epoch ms, before anything of the range was asked for. */
  readonly now: number;
  /** As it was then; undefined where nothing is subscribed to. */
  readonly live: Live | undefined;
  /** A value's time may lie so much before its sampling. */
  readonly latenessMs: number;
  /** The history may be written so late. */
  readonly settleMs: number;
  /**
   * Clocks came by this twice, and by some of the range: the order of times in it is not that in which they were written.
   * What lies behind it was written later.
   */
  readonly repeated: Window | undefined;
}

interface Told {
  readonly node: ReadNode;
  readonly value: WireValue;
  readonly own: number;
  readonly slowMs: number;
}

const fewValues = 10;

/** All that these nodes have below is in the history. @throws HoldfastError `opcua-history-failed` */
export async function recordedTo(nodes: readonly ReadNode[], options: RecordedToOptions): Promise<number> {
  const { now, live, latenessMs, settleMs, range } = options;
  // Before anything is observed, nothing is known but the time.
  if (!live) return Math.floor(now - latenessMs);
  const told: Told[] = [];
  /** A value's time lies so much before it was sampled, and that before it is written. */
  const waitedFor = (slowMs: number) => Math.floor(now - settleMs - Math.max(latenessMs, slowMs));
  let least = Number.POSITIVE_INFINITY;
  const { toldTo } = live;
  for (const node of nodes) {
    const value = toldOf(node, live.newest(node.tag));
    if (value === undefined || toldTo === undefined) least = Math.min(least, waitedFor(0));
    else told.push(value);
  }
  if (toldTo === undefined) return least;
  const boundOf = ({ slowMs }: Told) => Math.floor(Math.min(now, toldTo) - Math.max(latenessMs, slowMs));
  // What a node holds since before the range is all that it had: nothing has come since.
  const open = told.filter(({ own }) => own >= range.start || options.repeated !== undefined);
  const shown = await shownOf(open, options);
  for (const each of told) {
    const { own } = each;
    if (open.includes(each) && !shown.has(each))
      least = Math.min(least, waitedFor(each.slowMs), boundOf(each));
    // Its clock is past the range.
    else if (own >= endOf(options)) least = Math.min(least, range.end);
    else least = Math.min(least, Math.max(own, boundOf(each)));
  }
  // Values may still come out of order by as much.
  return Math.min(least, Math.floor(now - latenessMs));
}

function endOf({ range, repeated }: RecordedToOptions): number {
  return Math.max(range.end, repeated?.end ?? range.end);
}

function toldOf(node: ReadNode, live: LiveValue | undefined): Told | undefined {
  if (!live) return undefined;
  const { value, slowMs = 0 } = live;
  // As the history orders it.
  const own = stampOf(node.times === 'server' ? { ...value, sourceTimestamp: null } : value);
  return own === undefined ? undefined : { node, value, own, slowMs };
}

/** Those whose newest value the history has, or one behind it, or behind the range. */
async function shownOf(told: readonly Told[], options: RecordedToOptions): Promise<ReadonlySet<Told>> {
  const end = endOf(options);
  const shown = new Set<Told>();
  const ask = async (group: readonly Told[], start: number, count: number) => {
    const until = Math.max(start, options.now, ...group.map(({ own }) => own)) + 2;
    const nodes = new Map(group.map((each) => [each.node, each]));
    const asked = { start, end: until };
    for (const [node, result] of await options.requests.few([...nodes.keys()], asked, count)) {
      const each = nodes.get(node)!;
      // Among times that came twice, only the value itself tells.
      const isInOrder = options.repeated === undefined || each.own >= end;
      const behind = isInOrder ? Math.min(each.own, end) : Number.POSITIVE_INFINITY;
      // More than was asked for is there, and no place is held for it.
      const isMore = meaningOf(result.status) === 'no-places' && start >= behind;
      if (isMore || doesShow(each, result, behind)) shown.add(each);
    }
  };
  const behind = told.filter(({ own }) => own >= end);
  if (behind.length > 0) await ask(behind, end, 1);
  const others = told.filter(({ own }) => own < end);
  // Those that changed last at about the same time are asked for together first.
  const distanceOf = ({ own }: Told) => Math.floor(Math.log2(Math.max(1, options.now - own)));
  for (const group of Map.groupBy(others, distanceOf).values())
    if (group.length > 1) await ask(group, Math.min(...group.map(({ own }) => own)), fewValues);
  const rest = others.filter((each) => !shown.has(each));
  for (const [own, group] of Map.groupBy(rest, (each) => each.own)) await ask(group, own, fewValues);
  return shown;
}

/** The value itself, or one from `behind` on. */
function doesShow({ node, value, own }: Told, result: HistoryResult, behind: number): boolean {
  const meaning = meaningOf(result.status);
  if (!isView(meaning) && meaning !== 'no-places') throw historyFailed(node.tag, plainName(result.status));
  return result.values.some((each) => {
    const at = isBound(each) ? undefined : stampOf(each);
    if (at === undefined) return false;
    return at === own ? isSameContent(each, value) : at >= behind;
  });
}
