// Reads a hostile server's history as a backfill job does, and holds each page against what the server ever recorded, and
// still holds.
import { expect } from 'vitest';
import { HoldfastError } from '../../../../kernel/errors.ts';
import { seededRandom } from '../../../../kernel/random.ts';
import type { Window } from '../../../../wire/window.ts';
import type { HistoryPage } from '../../history-page.ts';
import { createHistory } from '../history.ts';
import type { Live } from '../live-values.ts';
import type { WireValue } from '../opcua-session.ts';
import { Refusals } from '../refusals.ts';
import { RepeatedTimes, serverClock } from '../repeated-times.ts';
import { goodStatus, type Habits, HostileHistory, timeOf } from './hostile-history.ts';

export const T = Date.UTC(2026, 0, 1);
export const never = new AbortController().signal;

export const wellBehaved: Habits = {
  places: 'kept',
  most: 1000,
  isShort: false,
  isSlow: false,
  forgets: false,
  seam: 'right',
  bounds: 'none',
  beginsAmid: false,
  hasEnd: false,
  emptyStatus: 'GoodNoData',
  saysMore: false,
  back: 'right',
  times: 'both',
  isRing: false,
  isBusy: false,
};

export function valuesAt(times: readonly number[], first = 0): WireValue[] {
  return times.map((time, at) => ({
    value: { dataType: 7, arrayType: 0, value: first + at },
    statusCode: goodStatus,
    sourceTimestamp: new Date(T + time),
    serverTimestamp: null,
  }));
}

export interface ReadOptions {
  readonly missing?: ReadonlyMap<string, string>;
  /** Time that passes before each attempt. */
  readonly patience?: number;
  readonly repeated?: RepeatedTimes;
  /** What a subscription tells, and how late the history may be. */
  readonly live?: Live;
  readonly settleMs?: number;
}

export interface Answered {
  readonly pages: readonly HistoryPage[];
  /** How far they reach. */
  readonly until: number;
  /** What was said where they end before the range does. */
  readonly error?: unknown;
  /** What the log was told. */
  readonly problems: readonly string[];
}

/** As a backfill job reads: on from where it stood, some times more. */
export async function readAll(
  server: HostileHistory,
  range: Window,
  valuesPerNode = 10,
  tries = 40,
  { missing = new Map(), patience = 600_000, repeated, live, settleMs = 0 }: ReadOptions = {},
): Promise<Answered> {
  const nodes = new Map([...server.nodes.keys()].map((nodeId) => [nodeId.slice(2), nodeId]));
  const findMissing = async () => {};
  const link = { session: server.session(), nodes, missing, findMissing, settleMs: () => 0, live };
  // Each attempt finds what was refused before as it was, for so long.
  const clock = { passed: 0, monotonic: () => clock.passed };
  const refusals = new Refusals(clock);
  const problems: string[] = [];
  const onFailed = (problem: string) => problems.push(problem);
  const history = createHistory({
    link: () => link,
    valuesPerNode,
    settleMs,
    refusals,
    repeated: repeated ?? heardFor(clock, settleMs),
    onFailed,
  });
  const pages: HistoryPage[] = [];
  let until = range.start;
  let error: unknown;
  for (let attempt = 0; attempt < tries && until < range.end; attempt++) {
    try {
      error = undefined;
      clock.passed += patience;
      server.requests = 0;
      for await (const page of history.read({ start: until, end: range.end }, never)) {
        expect(page.window.start).toBe(until);
        expect(page.window.end).toBeGreaterThan(until);
        check(server, page);
        pages.push(page);
        until = page.window.end;
      }
    } catch (thrown) {
      if (!(thrown instanceof HoldfastError) || !thrown.retryable) throw thrown;
      error = thrown;
    }
  }
  return { pages, until, error, problems };
}

/** The server's clock has been heard for so long. */
export function heardFor(clock: { passed: number; monotonic(): number }, forMs: number): RepeatedTimes {
  const repeated = new RepeatedTimes(clock);
  repeated.note(serverClock, T);
  clock.passed += forMs;
  return repeated;
}

/** What a page claims, against what was ever recorded. */
function check(server: HostileHistory, page: HistoryPage): void {
  const { start, end } = page.window;
  for (const [nodeId, node] of server.nodes) {
    const tag = nodeId.slice(2);
    const isIn = (value: WireValue) => timeOf(value) >= start && timeOf(value) < end;
    if (page.kind === 'unavailable') {
      // A void is for ever: nobody may still hold what it gives up.
      if (page.reason === 'no-history')
        expect(node.kind, `void over ${tag}`).not.toMatch(/^(?:kept|denied)$/);
      if (node.kind === 'kept') expect(server.held(nodeId).filter(isIn), `void over ${tag}`).toEqual([]);
      continue;
    }
    const said = page.readings.filter((reading) => reading.tag === tag);
    const mark = said[0]?.quality.startsWith('bad:') ? said.shift() : undefined;
    const recorded = node.recorded.filter(isIn).map((value) => [timeOf(value), value.value!.value]);
    // Of values that share a time, which have come over several answers, the order is nobody's to tell.
    const found = said
      .map(({ index, value }) => [index, value] as [number, number])
      .sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    if (mark) expect(mark.index).toBe(start);
    // From a mark on nothing is claimed up to the next value, nor of what shares its time.
    const since = mark ? (said[0]?.index ?? end) : start - 1;
    const isAfter = (readings: readonly unknown[][]) => readings.filter(([at]) => (at as number) > since);
    expect(isAfter(found), `${tag} in [${start - T}, ${end - T})`).toEqual(isAfter(recorded));
    for (const reading of found) expect(recorded).toContainEqual(reading);
    if (node.kind !== 'kept') expect(mark, `a mark for ${tag}`).toBeDefined();
  }
}

/** One node, `n=t0`, whose values are at these times. */
export function serverWith(habits: Partial<Habits>, times: readonly number[], gone = 0): HostileHistory {
  const server = new HostileHistory({ ...wellBehaved, ...habits }, seededRandom(7), T + 2_000_000);
  server.nodes.set('n=t0', { kind: 'kept', recorded: valuesAt(times), gone });
  return server;
}

export const every = (stepMs: number, count: number) => Array.from({ length: count }, (_, at) => at * stepMs);

/** Of all pages, marks left out. */
export const readIn = ({ pages }: Answered) =>
  pages.flatMap((page) => (page.kind === 'readings' ? page.readings : []));
