// Re-reads a range from the server's own history: many nodes at once, merged into pages in order of time.
//
// What is told apart. A node that the server does not historise, or whose memory begins later: its tag is marked at
// the start of what is read (`bad:no-history`, `bad:history-expired`), and the others are answered. No node with
// history: unavailable, `no-history`. No node whose memory reaches so far back: unavailable, `history-expired`. No
// values within memory: verified empty. A server that fails: an error, and the same is asked again later.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { Window } from '../../../wire/window.ts';
import type { HistoryPage, SourceHistory } from '../source.ts';
import { chunk } from './chunk.ts';
import { type HistoryAsk, HistoryNode, isEmpty, isRefusal } from './history-node.ts';
import { OpcuaServiceError } from './opcua-errors.ts';
import type { HistoryRequest, HistoryResult, OpcuaSession } from './opcua-session.ts';
import { isBad } from './quality.ts';
import { unlessAborted } from './unless-aborted.ts';

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

/** Values of one page at most, roughly; the library asks for answers of 800 KB at most. */
const pageValues = 20_000;
const leastPerNode = 5;
const nodesAtOnce = 100;
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
  readonly #signal: AbortSignal;
  #nodes: HistoryNode[] = [];

  constructor(link: HistoryLink, valuesPerNode: number, signal: AbortSignal) {
    this.#link = link;
    this.#signal = signal;
    const fair = Math.floor(pageValues / Math.max(1, link.nodes.size));
    this.#valuesPerNode = Math.max(leastPerNode, Math.min(valuesPerNode, fair));
  }

  async *read(range: Window): AsyncGenerator<HistoryPage> {
    const { session, settleMs } = this.#link;
    const now = await this.#may(session.serverTime());
    const end = Math.min(range.end, Math.floor(now - settleMs));
    if (end <= range.start) return;
    const memory = await this.#memoryAt(range.start);
    const remembering = [...memory].filter(([, reach]) => reach !== 'none').map(([tag]) => tag);
    if (remembering.length === 0) {
      yield { kind: 'unavailable', window: { start: range.start, end }, reason: 'no-history' };
      return;
    }
    let { start } = range;
    if (![...memory.values()].includes('reaches')) {
      const oldest = await this.#firstFrom(range.start, end, remembering);
      start = oldest ?? end;
      if (start > range.start)
        yield { kind: 'unavailable', window: { start: range.start, end: start }, reason: 'history-expired' };
      if (start >= end) return;
    }
    yield* this.#pages({ start, end }, remembering, marksOf(memory, start, oldestReach(memory)));
  }

  async *#pages(
    range: Window,
    tags: readonly string[],
    marks: readonly Reading[],
  ): AsyncGenerator<HistoryPage> {
    const { nodes } = this.#link;
    this.#nodes = tags.map((tag) => new HistoryNode(tag, nodes.get(tag)!, range, this.#valuesPerNode));
    let { start } = range;
    let extra = [...marks];
    let asking = this.#fill(start);
    try {
      while (start < range.end) {
        await asking;
        const end = this.#nodes.reduce((least, node) => Math.min(least, node.completeBelow), range.end);
        const page = end > start ? [...extra, ...this.#nodes.flatMap((node) => takeBelow(node, end))] : [];
        // While one page is taken care of, the server works on the next.
        if (end < range.end) asking = this.#fill(end);
        if (end <= start) continue;
        extra = [];
        yield { kind: 'readings', window: { start, end }, readings: page.sort((a, b) => a.index - b.index) };
        start = end;
      }
    } finally {
      // Not awaited: it may take its time, and then leaves a place to let go of.
      asking
        .catch(() => {})
        .then(() => this.#release(this.#nodes.flatMap((node) => holdOf(node, node.forget()))));
    }
  }

  /** Asks on for each node that holds the others up. */
  async #fill(start: number): Promise<void> {
    const open = this.#nodes.filter((node) => !node.isDone && node.completeBelow <= start);
    const groups = new Map<string, { node: HistoryNode; ask: HistoryAsk }[]>();
    for (const node of open) {
      const ask = node.next();
      // One request asks for one range; with continuation points it is not looked at.
      const key = ask.continuation ? 'on' : `${ask.start} ${ask.end} ${ask.valuesPerNode}`;
      groups.set(key, [...(groups.get(key) ?? []), { node, ask }]);
    }
    for (const group of groups.values()) {
      for (const part of chunk(group, this.#link.session.limits.nodesPerHistoryRead, nodesAtOnce))
        await this.#ask(part);
    }
  }

  async #ask(part: readonly { node: HistoryNode; ask: HistoryAsk }[]): Promise<void> {
    const { start, end, valuesPerNode } = part[0]!.ask;
    const nodes = part.map(({ node, ask }) => ({
      nodeId: node.nodeId,
      ...(ask.continuation && { continuation: ask.continuation }),
    }));
    const results = await this.#request({ start, end, valuesPerNode, nodes });
    for (const [at, { node, ask }] of part.entries()) this.#take(node, ask, results[at]!);
    const { historyContinuationPoints: most } = this.#link.session.limits;
    // More nodes than the server holds places for: each is asked by time, and no place is kept.
    if (most > 0 && this.#nodes.length > most)
      this.#release(part.flatMap(({ node }) => holdOf(node, node.forget())));
  }

  #take(node: HistoryNode, ask: HistoryAsk, result: HistoryResult): void {
    const outcome = node.take(ask, result);
    if (outcome === 'ok') return;
    if (outcome === 'failed') throw failed(node.tag, result.status.name);
    // It answered before: what is left of it is marked where it ends.
    node.pending.push(mark(node.tag, node.completeBelow, 'no-history'));
    node.isDone = true;
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
      else if (isBad(status) && !isEmpty(name)) throw failed(tag, name);
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
    for (const part of chunk(nodes, this.#link.session.limits.nodesPerHistoryRead, nodesAtOnce)) {
      const asked = part.map(([, nodeId]) => ({ nodeId }));
      const results = await this.#request({ ...range, valuesPerNode: 1, nodes: asked });
      for (const [at, [tag]] of part.entries()) found.set(tag, results[at]!);
      this.#release(
        part.flatMap(([, nodeId], at) => {
          const { continuation } = results[at]!;
          return continuation ? [{ nodeId, continuation }] : [];
        }),
      );
    }
    return found;
  }

  /** A server that refuses the service itself refuses it for each node. */
  async #request(request: HistoryRequest): Promise<readonly HistoryResult[]> {
    const { session } = this.#link;
    try {
      return await this.#may(session.historyRead(request));
    } catch (error) {
      if (!(error instanceof OpcuaServiceError)) throw error;
      const { status, nodes } = { status: error.status, nodes: request.nodes };
      if (isRefusal(status))
        return nodes.map(() => ({ status: { value: 0x8000_0000, name: status }, values: [] }));
      if (status !== 'BadTooManyOperations' || nodes.length === 1) throw error;
      const half = nodes.length >> 1;
      const first = await this.#request({ ...request, nodes: nodes.slice(0, half) });
      return [...first, ...(await this.#request({ ...request, nodes: nodes.slice(half) }))];
    }
  }

  /** In the background: nobody waits for it, and a server that does not answer forgets with the session. */
  #release(nodes: readonly { nodeId: string; continuation: Uint8Array }[]): void {
    const { session } = this.#link;
    if (session.lost.aborted) return;
    for (const part of chunk(nodes, session.limits.nodesPerHistoryRead, nodesAtOnce))
      session.historyRelease(part).catch(() => {});
  }

  #may<T>(work: Promise<T>): Promise<T> {
    return unlessAborted(work, this.#signal);
  }
}

function takeBelow(node: HistoryNode, end: number): Reading[] {
  const count = node.pending.findIndex(({ index }) => index >= end);
  return node.pending.splice(0, count < 0 ? node.pending.length : count);
}

function holdOf({ nodeId }: HistoryNode, continuation: Uint8Array | undefined) {
  return continuation ? [{ nodeId, continuation }] : [];
}

/** Whether any tag's memory reaches back: then one that does not is an exception worth a mark. */
function oldestReach(memory: ReadonlyMap<string, Memory>): boolean {
  return [...memory.values()].includes('reaches');
}

function marksOf(memory: ReadonlyMap<string, Memory>, at: number, isMixed: boolean): readonly Reading[] {
  return [...memory].flatMap(([tag, reach]) => {
    if (reach === 'none') return [mark(tag, at, 'no-history')];
    return reach === 'later' && isMixed ? [mark(tag, at, 'history-expired')] : [];
  });
}

function mark(tag: string, index: number, cause: string): Reading {
  return { index, tag, value: null, quality: `bad:${cause}` };
}

function failed(tag: string, status: string): HoldfastError {
  const message = `the server failed to read the history of '${tag}': ${status}`;
  return new HoldfastError('opcua-history-failed', message, { retryable: true });
}
