import { describe, expect, it } from 'vitest';
import type { Window } from '../../../wire/window.ts';
import { DumpOrder, timedDump } from './time-memory.ts';

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

describe('dumps of numbered records, one after the other', () => {
  const records = (...pairs: readonly (readonly [number: number, time: number])[]) =>
    pairs.map(([number, timestamp]) => ({ number, timestamp, values: [] }));

  const twiceOf = (...dumps: readonly ReturnType<typeof records>[]) => {
    const twice: Window[] = [];
    const order = new DumpOrder(10_000, (each) => twice.push(each));
    for (const dump of dumps) order.note(dump);
    return twice;
  };

  it('show between them that the clock was set back', () => {
    expect(twiceOf(records([8, 425_000], [9, 426_000]), records([10, 386_000], [11, 387_000]))).toEqual([
      { start: 326_000, end: 486_001 },
    ]);
  });

  it('also where the older records are read last, and over the end of the counter', () => {
    expect(twiceOf(records([3, 386_000]), records([9_999, 426_000]))).toEqual([
      { start: 326_000, end: 486_001 },
    ]);
  });

  it('say nothing where times go on, or where the counter started anew', () => {
    expect(twiceOf(records([9, 426_000]), records([10, 427_000]), records([9, 426_000]))).toEqual([]);
    expect(twiceOf(records([5000, 426_000]), records([1, 500_000], [2, 501_000]))).toEqual([]);
  });
});
