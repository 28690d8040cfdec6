import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseExpression, parseQuery, queryBounds } from './parse-query.ts';
import { printExpression } from './print.ts';
import { RuleQueryError } from './query-error.ts';

const problemOf = (text: string) => {
  try {
    parseQuery(text);
  } catch (error) {
    if (error instanceof RuleQueryError)
      return `${error.code} ${error.line}:${error.column} ${error.message}`;
    throw error;
  }
  return 'parsed';
};

describe('a query', () => {
  it('is read with steps, statements, unions, quoted names and comments', () => {
    const { steps, statements } = parseQuery(`
      -- the first step
      WITH [hot ones] AS (SELECT * FROM input i TIMESTAMP BY time WHERE i.temperature > 3.5e1), b AS (SELECT a FROM x UNION ALL SELECT a FROM y)
      SELECT "a b" AS [c]]d], COUNT(DISTINCT e) INTO [my output] FROM [hot ones] /* here */ GROUP BY TumblingWindow(second, 5);
      SELECT a FROM b PARTITION BY PartitionId;;
      SELECT a FROM (SELECT a FROM b) AS c CROSS APPLY GetArrayElements(c.list) AS e`);
    expect(steps.map(({ name, query }) => [name, query.selects.length])).toEqual([
      ['hot ones', 1],
      ['b', 2],
    ]);
    expect(statements).toHaveLength(3);
    expect(statements[0]!.selects[0]).toMatchObject({
      into: 'my output',
      items: [{ alias: 'c]d', value: { path: ['a b'] } }, { value: { name: 'COUNT', isDistinct: true } }],
    });
  });

  it('may stand in brackets, as a part of a union too', () => {
    const text =
      '(SELECT a FROM x) UNION ((SELECT a FROM y) UNION SELECT a FROM z); (SELECT b INTO o FROM x)';
    expect(parseQuery(text).statements.map(({ selects }) => selects.length)).toEqual([3, 1]);
    const { steps } = parseQuery(
      'WITH s AS ((SELECT a FROM x) UNION SELECT a FROM y) SELECT a FROM ((SELECT a FROM s))',
    );
    expect(steps.map(({ query }) => query.selects.length)).toEqual([2]);
  });

  it('may use words of the language as names where they mean nothing', () => {
    expect(
      problemOf(
        'SELECT count, time, timestamp, [order], limit, cast, distinct FROM input TIMESTAMP BY timestamp',
      ),
    ).toBe('parsed');
  });

  it.each([
    ['a OR b AND NOT c = 1', '(a OR (b AND NOT ((c = 1))))'],
    ['1 + 2 * -3 % x', '(1 + ((2 * - (3)) % x))'],
    ['~a & 4 | b * 2 = 6 AND c ^ -1 > 0', '((((~ (a) & 4) | (b * 2)) = 6) AND ((c ^ - (1)) > 0))'],
    ["a BETWEEN 1 AND 2 AND b NOT IN ('x', NULL)", "((a BETWEEN 1 AND 2) AND (b NOT IN ('x', null)))"],
    ["a NOT LIKE 'x!%' ESCAPE '!' OR b IS NOT NULL", "((a NOT LIKE 'x!%' ESCAPE '!') OR (b IS NOT NULL))"],
    ['CASE a WHEN 1 THEN 2 ELSE 3 END <> 4', '(CASE a WHEN 1 THEN 2 ELSE 3 END <> 4)'],
    ['TRY_CAST(a AS nvarchar(max)) != f(x).y', '(TRY_CAST(a AS nvarchar) <> F(x).y)'],
  ])('%s binds as %s', (text, printed) => {
    expect(printExpression(parseExpression(text))).toBe(printed);
  });

  it.each([
    ['SELECT a\n  FROM b JOIN c ON 1 = 1', 'rule-query-unsupported 2:10', 'UNION'],
    ['SELECT a FROM b LEFT JOIN c ON 1 = 1', 'rule-query-unsupported 1:22', 'LAG'],
    ['SELECT a FROM b WHERE a IN (SELECT c FROM d)', 'rule-query-unsupported 1:29', 'WITH'],
    ['SELECT (SELECT c FROM d) FROM b', 'rule-query-unsupported 1:9', 'WITH'],
    ['SELECT DISTINCT a FROM b', 'rule-query-unsupported 1:1', 'COUNT(DISTINCT ..)'],
    ['SELECT TOP 3 a FROM b', 'rule-query-unsupported 1:1', 'CollectTop'],
    ['SELECT a FROM b TIMESTAMP BY t OVER d', 'rule-query-unsupported 1:32', 'input'],
    ['SELECT a FROM b MATCH_RECOGNIZE (x)', 'rule-query-unsupported 1:17', 'LAG'],
    ['CREATE TABLE b (a bigint) SELECT a FROM b', 'rule-query-unsupported 1:1', 'leave it out'],
    ['SELECT a FROM b EXCEPT SELECT a FROM c', 'rule-query-unsupported 1:17', 'UNION'],
    ['SELECT a FROM b INTERSECT SELECT a FROM c', 'rule-query-unsupported 1:17', 'UNION'],
    ['SELECT a FROM b FULL', 'rule-query-unsupported 1:17', 'LAG'],
    ['SELECT a FROM b FULL OUTER JOIN c ON 1 = 1', 'rule-query-unsupported 1:28', 'LAG'],
    ['SELECT a FROM b CROSS JOIN c', 'rule-query-unsupported 1:23', 'LAG'],
    ['SELECT a FROM b CROSS c', 'rule-query-invalid 1:17', 'APPLY'],
    ['SELECT a FROM b LIMIT 10', 'rule-query-unsupported 1:17', 'TopOne'],
    ['SELECT a FROM b PIVOT (SUM(a) FOR c IN (1, 2)) p', 'rule-query-unsupported 1:17', 'CASE'],
    ['SELECT a FROM b ORDER BY a', 'rule-query-unsupported 1:17', 'TopOne'],
    ["SELECT a AT TIME ZONE 'UTC' FROM b", 'rule-query-unsupported 1:10', 'DATEADD'],
    ['SELECT a DESC FROM b', 'rule-query-invalid 1:10', 'AS DESC'],
    ['SELECT a FROM', 'rule-query-invalid 1:14', 'ends too early'],
    ['SELECT end FROM b', 'rule-query-invalid 1:8', '[end]'],
    ["SELECT 'a FROM b", 'rule-query-invalid 1:8', 'not closed'],
    ['SELECT a FROM b WHERE a = = 1', 'rule-query-invalid 1:27', 'a number'],
    ['', 'rule-query-invalid 1:1', 'SELECT'],
    [`SELECT ${'('.repeat(100)}`, 'rule-query-invalid 1:72', 'WITH'],
    [`SELECT ${'a'.repeat(queryBounds.characters)} FROM b`, 'rule-query-invalid 1:1', 'split'],
  ])('%s is refused with its place and what to do', (text, where, advice) => {
    const problem = problemOf(text);
    expect(problem.startsWith(`${where} `), problem).toBe(true);
    expect(problem).toContain(advice);
  });

  it('takes no word of the language for an alias, unless AS says so', () => {
    const said = [
      ...'SELECT FROM WHERE GROUP BY HAVING WITH UNION ALL AND OR NOT NULL IS IN LIKE ESCAPE BETWEEN CASE WHEN THEN ELSE END'.split(
        ' ',
      ),
      ...'OVER PARTITION ORDER ASC DESC LIMIT DURATION TIMESTAMP DISTINCT CROSS OUTER APPLY JOIN INTO CAST TRY_CAST'.split(
        ' ',
      ),
      ...'EXCEPT INTERSECT FULL LEFT RIGHT INNER ON PIVOT UNPIVOT TOP OFFSET FETCH FOR OPTION TABLE CREATE INSERT UPDATE'.split(
        ' ',
      ),
      ...'DELETE DECLARE SET EXISTS ANY SOME VALUES MATCH_RECOGNIZE WINDOW QUALIFY USING NATURAL LATERAL MINUS'.split(
        ' ',
      ),
    ];
    for (const word of said.flatMap((each) => [each, each.toLowerCase()])) {
      for (const text of [
        `SELECT a ${word} FROM b`,
        `SELECT a FROM b ${word}`,
        ...(/^union$/i.test(word) ? [] : [`SELECT a FROM b ${word} SELECT c FROM d`]),
      ])
        expect(problemOf(text), text).not.toBe('parsed');
    }
    for (const word of ['EXCEPT', 'FULL', 'LIMIT', 'top', '[select]', '"from"'])
      expect(problemOf(`SELECT a AS ${word} FROM b AS ${word} WHERE ${word} = 1`), word).toBe('parsed');
  });

  it('never fails in another way, whatever the text', () => {
    const words = fc.constantFrom(
      ...'SELECT FROM WHERE GROUP BY HAVING WITH AS UNION AND OR NOT NULL IN LIKE BETWEEN CASE WHEN THEN ELSE END OVER'.split(
        ' ',
      ),
      ..."( ) , . ; * + - / % = < > [a] \"b\" 'c' 1 2.5 10s x input COUNT CAST TIMESTAMP LIMIT DURATION /* -- \n é 😀 [ ' CROSS APPLY EXCEPT FULL LIMIT ORDER".split(
        ' ',
      ),
    );
    const anyText = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.array(words, { maxLength: 25 }).map((all) => all.join(' ')),
      fc.array(words, { maxLength: 12 }).map((all) => `SELECT a FROM input WHERE ${all.join(' ')}`),
    );
    fc.assert(
      fc.property(anyText, (text) => {
        const problem = problemOf(text);
        if (problem === 'parsed') return;
        expect(problem).toMatch(/^rule-query-(?:invalid|unsupported) [1-9]\d*:[1-9]\d* line/);
      }),
      { numRuns: 600 },
    );
  });

  it('is walked through without recursion that a long one could exhaust, or refused', () => {
    const sum = Array.from({ length: 3000 }, () => 'a').join(' + ');
    expect(problemOf(`SELECT ${sum} AS s FROM b`)).toBe('parsed');
    expect(problemOf(`SELECT ${'NOT '.repeat(6000)} a AS s FROM b`)).toContain('times NOT');
  });
});
