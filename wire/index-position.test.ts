import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatIndex, isIndex, parseIndex, tryParseIndex } from './index-position.ts';
import { anyIndex, anyIndexKind, anything } from './testing/arbitraries.ts';

const instant = Date.UTC(2026, 10, 21, 22, 20, 0, 123);

test('every index position of both kinds survives formatting and parsing', () => {
  const anyPosition = anyIndexKind.chain((kind) => anyIndex(kind).map((index) => ({ kind, index })));
  fc.assert(
    fc.property(anyPosition, ({ kind, index }) => {
      expect(parseIndex(kind, formatIndex(kind, index))).toBe(index === 0 ? 0 : index);
      expect(parseIndex(kind, String(index))).toBe(index === 0 ? 0 : index);
      expect(parseIndex(kind, index)).toBe(index === 0 ? 0 : index);
    }),
    { numRuns: 2000 },
  );
});

test('time is written as ISO 8601 UTC with milliseconds, a record number as a decimal integer', () => {
  expect(formatIndex('time', instant)).toBe('2026-11-21T22:20:00.123Z');
  expect(formatIndex('sequence', -42)).toBe('-42');
});

test.each([
  ['2026-11-21T22:20:00.123Z', instant],
  ['2026-11-21T22:20:00.1230000Z', instant],
  ['2026-11-21T22:20:00.1239999Z', instant],
  ['2026-11-21T22:20:00.123456789Z', instant],
  ['2026-11-21T22:20:00.1Z', instant - 23],
  ['2026-11-21T22:20:00Z', instant - 123],
  ['2026-11-21T22:20Z', instant - 123],
  ['2026-11-21T22:20:00.123', instant],
  ['2026-11-21 22:20:00.123', instant],
  ['2026-11-22T00:20:00.123+02:00', instant],
  ['2026-11-21T17:20:00.123-0500', instant],
  [' 2026-11-21T22:20:00.123Z ', instant],
  [String(instant), instant],
  [instant, instant],
  [BigInt(instant), instant],
  [new Date(instant), instant],
  ['-1', -1],
  ['-0', 0],
  ['+002026-11-21T22:20:00.123Z', instant],
])('reads %s as a time', (text, expected) => {
  expect(parseIndex('time', text)).toBe(expected);
});

test.each([
  '2026-02-30T00:00:00Z',
  '2026-13-01T00:00:00Z',
  '2026-11-21T25:00:00Z',
  '2026-11-21',
  '21.11.2026 22:20',
  'Sat, 21 Nov 2026 22:20:00 GMT',
  '-000000-01-01T00:00:00Z',
  '1e12',
  '0x10',
  '12.5',
  12.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  8.64e15 + 1,
  2 ** 53,
  '99999999999999999999',
  '',
  ' ',
  null,
  undefined,
  true,
  {},
  [],
  new Date(Number.NaN),
])('refuses %s as a time, with a coded error', (text) => {
  expect(tryParseIndex('time', text)).toBeUndefined();
  expect(() => parseIndex('time', text)).toThrow(expect.objectContaining({ code: 'wire-bad-index' }));
});

test.each(['2026-11-21T22:20:00.123Z', '1.0', 2 ** 53, new Date(instant)])(
  'refuses %s as a record number',
  (text) => {
    expect(() => parseIndex('sequence', text)).toThrow(expect.objectContaining({ code: 'wire-bad-index' }));
  },
);

test('29 February exists in leap years only', () => {
  expect(parseIndex('time', '2024-02-29T00:00:00Z')).toBe(Date.UTC(2024, 1, 29));
  expect(tryParseIndex('time', '2023-02-29T00:00:00Z')).toBeUndefined();
  expect(tryParseIndex('time', '2000-02-29T00:00:00Z')).toBeDefined();
  expect(tryParseIndex('time', '1900-02-29T00:00:00Z')).toBeUndefined();
});

test('what is finer than a millisecond is rounded down, or up where the end of a range is meant', () => {
  const text = '2026-11-21T22:20:00.1230001Z';
  expect(parseIndex('time', text)).toBe(instant);
  expect(parseIndex('time', text, 'up')).toBe(instant + 1);
  expect(parseIndex('time', '2026-11-21T22:20:00.1230000Z', 'up')).toBe(instant);
});

test('rounding keeps touching windows touching', () => {
  const digits = fc.integer({ min: 0, max: 9_999_999 }).map((n) => String(n).padStart(7, '0'));
  fc.assert(
    fc.property(digits, digits, (a, b) => {
      const [first, second] = [a, b].sort();
      const read = (fraction: string) => parseIndex('time', `2026-11-21T22:20:00.${fraction}Z`);
      expect(read(first!)).toBeLessThanOrEqual(read(second!));
    }),
  );
});

test('formatting refuses what is no index position', () => {
  for (const value of [1.5, Number.NaN, 2 ** 53, 8.64e15 + 1]) {
    expect(() => formatIndex('time', value)).toThrow(expect.objectContaining({ code: 'wire-bad-index' }));
  }
  expect(formatIndex('sequence', 9e15)).toBe('9000000000000000');
});

test('anything at all is either an index position or refused with a coded error', () => {
  fc.assert(
    fc.property(anyIndexKind, anything, (kind, text) => {
      try {
        expect(isIndex(kind, parseIndex(kind, text))).toBe(true);
      } catch (error) {
        expect(error).toMatchObject({ code: 'wire-bad-index' });
      }
    }),
    { numRuns: 10_000 },
  );
});
