import { describe, expect, it } from 'vitest';
import { compareStamps } from './stamp-continuity.ts';

const modulus = 2 ** 32;

describe('the continuity of stamped samples', () => {
  it.each([
    ['the first', undefined, { timestamp: 5, number: 9 }, { kind: 'next' }],
    ['the same', { timestamp: 5, number: 9 }, { timestamp: 5, number: 9 }, { kind: 'unchanged' }],
    ['the following', { timestamp: 5, number: 9 }, { timestamp: 6, number: 10 }, { kind: 'next' }],
    [
      'a skipped one',
      { timestamp: 5, number: 9 },
      { timestamp: 7, number: 11 },
      { kind: 'next', broken: 'samples-missed' },
    ],
    [
      'a count that began again',
      { timestamp: 5, number: 9 },
      { timestamp: 7, number: 1 },
      { kind: 'next', broken: 'samples-missed' },
    ],
    [
      'a count that stands still',
      { timestamp: 5, number: 9 },
      { timestamp: 7, number: 9 },
      { kind: 'next', broken: 'samples-missed' },
    ],
    [
      'a count that wraps',
      { timestamp: 5, number: modulus - 1 },
      { timestamp: 6, number: 0 },
      { kind: 'next' },
    ],
    [
      'a clock set back',
      { timestamp: 5, number: 9 },
      { timestamp: 4, number: 10 },
      { kind: 'next', broken: 'equipment-clock-went-back' },
    ],
    [
      'two with one stamp',
      { timestamp: 5, number: 9 },
      { timestamp: 5, number: 10 },
      { kind: 'repeated-stamp' },
    ],
    ['uncounted, the same', { timestamp: 5 }, { timestamp: 5 }, { kind: 'unchanged' }],
    ['uncounted, later', { timestamp: 5 }, { timestamp: 60 }, { kind: 'next' }],
  ])('%s', (_name, last, next, expected) => {
    expect(compareStamps(last, next, modulus)).toEqual(expected);
  });
});
