// Random rules over random rows: each is refused, or runs; nothing else is ever thrown.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileRule } from './compile-rule.ts';
import type { CompiledRule, RuleInputRow, RuleRow } from './engine-api.ts';
import { explainRule, explanationText } from './explain.ts';
import { RuleQueryError } from './language/query-error.ts';

const field = fc.constantFrom(
  'a',
  'b',
  'r.x',
  'list',
  'time',
  '[odd name]',
  'constructor',
  '__proto__',
  'missing',
  'A',
);
const literal = fc.constantFrom('1', '0', '2.5', "'x'", "'2024-01-01'", "''", 'NULL', '-3');
const { expression } = fc.letrec<{ expression: string }>((tie) => {
  const e = tie('expression');
  const two = (make: (a: string, b: string) => string) => fc.tuple(e, e).map(([a, b]) => make(a, b));
  const operator = fc.constantFrom('+', '-', '*', '/', '%', '=', '<>', '<', '>=', 'AND', 'OR');
  const unary = fc.constantFrom(
    'ABS',
    'FLOOR',
    'SQRT',
    'LEN',
    'UPPER',
    'YEAR',
    'GetArrayLength',
    'GetType',
    'NOT ',
    '-',
  );
  return {
    expression: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      field,
      literal,
      fc.tuple(e, operator, e).map(([a, o, b]) => `(${a} ${o} ${b})`),
      fc.tuple(unary, e).map(([f, a]) => `${f}(${a})`),
      two((a, b) => `COALESCE(${a}, ${b})`),
      two((a, b) => `CONCAT(${a}, ${b})`),
      two((a, b) => `REPLACE(${a}, 'x', ${b})`),
      two((a, b) => `ROUND(${a}, ${b})`),
      two((a, b) => `POWER(${a}, ${b})`),
      two((a, b) => `DATEADD(day, ${a}, ${b})`),
      two((a, b) => `DATEDIFF(hour, ${a}, ${b})`),
      two((a, b) => `(${a} LIKE ${b})`),
      two((a, b) => `(${a} IN (1, NULL, ${b}))`),
      two((a, b) => `CASE WHEN ${a} THEN ${b} END`),
      e.map((a) => `TRY_CAST(${a} AS bigint)`),
      e.map((a) => `CAST(${a} AS nvarchar(max))`),
      fc.constant('System.Timestamp()'),
    ),
  };
});

const windows = fc.constantFrom(
  'TumblingWindow(second, 2)',
  'HoppingWindow(second, 4, 1)',
  'SlidingWindow(second, 3)',
  'SessionWindow(second, 2, 5) OVER (PARTITION BY a)',
  'System.Timestamp()',
);
const over = 'OVER (PARTITION BY b LIMIT DURATION(second, 5) WHEN a IS NOT NULL)';
const lookingBack = fc.oneof(
  expression,
  fc
    .tuple(fc.constantFrom('LAG', 'LAST', 'SUM', 'MAX', 'COUNT'), expression)
    .map(([f, e]) => `${f}(${e}) ${over}`),
  fc.constant('ISFIRST(second, 3)'),
);
const aggregated = fc.oneof(
  fc
    .tuple(
      fc.constantFrom('COUNT(', 'SUM(', 'AVG(', 'MIN(', 'MAX(', 'STDEV(', 'COUNT(DISTINCT ', 'Collect('),
      expression,
    )
    .map(([f, e]) => `${f}${e})`),
  fc
    .tuple(fc.constantFrom('TopOne()', 'CollectTop(2)', 'PERCENTILE_CONT(0.5)'), expression)
    .map(([f, e]) => `${f} OVER (ORDER BY ${e} DESC)`),
);
const grouped = fc
  .record({
    x: aggregated,
    where: lookingBack,
    key: expression,
    window: windows,
    having: aggregated,
    isFiltered: fc.boolean(),
  })
  .map(({ x, where, key, window, having, isFiltered }) => {
    const [filter, last] = isFiltered ? [`WHERE ${where}`, `HAVING ${having} IS NOT NULL`] : ['', ''];
    return `SELECT ${key} AS k, ${x} AS x, COUNT(*) AS n FROM input ${filter} GROUP BY ${key}, ${window} ${last}`;
  });
const projected = fc
  .record({ x: lookingBack, where: lookingBack, isFiltered: fc.boolean() })
  .map(
    ({ x, where, isFiltered }) => `SELECT ${x} AS x, * FROM input ${isFiltered ? `WHERE ${where} <> 1` : ''}`,
  );
const query = fc
  .record({ step: fc.oneof(grouped, projected), y: expression })
  .map(({ step, y }) => `WITH s AS (${step}) SELECT *, ${y} AS y INTO o FROM s`);

const value = fc.constantFrom<unknown>(
  null,
  0,
  1,
  -2,
  2.5,
  1e300,
  -0,
  'x',
  '',
  '2024-01-01T00:00:00Z',
  true,
  false,
  [],
  [1, [2]],
  {},
  { x: 1, $date: 5 },
);
const row = fc.record(
  { a: value, b: value, r: value, list: value, 'odd name': value },
  { requiredKeys: [] },
) as fc.Arbitrary<RuleInputRow>;

function compiled(text: string): CompiledRule | undefined {
  try {
    return compileRule({
      name: 'rule',
      inputs: { input: {} },
      query: text,
      limits: { maxRows: 500, maxKeys: 50 },
    });
  } catch (error) {
    if (error instanceof RuleQueryError) return undefined;
    throw error;
  }
}

describe('random rules', () => {
  it('are refused, or decide the same with and without a restart, and name each row once', () => {
    let ran = 0;
    fc.assert(
      fc.property(query, fc.array(row, { minLength: 1, maxLength: 15 }), (text, rows) => {
        const rule = compiled(text);
        if (rule === undefined) return;
        ran++;
        expect(explanationText(explainRule(rule))).toContain('reads input');
        const decide = (restarts: boolean) => {
          let running = rule.start();
          const all: RuleRow[] = [];
          for (const [index, one] of rows.entries()) {
            running.push('input', 's', index * 700, one);
            if (restarts) running = rule.start(JSON.parse(JSON.stringify(running.state())));
            if (index % 3 === 0) all.push(...running.advance(index * 700));
          }
          all.push(...running.advance(1e9));
          return { all, counts: running.counts(), usage: running.usage() };
        };
        const whole = decide(false);
        expect(decide(true)).toEqual(whole);
        expect(JSON.parse(JSON.stringify(whole.all))).toEqual(whole.all);
        const names = whole.all.map(
          ({ output, time, key, ordinal }) => `${output} ${time} ${key} ${ordinal}`,
        );
        expect(new Set(names).size).toBe(names.length);
      }),
      { numRuns: 800 },
    );
    expect(ran, 'many of them run').toBeGreaterThan(150);
  });
});
