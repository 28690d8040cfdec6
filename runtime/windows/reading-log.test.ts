import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Reading } from '../../wire/reading.ts';
import { ReadingLog } from './reading-log.ts';

const anyReading = fc.record<Reading>({
  index: fc.integer({ min: 0, max: 2 }),
  tag: fc.constantFrom('a', 'b', 'c'),
  value: fc.oneof(fc.integer(), fc.double({ noNaN: true }), fc.constantFrom(null, true, 'on', [1, 2])),
  quality: fc.constantFrom('good', 'good', 'bad:x', 'uncertain'),
});

function filled(readings: readonly Reading[]): ReadingLog {
  const log = new ReadingLog();
  for (const reading of readings) log.push(reading);
  return log;
}

describe('the readings of an open window', () => {
  it('come back as they were, from any of them to any other', () => {
    fc.assert(
      fc.property(fc.array(anyReading, { maxLength: 30 }), fc.nat(30), fc.nat(30), (readings, a, b) => {
        const log = filled(readings);
        const from = Math.min(a, readings.length);
        const to = Math.min(from + b, readings.length);
        expect(log.slice(from, to)).toEqual(readings.slice(from, to));
        expect(log.slice(from)).toEqual(readings.slice(from));
        expect(log.count).toBe(readings.length);
        expect(log.lastIndex).toBe(readings.at(-1)?.index);
      }),
    );
  });

  it('of polls are the same, whether tags stay, change, are fewer or more', () => {
    const poll = (index: number, tags: string): Reading[] =>
      [...tags].map((tag, n) => ({ index, tag, value: n + 0.5, quality: 'good' }));
    const polls = ['abc', 'abc', 'ab', 'abc', 'abcd', 'abc', 'axc', 'abc', 'cba', ''];
    const readings = polls.flatMap((tags, n) => poll(1000 * n, tags));
    const log = new ReadingLog();
    for (const [n, reading] of readings.entries()) {
      log.push(reading);
      // What came before is not changed by what comes.
      expect(log.slice()).toEqual(readings.slice(0, n + 1));
    }
  });
});
