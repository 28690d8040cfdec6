import { describe, expect, it } from 'vitest';
import { type Random, randomInt, seededRandom } from '../../../kernel/random.ts';
import type { Window } from '../../../wire/window.ts';
import { readAll, T, valuesAt } from './testing/history-judge.ts';
import { type Habits, HostileHistory } from './testing/hostile-history.ts';

function pick<V>(random: Random, ...values: readonly V[]): V {
  return values[randomInt(random, values.length)]!;
}

function randomHabits(random: Random): Habits {
  const isOften = (oneIn: number) => randomInt(random, oneIn) === 0;
  const places = pick(random, 'kept', 'offset', 'none', 'refused');
  const back = pick(random, 'right', 'right', 'right', 'forward', 'empty', 'refused', 'unsupported');
  return {
    places,
    most: pick(random, 1000, 2 + randomInt(random, 12)),
    // One that answers less than it has at random, and shows nothing from the other side, can be found out by nobody.
    isShort: back === 'right' && places !== 'refused' && isOften(3),
    isSlow: isOften(4),
    forgets: isOften(4),
    seam: pick(random, 'right', 'right', 'repeats', 'skips-time', 'skips-one'),
    bounds: pick(random, 'none', 'none', 'values', 'statuses'),
    beginsAmid: isOften(4),
    hasEnd: isOften(3),
    emptyStatus: pick(random, 'Good', 'GoodNoData', 'BadNoData'),
    saysMore: isOften(4),
    back,
    times: pick(random, 'both', 'both', 'source', 'server', 'server-silent'),
    isRing: isOften(4),
    isBusy: isOften(6),
  };
}

function randomServer(random: Random): { server: HostileHistory; range: Window; habits: Habits } {
  const habits = randomHabits(random);
  const server = new HostileHistory(habits, random, T + 100_000);
  const count = 1 + randomInt(random, 6);
  for (let at = 0; at < count; at++) {
    const times: number[] = [];
    const step = pick(random, 5, 50, 500, 3000);
    let time = randomInt(random, 2000);
    // Several values at one time are common: alarms, and clocks that are coarse.
    for (let values = randomInt(random, 120); values > 0; values--) {
      times.push(time);
      if (randomInt(random, 4) > 0) time += 1 + randomInt(random, step);
    }
    const kind = pick(
      random,
      'kept',
      'kept',
      'kept',
      'kept',
      'unsupported',
      'no-access',
      'denied',
      'unknown',
    );
    const gone = randomInt(random, 2) * randomInt(random, 20);
    server.nodes.set(`n=t${at}`, { kind, recorded: valuesAt(times), gone: Math.min(gone, times.length) });
  }
  const start = T + randomInt(random, 3000);
  return { server, habits, range: { start, end: start + 1 + randomInt(random, 6000) } };
}

const runs = Number(process.env.HOLDFAST_OPCUA_SEEDS ?? 400);
const firstSeed = Number(process.env.HOLDFAST_OPCUA_SEED ?? 1);

describe('the history of a server with bad habits', () => {
  it(`is claimed only where each value is here, and void only where none is held (${runs} random servers)`, async () => {
    let whole = 0;
    for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
      const { server, range, habits } = randomServer(seededRandom(seed));
      try {
        const { until } = await readAll(server, range, 2 + (seed % 11));
        if (until === range.end) whole += 1;
        expect(server.changed, 'questions that changed while a place was held').toBe(0);
      } catch (error) {
        throw new Error(`seed ${seed} ${JSON.stringify(habits)}`, { cause: error });
      }
    }
    // Most can be read to the end, whatever they do on the way; of the others some refuse a node, or hold nothing.
    expect(whole).toBeGreaterThan(runs * 0.6);
  });
});
