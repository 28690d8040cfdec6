import { describe, expect, it } from 'vitest';
import { stretchesOf } from './coalesce-reads.ts';

const wanted = (n: number, file: number, offset: number, bytes: number) => ({
  n,
  place: { file, offset, length: bytes - 21 },
  bytes,
});
const shape = (found: ReturnType<typeof stretchesOf>) =>
  found.map(({ file, offset, bytes, bodies }) => [file, offset, bytes, bodies.map(({ n }) => n)]);

describe('bodies that are read together', () => {
  it('lie next to each other, whatever order they were asked for in', () => {
    const found = stretchesOf([wanted(0, 1, 2000, 500), wanted(1, 1, 0, 1000), wanted(2, 1, 1000, 1000)]);
    expect(shape(found)).toEqual([[1, 0, 2500, [1, 2, 0]]]);
  });

  it('may have a little between them, and not much', () => {
    const found = stretchesOf([wanted(0, 1, 0, 100), wanted(1, 1, 4196, 100), wanted(2, 1, 8393, 100)]);
    expect(shape(found)).toEqual([
      [1, 0, 4296, [0, 1]],
      [1, 8393, 100, [2]],
    ]);
  });

  it('are of one file, and a megabyte at most, but for one that is larger', () => {
    const mib = 1024 * 1024;
    const found = stretchesOf([
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
    expect(stretchesOf([])).toEqual([]);
  });
});
