import { describe, expect, it } from 'vitest';
import { type Random, randomInt, seededRandom } from '../../../kernel/random.ts';
import { type HistoryAsk, HistoryNode } from './history-node.ts';
import type { HistoryResult, WireValue } from './opcua-session.ts';

const T = Date.UTC(2026, 0, 1);
const good = { value: 0, name: 'Good' };
const bad = (name: string) => ({ status: { value: 0x8000_0000, name }, values: [] });

/** Times may repeat; the number says which value it is. */
function valuesAt(times: readonly number[]): WireValue[] {
  return times.map((time, at) => ({
    value: { dataType: 7, arrayType: 0, value: at },
    statusCode: good,
    sourceTimestamp: new Date(T + time),
    serverTimestamp: null,
  }));
}

interface Habits {
  readonly hasPoints: boolean;
  /** Points vanish, or are refused, about once in so many uses; 0 never. */
  readonly vanishOnceIn: number;
  /** Answers with fewer values than it was asked for, and a point. */
  readonly isStingy: boolean;
  /** Says that it has no points, rather than leaving out the rest. */
  readonly refusesRest: boolean;
  /** Sends values outside of what it was asked for, too. */
  readonly sendsBounds: boolean;
}

class Server {
  readonly #values: readonly WireValue[];
  readonly #habits: Habits;
  readonly #random: Random;
  requests = 0;

  constructor(values: readonly WireValue[], habits: Habits, random: Random) {
    this.#values = values;
    this.#habits = habits;
    this.#random = random;
  }

  answer(ask: HistoryAsk): HistoryResult {
    this.requests += 1;
    const { vanishOnceIn, hasPoints, isStingy, refusesRest, sendsBounds } = this.#habits;
    const timeOf = (value: WireValue) => value.sourceTimestamp!.getTime();
    if (ask.continuation && vanishOnceIn > 0 && randomInt(this.#random, vanishOnceIn) === 0)
      return bad('BadContinuationPointInvalid');
    const held = ask.continuation ? JSON.parse(Buffer.from(ask.continuation).toString()) : undefined;
    const { from, start, end } = held ?? { from: 0, start: ask.start, end: ask.end };
    const all = this.#values.filter((value) => timeOf(value) >= start && timeOf(value) < end);
    const most = isStingy ? 1 + randomInt(this.#random, ask.valuesPerNode) : ask.valuesPerNode;
    const values = all.slice(from, from + most);
    const next = from + values.length;
    if (next >= all.length) {
      const before = this.#values.filter((value) => timeOf(value) < start).slice(-1);
      return { status: good, values: sendsBounds && !held ? [...before, ...values] : values };
    }
    if (!hasPoints) return refusesRest ? bad('BadNoContinuationPoints') : { status: good, values };
    return { status: good, values, continuation: Buffer.from(JSON.stringify({ from: next, start, end })) };
  }
}

function readAll(node: HistoryNode, server: Server): number[] {
  const found: number[] = [];
  for (let round = 0; !node.isDone; round++) {
    if (round > 20_000) throw new Error('it goes on for ever');
    const ask = node.next();
    expect(node.take(ask, server.answer(ask))).toBe('ok');
    found.push(...node.pending.splice(0).map(({ value }) => value as number));
  }
  return found;
}

describe('the history of one node', () => {
  it('is whole, each value once and in order, whatever the habits of the server (2,000 random ones)', () => {
    for (let seed = 0; seed < 2000; seed++) {
      const random = seededRandom(seed);
      const count = randomInt(random, 120);
      const times: number[] = [];
      let time = 0;
      // Several values at one time are common: alarms, and clocks that are coarse.
      for (let at = 0; at < count; at++) {
        if (randomInt(random, 3) > 0) time += randomInt(random, 50);
        times.push(time);
      }
      const isPaging = randomInt(random, 2) === 0;
      const habits: Habits = {
        hasPoints: isPaging,
        vanishOnceIn: randomInt(random, 2) * (2 + randomInt(random, 4)),
        isStingy: isPaging && randomInt(random, 2) === 0,
        refusesRest: randomInt(random, 2) === 0,
        sendsBounds: randomInt(random, 2) === 0,
      };
      const values = valuesAt(times);
      const start = T + randomInt(random, 300);
      const end = start + 1 + randomInt(random, 3000);
      const node = new HistoryNode('t', 'i=1', { start, end }, 1 + randomInt(random, 12));
      const found = readAll(node, new Server(values, habits, random));
      const expected = values.flatMap(({ sourceTimestamp, value }) => {
        const at = sourceTimestamp!.getTime();
        return at >= start && at < end ? [value!.value as number] : [];
      });
      expect(found, `seed ${seed} ${JSON.stringify(habits)}`).toEqual(expected);
    }
  });

  it('is given up where the server does not move on, and left out where it has none', () => {
    const node = new HistoryNode('t', 'i=1', { start: T, end: T + 1000 }, 10);
    const stuck = { status: good, values: [], continuation: Buffer.from('x') };
    const outcomes = new Set(Array.from({ length: 30 }, () => node.take(node.next(), stuck)));
    expect([...outcomes]).toEqual(['ok', 'failed']);
    const other = () => new HistoryNode('t', 'i=1', { start: T, end: T + 1000 }, 10);
    const take = (name: string) => {
      const fresh = other();
      return fresh.take(fresh.next(), bad(name));
    };
    expect(take('BadHistoryOperationUnsupported')).toBe('refused');
    expect(take('BadTooManyOperations')).toBe('failed');
    expect(take('BadNoData')).toBe('ok');
  });
});
