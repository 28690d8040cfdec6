// Some of the nodes whose history is read, asked for together, one request after the other. Two lanes keep both sides
// busy: the server gathers the values of one while those of the other are decoded and handed on.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { HistoryAsk, HistoryNode } from './history-node.ts';
import type { HeldPlace, HistoryRequests } from './history-requests.ts';
import type { HistoryResult } from './opcua-session.ts';

export class HistoryLane {
  readonly #nodes: readonly HistoryNode[];
  readonly #requests: HistoryRequests;
  /** More nodes than the server holds places for: each is asked by time, and no place is kept. */
  readonly #keepsPlaces: boolean;
  #asking: Promise<void> | undefined;

  constructor(nodes: readonly HistoryNode[], requests: HistoryRequests, keepsPlaces: boolean) {
    this.#nodes = nodes;
    this.#requests = requests;
    this.#keepsPlaces = keepsPlaces;
  }

  /** Everything of these nodes below is known. */
  get completeBelow(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const { completeBelow } of this.#nodes) least = Math.min(least, completeBelow);
    return least;
  }

  /** Asks on, unless what it asked for last was not waited for yet: so it never runs ahead by more than that. */
  begin(): void {
    if (this.#asking !== undefined || this.#nodes.every(({ isDone }) => isDone)) return;
    this.#asking = this.#fill(this.completeBelow);
    // Whoever waits hears of it, perhaps only once the other lane has been heard.
    this.#asking.catch(() => {});
  }

  /** Until what was asked for is here. */
  async wait(): Promise<void> {
    await this.#asking;
    this.#asking = undefined;
  }

  /** Lets go of what the server holds, once that is known; nobody waits for it. */
  end(): void {
    const settled = this.#asking ?? Promise.resolve();
    settled.catch(() => {}).then(() => this.#requests.release(this.#nodes.flatMap(placeOf)));
  }

  /** Asks on for each node that holds the others up. */
  async #fill(start: number): Promise<void> {
    const groups = new Map<string, { node: HistoryNode; ask: HistoryAsk }[]>();
    for (const node of this.#nodes) {
      if (node.isDone || node.completeBelow > start) continue;
      const ask = node.next();
      // One request asks for one range; with continuation points it is not looked at.
      const key = ask.continuation ? 'on' : `${ask.start} ${ask.end} ${ask.valuesPerNode}`;
      const group = groups.get(key);
      if (group) group.push({ node, ask });
      else groups.set(key, [{ node, ask }]);
    }
    for (const group of groups.values())
      for (const part of this.#requests.parts(group)) await this.#ask(part);
  }

  async #ask(part: readonly { node: HistoryNode; ask: HistoryAsk }[]): Promise<void> {
    const { start, end, valuesPerNode } = part[0]!.ask;
    const nodes = part.map(({ node, ask }) => ({
      nodeId: node.nodeId,
      ...(ask.continuation && { continuation: ask.continuation }),
    }));
    const results = await this.#requests.read({ start, end, valuesPerNode, nodes });
    for (const [at, { node, ask }] of part.entries()) take(node, ask, results[at]!);
    if (!this.#keepsPlaces) this.#requests.release(part.flatMap(({ node }) => placeOf(node)));
  }
}

function take(node: HistoryNode, ask: HistoryAsk, result: HistoryResult): void {
  const outcome = node.take(ask, result);
  if (outcome === 'failed') throw historyFailed(node.tag, result.status.name);
  // It answered before.
  if (outcome === 'refused') node.refuse();
}

function placeOf(node: HistoryNode): readonly HeldPlace[] {
  const continuation = node.forget();
  return continuation ? [{ nodeId: node.nodeId, continuation }] : [];
}

export function historyFailed(tag: string, status: string): HoldfastError {
  const message = `the server failed to read the history of '${tag}': ${status}`;
  return new HoldfastError('opcua-history-failed', message, { retryable: true });
}
