import { describe, expect, it } from 'vitest';
import { type Random, randomInt, seededRandom } from '../../../kernel/random.ts';
import type { Reading } from '../../../wire/reading.ts';
import { readPages } from './history-pages.ts';
import { HistoryRequests } from './history-requests.ts';
import { serviceFailed } from './opcua-errors.ts';
import type { HistoryRequest, HistoryResult, OpcuaSession, WireValue } from './opcua-session.ts';

const good = { value: 0, name: 'Good' };
const range = { start: 1000, end: 3000 };
const marks: readonly Reading[] = [{ index: 1000, tag: 'x', value: null, quality: 'bad:no-history' }];

/** Answers from memory, after a turn or more; its points are places in the lists. */
class Server {
  readonly held = new Map<string, readonly WireValue[]>();
  readonly #delay: () => number;
  readonly most: number;
  underWay = 0;
  mostUnderWay = 0;
  points = new Set<string>();
  /** Which values of each node have been shown. */
  readonly shown = new Map<string, Set<unknown>>();

  constructor(most: number, delay: () => number) {
    this.most = most;
    this.#delay = delay;
  }

  session(): OpcuaSession {
    return {
      limits: { nodesPerHistoryRead: 3, historyContinuationPoints: this.most },
      lost: new AbortController().signal,
      historyRead: (request: HistoryRequest) => this.#read(request),
      historyRelease: async (nodes: HistoryRequest['nodes']) => {
        for (const { continuation } of nodes) this.points.delete(Buffer.from(continuation!).toString());
      },
    } as Partial<OpcuaSession> as OpcuaSession;
  }

  async #read({ start, end, valuesPerNode, nodes }: HistoryRequest): Promise<readonly HistoryResult[]> {
    this.underWay += 1;
    this.mostUnderWay = Math.max(this.mostUnderWay, this.underWay);
    for (let turns = this.#delay(); turns > 0; turns--) await undefined;
    this.underWay -= 1;
    return nodes.map(({ nodeId, continuation }) => {
      const held = continuation && Buffer.from(continuation).toString();
      if (held) this.points.delete(held);
      const [, from = 0, since = start, until = end] = held?.split(' ').map(Number) ?? [];
      const all = this.held.get(nodeId)!.filter(({ sourceTimestamp }) => {
        const time = sourceTimestamp!.getTime();
        return time >= since && time < until;
      });
      const values = all.slice(from, from + valuesPerNode);
      const shown = this.shown.get(nodeId) ?? new Set();
      for (const { value } of values) shown.add(value!.value);
      this.shown.set(nodeId, shown);
      if (from + values.length >= all.length) return { status: good, values };
      const point = `${nodeId} ${from + values.length} ${since} ${until}`;
      this.points.add(point);
      return { status: good, values, continuation: Buffer.from(point) };
    });
  }
}

function valuesAt(times: readonly number[]): readonly WireValue[] {
  return times.map((time, at) => ({
    value: { dataType: 7, arrayType: 0, value: at },
    statusCode: good,
    sourceTimestamp: new Date(time),
    serverTimestamp: null,
  }));
}

function fill(server: Server, count: number, random: Random): Reading[] {
  const all: Reading[] = [];
  for (let node = 0; node < count; node++) {
    // Some say much, some next to nothing.
    const density = 1 + randomInt(random, 60);
    const times: number[] = [];
    for (let time = range.start; time < range.end; time += randomInt(random, density * 10)) times.push(time);
    const values = times.slice(0, 400);
    server.held.set(`i=${node}`, valuesAt(values));
    for (const [at, index] of values.entries())
      all.push({ index, tag: `t${node}`, value: at, quality: 'good' });
  }
  return [...marks, ...all].sort((a, b) => a.index - b.index);
}

const optionsOf = (session: OpcuaSession, count: number, valuesPerNode: number) => ({
  requests: new HistoryRequests(session, new AbortController().signal),
  range,
  nodes: Array.from({ length: count }, (_, at) => ({
    tag: `t${at}`,
    nodeId: `i=${at}`,
    times: 'both' as const,
    reaches: false,
  })),
  valuesPerNode,
  recordedTo: range.end,
  marksAt: (at: number) => (at === range.start ? marks : []),
});

describe('the history of many nodes', () => {
  it('comes whole, in order and window after window, two requests under way at most (200 random servers)', async () => {
    let mostUnderWay = 0;
    for (let seed = 0; seed < 200; seed++) {
      const random = seededRandom(seed);
      const count = 1 + randomInt(random, 8);
      const most = randomInt(random, 3) * 4;
      const server = new Server(most, () => randomInt(random, 6));
      const expected = fill(server, count, random);
      const found: Reading[] = [];
      let at = range.start;
      for await (const page of readPages(optionsOf(server.session(), count, 1 + randomInt(random, 40)))) {
        expect(page.window.start).toBe(at);
        at = page.window.end;
        if (page.kind !== 'readings') throw new Error('no readings');
        expect(page.readings.every(({ index }) => index >= page.window.start && index < at)).toBe(true);
        found.push(...page.readings);
      }
      expect(at).toBe(range.end);
      expect(found, `seed ${seed}`).toEqual(expected);
      expect(server.mostUnderWay).toBeLessThanOrEqual(count > 1 ? 2 : 1);
      mostUnderWay = Math.max(mostUnderWay, server.mostUnderWay);
    }
    expect(mostUnderWay).toBe(2);
  });

  it('reads ahead by an answer of each lane, however long the page is taken care of, and lets go of places', async () => {
    const server = new Server(0, () => 20);
    fill(server, 8, seededRandom(7));
    // Each answer of one lane reaches ten times as far as one of the other, but for that of its last node.
    for (const [node, stepMs] of [50, 50, 50, 50, 5, 5, 5, 50].entries()) {
      const times = Array.from({ length: 2000 / stepMs }, (_, at) => 1000 + at * stepMs);
      server.held.set(`i=${node}`, valuesAt(times));
    }
    const pages = readPages(optionsOf(server.session(), 8, 5));
    const handed = new Map<string, number>();
    for (let page = 0; page < 12; page++) {
      const { value } = await pages.next();
      if (value?.kind !== 'readings') throw new Error('no readings');
      for (const { tag } of value.readings) handed.set(tag, (handed.get(tag) ?? 0) + 1);
      for (let turn = 0; turn < 100; turn++) await undefined;
      for (const [node, { size }] of server.shown)
        expect(size - (handed.get(`t${node.slice(2)}`) ?? 0)).toBeLessThanOrEqual(2 * 5);
    }
    // What is asked for just now is let go of too, once it is here.
    await pages.next();
    expect(server.underWay).toBeGreaterThan(0);
    await pages.return(undefined);
    for (let turn = 0; turn < 200; turn++) await undefined;
    expect(server.points.size).toBe(0);
  });

  it('asks one after the other once two at a time failed', async () => {
    const server = new Server(0, () => 2);
    const expected = fill(server, 6, seededRandom(3));
    const plain = server.session();
    const session: OpcuaSession = {
      ...plain,
      historyRead: (request) =>
        server.underWay > 0
          ? Promise.reject(serviceFailed('history', 'BadServerTooBusy'))
          : plain.historyRead(request),
    };
    const read = async () => {
      const found: Reading[] = [];
      for await (const page of readPages(optionsOf(session, 6, 20)))
        if (page.kind === 'readings') found.push(...page.readings);
      return found;
    };
    await expect(read()).rejects.toThrow('BadServerTooBusy');
    expect(await read()).toEqual(expected);
  });
});
