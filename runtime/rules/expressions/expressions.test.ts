import { describe, expect, it } from 'vitest';
import { computed, ruleOf } from '../testing/run-rule.ts';

const row = {
  n: 7,
  f: 7.5,
  t: 'Press 1',
  b: true,
  nothing: null,
  list: [3, { x: 4 }],
  machine: { temperature: 31, Name: 'm' },
  at: '2024-02-29T23:59:59.5Z',
};

describe('expressions', () => {
  it.each([
    // Arithmetic: whole by whole is whole; null gives null.
    ['n / 2', 3],
    ['-7 / 2', -3],
    ['n / 2.0', 3.5],
    ['f / 2', 3.75],
    ['CAST(n AS float) / 2', 3.5],
    ['n % 4', 3],
    ['n + nothing', null],
    ['n * missing', null],
    ['n / 0', 'failed: 7 is divided by zero'],
    ['b + 1', 2],
    ['t + 1', "failed: + needs a number, and got 'Press 1' (nvarchar(max))"],
    ["'a' + 'b'", 'ab'],
    // Comparison, three-valued logic.
    ['CASE WHEN n > nothing THEN 1 WHEN NOT (n > nothing) THEN 2 ELSE 3 END', 3],
    ['CASE WHEN n > nothing OR n = 7 THEN 1 ELSE 3 END', 1],
    ['CASE WHEN n > nothing AND n = 8 THEN 1 WHEN NOT (n > nothing AND n = 8) THEN 2 END', 2],
    ["CASE WHEN n = '7' THEN 1 END", "failed: 7 (bigint) and '7' (nvarchar(max)) do not compare: use CAST"],
    ["CASE WHEN b = 1 THEN 'on' ELSE 'off' END", 'on'],
    ['CASE n WHEN 1 THEN 2 WHEN 7 THEN 8 END', 8],
    ["CASE WHEN CAST(at AS datetime) > '2024-01-01' THEN 1 END", 1],
    ['CASE WHEN n IN (1, NULL) THEN 1 WHEN n NOT IN (1, NULL) THEN 2 ELSE 3 END', 3],
    ['CASE WHEN n BETWEEN 7 AND 8 THEN 1 END', 1],
    ['CASE WHEN n NOT BETWEEN 8 AND nothing THEN 1 END', 1],
    ["CASE WHEN t LIKE 'P_e%[0-3]' THEN 1 END", 1],
    ["CASE WHEN t LIKE 'press%' THEN 1 ELSE 0 END", 0],
    ["CASE WHEN '50%' LIKE '%!%' ESCAPE '!' THEN 1 END", 1],
    ['CASE WHEN missing IS NULL AND n IS NOT NULL THEN 1 END', 1],
    ['COALESCE(missing, nothing, n)', 7],
    // Names.
    ['machine.temperature', 31],
    ['MACHINE.name', 'm'],
    ['input.machine.temperature', 31],
    ['machine.temperature.deeper', null],
    ['t.length', null],
    ['constructor', null],
    ['[__proto__]', null],
    // Casts.
    ["CAST('12' AS bigint)", 12],
    ["CAST('12.5' AS bigint)", "failed: '12.5' (nvarchar(max)) is no bigint: TRY_CAST gives NULL then"],
    ["TRY_CAST('12.5' AS bigint)", null],
    ['CAST(f AS bigint)', 7],
    ['CAST(n AS nvarchar(max))', '7'],
    ["CAST('true' AS bit)", true],
    ["CAST('2024-01-02T03:04:05+01:00' AS datetime)", '2024-01-02T02:04:05.0000000Z'],
    ["TRY_CAST('2024-02-30' AS datetime)", null],
    ['CAST(nothing AS bigint)', null],
    ['GetType(f)', 'float'],
    // Functions.
    ['ROUND(1.005, 2)', 1.01],
    ['ROUND(-2.5, 0)', -3],
    ['CEILING(1.2) + FLOOR(-1.2) + ABS(-3) + SIGN(-9) + SQUARE(3) + SQRT(16) + POWER(2, 3)', 23],
    ['SQRT(-1)', 'failed: SQRT has no result there'],
    ["CONCAT(t, NULL, '-', n)", 'Press 1-7'],
    ['SUBSTRING(t, 1, 5)', 'Press'],
    ["CHARINDEX('1', t)", 7],
    ["PATINDEX('%[0-9]%', t)", 7],
    ["REPLACE(UPPER(t), 'PRESS', 'p')", 'p 1'],
    ["LEN(LTRIM('  ab  '))", 2],
    ['CASE WHEN n !> 7 AND n !< 7 THEN 1 END', 1],
    ["DATEADD(month, 1, '2024-01-31T00:00:00Z')", '2024-02-29T00:00:00.0000000Z'],
    ["DATEADD(millisecond, 1717243200123, '1970-01-01T00:00:00Z')", '2024-06-01T12:00:00.1230000Z'],
    ["DATEDIFF(hour, '2024-01-01T12:59:59Z', '2024-01-01T13:00:00Z')", 1],
    ["DATEDIFF(year, '2023-12-31', '2024-01-01')", 1],
    ['DATEPART(hour, at)', 23],
    ['DATENAME(weekday, at)', 'Thursday'],
    ['YEAR(at) * 10000 + MONTH(at) * 100 + DAY(at)', 20240229],
    ['DATETIMEFROMPARTS(2024, 2, 30)', 'failed: there is no day 2024-2-30'],
    ['GetArrayElement(list, 1)', { x: 4 }],
    ['GetArrayElement(list, 9)', null],
    ['GetArrayLength(list)', 2],
    ["GetRecordPropertyValue(machine, 'temperature')", 31],
    ['System.Timestamp()', '1970-01-01T00:00:00.0000000Z'],
    ['System.Timestamp', '1970-01-01T00:00:00.0000000Z'],
    ['time', '1970-01-01T00:00:00.0000000Z'],
    ['System.Window().Id', null],
  ])('%s is %j', (expression, value) => {
    expect(computed(expression, row)).toEqual(value);
  });

  it('a column may be named before it, and LAST has a default', () => {
    const rule = ruleOf(
      'SELECT twice = n * 2, LAST(n, 9) OVER (LIMIT DURATION(second, 5) WHEN n > 5) AS last, n FROM input',
    ).start();
    for (const [second, n] of [1, 6, 2].entries()) rule.push('input', 's', second * 1000, { n });
    expect(rule.advance(9000).map(({ row }) => row)).toEqual([
      { twice: 2, last: 9, n: 1 },
      { twice: 12, last: 6, n: 6 },
      { twice: 4, last: 6, n: 2 },
    ]);
  });

  it('a field that is known as a float is divided as one', () => {
    const query =
      'WITH a AS (SELECT press.x AS x, press.y.z FROM press) SELECT x / 2 AS half, z / 2 AS other FROM a';
    const rule = ruleOf(query, { inputs: { press: { types: { x: 'float' } } } }).start();
    rule.push('press', 's', 0, { x: 7, y: { z: 7 } });
    expect(rule.advance(1)[0]!.row).toEqual({ half: 3.5, other: 3 });
  });

  it.each([
    ['SELECT udf.f(x) FROM input', 'rule-query-unsupported', 'user-defined'],
    [
      'SELECT AnomalyDetection_SpikeAndDip(x, 95, 120, 1) OVER (LIMIT DURATION(second, 9)) FROM input',
      'rule-query-unsupported',
      'machine learning',
    ],
    ['SELECT CreatePoint(x, y) FROM input', 'rule-query-unsupported', 'geospatial'],
    ["SELECT GetMetadataPropertyValue(input, 'x') FROM input", 'rule-query-unsupported', 'metadata'],
    ["SELECT REGEXMATCH(x, 'a') FROM input", 'rule-query-unsupported', 'LIKE'],
    ['SELECT GETUTCDATE() FROM input', 'rule-query-unsupported', 'System.Timestamp'],
    ['SELECT nonsense(x) FROM input', 'rule-query-invalid', 'no function nonsense'],
    ['SELECT ABS(x, y) FROM input', 'rule-query-invalid', 'takes 1 arguments'],
    ['SELECT CAST(x AS money) FROM input', 'rule-query-invalid', 'Types are'],
    ['SELECT COUNT(*) FROM input', 'rule-query-invalid', 'needs a window'],
    ['SELECT x FROM input WHERE AVG(x) > 3', 'rule-query-invalid', 'HAVING'],
    ['SELECT x FROM input GROUP BY x', 'rule-query-invalid', 'no window'],
    ['SELECT x FROM input GROUP BY TumblingWindow(second, 5)', 'rule-query-invalid', 'Add it to GROUP BY'],
    ['SELECT x FROM input HAVING x > 1', 'rule-query-invalid', 'WHERE'],
    ['SELECT * FROM input GROUP BY TumblingWindow(second, 5)', 'rule-query-invalid', 'keys and aggregates'],
    ['SELECT a AS x, b AS X FROM input', 'rule-query-invalid', 'two columns'],
    ['SELECT x FROM inptu', 'rule-query-invalid', 'There are: input'],
    [
      'SELECT SUM(AVG(x)) FROM input GROUP BY TumblingWindow(second, 5)',
      'rule-query-invalid',
      'step of WITH',
    ],
    ['SELECT LAG(x) FROM input', 'rule-query-invalid', 'LIMIT DURATION'],
    ['SELECT COUNT(*) FROM input GROUP BY TumblingWindow(day, 8)', 'rule-query-invalid', '7 days'],
    ['SELECT COUNT(*) FROM input GROUP BY TumblingWindow(fortnight, 1)', 'rule-query-invalid', 'no unit'],
    ['SELECT COUNT(*) FROM input GROUP BY TumblingWindow(second, 0)', 'rule-query-invalid', 'above 0'],
    [
      'SELECT COUNT(*) FROM input GROUP BY HoppingWindow(Duration(day, 7), Hop(second, 1))',
      'rule-query-invalid',
      'longer hop',
    ],
    [
      'SELECT COUNT(*) FROM input GROUP BY HoppingWindow(Duration(second, 90), Hop(millisecond, 1))',
      'rule-query-invalid',
      'longer hop',
    ],
    ['SELECT x FROM a TIMESTAMP BY t', 'rule-query-invalid', 'no step and no input a'],
  ])('%s is refused', (query, code, why) => {
    expect(() => ruleOf(query)).toThrowError(
      expect.objectContaining({ code, message: expect.stringContaining(why) }),
    );
  });

  it('steps that read each other too often are refused', () => {
    const steps = Array.from(
      { length: 12 },
      (_, i) => `s${i + 1} AS (SELECT * FROM s${i} UNION SELECT * FROM s${i})`,
    );
    expect(() =>
      ruleOf(`WITH s0 AS (SELECT * FROM input), ${steps.join(', ')} SELECT * FROM s12`),
    ).toThrowError(/would become 512 rows/);
  });
});
