import { describe, expect, it } from 'vitest';
import { compileRule } from './compile-rule.ts';
import { explainRule, explanationText } from './explain.ts';
import { ruleOf } from './testing/run-rule.ts';

describe('a rule explained', () => {
  it('says what it reads, keeps and writes', () => {
    const query = `SELECT System.Timestamp() AS at, AVG(machine.temperature) / 2 AS half, MAX(n) / 2 AS cut INTO alert FROM input TIMESTAMP BY timeCreated
      GROUP BY line, HoppingWindow(Duration(minute, 10), Hop(minute, 1), Offset(second, 5))`;
    const rule = ruleOf(query);
    expect(explanationText(explainRule(rule)).split('\n')).toEqual([
      'rule:',
      '  reads input: line, machine.temperature, n, timeCreated; in the order of timeCreated',
      '  window hopping: 10 min every 1 min, moved by 5 s',
      '  writes alert: at most 1440 rows a day for each key',
      '  keeps sums of each open window and key, up to 665 s back; at most 10000 keys, 100000 rows, 16 MiB',
      '  note: (MAX(n) / 2) is cut off to a whole number where both sides are whole: write 2.0, or CAST(x AS float), if that is not meant',
    ]);
    expect(rule.timestampBy).toEqual({ input: 'timeCreated' });
  });

  it('warns of windows that leave room for few keys', () => {
    const { warnings } = ruleOf(
      'SELECT k, COUNT(*) AS n FROM input GROUP BY k, HoppingWindow(Duration(day, 1), Hop(second, 1))',
    );
    expect(warnings).toEqual([expect.stringContaining('has room for 1 keys')]);
    expect(ruleOf('SELECT COUNT(*) AS n FROM input GROUP BY HoppingWindow(second, 10, 5)').warnings).toEqual(
      [],
    );
  });

  it('tells what cannot be known beforehand', () => {
    const explained = (query: string) => explainRule(ruleOf(query));
    expect(explained('SELECT a FROM input')).toMatchObject({
      rows: 'at most a row for each row of its inputs',
      memory: { kept: 'nothing from one row to the next' },
    });
    const mean = 'SELECT AVG(a) AS m INTO mean FROM input GROUP BY TumblingWindow(second, 5)';
    const rows = (query: string) => explained(query).rows;
    expect(
      rows('SELECT a INTO x FROM input; SELECT a INTO y FROM input UNION SELECT b AS a FROM input'),
    ).toBe('at most 3 rows for each row of its inputs');
    for (const query of [
      `SELECT * INTO all FROM input; ${mean}`,
      'SELECT e.ArrayValue FROM input CROSS APPLY GetArrayElements(list) AS e',
    ])
      expect(rows(query)).toBe('as many rows as its events make');
    expect(rows(`WITH s AS (SELECT a FROM input) ${mean.replace('input', 's')}`)).toBe(
      'at most 17280 rows a day for each key',
    );
    expect(rows(`WITH s AS (${mean.replace('INTO mean ', '')}) SELECT m INTO o FROM s WHERE m > 1`)).toBe(
      'at most 17280 rows a day for each key',
    );
    expect(explained('SELECT COUNT(*) AS n FROM input GROUP BY SlidingWindow(second, 5)').rowsPerDay).toBe(
      undefined,
    );
    const session = explained('SELECT COUNT(*) AS n FROM input GROUP BY SessionWindow(minute, 5, 60)');
    expect(session.windows).toEqual(['session: until 5 min without a row, cut at multiples of 1 h']);
    expect(session.memory.kept).toContain('kept for good');
    const short = compileRule({ name: 'hot', inputs: { press: {} }, when: 'press.t > 3', for: '5s' });
    expect(explainRule(short)).toMatchObject({
      outputs: ['when', 'until'],
      inputs: [{ name: 'press', fields: ['t'], time: 'its index' }],
    });
  });
});
