import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { covers, gaps, intersection, normalise, size, span, subtract, union } from './coverage.ts';
import { anything, anyWindow } from './testing/arbitraries.ts';
import { contains, encloses, hull, isWindow, length, overlaps, touches, type Window } from './window.ts';

// The oracle: windows as plain sets of small integers.
const limit = 40;
const smallWindow = fc
  .tuple(fc.integer({ min: 0, max: limit - 1 }), fc.integer({ min: 1, max: 12 }))
  .map(([start, n]) => ({ start, end: Math.min(limit, start + n) }));
const someWindows = fc.array(smallWindow, { maxLength: 8 });

function positions(windows: readonly Window[]): Set<number> {
  const set = new Set<number>();
  for (const { start, end } of windows) for (let i = start; i < end; i++) set.add(i);
  return set;
}

const both = (a: Set<number>, b: Set<number>) => new Set([...a].filter((position) => b.has(position)));
const either = (a: Set<number>, b: Set<number>) => new Set([...a, ...b]);
const only = (a: Set<number>, b: Set<number>) => new Set([...a].filter((position) => !b.has(position)));

function expectNormal(windows: readonly Window[]): void {
  for (const window of windows) expect(isWindow(window)).toBe(true);
  for (let i = 1; i < windows.length; i++) expect(windows[i]!.start).toBeGreaterThan(windows[i - 1]!.end);
}

describe('windows', () => {
  test('a window is start < end in safe integers, and nothing else is', () => {
    expect(isWindow({ start: 1, end: 2 })).toBe(true);
    for (const bad of [
      { start: 2, end: 2 },
      { start: 3, end: 2 },
      { start: 1.5, end: 2 },
      { start: '1', end: 2 },
      { end: 2 },
      null,
      undefined,
      7,
      [1, 2],
      { start: 0, end: 2 ** 53 },
    ]) {
      expect(isWindow(bad)).toBe(false);
    }
    fc.assert(fc.property(anything, (candidate) => typeof isWindow(candidate) === 'boolean'));
  });

  test('relations agree with the sets of positions', () => {
    fc.assert(
      fc.property(smallWindow, smallWindow, (a, b) => {
        const [inA, inB] = [positions([a]), positions([b])];
        const shared = both(inA, inB);
        expect(overlaps(a, b)).toBe(shared.size > 0);
        expect(encloses(a, b)).toBe(only(inB, inA).size === 0);
        expect(touches(a, b)).toBe(shared.size === 0 && length(hull(a, b)) === length(a) + length(b));
        expect(contains(a, b.start)).toBe(inA.has(b.start));
      }),
    );
  });

  test('neighbours touch and do not overlap', () => {
    const [a, b] = [
      { start: 0, end: 5 },
      { start: 5, end: 9 },
    ];
    expect(touches(a, b)).toBe(true);
    expect(touches(b, a)).toBe(true);
    expect(overlaps(a, b)).toBe(false);
    expect(touches(a, { start: 6, end: 9 })).toBe(false);
  });
});

describe('coverage', () => {
  test('normalising keeps the positions and makes the list canonical', () => {
    fc.assert(
      fc.property(someWindows, (windows) => {
        const coverage = normalise(windows);
        expectNormal(coverage);
        expect(positions(coverage)).toEqual(positions(windows));
        expect(size(coverage)).toBe(positions(windows).size);
      }),
    );
  });

  test('union, intersection and difference agree with the sets of positions', () => {
    fc.assert(
      fc.property(someWindows, someWindows, (first, second) => {
        const [a, b] = [normalise(first), normalise(second)];
        const [inA, inB] = [positions(a), positions(b)];
        for (const [result, expected] of [
          [union(a, b), either(inA, inB)],
          [intersection(a, b), both(inA, inB)],
          [subtract(a, b), only(inA, inB)],
        ] as const) {
          expectNormal(result);
          expect(positions(result)).toEqual(expected);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('gaps and coverage together fill the span', () => {
    fc.assert(
      fc.property(someWindows, (windows) => {
        const coverage = normalise(windows);
        const whole = span(coverage);
        expect(normalise([...coverage, ...gaps(coverage)])).toEqual(whole === undefined ? [] : [whole]);
        expect(intersection(coverage, normalise(gaps(coverage)))).toEqual([]);
      }),
    );
  });

  test('covers says whether every position of a window is there', () => {
    fc.assert(
      fc.property(someWindows, smallWindow, (windows, window) => {
        expect(covers(normalise(windows), window)).toBe(
          only(positions([window]), positions(windows)).size === 0,
        );
      }),
      { numRuns: 1000 },
    );
  });

  test('the arithmetic holds at the ends of the index range', () => {
    fc.assert(
      fc.property(
        fc.array(anyWindow('sequence'), { maxLength: 6 }),
        anyWindow('sequence'),
        (windows, hole) => {
          const coverage = normalise(windows);
          const rest = subtract(coverage, [hole]);
          expectNormal(rest);
          expect(intersection(rest, [hole])).toEqual([]);
          expect(union(rest, intersection(coverage, [hole]))).toEqual(coverage);
        },
      ),
    );
  });

  test('inputs stay as they were', () => {
    const windows = Object.freeze([Object.freeze({ start: 5, end: 9 }), Object.freeze({ start: 1, end: 6 })]);
    expect(normalise(windows)).toEqual([{ start: 1, end: 9 }]);
    expect(union(normalise(windows), [])).toEqual([{ start: 1, end: 9 }]);
    expect(span([])).toBeUndefined();
    expect(covers([], { start: 1, end: 2 })).toBe(false);
  });
});
