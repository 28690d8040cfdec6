// The bounds of a rule: what it may keep, whatever the calls, and what one step of it may do.
import { describe, expect, it } from 'vitest';
import { ruleOf } from '../testing/run-rule.ts';

const distinct = 'SELECT COUNT(DISTINCT v) AS n FROM input GROUP BY TumblingWindow(second, 10)';
const byTime = 'SELECT COUNT(*) AS n FROM input TIMESTAMP BY at GROUP BY TumblingWindow(second, 10)';

function decided(query: string, maxRows: number, rowsACall: number) {
  const running = ruleOf(query, { limits: { maxRows }, eventOrder: { outOfOrderMs: 4000 } }).start();
  const rows = [];
  for (let n = 1; n <= 30; n++) {
    running.push('input', 's', n * 1000, { v: n, at: new Date(n * 1000).toISOString() });
    if (n % rowsACall === 0) rows.push(...running.advance(n * 1000 + 1));
  }
  rows.push(...running.advance(1e6));
  return {
    rows: rows.map(({ time, row, lacking = [] }) => [time / 1000, row.n, ...lacking]),
    refused: running.counts().refused,
  };
}

describe('limits of rows', () => {
  it.each([
    [distinct, 15, 0],
    [byTime, 8, 0],
    [distinct, 6, 12],
    [byTime, 3, 24],
  ])('%s: with %i rows the same is decided however they were cut into calls', (query, maxRows, refused) => {
    const one = decided(query, maxRows, 1);
    if (refused === 0)
      expect(one).toMatchObject({
        rows: [
          [10, 10],
          [20, 10],
          [30, 10],
        ],
        refused,
      });
    else expect(one.refused).toBeGreaterThan(0);
    for (const rowsACall of [2, 7, 30]) expect(decided(query, maxRows, rowsACall)).toEqual(one);
  });

  it('says of each window whose rows were refused that it lacks some, also over a restart', () => {
    const rule = ruleOf(distinct, { limits: { maxRows: 6 } });
    let running = rule.start();
    for (let n = 1; n <= 9; n++) running.push('input', 's', n * 1000, { v: n });
    expect(running.advance(9500)).toEqual([]);
    running = rule.start(JSON.parse(JSON.stringify(running.state())));
    for (let n = 11; n <= 20; n++) running.push('input', 's', n * 1000, { v: 1 });
    expect(running.advance(21_000).map(({ lacking }) => lacking)).toEqual([['input'], undefined]);
  });
});

describe('the bound of a step', () => {
  const flood =
    'SELECT a.ArrayIndex AS n FROM input CROSS APPLY GetArrayElements(x) AS a CROSS APPLY GetArrayElements(x) AS b';
  const x = Array.from({ length: 1000 }, (_, n) => n);

  it('ends a flood of rows before it is made', () => {
    const running = ruleOf(flood).start();
    running.push('input', 's', 0, { x });
    const bound = { maxRows: 100, isOver: () => undefined };
    expect(() => running.advance(1, undefined, undefined, bound)).toThrow('more than 100 rows at once');
    expect(running.counts().rowsOut).toBeLessThanOrEqual(101);
  });

  it.each([
    flood,
    `${flood} WHERE b.ArrayIndex < 0`,
    `WITH s AS (${flood}) SELECT COUNT(*) AS n FROM s GROUP BY TumblingWindow(second, 1)`,
  ])('looks at the time while it works: %s', (query) => {
    const running = ruleOf(query).start();
    running.push('input', 's', 0, { x });
    let looks = 0;
    const bound = { maxRows: 1e9, isOver: () => (++looks > 3 ? 'over' : undefined) };
    expect(() => running.advance(1, undefined, undefined, bound)).toThrow('over');
    expect(looks).toBe(4);
  });
});
