// Re-reads a range from the server's own history: many nodes at once, merged into pages in order of time.
//
// What is told apart. A node that the server does not historise, or whose memory begins later: its tag is marked at
// the start of what is read (`bad:no-history`, `bad:history-expired`), and the others are answered. No node with
// history: unavailable, `no-history`. No node whose memory reaches so far back: unavailable, `history-expired`. No
// values within memory: verified empty. A server that fails: an error, and the same is asked again later.
import type { Reading } from '../../../wire/reading.ts';
import type { Window } from '../../../wire/window.ts';
import { type HistoryPage, unprovenPage } from '../history-page.ts';
import type { SourceHistory } from '../source.ts';
import { historyFailed } from './history-lane.ts';
import { isEmpty, isRefusal, markOf } from './history-node.ts';
import { readPages } from './history-pages.ts';
import { HistoryRequests } from './history-requests.ts';
import type { HistoryRequest, HistoryResult, OpcuaSession } from './opcua-session.ts';
import { isBad } from './quality.ts';

export interface HistoryLink {
  readonly session: OpcuaSession;
  /** Node ids by tag. */
  readonly nodes: ReadonlyMap<string, string>;
  /** The server may write its history so much later than the values' times. */
  readonly settleMs: number;
}

export interface HistoryOptions {
  /** @throws HoldfastError `source-not-connected` */
  readonly link: () => HistoryLink;
  readonly valuesPerNode: number;
}

/** OPC 10000-6, 5.2.2.5 takes the earliest times for "none", so memory is looked for from here on. */
const beginning = 0;

export function createHistory(options: HistoryOptions): SourceHistory {
  return {
    async *read(range, signal) {
      signal.throwIfAborted();
      yield* new HistoryReading(options.link(), options.valuesPerNode, signal).read(range);
    },
  };
}

const noPoints = 'BadNoContinuationPoints';

type Memory = 'reaches' | 'later' | 'none';

class HistoryReading {
  readonly #link: HistoryLink;
  readonly #valuesPerNode: number;
  readonly #requests: HistoryRequests;

  constructor(link: HistoryLink, valuesPerNode: number, signal: AbortSignal) {
    this.#link = link;
    this.#valuesPerNode = valuesPerNode;
    this.#requests = new HistoryRequests(link.session, signal);
  }

  async *read(range: Window): AsyncGenerator<HistoryPage> {
    const { session, settleMs, nodes } = this.#link;
    const now = await this.#requests.may(session.serverTime());
    const end = Math.min(range.end, Math.floor(now - settleMs));
    if (end <= range.start) return;
    const memory = await this.#memoryAt(range.start);
    const remembering = [...memory].filter(([, reach]) => reach !== 'none').map(([tag]) => tag);
    if (remembering.length === 0) {
      yield unprovenPage.gone({ start: range.start, end }, 'no-history');
      return;
    }
    let { start } = range;
    if (![...memory.values()].includes('reaches')) {
      const oldest = await this.#firstFrom(range.start, end, remembering);
      start = oldest ?? end;
      if (start > range.start) yield unprovenPage.gone({ start: range.start, end: start }, 'history-expired');
      if (start >= end) return;
    }
    yield* readPages({
      requests: this.#requests,
      range: { start, end },
      nodes: remembering.map((tag) => [tag, nodes.get(tag)!]),
      valuesPerNode: this.#valuesPerNode,
      marks: marksOf(memory, start, oldestReach(memory)),
    });
  }

  /** For each tag, whether the server still has a value from `at`, or from before. */
  async #memoryAt(at: number): Promise<Map<string, Memory>> {
    const found = new Map<string, Memory>();
    const results = await this.#one([...this.#link.nodes], { start: at, end: beginning });
    for (const [tag, { status, values }] of results) {
      const name = status.name.replace(/#.*$/s, '');
      if (isRefusal(name)) found.set(tag, 'none');
      // More than the one value that was asked for, and no place to hold.
      else if (name === noPoints) found.set(tag, 'reaches');
      else if (isBad(status) && !isEmpty(name)) throw historyFailed(tag, name);
      else
        found.set(
          tag,
          values.some((value) => (value.sourceTimestamp?.getTime() ?? at) <= at) ? 'reaches' : 'later',
        );
    }
    return found;
  }

  async #firstFrom(start: number, end: number, tags: readonly string[]): Promise<number | undefined> {
    const { nodes } = this.#link;
    const wanted = tags.map((tag) => [tag, nodes.get(tag)!] as const);
    let [from, to] = [start, end];
    // A server that cannot page is asked for less and less, until one value is all there is.
    for (;;) {
      const results = [...(await this.#one(wanted, { start: from, end: to })).values()];
      const isMore = results.some(({ status }) => status.name.startsWith(noPoints));
      const half = from + Math.floor((to - from) / 2);
      if (isMore && half > from) {
        if (await this.#isAny(wanted, from, half)) to = half;
        else from = half;
        continue;
      }
      const times = results.flatMap(({ values }) =>
        values.flatMap(({ sourceTimestamp }) => sourceTimestamp?.getTime() ?? []),
      );
      const inside = times.filter((time) => time >= start && time < end);
      if (inside.length > 0) return Math.min(...inside);
      return isMore ? from : undefined;
    }
  }

  async #isAny(nodes: readonly (readonly [string, string])[], start: number, end: number): Promise<boolean> {
    const results = [...(await this.#one(nodes, { start, end })).values()];
    return results.some(({ status, values }) => values.length > 0 || status.name.startsWith(noPoints));
  }

  /** One value of each node. */
  async #one(
    nodes: readonly (readonly [tag: string, nodeId: string])[],
    range: Pick<HistoryRequest, 'start' | 'end'>,
  ): Promise<Map<string, HistoryResult>> {
    const found = new Map<string, HistoryResult>();
    for (const part of this.#requests.parts(nodes)) {
      const asked = part.map(([, nodeId]) => ({ nodeId }));
      const results = await this.#requests.read({ ...range, valuesPerNode: 1, nodes: asked });
      for (const [at, [tag]] of part.entries()) found.set(tag, results[at]!);
      this.#requests.release(
        part.flatMap(([, nodeId], at) => {
          const { continuation } = results[at]!;
          return continuation ? [{ nodeId, continuation }] : [];
        }),
      );
    }
    return found;
  }
}

/** Whether any tag's memory reaches back: then one that does not is an exception worth a mark. */
function oldestReach(memory: ReadonlyMap<string, Memory>): boolean {
  return [...memory.values()].includes('reaches');
}

function marksOf(memory: ReadonlyMap<string, Memory>, at: number, isMixed: boolean): readonly Reading[] {
  return [...memory].flatMap(([tag, reach]) => {
    if (reach === 'none') return [markOf(tag, at, 'no-history')];
    return reach === 'later' && isMixed ? [markOf(tag, at, 'history-expired')] : [];
  });
}
