import { describe, expect, it } from 'vitest';
import { coalesceReads } from './coalesce-reads.ts';

const wanted = (n: number, file: number, offset: number, bytes: number) => ({
  n,
  pointer: { segment: file, offset, length: bytes - 21 },
  bytes,
});
const shape = (found: ReturnType<typeof coalesceReads>) =>
  found.map(({ segment, offset, bytes, values }) => [segment, offset, bytes, values.map(({ n }) => n)]);

describe('values that are read together', () => {
  it('lie next to each other, whatever order they were asked for in', () => {
    const found = coalesceReads([wanted(0, 1, 2000, 500), wanted(1, 1, 0, 1000), wanted(2, 1, 1000, 1000)]);
    expect(shape(found)).toEqual([[1, 0, 2500, [1, 2, 0]]]);
  });

  it('may have a little between them, and not much', () => {
    const found = coalesceReads([wanted(0, 1, 0, 100), wanted(1, 1, 4196, 100), wanted(2, 1, 8393, 100)]);
    expect(shape(found)).toEqual([
      [1, 0, 4296, [0, 1]],
      [1, 8393, 100, [2]],
    ]);
  });

  it('are of one file, and a megabyte at most, but for one that is larger', () => {
    const mib = 1024 * 1024;
    const found = coalesceReads([
      wanted(0, 2, 0, 100),
      wanted(1, 1, 0, mib - 100),
      wanted(2, 1, mib - 100, 200),
      wanted(3, 3, 0, 2 * mib),
    ]);
    expect(shape(found)).toEqual([
      [1, 0, mib - 100, [1]],
      [1, mib - 100, 200, [2]],
      [2, 0, 100, [0]],
      [3, 0, 2 * mib, [3]],
    ]);
  });

  it('are none when none are asked for', () => {
    expect(coalesceReads([])).toEqual([]);
  });
});
