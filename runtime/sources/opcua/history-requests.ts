// HistoryRead as all of the history's reading uses it: within what the server takes at once, and until aborted.
import { chunk } from './chunk.ts';
import { isRefusal } from './history-node.ts';
import { OpcuaServiceError } from './opcua-errors.ts';
import type { HistoryRequest, HistoryResult, OpcuaSession } from './opcua-session.ts';
import { unlessAborted } from './unless-aborted.ts';

const nodesAtOnce = 100;

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

  /** A server that refuses the service itself refuses it for each node. */
  async read(request: HistoryRequest): Promise<readonly HistoryResult[]> {
    try {
      return await this.may(this.session.historyRead(request));
    } catch (error) {
      if (!(error instanceof OpcuaServiceError)) throw error;
      const { status, nodes } = { status: error.status, nodes: request.nodes };
      if (isRefusal(status))
        return nodes.map(() => ({ status: { value: 0x8000_0000, name: status }, values: [] }));
      if (status !== 'BadTooManyOperations' || nodes.length === 1) throw error;
      const half = nodes.length >> 1;
      const first = await this.read({ ...request, nodes: nodes.slice(0, half) });
      return [...first, ...(await this.read({ ...request, nodes: nodes.slice(half) }))];
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
