import { describe, expect, it } from 'vitest';
import type { ConfigError } from '../config/config-error.ts';
import { validateConfig } from '../config/load.ts';

const press = {
  name: 'press',
  type: 'modbus-tcp',
  host: 'h',
  tags: [
    { name: 'setpoint', address: 0, type: 'int16', writable: true, min: 0, max: 50 },
    { name: 'level', address: 1, type: 'int16' },
    { name: 'free', address: 2, type: 'int16', writable: true },
  ],
};
const good = { name: 'hot', query: 'SELECT 1', outputs: ['upstream'] };
const problemsOf = (...rules: object[]): readonly string[] => {
  try {
    validateConfig({ sources: [press], rules }, 'test');
    return [];
  } catch (error) {
    return (error as ConfigError).problems.map(({ path, message }) => `${path}: ${message}`);
  }
};
const writing = (write: object) => ({ ...good, outputs: { output: [{ write }] } });

describe('rules in a configuration', () => {
  it('are taken as a site writes them', () => {
    const write = { source: 'press', tag: 'setpoint', value: 20 };
    expect(
      problemsOf(
        {
          ...good,
          inputs: { input: { source: 'press' } },
          outputs: { output: [{ send: 'control' }, { write }] },
        },
        {
          name: 'short',
          when: 'press.level > 3',
          until: 'press.level < 2',
          for: '5s',
          outputs: ['upstream'],
        },
        { ...writing({ source: 'press', tag: 'setpoint', value: { field: 'to' } }), name: 'third' },
      ),
    ).toEqual([]);
  });

  it('send nothing to the output for telemetry, whose route leads to the cloud', () => {
    const to = (send: string, uplink: object) => {
      try {
        const rules = [{ ...good, outputs: ['upstream', { send }] }];
        validateConfig({ sources: [press], rules, uplink }, 'test');
        return [];
      } catch (error) {
        return (error as ConfigError).problems.map(({ path, message }) => `${path}: ${message}`);
      }
    };
    expect(to('telemetry', {})).toEqual([
      expect.stringMatching(/^rules\[0\]\.outputs\[1\]\.send: 'telemetry' is the output for telemetry/),
    ]);
    expect(to('readings', { output: 'readings' })).toHaveLength(1);
    expect(to('telemetry', { output: 'readings' })).toEqual([]);
    expect(to('control', {})).toEqual([]);
  });

  it('read no source that is ordered by record numbers: not by name, nor with all', () => {
    const logger = {
      ...press,
      name: 'logger',
      index: 'sequence',
      stamp: { number: { address: 9, type: 'uint16' } },
    };
    const problems = (source: string) => {
      try {
        validateConfig(
          { sources: [press, logger], rules: [{ ...good, inputs: { input: { source } } }] },
          'test',
        );
        return [];
      } catch (error) {
        return (error as ConfigError).problems.map(({ path, message }) => `${path}: ${message}`);
      }
    };
    expect(problems('logger')).toContainEqual(
      "rules[0].inputs.input.source: 'logger' is ordered by record numbers: a rule decides by time",
    );
    expect(problems('*').filter((problem) => problem.includes('rules'))).toEqual([]);
  });

  it.each([
    ['a name twice', [good, good], /^rules\[1\]\.name: is taken by rules\[0\]/],
    ['no decision', [{ name: 'x', outputs: ['upstream'] }], /^rules\[0\]\.query: is missing/],
    ['two decisions', [{ ...good, when: 'a > 1' }], /^rules\[0\]\.when: is the short form/],
    ['a duration of nothing', [{ ...good, for: '5s' }], /^rules\[0\]\.for: belongs to the short form/],
    [
      'a source that is not there',
      [{ ...good, inputs: { i: { source: ['press', 'oven'] } } }],
      /^rules\[0\]\.inputs\.i\.source: there is no source 'oven'/,
    ],
    [
      'a write to nobody',
      [writing({ source: 'oven', tag: 't', value: 1 })],
      /outputs\.output\[0\]\.write\.source: there is no source 'oven'/,
    ],
    [
      'a write to what is only read',
      [writing({ source: 'press', tag: 'level', value: 1 })],
      /write\.tag: 'level' of press may not be written/,
    ],
    [
      'a value beyond the limit',
      [writing({ source: 'press', tag: 'setpoint', value: 51 })],
      /write\.value: must be at most 50/,
    ],
    [
      'a value that no limit fits',
      [writing({ source: 'press', tag: 'setpoint', value: 'hot' })],
      /write\.value: must be a number/,
    ],
    [
      'a text to a number without limits',
      [writing({ source: 'press', tag: 'free', value: 'hot' })],
      /write\.value: must be a whole number/,
    ],
    [
      'a number that its register cannot hold',
      [writing({ source: 'press', tag: 'free', value: 40_000 })],
      /write\.value: must be from -32768 to 32767/,
    ],
    ['an action that nobody knows', [{ ...good, outputs: [{ shout: 1 }] }], /^rules\[0\]\.outputs/],
  ] as const)('refuse %s, with its place', (_title, rules, expected) => {
    expect(problemsOf(...rules).join('\n')).toMatch(expected);
  });
});
