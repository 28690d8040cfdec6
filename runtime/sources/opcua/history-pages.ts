// The history of nodes that have some, merged into pages in order of time.
import type { Reading } from '../../../wire/reading.ts';
import type { Window } from '../../../wire/window.ts';
import { type HistoryPage, unprovenPage } from '../history-page.ts';
import { HistoryLane } from './history-lane.ts';
import { HistoryNode } from './history-node.ts';
import type { HistoryRequests } from './history-requests.ts';
import { mergeInOrder } from './merge.ts';
import type { OpcuaSession } from './opcua-session.ts';

/** Values of one page at most, roughly; the library asks for answers of 800 KB at most. */
const pageValues = 20_000;
const leastPerNode = 5;

/** Their servers failed while two requests were under way: perhaps that was why. */
const oneAtATime = new WeakSet<OpcuaSession>();

export interface PagesOptions {
  readonly requests: HistoryRequests;
  readonly range: Window;
  /** Node ids by tag. */
  readonly nodes: readonly (readonly [tag: string, nodeId: string])[];
  readonly valuesPerNode: number;
  /** At the range's start, before all others. */
  readonly marks: readonly Reading[];
}

/** @throws HoldfastError `opcua-history-failed` and what ends a session; the same may be asked again. */
export async function* readPages(options: PagesOptions): AsyncGenerator<HistoryPage> {
  const { range, requests, marks } = options;
  const perNode = fairShare(options);
  const nodes = options.nodes.map(([tag, nodeId]) => new HistoryNode(tag, nodeId, range, perNode));
  const lanes = lanesOf(nodes, requests);
  let { start } = range;
  let extra = marks;
  for (const lane of lanes) lane.begin();
  try {
    while (start < range.end) {
      // Only the one that holds the other up: what the other has heard since stays with it, and bounds it.
      await firstOf(lanes).wait();
      const end = Math.min(range.end, firstOf(lanes).completeBelow);
      const runs = end > start ? [extra, ...nodes.map((node) => node.takeBelow(end))] : [];
      // While one page is taken care of, the server works on the next.
      for (const lane of lanes) lane.begin();
      if (end <= start) continue;
      yield unprovenPage.complete({ start, end }, mergeInOrder(runs));
      extra = [];
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

/** Two, where the server holds places enough for all nodes at once. */
function lanesOf(nodes: readonly HistoryNode[], requests: HistoryRequests): HistoryLane[] {
  const { historyContinuationPoints: most } = requests.session.limits;
  const keepsPlaces = most === 0 || nodes.length <= most;
  const isSplit = keepsPlaces && nodes.length > 1 && !oneAtATime.has(requests.session);
  const half = isSplit ? Math.ceil(nodes.length / 2) : nodes.length;
  return [nodes.slice(0, half), nodes.slice(half)]
    .filter(({ length }) => length > 0)
    .map((part) => new HistoryLane(part, requests, keepsPlaces));
}

/** The lane that holds the other up. */
function firstOf(lanes: readonly HistoryLane[]): HistoryLane {
  return lanes.reduce((least, lane) => (lane.completeBelow < least.completeBelow ? lane : least));
}
