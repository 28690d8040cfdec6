import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../kernel/random.ts';
import { hasValidCrc, writeCrc } from './crc.ts';
import { mergeFaults, noFaults } from './faults.ts';
import { chooseGarbage, garbageKinds, spoil } from './garbage.ts';
import { HabitualConnection } from './habits.ts';

describe('merging faults', () => {
  test('fields that are absent stay, null and false clear', () => {
    let faults = mergeFaults(noFaults, { unreachable: true, units: { 1: { silent: true, delayMs: 5 } } });
    expect(faults).toMatchObject({ unreachable: true, units: { 1: { silent: true, delayMs: 5 } } });
    faults = mergeFaults(faults, { units: { 1: { silent: null, exception: 6 }, 2: { refuse: [[3, 4]] } } });
    expect(faults.units).toEqual({ 1: { delayMs: 5, exception: 6 }, 2: { refuse: [[3, 4]] } });
    expect(faults.unreachable).toBe(true);
    faults = mergeFaults(faults, { unreachable: null, units: { 1: { delayMs: null, exception: null } } });
    expect(faults).toEqual({ ...noFaults, units: { 2: { refuse: [[3, 4]] } } });
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

describe('habits on a connection', () => {
  const frame = (transaction: number, value: number) =>
    Buffer.from([0, transaction, 0, 0, 0, 5, 1, 3, 2, 0, value]);

  test('a gateway that lags gives each request the answer to the one before, under its own number', () => {
    const connection = new HabitualConnection(0);
    expect(connection.change({ lags: true }, frame(1, 11))).toBeUndefined();
    expect(connection.change({ lags: true }, frame(2, 22))).toEqual(frame(2, 11));
    expect(connection.change({ lags: true }, frame(3, 33))).toEqual(frame(3, 22));
  });

  test('an answer that is cut is half of one, and the connection is closed', () => {
    const connection = new HabitualConnection(0);
    const [sent, peer] = [
      [] as number[],
      { write: (bytes: Buffer) => void sent.push(bytes.length), close: () => void sent.push(0) },
    ];
    for (let at = 0; at < 3; at++) connection.give({ cutsEvery: 3 }, frame(1, 1), 0, peer);
    expect(sent).toEqual([11, 11, 5, 0]);
  });
});

describe.each(['tcp', 'rtu'] as const)('garbage in %s', (framing) => {
  const whole = {
    tcp: Buffer.from([0, 9, 0, 0, 0, 7, 1, 3, 4, 1, 2, 3, 4]),
    rtu: Buffer.from([1, 3, 4, 1, 2, 3, 4, 0, 0]),
  };
  writeCrc(whole.rtu, 7);
  const frame = whole[framing];
  const kinds = garbageKinds[framing];

  test.each(kinds)('%s never is the answer', (kind) => {
    const random = seededRandom(2);
    const before = Buffer.from(frame);
    for (let i = 0; i < 500; i++) {
      const spoiled = spoil(kind, framing, frame, random);
      expect(spoiled.length).toBeGreaterThan(0);
      expect(spoiled.equals(frame)).toBe(false);
    }
    expect(frame).toEqual(before);
  });

  test('true takes every kind in turn', () => {
    const random = seededRandom(2);
    expect(kinds.map((_, turn) => chooseGarbage(true, framing, turn, random))).toEqual([...kinds]);
  });

  test('a probability spoils about as many', () => {
    const random = seededRandom(2);
    const fault = { kinds: ['random' as const], probability: 0.25 };
    const chosen = Array.from({ length: 4000 }, (_, turn) => chooseGarbage(fault, framing, turn, random));
    const spoiled = chosen.filter((kind) => kind === 'random').length;
    expect(spoiled).toBeGreaterThan(850);
    expect(spoiled).toBeLessThan(1150);
    expect(chosen.filter((kind) => kind === undefined).length).toBe(4000 - spoiled);
  });
});

test('a kind of garbage that the framing does not have spoils nothing', () => {
  expect(chooseGarbage('wrong-crc', 'tcp', 0, seededRandom(2))).toBeUndefined();
  expect(chooseGarbage('wrong-transaction', 'rtu', 0, seededRandom(2))).toBeUndefined();
});

test('only the check sum is wrong where the check sum is meant to be wrong', () => {
  const frame = Buffer.from([1, 3, 2, 7, 7, 0, 0]);
  writeCrc(frame, 5);
  const random = seededRandom(2);
  for (let i = 0; i < 200; i++) {
    const crc = spoil('wrong-crc', 'rtu', frame, random);
    expect(crc.subarray(0, 5)).toEqual(frame.subarray(0, 5));
    expect(hasValidCrc(crc, crc.length)).toBe(false);
    const count = spoil('wrong-byte-count', 'rtu', frame, random);
    expect(hasValidCrc(count, count.length)).toBe(true);
  }
});
