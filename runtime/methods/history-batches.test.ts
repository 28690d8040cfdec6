import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Reading } from '../../wire/reading.ts';
import { cutIntoBatches } from './history-batches.ts';

const part = { batchId: 'press', index: 'time' as const };
const limits = { windowMs: 100, windowBytes: 10_000 };
const reading = (index: number, value: Reading['value'] = 1): Reading => ({
  index,
  tag: 't',
  value,
  quality: 'good',
});

test('a page without readings is one verified-empty window', () => {
  const window = { start: 0, end: 1_000_000 };
  expect(cutIntoBatches({ ...part, window, readings: [] }, limits)).toEqual([
    { ...part, window, readings: [] },
  ]);
});

test('windows are cut by age and by size', () => {
  const window = { start: 0, end: 1_000 };
  const readings = Array.from({ length: 100 }, (_, i) => reading(i * 10));
  const byAge = cutIntoBatches({ ...part, window, readings }, limits);
  expect(byAge).toHaveLength(10);
  const bySize = cutIntoBatches({ ...part, window, readings }, { windowMs: 1e9, windowBytes: 500 });
  expect(bySize.length).toBeGreaterThan(5);
});

test('a sequence has no age', () => {
  const readings = Array.from({ length: 100 }, (_, i) => reading(i * 10));
  const cut = cutIntoBatches(
    { ...part, index: 'sequence', window: { start: 0, end: 1_000 }, readings },
    limits,
  );
  expect(cut).toHaveLength(1);
});

test('however it is cut: the windows touch and fill the page, each reading is in its own, none is parted', () => {
  const readingArbitrary = fc
    .tuple(
      fc.integer({ min: -20, max: 620 }),
      fc.oneof(fc.integer(), fc.string({ maxLength: 300 }), fc.constant(null)),
    )
    .map(([index, value]) => reading(index, value));
  fc.assert(
    fc.property(
      fc.array(readingArbitrary, { maxLength: 200 }),
      fc.integer({ min: 1, max: 700 }),
      fc.integer({ min: 1, max: 3_000 }),
      (readings, windowMs, windowBytes) => {
        const window = { start: 0, end: 600 };
        const batches = cutIntoBatches({ ...part, window, readings }, { windowMs, windowBytes });
        expect(batches[0]?.window.start).toBe(0);
        expect(batches.at(-1)?.window.end).toBe(600);
        for (const [i, batch] of batches.entries()) {
          expect(batch.window.start).toBeLessThan(batch.window.end);
          if (i > 0) expect(batch.window.start).toBe(batches[i - 1]?.window.end);
          for (const { index } of batch.readings) {
            expect(index).toBeGreaterThanOrEqual(batch.window.start);
            expect(index).toBeLessThan(batch.window.end);
          }
        }
        const wanted = readings.filter(({ index }) => index >= 0 && index < 600);
        const got = batches.flatMap((batch) => batch.readings);
        expect(got).toHaveLength(wanted.length);
        expect(new Set(got)).toEqual(new Set(wanted));
      },
    ),
  );
});
