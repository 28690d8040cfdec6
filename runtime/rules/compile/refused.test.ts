// What a query says and cannot mean is an error with its place, not a NULL or nothing.
import { describe, expect, it } from 'vitest';
import { compileRule } from '../compile-rule.ts';
import { decide, ruleOf } from '../testing/run-rule.ts';

const step = 'WITH s AS (SELECT v AS Level, w FROM input) ';
const union = (a: string, b: string) => `SELECT ${a} FROM input UNION SELECT ${b} FROM input`;

describe('a query is refused', () => {
  it.each([
    [`${step}SELECT levle FROM s`, 'the step has no column levle', 'It has: Level, w.'],
    [`${step}SELECT s.v FROM s`, 'no column v', 'It has'],
    [`${step}SELECT w FROM s WHERE v > 1`, 'no column v', 'It has'],
    [`${step}SELECT COUNT(v) FROM s GROUP BY SnapshotWindow()`, 'no column v', 'It has'],
    [`${step}, t AS (SELECT * FROM s) SELECT v FROM t`, 'no column v', 'Level, w'],
    [`SELECT v FROM (SELECT w FROM input)`, 'no column v', 'It has: w.'],
    [union('v, w', 'v'), 'this part of the UNION lacks the column w', 'NULL AS name'],
    [union('v', 'v, w'), 'has a column more: w', 'NULL AS name'],
    ['SELECT v AS n, w AS [n#1] FROM input', 'the column n#1 is', 'AS name'],
    ['SELECT v AS lacking FROM input', 'the column lacking is', 'AS name'],
    ['SELECT v AS [action#1] FROM input', 'the column action#1 is', 'AS name'],
    [`SELECT v AS [${'n'.repeat(1025)}] FROM input`, 'longer than 1024 characters', 'AS name'],
    ['SELECT ISFIRST(second, 1) OVER (LIMIT DURATION(second, 5)) FROM input', 'takes no LIMIT', 'ISFIRST'],
    ['SELECT CAST(v AS nvarchar(10)) FROM input', 'length 10', 'LEFT'],
    [
      'SELECT System.Window().Start FROM input',
      'System.Window().Start is not supported',
      'System.Timestamp()',
    ],
    ['SELECT v FROM input WHERE v < 1e400', '1e400 is beyond all numbers', '1.8e308'],
    [`SELECT v FROM input WHERE ${'NOT '.repeat(5000)}v = 1`, 'in a row', 'none'],
    [`SELECT v FROM input WHERE v = ${'- '.repeat(500)}1`, 'in a row', 'none'],
    ['SELECT ISNULL(v, 0) FROM input', 'ISNULL: a function of T-SQL is not supported', 'COALESCE'],
    ['SELECT IIF(v > 1, 1, 0) FROM input', 'IIF: a function of T-SQL is not supported', 'CASE'],
    ['SELECT AnomalyDetection(v) FROM input', 'machine learning', 'STDEV'],
    ['SELECT v FROM input /* never closed', 'the comment is not closed', '*/'],
    ['SELECT v FROM input WHERE v > 1 LIMIT 5', 'LIMIT', 'TopOne()'],
    [
      'WITH a AS (SELECT v FROM input) WITH b AS (SELECT v FROM a) SELECT v FROM b',
      'WITH stands',
      'There is one',
    ],
    ['SELECT v FROM input INTO out', 'INTO stands behind FROM', 'SELECT .. INTO'],
    ['SELECT DATEPART(century, time) FROM input', 'century', 'year, quarter'],
  ])('%s', (query, message, advice) => {
    const compile = () => ruleOf(query);
    expect(compile).toThrow(message);
    expect(compile).toThrow(advice);
    expect(compile).toThrow(/line \d+, column \d+/);
  });

  it('says of a step whose columns nobody can know nothing', () => {
    const rows = decide('WITH s AS (SELECT *, v + 1 AS next FROM input) SELECT next, w FROM s', [
      [1, { v: 1, w: 2 }],
    ]);
    expect(rows[0]!.row).toEqual({ next: 2, w: 2 });
  });

  it('finds columns of a step in whatever case, and below them', () => {
    const rows = decide(`${step}SELECT level.a AS a, S.LEVEL AS b FROM s`, [[1, { v: { a: 3 } }]]);
    expect(rows[0]!.row).toMatchObject({ a: 3 });
  });

  it('says what the columns of each output are, where that is known', () => {
    const query = `${step}SELECT * INTO one FROM s; SELECT * INTO two FROM input; SELECT 1 AS n INTO three FROM input`;
    const { columns } = ruleOf(query);
    expect([...columns].map(([name, all]) => [name, [...all.keys()]])).toEqual([
      ['one', ['Level', 'w']],
      ['three', ['n']],
    ]);
    const short = compileRule({ name: 'hot', inputs: { press: {} }, when: 'press.t > 1' });
    expect([...short.columns.get('when')!.keys()]).toEqual(['state', 'since', 'values']);
  });
});

describe('types that never fit', () => {
  it.each([
    [
      '1 AS n FROM input WHERE ISFIRST(second, 5)',
      /column 32: ISFIRST\(second, 5\) is no condition, but a bigint\. Compare/,
    ],
    ['1 AS n FROM input WHERE NOT LEN(t)', /LEN\(t\) is no condition, but a bigint/],
    ["1 AS n FROM input WHERE x > 1 AND 'yes'", /'yes' is no condition, but a nvarchar\(max\)/],
    ['CASE WHEN 1 THEN 2 END AS n FROM input', /1 is no condition/],
    [
      'COUNT(*) AS n FROM input GROUP BY TumblingWindow(second, 5) HAVING AVG(x)',
      /AVG\(x\) is no condition, but a float/,
    ],
    ['LAST(x) OVER (LIMIT DURATION(second, 5) WHEN 1) AS n FROM input', /1 is no condition/],
    [
      "COUNT(*) AS n FROM input GROUP BY TumblingWindow(second, 5) HAVING COUNT(*) > '3'",
      /COUNT\(\*\) \(bigint\) and '3' \(nvarchar\(max\)\) do not compare\. Use CAST/,
    ],
    ["1 AS n FROM input WHERE UPPER(t) IN ('A', 1)", /UPPER\(t\) .* and 1 \(bigint\) do not compare/],
    ['1 AS n FROM input WHERE LEN(t) BETWEEN 1 AND System.Timestamp()', /do not compare/],
    ["CASE YEAR(t) WHEN '2024' THEN 1 END AS n FROM input", /YEAR\(t\) .* do not compare/],
    [
      'System.Timestamp() - 1 AS n FROM input',
      /- needs a number, and SYSTEM.* is a datetime\. Dates have DATEADD/,
    ],
    ['UPPER(t) + 1 AS n FROM input', /\+ needs a number, and UPPER\(t\) is a nvarchar\(max\)\. Use CAST/],
  ])('SELECT %s', (query, problem) => {
    expect(() => ruleOf(`SELECT ${query}`)).toThrow(problem);
  });

  it.each([
    'x FROM input WHERE x',
    "x FROM input WHERE System.Timestamp() > '2024-01-01' AND t < 'b' AND x IN (1, '2')",
    "x + 'a' + t AS n FROM input WHERE CAST(x AS bit) = 1 AND CAST(x AS bit) AND COALESCE(x, 1) = t",
    "CASE x WHEN 1 THEN 'a' WHEN 'b' THEN 2 END + 1 AS n FROM input",
  ])('may fit: SELECT %s', (query) => {
    expect(() => ruleOf(`SELECT ${query}`)).not.toThrow();
  });
});
