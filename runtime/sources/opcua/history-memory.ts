// Finds how far back a server's history reaches, for each of many nodes. A server that answers badly to one question is
// asked another way before the answer is believed: readings that are not held become void for ever.
import type { BackLooks } from './history-back.ts';
import type { HistoryRequests, LookedAt } from './history-requests.ts';
import { isView, meaningOf, plainName } from './history-status.ts';
import { isBound, stampOf } from './history-values.ts';
import { historyFailed } from './opcua-errors.ts';
import type { HistoryResult, Times, WireValue } from './opcua-session.ts';
import { causeOf } from './quality.ts';

/**
 * - `reaches`: there is a value at or before the time; the newest of them, where it is known.
 * - `later`: there is none. `none`: no history is kept of this node, by the server's own word.
 * - `absent`, `denied`: it cannot be had as things are, for a cause as in a quality.
 */
export type Memory =
  | { readonly kind: 'reaches'; readonly times: Times; readonly anchor?: WireValue | undefined }
  | { readonly kind: 'later'; readonly times: Times }
  | { readonly kind: 'none'; readonly by: string }
  | { readonly kind: 'absent' | 'denied'; readonly cause: string };

/** OPC 10000-6, 5.2.2.5 takes the earliest times for "none", so memory is looked for from here on. */
const beginning = 0;
const allTimes: readonly Times[] = ['both', 'source', 'server'];
const accessLevel = 17;
const canReadHistory = 0b100;
const noSuchTimes = 'timestamp-not-supported';

type Node = Omit<LookedAt, 'times'>;

export class MemoryLooks {
  readonly #requests: HistoryRequests;
  readonly #back: BackLooks;

  constructor(requests: HistoryRequests, back: BackLooks) {
    this.#requests = requests;
    this.#back = back;
  }

  /** How far the memory of each reaches, seen from `at`. @throws HoldfastError `opcua-history-failed` */
  async at(nodes: readonly Node[], at: number): Promise<Map<string, Memory>> {
    const found = new Map<string, Memory>();
    let open = nodes;
    for (const times of allTimes) {
      const asked = open.map((node) => ({ ...node, times }));
      const newest = await this.#back.newestAt(asked, at);
      for (const [tag, anchor] of newest) found.set(tag, { kind: 'reaches', times, anchor });
      const rest = asked.filter(({ tag }) => !newest.has(tag));
      const seen = await this.#oldest(rest, at);
      for (const [{ tag }, memory] of seen) if (memory) found.set(tag, memory);
      open = rest.filter((node) => seen.get(node) === undefined);
      if (open.length === 0) break;
    }
    for (const { tag } of open) found.set(tag, { kind: 'denied', cause: noSuchTimes });
    await this.#lookAtAccess(nodes, found);
    return found;
  }

  /** Those of which there is nothing at or before `at` any more. */
  async lostBefore(nodes: readonly LookedAt[], at: number): Promise<readonly string[]> {
    const seen = await this.#oldest(nodes, at);
    return [...seen].flatMap(([{ tag }, memory]) => (memory?.kind === 'reaches' ? [] : [tag]));
  }

  /** The earliest value of any of these within [start, end). */
  async earliest(nodes: readonly LookedAt[], start: number, end: number): Promise<number | undefined> {
    let [from, to] = [start, end];
    // A server that cannot hold places is asked for less and less, until one value is all there is.
    for (;;) {
      const { times, isMore } = await this.#timesIn(nodes, from, to);
      const half = from + Math.floor((to - from) / 2);
      if (isMore && half > from) {
        const first = await this.#timesIn(nodes, from, half);
        if (first.isMore || first.times.length > 0) to = half;
        else from = half;
        continue;
      }
      if (times.length > 0) return Math.min(...times);
      return isMore ? from : undefined;
    }
  }

  /** Times of the first values within; `isMore`: some have several, and show none. */
  async #timesIn(nodes: readonly LookedAt[], start: number, end: number) {
    const times: number[] = [];
    let isMore = false;
    for (const [{ tag }, { status, values, continuation }] of await this.#requests.few(
      nodes,
      { start, end },
      1,
    )) {
      const meaning = meaningOf(status);
      if (!isView(meaning) && meaning !== 'no-places') throw historyFailed(tag, plainName(status));
      const shown = values.flatMap((value) => {
        const at = isBound(value) ? undefined : stampOf(value);
        return at !== undefined && at >= start && at < end ? [at] : [];
      });
      times.push(...shown);
      // A page may be empty, or hold a bound alone, and say that there is more.
      const saysMore = continuation !== undefined || meaning === 'more';
      isMore ||= meaning === 'no-places' || (saysMore && shown.length === 0);
    }
    return { times, isMore };
  }

  /** Undefined: not with these times. */
  async #oldest<T extends LookedAt>(nodes: readonly T[], at: number): Promise<Map<T, Memory | undefined>> {
    // Some take the end of a question for a part of it.
    const results = await this.#requests.few(nodes, { start: beginning, end: at }, 1);
    return new Map([...results].map(([node, result]) => [node, memoryIn(node, result, at)]));
  }

  /** Refused for want of access: either nobody may read its history, for there is none, or we may not. */
  async #lookAtAccess(nodes: readonly Node[], found: Map<string, Memory>): Promise<void> {
    const refused = nodes.filter(({ tag }) => {
      const memory = found.get(tag);
      return memory?.kind === 'denied' && memory.cause !== noSuchTimes;
    });
    if (refused.length === 0) return;
    const { session } = this.#requests;
    const ids = refused.map(({ nodeId }) => nodeId);
    const levels = await this.#requests.may(session.read(ids, accessLevel));
    for (const [i, { tag }] of refused.entries()) {
      const level = levels[i]?.value?.value;
      if (typeof level === 'number' && (level & canReadHistory) === 0)
        found.set(tag, { kind: 'none', by: 'an AccessLevel without HistoryRead' });
    }
  }
}

/** Undefined: not with these times. @throws HoldfastError `opcua-history-failed` */
function memoryIn({ tag, times }: LookedAt, result: HistoryResult, at: number): Memory | undefined {
  const name = plainName(result.status);
  const meaning = meaningOf(result.status);
  switch (meaning) {
    case 'no-times':
      return undefined;
    case 'no-history':
      return { kind: 'none', by: name };
    case 'denied':
      return { kind: name.startsWith('BadNodeId') ? 'absent' : 'denied', cause: causeOf(name) };
    case 'no-places':
      // More than the one value that was asked for, and no place to hold.
      return { kind: 'reaches', times };
    case 'failed':
    case 'place-gone':
      throw historyFailed(tag, name);
    default: {
      const isHeld = result.values.some((value) => !isBound(value) && (stampOf(value) ?? at + 1) <= at);
      if (!isHeld && (result.continuation || meaning === 'more'))
        throw historyFailed(tag, 'it says that there is more, and does not show it');
      return { kind: isHeld ? 'reaches' : 'later', times };
    }
  }
}
