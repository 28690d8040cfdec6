// How far back a verdict rests on what was known: what makes it whole, or not.
import { expect, it } from 'vitest';
import { compileRule } from '../compile-rule.ts';
import { ruleOf } from '../testing/run-rule.ts';

/** Rows at 10, 20 and 50 s; by the time of each decision in s, from where on it rests. */
function restsOf(rule: ReturnType<typeof ruleOf>, input = 'input') {
  const running = rule.start();
  for (const second of [10, 20, 50]) running.push(input, 's', second * 1000, { v: second });
  return running.advance(200_000).map(({ time, restsFrom }) => [time / 1000, restsFrom / 1000]);
}

it.each<[string, string, readonly (readonly [number, number])[]]>([
  [
    'itself',
    'SELECT v FROM input',
    [
      [10, 10],
      [20, 20],
      [50, 50],
    ],
  ],
  [
    'its window',
    'SELECT COUNT(*) AS n FROM input GROUP BY TumblingWindow(second, 20)',
    [
      [20, 0],
      [60, 40],
    ],
  ],
  [
    'the row that LAG found; where it found none, all of the time that it may look back',
    'SELECT LAG(v) OVER (LIMIT DURATION(second, 15)) AS a FROM input',
    [
      [10, -5],
      [20, 10],
      [50, 35],
    ],
  ],
  [
    'itself where LAST is the row',
    'SELECT LAST(v) OVER (LIMIT DURATION(minute, 1)) AS a FROM input',
    [
      [10, 10],
      [20, 20],
      [50, 50],
    ],
  ],
  [
    'the whole time of an aggregate that looks back',
    'SELECT SUM(v) OVER (LIMIT DURATION(second, 30)) AS a FROM input',
    [
      [10, -20],
      [20, -10],
      [50, 20],
    ],
  ],
  [
    'the windows of the steps that it reads, too',
    `WITH s AS (SELECT COUNT(*) AS n FROM input GROUP BY TumblingWindow(second, 20))
      SELECT LAG(n) OVER (LIMIT DURATION(minute, 1)) AS a FROM s`,
    [
      [20, -60],
      [60, 0],
    ],
  ],
])('a row rests on %s', (_, query, expected) => {
  expect(restsOf(ruleOf(query))).toEqual(expected);
});

it('the short form rests on all that spoke for it since it began to hold', () => {
  const rule = compileRule({ name: 'r', inputs: { a: {} }, when: 'avg(a.v, 15s) > 12', for: '5s' });
  expect(restsOf(rule, 'a')).toEqual([[25, 5]]);
});
