import { expect, test } from 'vitest';
import { EventLog } from './event-log.ts';
import { recordBytes } from './register-map.ts';

const block = (number: number) => Buffer.alloc(recordBytes, number);

function logOf(capacity: number, records: number): EventLog {
  const log = new EventLog(capacity, Buffer.alloc(capacity * recordBytes));
  for (let n = 1; n <= records; n++) log.append(n, block(n));
  return log;
}

function held(log: EventLog): number[] {
  return Array.from({ length: log.capacity }, (_, slot) => log.memory[slot * recordBytes]!);
}

test('an empty log says so: the oldest is the one after the newest', () => {
  const log = logOf(4, 0);
  expect([log.newest, log.oldest]).toEqual([0, 1]);
});

test('each record lies at its number modulo the capacity, newer ones over older ones', () => {
  const log = logOf(4, 6);
  expect(held(log)).toEqual([4, 5, 6, 3]);
  expect([log.newest, log.oldest]).toEqual([6, 3]);
});

test('a limited log forgets for good what is older, and reads as zeros there', () => {
  const log = logOf(4, 6);
  log.limit(2);
  expect(held(log)).toEqual([0, 5, 6, 0]);
  expect(log.oldest).toBe(5);
  log.append(7, block(7));
  expect(held(log)).toEqual([0, 0, 6, 7]);
  log.limit(null);
  expect(log.oldest).toBe(6);
  for (let n = 8; n <= 10; n++) log.append(n, block(n));
  expect(held(log)).toEqual([8, 9, 10, 7]);
  expect(log.oldest).toBe(7);
});

test('an erased log holds nothing, and its numbers go on', () => {
  const log = logOf(4, 6);
  log.erase();
  expect(held(log)).toEqual([0, 0, 0, 0]);
  expect([log.newest, log.oldest]).toEqual([6, 7]);
  log.append(7, block(7));
  expect([log.newest, log.oldest]).toEqual([7, 7]);
  expect(held(log)).toEqual([0, 0, 0, 7]);
});

test('a log limited to nothing stays empty', () => {
  const log = logOf(4, 2);
  log.limit(0);
  log.append(3, block(3));
  expect([log.newest, log.oldest]).toEqual([3, 4]);
  expect(held(log)).toEqual([0, 0, 0, 0]);
});
