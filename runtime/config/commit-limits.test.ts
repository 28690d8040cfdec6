import { expect, it } from 'vitest';
import { commitLimitsOf } from './commit-limits.ts';
import { validateConfig } from './load.ts';

const limitsOf = (spool: object) => commitLimitsOf(validateConfig({ sources: [], spool }, 'test').spool);

it.each([
  [{}, { commitIntervalMs: 200, commitBytes: 4_194_304 }],
  [{ flashSaver: true }, { commitIntervalMs: 1000, commitBytes: 4_194_304 }],
  [
    { flashSaver: true, commitIntervalMs: 5000 },
    { commitIntervalMs: 5000, commitBytes: 4_194_304 },
  ],
  [
    { commitIntervalMs: 50, commitBytes: 65_536 },
    { commitIntervalMs: 50, commitBytes: 65_536 },
  ],
])('%j commits as often as it says', (spool, expected) => {
  expect(limitsOf(spool)).toEqual(expected);
});
