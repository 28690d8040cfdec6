// Some of the nodes whose history is read, asked for together, one request after the other. Two lanes keep both sides
// busy: the server gathers the values of one while those of the other are decoded and handed on.
//
// A lane moves on by slices of time, as long as one answer takes. Nodes that have values further on are known up to those:
// their answers show what comes before. Those that were silent, or end early, are looked at from the other side before it is
// believed that nothing more came. So a bound is `proven` by two looks at each node that overlap.
import type { BackLooks } from './history-back.ts';
import type { MemoryLooks } from './history-memory.ts';
import type { HistoryNode } from './history-node.ts';
import type { HistoryAsk } from './history-node-types.ts';
import type { HeldPlace, HistoryRequests } from './history-requests.ts';
import { historyFailed, historyMoved } from './opcua-errors.ts';
import type { HistoryResult } from './opcua-session.ts';

export interface LaneOptions {
  readonly requests: HistoryRequests;
  readonly back: BackLooks;
  readonly memory: MemoryLooks;
  readonly range: { readonly start: number; readonly end: number };
  readonly valuesPerNode: number;
}

interface Question {
  readonly node: HistoryNode;
  readonly ask: HistoryAsk;
}

export class HistoryLane {
  readonly #nodes: readonly HistoryNode[];
  readonly #options: LaneOptions;
  #proven: number;
  #spanMs: number;
  #askedTo: number;
  #asking: Promise<void> | undefined;

  constructor(nodes: readonly HistoryNode[], options: LaneOptions) {
    this.#nodes = nodes;
    this.#options = options;
    this.#proven = options.range.start;
    this.#askedTo = options.range.start;
    this.#spanMs = options.range.end - options.range.start;
  }

  /** Everything of these nodes below is known. */
  get provenBelow(): number {
    return this.#proven;
  }

  get askedTo(): number {
    return this.#askedTo;
  }

  /** Sends the next request, unless the last one was not consumed yet: so it never runs ahead by more than one. */
  begin(): void {
    if (this.#asking !== undefined || this.#proven >= this.#options.range.end) return;
    this.#asking = this.#advance();
    // Whoever waits hears of it, perhaps only once the other lane has been heard.
    this.#asking.catch(() => {});
  }

  /** Until what was asked for is here. */
  async wait(): Promise<void> {
    await this.#asking;
    this.#asking = undefined;
  }

  /** Releases the continuation points that the server holds; nothing waits for that. */
  end(): void {
    const settled = this.#asking ?? Promise.resolve();
    settled.catch(() => {}).then(() => this.#options.requests.release(this.#nodes.flatMap(placeOf)));
  }

  async #advance(): Promise<void> {
    const { range, valuesPerNode } = this.#options;
    const start = this.#proven;
    const end = Math.min(range.end, start + this.#spanMs);
    let most = 0;
    let open = this.#nodes.filter(({ seen }) => seen < end);
    const wasCut = () => this.#nodes.some(({ seen }) => seen < end);
    while (open.length > 0) {
      most = Math.max(most, await this.#ask(open, end));
      // Where some of them have too much for one answer, the slice ends with the first of these.
      open = this.#nodes.filter(({ seen }) => seen <= start);
    }
    const isFull = wasCut();
    const bound = this.#boundOf(start, end);
    await this.#bearOut(bound, end);
    await this.#confirmMemory();
    // The next slice is a little shorter than what fitted, so that it comes whole and needs no continuation point.
    if (isFull) this.#spanMs = Math.max(1, Math.floor((bound - start) * 0.9));
    else if (most * 2 < valuesPerNode) this.#spanMs *= 2;
    this.#proven = bound;
  }

  /** As far as one answer of each shows, and where most of them have a value further on: those need no other look. */
  #boundOf(start: number, end: number): number {
    const seen = Math.min(...this.#nodes.map((node) => node.seen));
    if (seen >= end && end >= this.#options.range.end) return end;
    const half = start + Math.ceil((seen - start) / 2);
    const busy = this.#nodes.map(({ newestAt }) => newestAt).filter((at) => at >= half);
    return Math.min(seen, ...busy);
  }

  /** Reads again, backwards, those nodes that have no value from `bound` on. */
  async #bearOut(bound: number, end: number): Promise<void> {
    let quiet = this.#nodes.filter(({ newestAt }) => newestAt < bound);
    while (quiet.length > 0) {
      const doubted = await this.#options.back.doubtful(quiet, bound);
      for (const node of doubted) if (node.doubt() !== 'ok') throw historyFailed(node.tag, node.problem);
      let open = doubted;
      while (open.length > 0) {
        await this.#ask(open, end);
        open = open.filter(({ seen }) => seen < bound);
      }
      quiet = doubted.filter(({ newestAt }) => newestAt < bound);
    }
  }

  /** What was asked for from where no value is known: was the memory still there when the answers had come? */
  async #confirmMemory(): Promise<void> {
    const open = Map.groupBy(this.#nodes, ({ unmooredAt }) => unmooredAt);
    for (const [start, nodes] of open) {
      if (start === undefined) continue;
      const [gone] = await this.#options.memory.lostBefore(nodes, start - 1);
      if (gone !== undefined) throw historyMoved(gone);
      for (const node of nodes) node.moor();
    }
  }

  /** Sends one request for each of these nodes; returns the largest number of values among their answers. */
  async #ask(nodes: readonly HistoryNode[], end: number): Promise<number> {
    let most = 0;
    for (const group of alike(nodes, end, this.#proven))
      for (const part of this.#options.requests.parts(group)) {
        const { start, end: until, valuesPerNode } = part[0]!.ask;
        const asked = part.map(({ node, ask }) => ({
          nodeId: node.nodeId,
          ...(ask.continuation && { continuation: ask.continuation }),
        }));
        const { times } = part[0]!.node;
        this.#askedTo = Math.max(this.#askedTo, until);
        const request = { start, end: until, valuesPerNode, times, nodes: asked };
        const results = await this.#options.requests.read(request);
        for (const [at, question] of part.entries()) this.#take(question, results[at]!);
        most = Math.max(most, ...part.map(({ node }) => node.count));
      }
    for (const node of nodes) await this.#closeRun(node);
    return most;
  }

  async #closeRun(node: HistoryNode): Promise<void> {
    const run = node.openRun;
    if (!run) return;
    if (!(await this.#options.back.isRunWhole(node, run)))
      throw historyFailed(node.tag, 'more of its values share one time than can be shown to be all');
    node.closeRun();
  }

  #take({ node, ask }: Question, result: HistoryResult): void {
    const outcome = node.take(ask, result);
    // What is not gone on from is given back: servers hold few places.
    if (result.continuation && node.held !== result.continuation)
      this.#options.requests.release([{ nodeId: node.nodeId, continuation: result.continuation }]);
    if (outcome === 'moved') throw historyMoved(node.tag);
    if (outcome !== 'ok') throw historyFailed(node.tag, node.problem);
  }
}

/** One request asks for one range: what is asked together begins with the earliest of them. */
function alike(nodes: readonly HistoryNode[], end: number, proven: number): readonly (readonly Question[])[] {
  const groups = new Map<string, Question[]>();
  for (const node of nodes) {
    const ask = node.next(end, proven);
    const { start, end: until, valuesPerNode, continuation } = ask;
    // A request that is gone on with is repeated as it was. Others go together where that costs no more than half again.
    const span = Math.floor(Math.log2(Math.max(1, until - start)) * 2);
    const range = node.isAlone ? `${start} ${until}` : `about ${span}`;
    const key = `${range} ${valuesPerNode} ${node.times} ${continuation ? 'on' : ''}`;
    const group = groups.get(key);
    if (group) group.push({ node, ask });
    else groups.set(key, [{ node, ask }]);
  }
  return [...groups.values()].map((group) => {
    const start = Math.min(...group.map(({ ask }) => ask.start));
    return group.map(({ node, ask }) => ({ node, ask: { ...ask, start } }));
  });
}

function placeOf(node: HistoryNode): readonly HeldPlace[] {
  const continuation = node.forget();
  return continuation ? [{ nodeId: node.nodeId, continuation }] : [];
}
