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
    ['32 KB', { blob: 'x'.repeat(33_000) }],
    ['a dot in a name', { 'a.b': 1 }],
    ['a dollar sign in a name', { $a: 1 }],
    ['nesting', JSON.parse(`${'{"a":'.repeat(11)}1${'}'.repeat(11)}`)],
  ])('is held to its limit: %s', (_, patch) => {
    const twins = new Twins();
    expect(() => twins.patchReported(who, patch)).toThrow();
    expect(twins.of(who)).toMatchObject({ reported: {}, reportedVersion: 1 });
  });
});
