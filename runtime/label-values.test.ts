import { expect, it } from 'vitest';
import { labelValuesOf } from './label-values.ts';

it('labels name what is configured: sources, their streams, rules and the streams of those', () => {
  const sources = [{ name: 'press' }, { name: 'oven', batchId: 'oven3' }] as never[];
  expect(labelValuesOf({ sources, rules: [{ name: 'hot' }] as never[] })).toEqual({
    source: new Set(['press', 'oven']),
    stream: new Set(['press', 'oven3', 'rule:hot']),
    rule: new Set(['hot']),
  });
});
