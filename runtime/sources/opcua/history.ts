// Re-reads a range from the server's own history: many nodes at once, merged into pages in order of time.
//
// What is told apart. A node that the server does not historise, or whose memory begins later, or whose history it will
// not give for a while now: its tag is marked at the start of each page (`bad:no-history`, `bad:history-expired`, or the
// server's reason), nothing is claimed of it until its next value, and the others are answered. No node with history, by the server's own
// word: void, `no-history`. No node whose memory reaches so far back: void, `history-expired`, up to the oldest value
// of any. No values within memory: verified empty. A server that fails, or whose answers prove nothing: an error, and
// the same is asked again later.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { Window } from '../../../wire/window.ts';
import { GonePage, type HistoryPage } from '../history-page.ts';
import type { SourceHistory } from '../source.ts';
import { BackLooks } from './history-back.ts';
import { type Memory, MemoryLooks } from './history-memory.ts';
import { type ReadNode, readPages } from './history-pages.ts';
import { HistoryRequests } from './history-requests.ts';
import type { Live } from './live-values.ts';
import { historyFailed } from './opcua-errors.ts';
import type { OpcuaSession } from './opcua-session.ts';
import { recordedTo } from './recorded-to.ts';
import type { Refusals } from './refusals.ts';
import { type RepeatedTimes, serverClock } from './repeated-times.ts';

export interface HistoryLink {
  readonly session: OpcuaSession;
  /** Node ids by tag. */
  readonly nodes: ReadonlyMap<string, string>;
  /** Tags for which the server has no node, with the cause as in a quality. */
  readonly missing: ReadonlyMap<string, string>;
  /** Looks for those once more. */
  readonly findMissing: () => Promise<void>;
  /** A value may be sampled so much later than its time says. */
  readonly settleMs: () => number;
  /** What the subscription tells. Default: there is none. */
  readonly live?: Live | undefined;
}

export interface HistoryOptions {
  /** @throws HoldfastError `source-not-connected` */
  readonly link: () => HistoryLink;
  readonly valuesPerNode: number;
  /** The server may write its history so late. Default: it does not. */
  readonly settleMs?: number;
  /** Of this source, over all its sessions. */
  readonly refusals: Refusals;
  /** The times that clocks passed twice. */
  readonly repeated: RepeatedTimes;
  /** Called with the reason why a range could not be answered: it is requested again, perhaps for hours. */
  readonly onFailed?: (problem: string) => void;
}

export function createHistory(options: HistoryOptions): SourceHistory {
  return {
    async *read(range, signal) {
      signal.throwIfAborted();
      try {
        yield* new HistoryReading(options.link(), options, signal).read(range);
      } catch (error) {
        if (error instanceof HoldfastError && error.code === 'opcua-history-failed')
          options.onFailed?.(error.message);
        throw error;
      }
    },
  };
}

class HistoryReading {
  readonly #link: HistoryLink;
  readonly #options: HistoryOptions;
  readonly #requests: HistoryRequests;
  readonly #memory: MemoryLooks;

  constructor(link: HistoryLink, options: HistoryOptions, signal: AbortSignal) {
    this.#link = link;
    this.#options = options;
    this.#requests = new HistoryRequests(link.session, signal);
    this.#memory = new MemoryLooks(this.#requests, new BackLooks(this.#requests));
  }

  async *read(range: Window): AsyncGenerator<HistoryPage> {
    const { session, settleMs, nodes, missing } = this.#link;
    const repeats = this.#options.repeated.count;
    const live = snapshotOf(this.#link);
    const now = await this.#requests.may(session.serverTime());
    if (Math.floor(now - settleMs()) <= range.start) return;
    if (missing.size > 0) await this.#requests.may(this.#link.findMissing());
    const all = [...nodes].map(([tag, nodeId]) => ({ tag, nodeId }));
    // From before the range: of values that share one time, a memory may have lost some.
    const memory = await this.#memory.at(all, range.start - 1);
    this.#options.refusals.check(this.#refused(memory));
    const readable = readableOf(all, memory);
    if (readable.length === 0) {
      checkNone(memory);
      const end = Math.min(range.end, Math.floor(now - settleMs()));
      yield GonePage.of({ start: range.start, end }, { reason: 'no-history', said: saidOf(memory) });
      return;
    }
    const written = await recordedTo(readable, {
      requests: this.#requests,
      range,
      now,
      live,
      latenessMs: settleMs(),
      settleMs: this.#waitMs(),
      repeated: this.#options.repeated.around(range),
    });
    const end = Math.min(range.end, written);
    if (end <= range.start) return;
    await this.#checkRepeated(readable, { start: range.start, end });
    let { start } = range;
    if (!readable.some(({ reaches }) => reaches)) {
      checkDenied(memory);
      const oldest = await this.#memory.earliest(readable, start, Math.floor(now) + 1);
      // Nothing at all, so far: perhaps it has only begun to remember.
      if (oldest === undefined) return;
      start = Math.min(oldest, end);
      if (start > range.start)
        yield GonePage.of(
          { start: range.start, end: start },
          { reason: 'history-expired', heldFrom: oldest },
        );
      if (start >= end) return;
    }
    const pages = readPages({
      requests: this.#requests,
      range: { start, end },
      nodes: readable,
      valuesPerNode: this.#options.valuesPerNode,
      recordedTo: written,
      marksAt: (at, isKnown) => this.#marksAt(at, memory, isKnown),
    });
    for await (const page of pages) {
      if (this.#options.repeated.count !== repeats) throw wasSetBack(readable[0]!.tag);
      yield page;
    }
  }

  /**
   * Where clocks came by the range twice, the memory of each node has to reach back to before they did so for the first
   * time, or to begin behind all of it.
   */
  async #checkRepeated(nodes: readonly ReadNode[], range: Window): Promise<void> {
    const repeated = this.#options.repeated.around(range);
    if (!repeated) return;
    const start = Math.min(range.start, repeated.start);
    const short = new Set(await this.#memory.lostBefore(nodes, start - 1));
    for (const node of nodes) {
      if (!short.has(node.tag)) continue;
      if ((await this.#memory.earliest([node], start, repeated.end)) === undefined) continue;
      throw historyFailed(
        node.tag,
        'a clock was set back, and the memory does not reach back to before the times that came twice',
      );
    }
  }

  /** The nodes that are refused at present, with the cause as in a quality. */
  #refused(memory: ReadonlyMap<string, Memory>): ReadonlyMap<string, string> {
    const refused = new Map(this.#link.missing);
    for (const [tag, found] of memory)
      if (found.kind === 'absent' || found.kind === 'denied') refused.set(tag, found.cause);
    return refused;
  }

  /** By the server's clock: what that leapt ahead meanwhile is no time that anybody waited. */
  #waitMs(): number {
    const { settleMs = 0, repeated } = this.#options;
    return settleMs + repeated.leaptMs(serverClock, settleMs);
  }

  #marksAt(at: number, memory: ReadonlyMap<string, Memory>, isKnown: (tag: string) => boolean): Reading[] {
    const marks: Reading[] = [...this.#refused(memory)].map(([tag, cause]) => markOf(tag, at, cause));
    for (const [tag, { kind }] of memory) {
      if (kind === 'none') marks.push(markOf(tag, at, 'no-history'));
      else if ((kind === 'reaches' || kind === 'later') && !isKnown(tag))
        marks.push(markOf(tag, at, 'history-expired'));
    }
    return marks;
  }
}

/** What was told before anything of the history is asked for. */
function snapshotOf({ live, nodes }: HistoryLink): Live | undefined {
  if (!live) return undefined;
  const { toldTo } = live;
  const newest = new Map([...nodes.keys()].map((tag) => [tag, live.newest(tag)]));
  return { toldTo, newest: (tag) => newest.get(tag) };
}

function readableOf(
  nodes: readonly { readonly tag: string; readonly nodeId: string }[],
  memory: ReadonlyMap<string, Memory>,
): readonly ReadNode[] {
  return nodes.flatMap((node): ReadNode[] => {
    const found = memory.get(node.tag)!;
    if (found.kind === 'reaches')
      return [{ ...node, times: found.times, reaches: true, anchor: found.anchor }];
    return found.kind === 'later' ? [{ ...node, times: found.times, reaches: false }] : [];
  });
}

/** That no node has history is the server's word only where it says so of one, and refuses us none. */
function checkNone(memory: ReadonlyMap<string, Memory>): void {
  checkDenied(memory);
  if ([...memory.values()].some(({ kind }) => kind === 'none')) return;
  throw new HoldfastError(
    'opcua-history-failed',
    'the server has none of the nodes whose history is asked for: correct the tags, or wait until it has them',
    { retryable: true },
  );
}

function saidOf(memory: ReadonlyMap<string, Memory>): string {
  const said = [...memory.values()].map((found) => (found.kind === 'none' ? found.by : ''));
  return [...new Set(said)].filter((by) => by !== '').join(', ');
}

/** Of a node that is there and refused, nothing is known. */
function checkDenied(memory: ReadonlyMap<string, Memory>): void {
  for (const [tag, found] of memory) {
    if (found.kind !== 'denied') continue;
    throw new HoldfastError(
      'opcua-history-failed',
      `the server does not give the history of '${tag}' (${found.cause}): grant it to this user, or leave out the tag`,
      { retryable: true },
    );
  }
}

function wasSetBack(tag: string): HoldfastError {
  return historyFailed(tag, 'a clock was set back while it was read, so that values may have come behind us');
}

function markOf(tag: string, index: number, cause: string): Reading {
  return { index, tag, value: null, quality: `bad:${cause}` };
}
