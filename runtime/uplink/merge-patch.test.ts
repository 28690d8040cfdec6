import fc from 'fast-check';
import { expect, test } from 'vitest';
import { applyPatch, canJoin, joinPatches, type TwinObject } from './merge-patch.ts';

test('objects merge, null removes, arrays and values replace', () => {
  const document = { a: [1, 2, 3], b: { c: 1, d: 2 }, e: 'x' };
  expect(applyPatch(document, { a: [1], b: { c: null, f: { g: 1 } }, e: null })).toEqual({
    a: [1],
    b: { d: 2, f: { g: 1 } },
  });
  expect(document).toEqual({ a: [1, 2, 3], b: { c: 1, d: 2 }, e: 'x' });
});

test('a member named like a prototype is a member', () => {
  const patch = JSON.parse('{"__proto__": {"polluted": true}}');
  const merged = applyPatch({}, patch);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  expect(Object.hasOwn(merged, '__proto__')).toBe(true);
});

test('what a value or null stood in cannot become an object in one patch', () => {
  expect(canJoin({ a: null }, { a: { b: 1 } })).toBe(false);
  expect(canJoin({ a: { b: 1 } }, { a: { b: { c: 1 } } })).toBe(false);
  expect(canJoin({ a: { b: 1 } }, { a: { c: { d: 1 } } })).toBe(true);
});

test('patches joined do what they do one after the other', () => {
  const { object } = fc.letrec<{ object: TwinObject; value: unknown }>((tie) => ({
    object: fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('value'), {
      maxKeys: 3,
    }) as fc.Arbitrary<TwinObject>,
    value: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom<unknown>(1, 'x', null, [1, 2]),
      tie('object') as fc.Arbitrary<unknown>,
    ),
  }));
  fc.assert(
    fc.property(object, object, object, (base, first, second) => {
      fc.pre(canJoin(first, second));
      const document = applyPatch({}, base);
      const oneByOne = applyPatch(applyPatch(document, first), second);
      expect(applyPatch(document, joinPatches(first, second))).toEqual(oneByOne);
    }),
    { numRuns: 5_000 },
  );
});
