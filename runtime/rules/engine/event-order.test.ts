import { describe, expect, it } from 'vitest';
import { compileRule } from '../compile-rule.ts';
import type { RuleRow, RunningRule } from '../engine-api.ts';
import { ruleOf } from '../testing/run-rule.ts';

const at = (seconds: number) => new Date(seconds * 1000).toISOString();
const seconds = (rows: readonly RuleRow[]) => rows.map(({ time }) => time / 1000);

describe('the order of events', () => {
  const timed = (order: object) =>
    ruleOf('SELECT t FROM input TIMESTAMP BY t', { eventOrder: order }).start();
  const push = (
    rule: RunningRule,
    ...events: readonly (readonly [index: number, t: number | string | null])[]
  ) => {
    for (const [index, t] of events)
      rule.push('input', 's', index * 1000, { t: typeof t === 'number' ? at(t) : t });
  };

  it('what is late by more than lateMs is moved or dropped, and counted', () => {
    const adjusting = timed({ outOfOrderMs: 60_000, lateMs: 5000 });
    push(adjusting, [100, 100], [100, 96], [100, 90]);
    expect(seconds(adjusting.advance(1e9))).toEqual([95, 96, 100]);
    expect(adjusting.counts()).toMatchObject({ adjusted: 1, dropped: 0 });
    const dropping = timed({ outOfOrderMs: 60_000, lateMs: 5000, policy: 'drop' });
    push(dropping, [100, 100], [100, 96], [100, 90]);
    expect(seconds(dropping.advance(1e9))).toEqual([96, 100]);
    expect(dropping.counts()).toMatchObject({ adjusted: 0, dropped: 1 });
  });

  it('a row without a time, or from the future, is left out and counted', () => {
    const rule = timed({});
    push(rule, [100, 100], [101, null], [102, 'soon'], [103, 500]);
    expect(seconds(rule.advance(1e9))).toEqual([100]);
    expect(rule.counts().failed).toBe(3);
    expect(rule.lastProblem()).toContain('5 min ahead');
  });

  it('a part of a millisecond behind the end of a window is of the next window', () => {
    for (const by of ['t', 'CAST(t AS datetime)']) {
      const query = `SELECT COUNT(*) AS n, MAX(t) AS last FROM input TIMESTAMP BY ${by} GROUP BY TumblingWindow(second, 10)`;
      const rule = ruleOf(query).start();
      rule.push('input', 's', 10_000, { t: '1970-01-01T00:00:10.0000000Z' });
      rule.push('input', 's', 10_001, { t: '1970-01-01T00:00:10.0000005Z' });
      expect(seconds(rule.advance(1e9))).toEqual([10, 20]);
    }
  });

  it('the field of TIMESTAMP BY is a date in all of the query, in UTC, whatever its zone', () => {
    const query = `SELECT MAX(t) AS last, MIN(x) AS other FROM input TIMESTAMP BY t GROUP BY TumblingWindow(minute, 1)`;
    const rule = ruleOf(query, { eventOrder: { outOfOrderMs: 60_000 } }).start();
    rule.push('input', 's', 30_000, { t: '1970-01-01T01:00:10+01:00', x: '1970-01-01T01:00:10+01:00' });
    rule.push('input', 's', 30_001, { t: '1970-01-01T00:00:20Z', x: '1970-01-01T00:00:20Z' });
    expect(rule.advance(1e9).map(({ row }) => row)).toEqual([
      { last: '1970-01-01T00:00:20.0000000Z', other: '1970-01-01T00:00:20Z' },
    ]);
  });

  it('windows wait for what may still come, no longer than lateMs behind the watermark', () => {
    const rule = ruleOf(
      'SELECT COUNT(*) AS n FROM input TIMESTAMP BY t GROUP BY TumblingWindow(second, 10)',
      { eventOrder: { outOfOrderMs: 60_000 } },
    ).start();
    push(rule, [9, 9]);
    expect(rule.advance(15_000)).toEqual([]);
    expect(seconds(rule.advance(15_001))).toEqual([10]);
  });

  it('rows of several inputs are taken in the order of time, however they come', () => {
    const query = 'SELECT v INTO o FROM a UNION SELECT v FROM b TIMESTAMP BY t';
    const rule = compileRule({
      name: 'r',
      inputs: { a: {}, b: {} },
      query,
      eventOrder: { outOfOrderMs: 10_000 },
    }).start();
    rule.push('b', 'b', 4000, { t: at(4), v: 'b4' });
    rule.push('b', 'b', 5000, { t: at(2), v: 'b2' });
    rule.push('a', 'a', 3000, { v: 'a3' });
    rule.push('a', 'a', 1000, { v: 'a1' });
    const first = rule.advance(6000);
    expect(seconds(first), 'b may still bring rows from 1 s on').toEqual([]);
    expect(rule.advance(20_000).map(({ row }) => row.v)).toEqual(['a1', 'b2', 'a3', 'b4']);
  });

  it('a row below the watermark is late, counted, and changes nothing', () => {
    const rule = ruleOf('SELECT v FROM input').start();
    rule.advance(10_000);
    rule.push('input', 's', 9999, { v: 1 });
    expect(rule.advance(20_000)).toEqual([]);
    expect(rule.counts()).toMatchObject({ rowsIn: 1, late: 1 });
  });

  it('rows of one time come in the order of inputs and origins, whatever the order of calls', () => {
    const query = 'SELECT v INTO o FROM a UNION SELECT v FROM b';
    const calls = [
      ['b', 'x', 3],
      ['a', 'y', 2],
      ['a', 'x', 1],
    ] as const;
    const decide = (all: typeof calls | (typeof calls)[number][]) => {
      const rule = compileRule({ name: 'r', inputs: { a: {}, b: {} }, query }).start();
      for (const [input, origin, v] of all) rule.push(input, origin, 5, { v });
      return rule.advance(6).map(({ row, ordinal }) => [row.v, ordinal]);
    };
    expect(decide(calls)).toEqual([
      [1, 0],
      [2, 1],
      [3, 2],
    ]);
    expect(decide(calls.toReversed())).toEqual(decide(calls));
  });

  it('what was lacking when the watermark passed stands in the rows', () => {
    const rule = ruleOf('SELECT COUNT(*) AS n FROM input GROUP BY TumblingWindow(second, 10)').start();
    rule.push('input', 's', 1000, {});
    expect(rule.advance(11_000, ['other'])[0]!.lacking).toEqual(['other']);
  });
});
