import { describe, expect, it } from 'vitest';
import { KeySpaces } from './key-spaces.ts';

const spaces = new KeySpaces([
  { prefix: Buffer.from('a'), keyBytes: 4, placement: 'value-log' },
  { prefix: Buffer.from('bx'), keyBytes: 10, placement: 'wal' },
  { prefix: Buffer.from('by'), keyBytes: 2, placement: 'memtable' },
]);

describe('key spaces', () => {
  it.each([
    ['a123', 'value-log'],
    ['bx12345678', 'wal'],
    ['by', 'memtable'],
    ['a12', undefined],
    ['a1234', undefined],
    ['bz12345678', undefined],
    ['b', undefined],
    ['c123', undefined],
    ['', undefined],
  ])('treat key %j by its prefix and its length: %s', (key, placement) => {
    expect(spaces.placementOf(Buffer.from(key))).toBe(placement);
  });

  it('name the ranges in which pointers may be', () => {
    expect(spaces.valueLogRanges()).toEqual([{ gte: Buffer.from('a'), lt: Buffer.from('b') }]);
  });
});
