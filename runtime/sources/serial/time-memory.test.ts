import { describe, expect, it } from 'vitest';
import type { Window } from '../../../wire/window.ts';
import { timedDump } from './time-memory.ts';

const dumpOf = (times: readonly number[]) => ({
  asked: { start: 0, end: 100_000 },
  records: times.map((timestamp) => ({ timestamp, values: [] })),
  end: 'mark' as const,
});

describe('a dump whose times go back', () => {
  it('proves nothing, and tells which times came twice, one record further on both sides', () => {
    const twice: Window[] = [];
    const read = () =>
      timedDump(dumpOf([1000, 2500, 4000, 1500, 3000, 4500]), false, (each) => twice.push(each));
    expect(read).toThrow(/times of its records go back/);
    expect(twice).toEqual([{ start: 0, end: 5501 }]);
  });

  it('is told from one that begins with the newest', () => {
    const twice: Window[] = [];
    const { records } = timedDump(dumpOf([4000, 2500, 1000]), false, (each) => twice.push(each));
    expect(records.map(({ time }) => time)).toEqual([1000, 2500, 4000]);
    expect(twice).toEqual([]);
  });
});
