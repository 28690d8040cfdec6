// Rules over readings that their equipment is not sure of, and over rows that there was no room for.
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import type { Reading } from '../../../wire/reading.ts';
import { MemoryStore } from '../../spool/engine/testing/memory-store.ts';
import { compileRule } from '../compile-rule.ts';
import { at, begin, doublesIn, end, outcomesIn, rule, told } from './testing/module-run.ts';

const clockAt = () => new VirtualClock(at(0));

async function run(settings: object, readings: readonly Reading[], until: number) {
  const clock = clockAt();
  const run = await begin(new MemoryStore(), clock, [rule(settings)], async () => {}, compileRule);
  run.a.emit({ kind: 'resumed', at: at(0) });
  run.a.emit({ kind: 'readings', readings });
  run.a.emit({ kind: 'observed', until: at(until) });
  await clock.advance(5000);
  const status = run.host.status();
  await end(run, clock);
  const all = await told(run);
  return { all, status, performed: run.performed, outcomes: outcomesIn(all) };
}

const hot = (n: number, quality: Reading['quality'], value = 99): Reading => ({
  index: at(n),
  tag: 'v',
  value,
  quality,
});
const plain = { actOnLacking: false, query: 'SELECT v, w FROM input WHERE v > 30' };

describe('what rules make of qualities', () => {
  it('takes a bad value for none, whatever it shows', async () => {
    const { all, performed } = await run(plain, [hot(10, 'bad:sensor-failure'), hot(20, 'bad')], 100);
    expect(all).toEqual([]);
    expect(performed).toEqual([]);
  });

  it('decides on an uncertain value, and says so', async () => {
    const readings = [hot(10, 'uncertain:sensor'), hot(20, 'good')];
    const { all, performed } = await run(plain, readings, 100);
    const told = all.filter(({ tag }) => tag === 'v');
    expect(told.map(({ index, quality }) => [index, quality])).toEqual([
      [10, 'uncertain:input-uncertain'],
      [20, 'good'],
    ]);
    expect(performed).toHaveLength(2);
  });

  it('says nothing of a tag that it does not read', async () => {
    const other: Reading = { index: at(10), tag: 'x', value: 1, quality: 'uncertain' };
    const { all } = await run(plain, [other, hot(10, 'good')], 100);
    expect(all.find(({ tag }) => tag === 'v')).toMatchObject({ quality: 'good' });
  });
});

describe('a window that there was no room for', () => {
  it('is not whole, and not acted on; the next one is', async () => {
    const readings = Array.from({ length: 40 }, (_, n) => hot(n + 1, 'good', n < 20 ? n : 7));
    const query = 'SELECT COUNT(DISTINCT v) AS n FROM input GROUP BY TumblingWindow(millisecond, 20)';
    const limits = { maxRows: 10 };
    const { all, performed, outcomes } = await run({ actOnLacking: false, query, limits }, readings, 100);
    expect(all.filter(({ tag }) => tag === 'n').map(({ index, quality }) => [index, quality])).toEqual([
      [20, 'uncertain:input-missing'],
      [40, 'good'],
    ]);
    expect(all.find(({ tag }) => tag === 'lacking')).toMatchObject({ index: 20, value: ['input'] });
    expect(outcomes).toMatchObject([{ outcome: 'refused', code: 'rules-input-missing', time: at(20) }, {}]);
    expect(performed).toHaveLength(1);
  });

  it('is none for a long window that comes at once', async () => {
    const readings = Array.from({ length: 3000 }, (_, n) => hot(n + 1, 'good', n % 10));
    const query = 'SELECT COUNT(*) AS n FROM input GROUP BY TumblingWindow(millisecond, 100)';
    const { all } = await run({ actOnLacking: false, query, limits: { maxRows: 50 } }, readings, 3001);
    const counts = all.filter(({ tag }) => tag === 'n');
    expect(counts).toHaveLength(30);
    expect(new Set(counts.map(({ value, quality }) => `${value} ${quality}`))).toEqual(new Set(['100 good']));
  });
});

it('an action of a rule without a row upstream waits for no more than a commit', async () => {
  const clock = clockAt();
  const settings = rule({ ...plain, outputs: { output: [{ send: 'control' }] } });
  const module = await begin(new MemoryStore(), clock, [settings], async () => {}, compileRule);
  module.a.emit({ kind: 'resumed', at: at(0) });
  module.a.emit({ kind: 'readings', readings: [hot(10, 'good')] });
  module.a.emit({ kind: 'observed', until: at(100) });
  // One commit makes the reading durable, the next one the intent.
  for (let n = 0; n < 120; n++) await clock.advance(10);
  expect(module.performed).toHaveLength(1);
  await end(module, clock);
});

describe('what a rule tells', () => {
  it('keeps columns that * takes over apart from what its stream has for itself', async () => {
    const tags = ['lacking', 'v', 'v#1', 'action#1'];
    const readings = tags.map((tag, value): Reading => ({ index: at(10), tag, value, quality: 'good' }));
    const query = 'SELECT * FROM input UNION SELECT * FROM input';
    const { all } = await run({ query, actOnLacking: false }, readings, 100);
    expect(doublesIn(all)).toEqual([]);
    const first = all.filter(({ index, tag }) => index === 10 && !/^action#\d+;|#1$/.test(tag));
    expect(Object.fromEntries(first.map(({ tag, value }) => [tag, value]))).toEqual({
      ...{ _lacking_: 0, v: 1, '_v#1_': 2, '_action#1_': 3 },
    });
  });

  it('has the reason for which a row could not be computed', async () => {
    const { status } = await run({ query: 'SELECT 1 / v AS x FROM input' }, [hot(10, 'good', 0)], 100);
    expect(status).toMatchObject([{ phase: 'running', failed: 1, problem: '1 is divided by zero' }]);
  });
});
