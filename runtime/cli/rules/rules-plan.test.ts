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

it('and which names are no tags of its sources, and so NULL in each row', () => {
  const query = 'SELECT T, tt.x, input.r.a, time, made INTO o FROM input TIMESTAMP BY made';
  const more = { outputs: ['upstream'], query };
  const notes = (tags: readonly object[] | undefined) => {
    const named = { named: { tag: 'id', value: 'v' } };
    const source = { name: 'press', type: 'module-input', input: 'in', ...(tags ? { tags } : named) };
    const inputs = { input: { source: 'press', time: 'made' } };
    const rules = [{ name: 'r', inputs, ...more }];
    return planRules(validateConfig({ sources: [source], rules }, 'test'))[0]!.warnings;
  };
  const tag = (name: string) => ({ name, path: name });
  expect(notes([tag('t'), tag('r.a'), tag('time')])).toEqual([
    'no tag of press is named tt.x: it is NULL in each row',
  ]);
  expect(notes([tag('t'), tag('tt'), tag('rr.a'), tag('time')])).toEqual([
    'no tag of press is named r.a: it is NULL in each row; did you mean rr.a?',
  ]);
  expect(notes(undefined)).toEqual([]);
});

it('and which inputs are polled more slowly than they are waited for', () => {
  const source = (name: string, pollMs: number) => ({
    ...{ name, type: 'modbus-tcp', host: name, pollMs },
    tags: [{ name: 't', address: 0, type: 'int16' }],
  });
  const notes = (waitMs: number, when: string) => {
    const rules = [{ name: 'r', when, waitMs, outputs: ['upstream'] }];
    const sources = [source('fast', 500), source('slow', 3000)];
    return planRules(validateConfig({ sources, rules }, 'test'))[0]!.warnings;
  };
  expect(notes(1000, 'fast.t > slow.t')).toEqual([
    expect.stringMatching(/^slow is polled every 3 s and waited for 1 s \(waitMs\): .* set waitMs to 6 s$/),
  ]);
  expect(notes(6000, 'fast.t > slow.t')).toEqual([]);
  expect(notes(1000, 'slow.t > 1')).toEqual([]);
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

it('and says a window once that stands in several statements', () => {
  const window = 'GROUP BY TumblingWindow(hour, 1)';
  const query = `SELECT AVG(t) AS a INTO o FROM press ${window} SELECT MAX(t) AS b INTO p FROM press ${window}`;
  const [twice] = plan({ name: 'twice', query, outputs: ['upstream'] });
  const text = rulesText([twice!]);
  expect(text).toContain('  2 windows, each tumbling: 1 h, ends at multiples of it');
  expect(text.match(/tumbling/g)).toHaveLength(1);
});

it('and which rules share a target', () => {
  const rule = (name: string, send: string) => ({
    ...{ name, query: 'SELECT t INTO o FROM press WHERE t > 3' },
    outputs: { o: [{ send }] },
  });
  const plans = plan(rule('one', 'x'), rule('two', 'x'), rule('three', 'y'));
  expect(plans.map(({ warnings }) => warnings.map((text) => text.slice(0, 35)))).toEqual([
    ['send x is also a target of two: its'],
    ['send x is also a target of one: its'],
    [],
  ]);
});
