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
    // Bits of whole numbers, also beyond 32 of them.
    ['n & 4 = 4', true],
    ['4294967296 | 1', 4294967297],
    ['~4294967296', -4294967297],
    ['1 + 2 & 3 * 1', 3],
    ['b & 1', 1],
    ['b ^ b', false],
    ['n | nothing', null],
    ['f & 1', 'failed: & needs whole numbers or bits, and got 7.5 (float): use CAST'],
    // What the docs' examples do not show (docs/examples/rules has those).
    ['LEFT(t, -1)', 'failed: LEFT needs a length of 0 or more'],
    ["RIGHT('ab', 9)", 'ab'],
    ["STUFF('abc', 9, 1, 'x')", ''],
    ["STUFF('abc', 0, 1, 'x')", 'xbc'],
    ["STUFF('abc', 2, 0, 'x')", 'axbc'],
    ["TRANSLATE('abc', 'ab', 'x')", 'failed: TRANSLATE needs as many characters as it replaces'],
    ["TRANSLATE('ab', 'ab', 'ba')", 'ba'],
    ['REPLICATE(t, 100000)', 'failed: REPLICATE makes a text above 65536 characters'],
    ['SPACE(-1)', null],
    ["UNICODE('')", null],
    ['NCHAR(1114112)', null],
    ["CONCAT_WS('-', nothing, nothing)", ''],
    ['JSON_PARSE(\'{"a": {"b": 1}}\').a.b', 1],
    ["JSON_PARSE('7')", null],
    ["JSON_PARSE('{')", null],
    ['JSON_PARSE(n)', null],
    ['NULLIF(n, 7)', null],
    ['GetType(n / 2.0)', 'float'],
    ['CAST(1e300 AS bigint)', 'failed: 1e+300 (bigint) is no bigint: TRY_CAST gives NULL then'],
    ["DATEADD(hours, 1, '2024-01-01')", '2024-01-01T01:00:00.0000000Z'],
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

  it.each([
    ['HAVING without a window is a WHERE', 'SELECT x FROM input HAVING x > 1', [[2, { x: 2 }]]],
    ['and both count', 'SELECT x FROM input WHERE x < 2 HAVING x > 1', []],
    [
      'System.Timestamp() beside a window is a key',
      'SELECT COUNT(*) AS n FROM input GROUP BY System.Timestamp(), TumblingWindow(second, 10)',
      [
        [10, { n: 1 }],
        [10, { n: 1 }],
      ],
    ],
    [
      'a text is a number where it can be, unless it was cast to a text',
      'SELECT MAX(y) AS m, MAX(CAST(y AS nvarchar(max))) AS t FROM input GROUP BY TumblingWindow(second, 10)',
      [[10, { m: 10, t: '9' }]],
    ],
    [
      'of columns of one name the left one counts',
      'SELECT 9 AS X, input.*, r.* FROM input WHERE x = 1',
      [[1, { X: 9, y: '9', r: { x: 3, z: 4 }, z: 4 }]],
    ],
    [
      'the best of the last seconds',
      'SELECT TopOne(x) OVER (ORDER BY x ASC LIMIT DURATION(second, 5)) AS least FROM input',
      [
        [1, { least: 1 }],
        [2, { least: 1 }],
      ],
    ],
    [
      'PARTITION BY may say how many',
      'WITH s AS (SELECT x FROM input PARTITION BY x, y INTO 10) SELECT x INTO o FROM s WHERE x = 2',
      [[2, { x: 2 }]],
    ],
  ])('%s', (_, query, wanted) => {
    const rule = ruleOf(query as string).start();
    rule.push('input', 's', 1000, { x: 1, y: '9', r: { x: 3, z: 4 } });
    rule.push('input', 's', 2000, { x: 2, y: '10' });
    expect(rule.advance(60_000).map(({ time, row }) => [time / 1000, row])).toEqual(wanted);
  });

  it('a name before .* that is no source is told: it may be misspelt', () => {
    expect(ruleOf('SELECT inptu.* FROM input').warnings.join()).toContain('no source of this name');
    expect(ruleOf('SELECT input.*, i.* FROM input i').warnings).toEqual([]);
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
    ['SELECT ABS(x, y) FROM input', 'rule-query-invalid', 'takes 1 argument'],
    ['SELECT CAST(x AS money) FROM input', 'rule-query-invalid', 'Types are'],
    ['SELECT COUNT(*) FROM input', 'rule-query-invalid', 'needs a window'],
    ['SELECT x FROM input WHERE AVG(x) > 3', 'rule-query-invalid', 'HAVING'],
    ['SELECT x FROM input GROUP BY x', 'rule-query-invalid', 'no window'],
    ['SELECT x FROM input GROUP BY TumblingWindow(second, 5)', 'rule-query-invalid', 'Add it to GROUP BY'],
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
    [
      'SELECT DATEPART(iso_week, t) FROM input',
      'rule-query-invalid',
      'year, quarter, month, dayofyear, day, week',
    ],
    ['SELECT DATEDIFF(tz, t, t) FROM input', 'rule-query-invalid', 'tz is no part of a date'],
    ['SELECT DATEADD(fortnight, 1, t) FROM input', 'rule-query-invalid', 'millisecond, microsecond'],
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
