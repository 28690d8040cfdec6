import { expect, it } from 'vitest';
import { validateConfig } from '../../config/load.ts';
import { planRules, rulesText } from './rules-plan.ts';

function plan(...rules: readonly object[]) {
  const source = { name: 'press', type: 'module-input', input: 'in', tags: [{ name: 't', path: 't' }] };
  return planRules(validateConfig({ sources: [source], rules }, 'test'));
}

it('check says of each rule what it reads, keeps, sends and does, and what it does not promise', () => {
  const query =
    'SELECT AVG(t) AS a INTO output FROM press GROUP BY TumblingWindow(hour, 1) HAVING AVG(t) > 30';
  const [hourly] = plan({
    name: 'hourly',
    query,
    outputs: [{ send: 'control' }, 'upstream'],
    beforeDurable: true,
  });
  expect(hourly).toMatchObject({ rowsPerDay: 24, messagesPerDay: 1488, actionsPerDay: 24 });
  expect(rulesText([hourly!]).split('\n')).toEqual([
    'hourly:',
    '  reads press: t; in the order of its index',
    '  window tumbling: 1 h, ends at multiples of it',
    '  writes output: at most 24 rows a day for each key',
    '  keeps sums of each open window and key, up to 2 h back; at most 10000 keys, 100000 rows, 16 MiB',
    '  stream rule:hourly: at most 1488 messages a day for each key',
    '  acts: at most 24 a day for each key',
    '  beforeDurable: a power cut may take back what it rests on',
  ]);
});

it('and what bounds one whose rows cannot be counted beforehand', () => {
  const [each] = plan({
    name: 'each',
    query: 'SELECT t INTO o FROM press WHERE t > 3',
    outputs: { o: [{ send: 'x' }] },
  });
  expect(each).toMatchObject({ messagesPerDay: 8640, perMinute: 60 });
  expect(rulesText([each!])).toContain('acts: at most 60 a minute for one target');
});
