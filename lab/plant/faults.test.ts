import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../kernel/random.ts';
import { mergeFaults, noFaults } from './faults.ts';
import { chooseGarbage, garbageKinds, spoil } from './garbage.ts';

describe('merging faults', () => {
  test('fields that are absent stay, null and false clear', () => {
    let faults = mergeFaults(noFaults, { unreachable: true, units: { 1: { silent: true, delayMs: 5 } } });
    expect(faults).toEqual({ unreachable: true, units: { 1: { silent: true, delayMs: 5 } } });
    faults = mergeFaults(faults, { units: { 1: { silent: null, exception: 6 }, 2: { refuse: [[3, 4]] } } });
    expect(faults.units).toEqual({ 1: { delayMs: 5, exception: 6 }, 2: { refuse: [[3, 4]] } });
    expect(faults.unreachable).toBe(true);
    faults = mergeFaults(faults, { unreachable: null, units: { 1: { delayMs: null, exception: null } } });
    expect(faults).toEqual({ unreachable: false, units: { 2: { refuse: [[3, 4]] } } });
    expect(mergeFaults(faults, { units: { 2: null } })).toEqual(noFaults);
    expect(mergeFaults(faults, { units: null })).toEqual(noFaults);
  });

  test('a history limited to no record is a fault, not the absence of one', () => {
    const faults = mergeFaults(noFaults, { units: { 1: { historyRecords: 0 } } });
    expect(faults.units).toEqual({ 1: { historyRecords: 0 } });
  });

  test.each([
    ['an unknown fault', { unit: {} }, 'unit'],
    ['an unknown fault of a unit', { units: { 1: { sleepy: true } } }, 'sleepy'],
    ['a delay that is no number', { units: { 1: { delayMs: 'long' } } }, 'delayMs'],
    ['an unknown kind of garbage', { units: { 1: { garbage: 'nice' } } }, 'garbage'],
  ])('%s is refused, by name', (_, patch, name) => {
    expect(() => mergeFaults(noFaults, patch)).toThrow(name);
  });
});

describe('garbage', () => {
  const frame = Buffer.from([0, 9, 0, 0, 0, 7, 1, 3, 4, 1, 2, 3, 4]);

  test.each(garbageKinds)('%s never is the answer', (kind) => {
    const random = seededRandom(2);
    for (let i = 0; i < 500; i++) {
      const spoiled = spoil(kind, frame, random);
      expect(spoiled.length).toBeGreaterThan(0);
      expect(spoiled.equals(frame)).toBe(false);
    }
    expect([...frame]).toEqual([0, 9, 0, 0, 0, 7, 1, 3, 4, 1, 2, 3, 4]);
  });

  test('true takes every kind in turn', () => {
    const random = seededRandom(2);
    const kinds = garbageKinds.map((_, turn) => chooseGarbage(true, turn, random));
    expect(kinds).toEqual([...garbageKinds]);
  });

  test('a probability spoils about as many', () => {
    const random = seededRandom(2);
    const fault = { kinds: ['random' as const], probability: 0.25 };
    const chosen = Array.from({ length: 4000 }, (_, turn) => chooseGarbage(fault, turn, random));
    const spoiled = chosen.filter((kind) => kind === 'random').length;
    expect(spoiled).toBeGreaterThan(850);
    expect(spoiled).toBeLessThan(1150);
    expect(chosen.filter((kind) => kind === undefined).length).toBe(4000 - spoiled);
  });
});
