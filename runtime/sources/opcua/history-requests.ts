// HistoryRead for all reading of history: within the server's limits for one request, and until aborted.
import { chunk } from './chunk.ts';
import { isRefusal } from './history-status.ts';
import { OpcuaServiceError } from './opcua-errors.ts';
import type { HistoryRequest, HistoryResult, OpcuaSession, Times } from './opcua-session.ts';
import { unlessAborted } from './unless-aborted.ts';

const nodesAtOnce = 100;

const mostShown = new WeakMap<OpcuaSession, number>();

/** Answers without a value and with a place for it, one after the other. */
const maxEmpty = 20;

export interface LookedAt {
  readonly tag: string;
  readonly nodeId: string;
  readonly times: Times;
}

/** A place that the server holds for us. */
export interface HeldPlace {
  readonly nodeId: string;
  readonly continuation: Uint8Array;
}

export class HistoryRequests {
  readonly session: OpcuaSession;
  readonly signal: AbortSignal;

  constructor(session: OpcuaSession, signal: AbortSignal) {
    this.session = session;
    this.signal = signal;
  }

  /** As many of them as one request may ask for. */
  parts<T>(nodes: readonly T[]): Generator<readonly T[]> {
    return chunk(nodes, this.session.limits.nodesPerHistoryRead, nodesAtOnce);
  }

  /** Most values of one node that the server has given in one answer. */
  get mostShown(): number {
    return mostShown.get(this.session) ?? 0;
  }

  /** A server that refuses the service itself refuses it for each node. */
  async read(request: HistoryRequest): Promise<readonly HistoryResult[]> {
    try {
      const results = await this.may(this.session.historyRead(request));
      mostShown.set(this.session, Math.max(this.mostShown, ...results.map(({ values }) => values.length)));
      return results;
    } catch (error) {
      if (!(error instanceof OpcuaServiceError)) throw error;
      const { status, nodes } = { status: error.status, nodes: request.nodes };
      if (isRefusal(status) || (isTooLarge(status) && nodes.length === 1))
        return nodes.map(() => ({ status: { value: 0x8000_0000, name: status }, values: [] }));
      if (!(status === 'BadTooManyOperations' || isTooLarge(status)) || nodes.length === 1) throw error;
      const half = nodes.length >> 1;
      const first = await this.read({ ...request, nodes: nodes.slice(0, half) });
      return [...first, ...(await this.read({ ...request, nodes: nodes.slice(half) }))];
    }
  }

  /** A few values of each node; what the server holds for us besides is given back. */
  async few<T extends LookedAt>(
    nodes: readonly T[],
    range: { readonly start: number; readonly end: number },
    valuesPerNode: number,
  ): Promise<Map<T, HistoryResult>> {
    const found = new Map<T, HistoryResult>();
    for (const [times, alike] of Map.groupBy(nodes, (node) => node.times))
      for (const part of this.parts(alike))
        await this.#fewOf(part, { ...range, valuesPerNode, times }, found);
    return found;
  }

  async #fewOf<T extends LookedAt>(
    nodes: readonly T[],
    request: Omit<HistoryRequest, 'nodes'>,
    found: Map<T, HistoryResult>,
  ): Promise<void> {
    let open: readonly { readonly node: T; readonly continuation?: Uint8Array }[] = nodes.map((node) => ({
      node,
    }));
    for (let round = 0; open.length > 0; round++) {
      const asked = open.map(({ node: { nodeId }, continuation }) => ({
        nodeId,
        ...(continuation && { continuation }),
      }));
      const results = await this.read({ ...request, nodes: asked });
      const next: { node: T; continuation: Uint8Array }[] = [];
      for (const [i, { node }] of open.entries()) {
        const { continuation, values } = results[i]!;
        // Slow servers hold a place before they have a value.
        if (continuation && values.length === 0 && round < maxEmpty) next.push({ node, continuation });
        else {
          found.set(node, results[i]!);
          if (continuation) this.release([{ nodeId: node.nodeId, continuation }]);
        }
      }
      open = next;
    }
  }

  /** In the background: nobody waits for it, and a server that does not answer forgets with the session. */
  release(places: readonly HeldPlace[]): void {
    if (this.session.lost.aborted) return;
    for (const part of this.parts(places)) this.session.historyRelease(part).catch(() => {});
  }

  may<T>(work: Promise<T>): Promise<T> {
    return unlessAborted(work, this.signal);
  }
}

function isTooLarge(status: string): boolean {
  return status === 'BadResponseTooLarge' || status === 'BadEncodingLimitsExceeded';
}
