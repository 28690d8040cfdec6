import { describe, expect, test } from 'vitest';
import { drawStrip, type Layers } from './strip.ts';

const none: Layers = { covered: [], backfilled: [], void: [], requested: [], missing: [] };
const period = { start: 1000, end: 2000 };

describe('a strip', () => {
  test('shows nothing where nothing is known', () => {
    expect(drawStrip(none, period, 5)).toBe('.....');
  });

  test('lays each kind over those that are better', () => {
    const layers = {
      covered: [{ start: 0, end: 1900 }],
      backfilled: [{ start: 1100, end: 1200 }],
      void: [{ start: 1300, end: 1400 }],
      missing: [{ start: 1500, end: 1800 }],
      requested: [{ start: 1500, end: 1600 }],
    };
    expect(drawStrip(layers, period, 10)).toBe('cbcvcrmmc.');
  });

  test('never loses a hole that is shorter than a cell', () => {
    const layers = {
      ...none,
      covered: [
        { start: 1000, end: 1501 },
        { start: 1502, end: 2000 },
      ],
      missing: [{ start: 1501, end: 1502 }],
    };
    expect(drawStrip(layers, period, 4)).toBe('ccmc');
  });

  test('cuts what reaches beyond the period', () => {
    expect(drawStrip({ ...none, missing: [{ start: -5, end: 9999 }] }, period, 3)).toBe('mmm');
    expect(drawStrip({ ...none, missing: [{ start: 0, end: 1000 }] }, period, 3)).toBe('...');
  });
});
