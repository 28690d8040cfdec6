import { describe, expect, it } from 'vitest';
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

describe('of inputs that go on slowly', () => {
  const tags = [{ name: 't', address: 0, type: 'int16' }];
  const poll = (name: string, pollMs: number, more: object = {}) => ({
    ...{ name, type: 'modbus-tcp', host: name, pollMs, tags },
    ...more,
  });
  const sources = [
    poll('fast', 500),
    poll('slow', 3000),
    poll('slower', 40_000),
    poll('mixed', 40_000, { tags: [...tags, { name: 'u', address: 1, type: 'int16', pollMs: 1000 }] }),
    {
      ...{ name: 'still', type: 'opcua', endpoint: 'opc.tcp://host', security: { mode: 'None' } },
      tags: [{ name: 't', node: 'ns=1;s=t' }],
    },
    {
      name: 'talker',
      type: 'serial',
      path: '/dev/a',
      fields: { separator: ' ' },
      tags: [{ name: 't', column: 0 }],
    },
    { name: 'module', type: 'module-input', input: 'in', tags: [{ name: 't', path: 't' }] },
  ];
  const notes = (rule: object) => {
    const rules = [{ name: 'r', outputs: ['upstream'], ...rule }];
    return planRules(validateConfig({ sources, rules }, 'test'))[0]!.warnings;
  };
  const acting = { outputs: [{ send: 'x' }] };
  const counts = 'SELECT COUNT(*) AS n FROM slower GROUP BY TumblingWindow(minute, 1)';

  it('says which are waited for too short', () => {
    expect(notes({ when: 'fast.t > slow.t', waitMs: 1000 })).toEqual([
      expect.stringMatching(
        /^slow goes on every 3 s \(pollMs\), and is waited for 1 s \(waitMs\): .* set it to 6 s$/,
      ),
    ]);
    expect(notes({ when: 'fast.t > still.t', waitMs: 5000 })).toEqual([
      expect.stringMatching(/^still goes on every 5 s \(keepAliveMs\)/),
    ]);
    expect(notes({ when: 'fast.t > slow.t', waitMs: 6000 })).toEqual([]);
    expect(notes({ when: 'slow.t > 1', waitMs: 1000 })).toEqual([]);
  });

  it('says nothing where the wait follows from how often they go on', () => {
    for (const other of ['slow', 'slower', 'mixed', 'still'])
      expect(notes({ when: `fast.t > ${other}.t` })).toEqual([]);
  });

  it('says whose pace is not known', () => {
    for (const other of ['talker', 'module'])
      expect(notes({ when: `fast.t > ${other}.t` })).toEqual([
        expect.stringMatching(new RegExp(`^how often ${other} says something is not known`)),
      ]);
    expect(notes({ when: 'module.t > 1' })).toEqual([]);
    expect(notes({ when: 'fast.t > module.t', waitMs: 10_000 })).toEqual([]);
  });

  it('says where actions would be too late', () => {
    const late = [expect.stringMatching(/^slower goes on every 40 s .* set validForMs to 80 s,/)];
    expect(notes({ when: 'fast.t > slower.t', ...acting })).toEqual(late);
    expect(notes({ query: counts, ...acting })).toEqual(late);
    expect(notes({ query: counts })).toEqual([]);
    expect(notes({ when: 'fast.t > slower.t', ...acting, validForMs: 60_000 })).toEqual([]);
  });
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
