import { describe, expect, test } from 'vitest';
import { barsPath, findAt, type Known, layoutBars, layoutTicks } from './layout.ts';
import { around, clamp, fit, follow, limitsOf, newest, pan, widthOf, zoom } from './viewport.ts';

const view = { start: 0, end: 1000 };

describe('bars', () => {
  test('lie where their ranges do, cut to the view', () => {
    const bars = layoutBars(
      [
        [-500, 100],
        [200, 300],
        [900, 5000],
        [6000, 7000],
      ],
      view,
      100,
    );
    expect(bars).toEqual([
      { x: 0, width: 10 },
      { x: 20, width: 10 },
      { x: 90, width: 10 },
    ]);
  });

  test('are never too narrow to be seen, nor beyond the edge', () => {
    expect(layoutBars([[500, 501]], view, 100, 3)).toEqual([{ x: 50, width: 3 }]);
    expect(layoutBars([[999, 1000]], view, 100, 3)).toEqual([{ x: 97, width: 3 }]);
  });

  test('are bounded by the width, not by the ranges', () => {
    const many = Array.from({ length: 5000 }, (_, i) => [i * 0.2, i * 0.2 + 0.1] as const);
    expect(layoutBars(many, view, 100).length).toBeLessThanOrEqual(100);
  });

  test('are one path', () => {
    expect(barsPath([{ x: 1.234, width: 2 }], 8, 4)).toBe('M1.23 4h2v8h-2z');
  });
});

describe('ticks', () => {
  const at = Date.UTC(2026, 10, 21, 23, 59, 30);

  test('are round times in the zone, and a new day says its date', () => {
    const ticks = layoutTicks('time', { start: at, end: at + 60_000 }, 500, 'UTC');
    expect(ticks.map((tick) => tick.label)).toEqual(['23:59:30', '23:59:45', '11-22', '00:00:15']);
    expect(
      layoutTicks('time', { start: at, end: at + 86_400_000 * 3 }, 300, 'Asia/Kolkata')[0],
    ).toMatchObject({ label: '11-23' });
  });

  test('are round numbers of a sequence; one that is cut off at the edge is left out', () => {
    const ticks = layoutTicks('sequence', { start: 90, end: 5090 }, 430, 'UTC');
    expect(ticks.map((tick) => tick.label)).toEqual(['1,000', '2,000', '3,000', '4,000', '']);
  });

  test('stay apart at any zoom', () => {
    for (let width = 1000; width < 1e12; width *= 3.7) {
      const ticks = layoutTicks('time', { start: at, end: at + width }, 320, 'UTC');
      expect(ticks.length).toBeLessThanOrEqual(4);
    }
  });
});

describe('a position', () => {
  const known: Known = {
    covered: [
      [0, 100],
      [200, 300],
    ],
    backfilled: [[50, 100]],
    voids: [{ start: 100, end: 120, reason: 'evicted' }],
    waived: [[120, 130]],
    gaps: [[130, 200]],
    requested: [[130, 150]],
    abandoned: [[180, 200]],
  };
  test.each([
    [0, 'covered'],
    [50, 'backfilled'],
    [100, 'void'],
    [120, 'waived'],
    [130, 'requested'],
    [150, 'missing'],
    [199, 'abandoned'],
    [200, 'covered'],
    [300, 'none'],
    [-1, 'none'],
  ])('%d is %s', (position, kind) => expect(findAt(known, position).kind).toBe(kind));

  test('comes with its range and reason', () => {
    expect(findAt(known, 110)).toEqual({ kind: 'void', range: [100, 120], reason: 'evicted' });
    expect(findAt(known, 140).range).toEqual([130, 200]);
  });
});

describe('the view', () => {
  const limits = limitsOf('time', 0, 100_000);

  test('zooms around what the pointer is on', () => {
    const closer = zoom({ start: 0, end: 40_000 }, 0.5, 0.25, limits);
    expect(closer).toEqual({ start: 5000, end: 25_000 });
  });

  test('never leaves what there is, and never looks closer than there is to see', () => {
    expect(pan(fit(limits), 5, limits)).toEqual(fit(limits));
    expect(zoom(fit(limits), 100, 0.5, limits)).toEqual(fit(limits));
    expect(widthOf(zoom(fit(limits), 1e-9, 0.5, limits))).toBeCloseTo(1000);
    expect(clamp({ start: 1e9, end: 1e9 + 5000 }, limits).end).toBe(limits.span.end);
  });

  test('goes on showing the newest end, and stays where a person put it', () => {
    const grown = limitsOf('time', 0, 200_000);
    expect(follow(fit(limits), limits, grown)).toEqual(fit(grown));
    expect(follow(newest(limits, 10_000), limits, grown)).toEqual(newest(grown, 10_000));
    const middle = { start: 30_000, end: 40_000 };
    expect(follow(middle, limits, grown)).toEqual(middle);
  });

  test('shows a range with room around it', () => {
    expect(around({ start: 50_000, end: 52_000 }, limits)).toEqual({ start: 47_000, end: 55_000 });
  });
});
