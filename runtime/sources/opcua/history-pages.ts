// The history of nodes that have some, merged into pages in order of time.
import type { Reading } from '../../../wire/reading.ts';
import type { Window } from '../../../wire/window.ts';
import { CompletePage, type HistoryPage } from '../history-page.ts';
import { BackLooks } from './history-back.ts';
import { HistoryLane } from './history-lane.ts';
import { MemoryLooks } from './history-memory.ts';
import { HistoryNode } from './history-node.ts';
import type { HistoryRequests } from './history-requests.ts';
import { stampOf } from './history-values.ts';
import { mergeInOrder } from './merge.ts';
import type { OpcuaSession, Times, WireValue } from './opcua-session.ts';

/** Values of one page at most, roughly; the library asks for answers of 800 KB at most. */
const pageValues = 20_000;
const leastPerNode = 5;

/** Their servers failed while two requests were under way: perhaps that was why. */
const oneAtATime = new WeakSet<OpcuaSession>();

export interface ReadNode {
  readonly tag: string;
  readonly nodeId: string;
  readonly times: Times;
  /** The node's history reaches back to before the range. */
  readonly reaches: boolean;
  /** Its newest value at or before the range's start, where that is known. */
  readonly anchor?: WireValue | undefined;
}

export interface PagesOptions {
  readonly requests: HistoryRequests;
  readonly range: Window;
  readonly nodes: readonly ReadNode[];
  readonly valuesPerNode: number;
  /** All that lies below is in the history by now. */
  readonly recordedTo: number;
  /** What cannot be said of some tags, at the start of each page: nothing is claimed of them until their next value. */
  readonly marksAt: (start: number, isKnown: (tag: string) => boolean) => readonly Reading[];
}

/** @throws HoldfastError `opcua-history-failed` and what ends a session; the same may be asked again. */
export async function* readPages(options: PagesOptions): AsyncGenerator<HistoryPage> {
  const { range, requests, marksAt, recordedTo } = options;
  const heldFrom = heldFromOf(options);
  const valuesPerNode = fairShare(options);
  const nodes = options.nodes.map((node) => new HistoryNode({ ...node, range, valuesPerNode }));
  const back = new BackLooks(requests);
  const memory = new MemoryLooks(requests, back);
  const lanes = partsOf(nodes, requests.session).map(
    (part) => new HistoryLane(part, { requests, back, memory, range, valuesPerNode }),
  );
  // A tag whose memory begins later is known from its first value on.
  const known = new Set(options.nodes.filter(({ reaches }) => reaches).map(({ tag }) => tag));
  let { start } = range;
  for (const lane of lanes) lane.begin();
  try {
    while (start < range.end) {
      // Only the one that holds the other up: what the other has heard since stays with it, and bounds it.
      await firstOf(lanes).wait();
      const end = Math.min(range.end, firstOf(lanes).provenBelow);
      const runs = end > start ? nodes.map((node) => node.takeBelow(end)) : [];
      // While one page is taken care of, the server works on the next.
      for (const lane of lanes) lane.begin();
      if (end <= start) continue;
      const marks = marksAt(start, (tag) => known.has(tag));
      yield CompletePage.of({ start, end }, mergeInOrder([marks, ...runs]), {
        asked: { start: range.start, end: Math.min(...lanes.map(({ askedTo }) => askedTo)) },
        // Each node has a value behind this page that it had no answer without, or shows nothing else from either side.
        ended: end < range.end ? 'record-beyond' : 'no-more',
        heldFrom,
        recordedTo,
      });
      for (const run of runs) if (run.length > 0) known.add(run[0]!.tag);
      start = end;
    }
  } catch (error) {
    if (lanes.length > 1 && !requests.signal.aborted) oneAtATime.add(requests.session);
    throw error;
  } finally {
    for (const lane of lanes) lane.end();
  }
}

function fairShare({ nodes, valuesPerNode }: PagesOptions): number {
  const fair = Math.floor(pageValues / Math.max(1, nodes.length));
  return Math.max(leastPerNode, Math.min(valuesPerNode, fair));
}

/** What the memory of each was shown to reach back to when it was read: answers begin with a value from there. */
function heldFromOf({ nodes, range }: PagesOptions): number {
  // Those whose memory begins later are marked up to there.
  const reached = nodes.filter(({ reaches }) => reaches);
  const from = reached.map(({ anchor }) => (anchor && stampOf(anchor)) ?? range.start - 1);
  return reached.length === 0 ? range.start : Math.max(...from);
}

/** Two lanes, unless the server fails at that. */
function partsOf(nodes: readonly HistoryNode[], session: OpcuaSession): readonly (readonly HistoryNode[])[] {
  const isSplit = nodes.length > 1 && !oneAtATime.has(session);
  const half = isSplit ? Math.ceil(nodes.length / 2) : nodes.length;
  return [nodes.slice(0, half), nodes.slice(half)].filter(({ length }) => length > 0);
}

/** The lane that holds the other up. */
function firstOf(lanes: readonly HistoryLane[]): HistoryLane {
  return lanes.reduce((least, lane) => (lane.provenBelow < least.provenBelow ? lane : least));
}
