// Looks at a server's history from the other side: the newest values below some time, which no answer that goes forward can
// have left out without a word.
//
// Not all servers look back when they are asked to: some go forward all the same, some say that there is nothing, and
// some look back at the first node of a request and forward at the next, since each turns the range that they share. Which
// it is shows in the order of what comes. One that does not look back is asked whether anything follows, which proves less.
import type { HistoryNode } from './history-node.ts';
import type { Run } from './history-node-types.ts';
import type { HistoryRequests, LookedAt } from './history-requests.ts';
import { isView, meaningOf, plainName } from './history-status.ts';
import { isBound, isSame, stampOf } from './history-values.ts';
import { historyFailed, historyMoved } from './opcua-errors.ts';
import type { HistoryResult, OpcuaSession, WireValue } from './opcua-session.ts';

/** OPC 10000-6, 5.2.2.5 takes the earliest times for "none". */
const beginning = 0;
const mostAtOnce = 1000;
const maxPages = 20;
const longestSpanMs = 30 * 86_400_000;

/** `alone`: only where it is asked for one node. */
type Direction = 'back' | 'alone' | 'forward';

const directions = new WeakMap<OpcuaSession, Direction>();

export class BackLooks {
  readonly #requests: HistoryRequests;

  constructor(requests: HistoryRequests) {
    this.#requests = requests;
  }

  /** The newest value at or before `at` of each node, where the server shows it. */
  async newestAt(nodes: readonly LookedAt[], at: number): Promise<Map<string, WireValue>> {
    const found = new Map<string, WireValue>();
    for (const [{ tag }, result] of await this.#back(nodes, { start: at, end: beginning }, 2)) {
      const newest = result?.values.find((value) => !isBound(value) && (stampOf(value) ?? at + 1) <= at);
      if (newest) found.set(tag, newest);
    }
    return found;
  }

  /** Those of these nodes of which the server may have a value below `below` that is newer than the newest known. */
  async doubtful(nodes: readonly HistoryNode[], below: number): Promise<readonly HistoryNode[]> {
    const doubted: HistoryNode[] = [];
    const same: HistoryNode[] = [];
    // Looking back shows something only where there is something to be shown.
    const others = nodes.filter(({ isKnown }) => !isKnown);
    let open = nodes.filter(({ isKnown }) => isKnown);
    for (let least = 2; open.length > 0; least *= 4) {
      const again: HistoryNode[] = [];
      for (const part of byDistance(open, below)) {
        const end = Math.min(...part.map(({ newestAt }) => newestAt)) - 1;
        // One more than is known to share a time: a look that goes forward shows what follows, too.
        const count = Math.max(least, ...part.map(({ newestCount }) => newestCount + 1));
        for (const [node, result] of await this.#back(part, { start: below, end }, count)) {
          const view = result ? viewOf(node, result, below, count) : 'unknown';
          if (view === 'newer') doubted.push(node);
          else if (view === 'same') same.push(node);
          else if (view === 'further' && count < mostAtOnce) again.push(node);
          else if (view === 'absent' && this.#doesLookBack) throw historyMoved(node.tag);
          else others.push(node);
        }
      }
      open = again;
    }
    // One that has not shown yet that it looks back may have shown its oldest value for the newest.
    if (!this.#doesLookBack) others.push(...same);
    doubted.push(...(await this.#followed(others, below)), ...(await this.#notHeld(others)));
    return [...new Set(doubted)];
  }

  /**
   * Whether the values of one time, read by places, are the same by answers of other sizes, and from the other side
   * where the server looks back: a place that leaves out or repeats would do so elsewhere. Without places, from the other
   * side: what one answer has no room for is the last of them there, and the first here.
   */
  async isRunWhole(node: HistoryNode, run: Run): Promise<boolean> {
    const { at, atOnce, values } = run;
    const forward = { start: at - 1, end: at + 1 };
    // How it looks back, no answer with one time alone shows.
    if (!directions.has(this.#requests.session))
      await this.#back([node], { start: at + longestSpanMs, end: at - 1 }, 10);
    if (atOnce === values.length) {
      if (!this.#doesLookBack || !(await this.#isSameRun(node, run, forward, mostAtOnce))) return false;
      return this.#isSameRun(node, run, { start: at + 1, end: at - 1 }, mostAtOnce);
    }
    for (const size of new Set([Math.max(1, atOnce >> 1), Math.max(1, atOnce - 1)]))
      if (!(await this.#isSameRun(node, run, forward, size))) return false;
    const back = { start: at + 1, end: at - 1 };
    return !this.#doesLookBack || this.#isSameRun(node, run, back, Math.max(1, atOnce >> 1));
  }

  async #isSameRun(
    { nodeId, times }: HistoryNode,
    { at, values }: Run,
    range: { readonly start: number; readonly end: number },
    valuesPerNode: number,
  ): Promise<boolean> {
    const request = { ...range, valuesPerNode, times };
    const open = [...values];
    let continuation: Uint8Array | undefined;
    let last: WireValue | undefined;
    for (let page = 0; page <= 2 * values.length + maxPages; page++) {
      const asked = [{ nodeId, ...(continuation && { continuation }) }];
      const [result] = await this.#requests.read({ ...request, nodes: asked });
      continuation = result!.continuation;
      const all = result!.values.filter((value) => !isBound(value) && stampOf(value) === at);
      // Some servers begin what follows a place with the last value once more.
      const shown = last && all[0] && isSame(all[0], last) ? all.slice(1) : all;
      last = all.at(-1);
      const isKnown = shown.every((value) => takeOut(open, value));
      if (!isView(meaningOf(result!.status)) || !isKnown) break;
      if (!continuation) return open.length === 0;
    }
    if (continuation) this.#requests.release([{ nodeId, continuation }]);
    return false;
  }

  get #doesLookBack(): boolean {
    const direction = directions.get(this.#requests.session);
    return direction === 'back' || direction === 'alone';
  }

  /** From late to early, as far as that shows; undefined where the server goes forward instead. */
  async #back<T extends LookedAt>(
    nodes: readonly T[],
    range: { readonly start: number; readonly end: number },
    count: number,
  ): Promise<Map<T, HistoryResult | undefined>> {
    const { session } = this.#requests;
    const found = new Map<T, HistoryResult | undefined>();
    const ask = async (part: readonly T[]) => {
      for (const [node, result] of await this.#requests.few(part, range, count)) {
        const order = orderOf(result);
        if (order === 'down' && !directions.has(session)) directions.set(session, 'back');
        if (order === 'up') directions.set(session, part.length > 1 ? 'alone' : 'forward');
        found.set(node, order === 'up' ? undefined : result);
      }
    };
    const isAlone = () => directions.get(session) === 'alone';
    if (directions.get(session) !== 'forward' && !isAlone()) await ask(nodes);
    for (const node of nodes) if (isAlone() && !found.get(node)) await ask([node]);
    for (const node of nodes) if (!found.has(node)) found.set(node, undefined);
    return found;
  }

  /** Those that have a value after the newest that is known. */
  async #followed(nodes: readonly HistoryNode[], below: number): Promise<readonly HistoryNode[]> {
    const found: HistoryNode[] = [];
    const startOf = (node: HistoryNode) => Math.max(node.newestAt + 1, node.from);
    for (const [start, group] of Map.groupBy(nodes, startOf)) {
      if (start >= below) continue;
      for (const [node, result] of await this.#requests.few(group, { start, end: below }, 10)) {
        checkAnswer(node, result);
        if (!isNothing(result, start, below)) found.push(node);
      }
    }
    return found;
  }

  /** Whether the server gives more than so many values at once, with all of the newest ones that are known at the end. */
  async #givesMore(node: HistoryNode, count: number): Promise<boolean> {
    const end = node.newestAt + 1;
    for (let spanMs = 1000; spanMs < longestSpanMs; spanMs *= 8) {
      const result = (await this.#requests.few([node], { start: end - spanMs, end }, mostAtOnce)).get(node)!;
      const shown = result.values.filter((value) => !isBound(value) && stampOf(value) === node.newestAt);
      if (shown.length === node.newestCount && result.values.length > count) return true;
    }
    return false;
  }

  /** Those whose newest values are not all that has their time. @throws HoldfastError where they are there no more */
  async #notHeld(nodes: readonly HistoryNode[]): Promise<readonly HistoryNode[]> {
    const found: HistoryNode[] = [];
    const known = nodes.filter(({ isKnown }) => isKnown);
    for (const [at, group] of Map.groupBy(known, ({ newestAt }) => newestAt))
      for (const [node, result] of await this.#requests.few(
        group,
        { start: at - 1, end: at + 1 },
        mostAtOnce,
      )) {
        checkAnswer(node, result);
        const shown = result.values.filter((value) => !isBound(value) && stampOf(value) === at);
        // As many as it ever gave at once: perhaps it has more, and never says so.
        const isSilent = !result.continuation && meaningOf(result.status) !== 'more';
        const isFull = isSilent && shown.length > 1 && result.values.length >= this.#requests.mostShown;
        const isWhole = meaningOf(result.status) !== 'no-places';
        if (
          !isWhole ||
          (isFull && !(await this.#givesMore(node, result.values.length))) ||
          !shown.every((value) => node.knows(value))
        )
          found.push(node);
        else if (shown.length === 0) throw historyMoved(node.tag);
      }
    return found;
  }
}

/** The order in time of what came; `flat`: it says nothing. */
function orderOf({ values }: HistoryResult): 'up' | 'down' | 'flat' {
  const times = values.filter((value) => !isBound(value)).map((value) => stampOf(value) ?? Number.NaN);
  const [first, last] = [times[0], times.at(-1)];
  if (first === undefined || last === undefined || first === last) return 'flat';
  return first > last ? 'down' : 'up';
}

/**
 * What a look back from `below` shows: the `same` newest value, a `newer` one, only values from `below` on; or not even
 * the one that is known.
 */
function viewOf(
  node: HistoryNode,
  { status, values, continuation }: HistoryResult,
  below: number,
  count: number,
): 'same' | 'newer' | 'further' | 'absent' | 'unknown' {
  const meaning = meaningOf(status);
  // More than was asked for share its time, and no place is held for them.
  if (meaning === 'no-places') return 'further';
  if (!isView(meaning)) return 'unknown';
  const shown = values.filter((value) => !isBound(value));
  const times = shown.map((value) => stampOf(value) ?? Number.POSITIVE_INFINITY);
  const at = times.findIndex((time) => time < below);
  if (at < 0) return shown.length >= count || continuation || meaning === 'more' ? 'further' : 'absent';
  if (times[at]! < node.newestAt) return 'unknown';
  return times[at]! === node.newestAt && node.knows(shown[at]!) ? 'same' : 'newer';
}

function isNothing({ status, values, continuation }: HistoryResult, start: number, end: number): boolean {
  const meaning = meaningOf(status);
  if (meaning === 'no-places' || meaning === 'more' || continuation) return false;
  return values.every((value) => {
    const at = stampOf(value);
    return isBound(value) || (at !== undefined && (at < start || at >= end));
  });
}

function takeOut(open: WireValue[], value: WireValue): boolean {
  const at = open.findIndex((known) => isSame(known, value));
  if (at >= 0) open.splice(at, 1);
  return at >= 0;
}

/** @throws HoldfastError `opcua-history-failed` */
function checkAnswer({ tag }: LookedAt, { status }: HistoryResult): void {
  const meaning = meaningOf(status);
  if (!isView(meaning) && meaning !== 'no-places') throw historyFailed(tag, plainName(status));
}

/** Nodes whose newest values are about as old together: one look may then reach as far back as the oldest of them. */
function byDistance(nodes: readonly HistoryNode[], below: number): readonly (readonly HistoryNode[])[] {
  const distanceOf = ({ newestAt }: HistoryNode) => Math.floor(Math.log2(Math.max(1, below - newestAt)));
  return [...Map.groupBy(nodes, distanceOf).values()];
}
