import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { change, closed, openTestSpool, window } from '../testing/open-test-spool.ts';

describe('finding windows by stream and range', () => {
  it('finds all that overlap and no others, by start, whatever their lengths', async () => {
    const ranges = fc.array(fc.tuple(fc.nat(2000), fc.constantFrom(1, 2, 7, 64, 1000)), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(
        ranges,
        fc.nat(2000),
        fc.integer({ min: 1, max: 500 }),
        fc.nat(12),
        async (given, at, length, limit) => {
          const { spool } = await openTestSpool();
          const windows = given.map(([start, size]) => window(start, start + size));
          // Windows that overlap each other: late ones, and answers to backfill.
          const batch = windows.map((each) => {
            const made = closed('a', each, { late: true });
            return { ...made, batch: { ...made.batch, readings: [] } };
          });
          await spool.commitWindows([
            change('a', batch),
            change(
              'b',
              batch.map((each) => ({ ...each, batch: { ...each.batch, batchId: 'b' } })),
            ),
          ]);
          const range = window(at, at + length);
          const expected = windows
            .filter(({ start, end }) => start < range.end && end > range.start)
            .map(({ start }) => start)
            .toSorted((a, b) => a - b)
            .slice(0, limit);
          const found = await spool.find('a', range, limit);
          expect(found.map((each) => each.window.start)).toEqual(expected);
          await spool.close();
        },
      ),
      { numRuns: 60 },
    );
  });
});
