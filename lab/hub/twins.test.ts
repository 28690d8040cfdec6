import { describe, expect, test } from 'vitest';
import { mergePatch, Twins, twinForDevice } from './twins.ts';

const who = { deviceId: 'd', moduleId: 'm' };

describe('a patch', () => {
  test('merges objects, replaces values and arrays, removes what is null', () => {
    const old = { a: { b: 1, c: 2 }, list: [1, 2], gone: true };
    expect(mergePatch(old, { a: { c: null, d: 3 }, list: [3], gone: null, $version: 9 })).toEqual({
      a: { b: 1, d: 3 },
      list: [3],
    });
    expect(old).toEqual({ a: { b: 1, c: 2 }, list: [1, 2], gone: true });
  });

  test('cannot reach a prototype', () => {
    const merged = mergePatch({}, JSON.parse('{"__proto__": {"polluted": true}}'));
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    expect(Object.keys(merged)).toEqual(['__proto__']);
  });
});

describe('a twin', () => {
  test('counts versions of each side and tells who listens', () => {
    const twins = new Twins();
    const told: unknown[] = [];
    twins.onDesired((twin, patch) => told.push([twin.moduleId, patch]));
    twins.patchDesired(who, { rate: 5 });
    twins.patchReported(who, { state: 'ok' });
    twins.replaceDesired(who, { other: 1 });
    expect(told).toEqual([
      ['m', { rate: 5, $version: 2 }],
      ['m', { rate: null, other: 1, $version: 3 }],
    ]);
    expect(twinForDevice(twins.of(who))).toEqual({
      desired: { other: 1, $version: 3 },
      reported: { state: 'ok', $version: 2 },
    });
  });

  test.each([
    ['32 KB', Object.fromEntries(Array.from({ length: 9 }, (_, at) => [`a${at}`, 'x'.repeat(4000)]))],
    ['a dot in a name', { 'a.b': 1 }],
    ['a dollar sign in a name', { $a: 1 }],
    ['a space in a name', { 'a b': 1 }],
    ['a control character in a name', { 'a\u0085': 1 }],
    ['a long name', { ['x'.repeat(1025)]: 1 }],
    ['a null in an array', { a: [1, null] }],
    ['a null in an object in an array', { a: [{ b: null }] }],
    ['a null in an array in an array', { a: [[null]] }],
    ['an integer that is too large', { a: 4503599627370496 }],
    ['an integer that is too small', { a: [-4503599627370497] }],
    ['text of more than 4 KB', { a: 'ü'.repeat(2049) }],
    ['nesting in arrays', JSON.parse(`${'{"a":['.repeat(11)}1${']}'.repeat(11)}`)],
    ['nesting', JSON.parse(`${'{"a":'.repeat(11)}1${'}'.repeat(11)}`)],
  ])('is held to its limit: %s', (_, patch) => {
    const twins = new Twins();
    expect(() => twins.patchReported(who, patch)).toThrow();
    expect(() => twins.patchDesired(who, patch)).toThrow();
    expect(() => twins.patchTags(who, patch)).toThrow();
    expect(twins.of(who)).toEqual(new Twins().of(who));
  });

  test('takes what is just within its limits', () => {
    const twins = new Twins();
    const text = Object.fromEntries(Array.from({ length: 8 }, (_, at) => [`a${at}`, 'x'.repeat(4080)]));
    expect(twins.patchReported(who, { ...text, gone: null, deep: { gone: null } }).reported).toEqual({
      ...text,
      deep: {},
    });
    twins.patchDesired(who, {
      numbers: [4503599627370495, -4503599627370496, 0.5, 1e300],
      'ü-ß': true,
      ['x'.repeat(1024)]: [{ a: [] }],
    });
    // A number counts 8 bytes however it is written, a boolean 4, control characters nothing.
    const many = Array.from({ length: 900 }, (_, at) => [
      `${String(at).padStart(28, '0')}`,
      -1234567890.123456,
    ]);
    expect(() => new Twins().patchReported(who, Object.fromEntries(many))).not.toThrow();
  });

  test('has 8 KB for tags', () => {
    const twins = new Twins();
    const text = { a: 'x'.repeat(4000), b: 'x'.repeat(4000) };
    twins.patchTags(who, text);
    expect(() => twins.patchTags(who, { c: 'x'.repeat(200) })).toThrow('8192');
    expect(twins.of(who).tags).toEqual(text);
  });
});
