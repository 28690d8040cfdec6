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

  it('acts on what began unseen once it is known, and says meanwhile that it is not', () => {
    const decideIn = (config: Partial<RuleConfig>, ...stretches: [number, number, Events, string?][]) => {
      const running = compileRule({ name: 'hot', inputs: { press: {}, pump: {} }, ...config }).start();
      return stretches.flatMap(([until, knownFrom, events, lacking]) => {
        for (const [seconds, input, row] of events) running.push(input, input, seconds * 1000, row);
        const rows = running.advance(until * 1000, lacking ? [lacking] : undefined, knownFrom * 1000);
        return rows.map(({ output, time, row, restsFrom }) => [
          ...[output, time / 1000, row.since],
          restsFrom >= knownFrom * 1000 && !lacking ? 'known' : 'unknown',
        ]);
      });
    };
    const at = (second: number) => `1970-01-01T00:00:${String(second).padStart(2, '0')}.0000000Z`;
    const hot = (from: number, to: number): Events =>
      Array.from({ length: to - from }, (_, n) => [from + n, 'press', { t: 40 }]);
    const average = { when: 'avg(press.t, 10s) > 30' };
    expect(decideIn(average, [40, 20, hot(20, 40)])).toEqual([
      ['when', 20, at(20), 'unknown'],
      ['when', 30, at(30), 'known'],
    ]);
    expect(decideIn({ ...average, for: '5s' }, [50, 20, hot(20, 50)])).toEqual([
      ['when', 25, at(20), 'unknown'],
      ['when', 35, at(30), 'known'],
    ]);
    // Not where it is over before.
    const short: Events = [...hot(20, 24), [24, 'press', { t: -400 }], [40, 'press', { t: 0 }]];
    expect(decideIn(average, [50, 20, short])).toEqual([
      ['when', 20, at(20), 'unknown'],
      ['until', 24, at(24), 'unknown'],
    ]);
    // Another hole in between.
    expect(
      decideIn(
        { ...average, for: '5s' },
        [32, 20, hot(20, 32)],
        [34, 20, [], 'press'],
        [50, 34, hot(34, 50)],
      ),
    ).toEqual([
      ['when', 25, at(20), 'unknown'],
      ['when', 49, at(44), 'known'],
    ]);
    // Of two inputs one is not there yet.
    const both = { when: 'press.t > 30 AND NOT pump.off = 1' };
    expect(
      decideIn(
        both,
        [10, 0, hot(5, 8), 'pump'],
        [
          20,
          10,
          [
            [12, 'pump', { off: 0 }],
            [13, 'press', { t: 41 }],
          ],
        ],
      ),
    ).toEqual([
      ['when', 12, at(12), 'unknown'],
      ['when', 13, at(13), 'known'],
    ]);
  });

  it('does not rest on a tag that was never seen, where that decides nothing', () => {
    const restsFrom = (when: string, until?: string) => {
      const config = { name: 'hot', inputs: { press: {}, pump: {} }, when, ...(until && { until }) };
      const running = compileRule(config).start();
      running.push('press', 'press', 5000, { t: 40 });
      return running.advance(10_000).map((row) => row.restsFrom);
    };
    expect(restsFrom('press.t > 30 OR pump.off = 1')).toEqual([5000]);
    expect(restsFrom('press.t > 30', 'avg(pump.t, 60s) < 5')).toEqual([5000]);
    expect(restsFrom('press.t > 30 AND pump.off IS NULL')).toEqual([5000 - 7 * 86_400_000]);
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
