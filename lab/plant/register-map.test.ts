import { expect, test } from 'vitest';
import {
  filePosition,
  maxFileCapacity,
  maxRingCapacity,
  recordRegisters,
  registersPerFile,
  ringAddress,
} from './register-map.ts';

test('the largest ring ends inside the address space', () => {
  const last = ringAddress(maxRingCapacity - 1, maxRingCapacity) + recordRegisters - 1;
  expect(last).toBeLessThanOrEqual(65535);
  expect(last + recordRegisters).toBeGreaterThan(65535);
});

test('no log record straddles two files, and none shares its place with another', () => {
  for (const capacity of [1, 383, 384, 385, 3000, maxFileCapacity]) {
    const places = new Set<string>();
    let largest = 0;
    for (let number = 1; number <= capacity; number++) {
      const { file, offset } = filePosition(number, capacity);
      largest = Math.max(largest, offset + recordRegisters);
      places.add(`${file}/${offset}`);
    }
    expect(largest).toBeLessThanOrEqual(registersPerFile);
    expect(places.size).toBe(capacity);
  }
});

test("a file's registers are numbered as the protocol allows, 0 to 9999", () => {
  expect(registersPerFile).toBeLessThanOrEqual(10_000);
  expect(registersPerFile % recordRegisters).toBe(0);
});
