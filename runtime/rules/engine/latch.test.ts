import { describe, expect, it } from 'vitest';
import { compileRule } from '../compile-rule.ts';
import type { RuleConfig, RuleRecord } from '../engine-api.ts';

type Events = readonly (readonly [seconds: number, input: string, row: RuleRecord])[];

function decide(config: Partial<RuleConfig>, events: Events, until = 1000) {
  const rule = compileRule({ name: 'hot', inputs: { press: {}, pump: {} }, ...config }).start();
  for (const [seconds, input, row] of events) rule.push(input, input, seconds * 1000, row);
  return rule.advance(until * 1000).map(({ output, time, row }) => [output, time / 1000, row.state]);
}

const temperatures = (...values: readonly (number | null)[]): Events =>
  values.map((temperature, second) => [second, 'press', { temperature }]);

describe('the short form', () => {
  it('turns on above one bound and off below another', () => {
    const config = { when: 'press.temperature > 30', until: 'press.temperature < 28' };
    expect(decide(config, temperatures(29, 31, 29, 31, 27, 29, 31))).toEqual([
      ['when', 1, 'on'],
      ['until', 4, 'off'],
      ['when', 6, 'on'],
    ]);
  });

  it('without until turns off where when does not hold', () => {
    expect(decide({ when: 'press.temperature > 30' }, temperatures(31, 31, 30))).toEqual([
      ['when', 0, 'on'],
      ['until', 2, 'off'],
    ]);
  });

  it('turns on once it has held for the time of for, also where no row comes then, and not a moment before all is known', () => {
    const config = { when: 'press.temperature > 30', for: '5s' };
    expect(decide(config, temperatures(31, 31, 31))).toEqual([['when', 5, 'on']]);
    expect(decide(config, temperatures(31, 31, 31), 5)).toEqual([]);
    expect(decide(config, temperatures(31, 31, 29, 31, 31, 31, 31, 31))).toEqual([['when', 8, 'on']]);
    expect(
      decide(config, temperatures(31, 31, 31, 31, 31, 29)),
      'a row at the very end speaks against it',
    ).toEqual([]);
  });

  it('takes the last value of each tag, over several inputs, and holds nothing that is unknown', () => {
    const config = { when: 'press.temperature > 30 AND pump.running = 1' };
    expect(decide(config, [[1, 'press', { temperature: 40 }]])).toEqual([]);
    const events: Events = [
      [1, 'press', { temperature: 40 }],
      [2, 'pump', { running: true }],
      [3, 'press', { temperature: null }],
      [4, 'pump', { running: false }],
    ];
    expect(decide(config, events)).toEqual([
      ['when', 2, 'on'],
      ['until', 4, 'off'],
    ]);
  });

  it('shows the values that it rests on', () => {
    const rule = compileRule({
      name: 'hot',
      inputs: { press: { types: { t: 'float' } } },
      when: 'avg(t, 10s) / 2 > 10 AND NOT press.t IS NULL',
    });
    const running = rule.start();
    running.push('press', 'press', 1000, { t: 21 });
    expect(running.advance(2000)[0]!.row.values).toEqual({ 'avg(press.t, 10000 ms)': 21, 'press.t': 21 });
    expect([rule.inputs, rule.outputs, rule.fields]).toEqual([
      ['press'],
      ['when', 'until'],
      { press: ['t'] },
    ]);
  });

  it.each([
    [{ when: 'avg(press.temperature) > 30' }, 'a tag and a time'],
    [{ when: 'temperature > 30' }, 'begins with no input'],
    [{ when: '1 = 1' }, 'reads no tag'],
    [{ when: 'press.temperature > 30', for: 'long' }, 'no duration'],
    [{ when: 'press.temperature >' }, 'ends too early'],
    [{ when: 'a = 1', query: 'SELECT 1 FROM press' }, 'either'],
    [{ query: 'SELECT 1 FROM press', for: '5s' }, 'belong to `when`'],
  ])('%j is refused', (config, why) => {
    expect(() => compileRule({ name: 'hot', inputs: { press: {}, pump: {} }, ...config })).toThrowError(
      expect.objectContaining({ code: 'rule-query-invalid', message: expect.stringContaining(why) }),
    );
  });
});
