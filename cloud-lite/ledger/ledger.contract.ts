import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { VoidReason } from '../../wire/mini-batch.ts';
import type { Database } from '../database/database.ts';
import { arrive, type ShortArrival, streamAfter } from '../testing/arrivals.ts';
import { emptyDatabase } from '../testing/databases.ts';
import { readCoverage } from './coverage.ts';
import { segmentLimits } from './segment.ts';
import { listStreams, readStreamPage, type StreamView } from './streams.ts';

/** The contract of the ledger, on any database. */
export function ledgerContract(open: () => Database): void {
  describe('the ledger', () => {
    let database: Database;
    beforeAll(() => {
      database = open();
    });
    beforeEach(() => emptyDatabase(database));

    const stream = (...batches: readonly (readonly ShortArrival[])[]) => streamAfter(database, ...batches);

    test("a new stream's first window opens no gap", async () => {
      expect(await stream([{ start: 500, end: 510 }])).toMatchObject({
        first: 500,
        last: 510,
        covered: [[500, 510]],
        gaps: [],
        messages: 1,
      });
    });

    test('windows that touch are one range, and what lies between others is a gap', async () => {
      const windows = [
        { start: 0, end: 10 },
        { start: 10, end: 20 },
        { start: 30, end: 40 },
      ];
      expect(await stream(windows)).toMatchObject({
        covered: [
          [0, 20],
          [30, 40],
        ],
        gaps: [[20, 30]],
        duplicates: 0,
      });
    });

    test('a window that arrives before an older one leaves a gap only until that one comes', async () => {
      expect(await stream([{ start: 20, end: 30 }], [{ start: 0, end: 10 }])).toMatchObject({
        gaps: [[10, 20]],
      });
      expect(await stream([{ start: 10, end: 20 }])).toMatchObject({ gaps: [], covered: [[0, 30]] });
    });

    test.each<[string, readonly (readonly ShortArrival[])[], number]>([
      [
        'the same window in one batch',
        [
          [
            { start: 0, end: 10 },
            { start: 0, end: 10 },
          ],
        ],
        1,
      ],
      ['the same window in two batches', [[{ start: 0, end: 10 }], [{ start: 0, end: 10 }]], 1],
      ['a window nested in an earlier one', [[{ start: 0, end: 10 }], [{ start: 3, end: 5 }]], 1],
      ['a window around an earlier one', [[{ start: 3, end: 5 }], [{ start: 0, end: 10 }]], 0],
      ['an overlap', [[{ start: 0, end: 10 }], [{ start: 5, end: 15 }]], 0],
      [
        'a window covered half by an earlier batch, half by this one',
        [
          [{ start: 0, end: 5 }],
          [
            { start: 5, end: 10 },
            { start: 0, end: 10 },
          ],
        ],
        1,
      ],
      [
        'a void over data',
        [
          [
            { start: 0, end: 10 },
            { start: 0, end: 10, void: 'evicted' },
          ],
        ],
        1,
      ],
      [
        'data over a void',
        [
          [
            { start: 0, end: 10, void: 'evicted' },
            { start: 0, end: 10 },
          ],
        ],
        0,
      ],
      [
        'a void twice',
        [[{ start: 0, end: 10, void: 'evicted' }], [{ start: 0, end: 10, void: 'cancelled' }]],
        1,
      ],
    ])('counts as duplicates: %s', async (_, batches, duplicates) => {
      expect(await stream(...batches)).toMatchObject({ duplicates, messages: batches.flat().length });
    });

    test('counts the readings of what is new', async () => {
      const view = await stream(
        [
          { start: 0, end: 10, readings: 7 },
          { start: 0, end: 10, readings: 7 },
        ],
        [
          { start: 0, end: 10, readings: 7 },
          { start: 5, end: 20, readings: 5 },
        ],
      );
      expect(view.readings).toBe(12);
    });

    test('a void fills a gap and gives its reason; data that comes all the same takes its place', async () => {
      const ends: ShortArrival[] = [
        { start: 0, end: 10 },
        { start: 30, end: 40 },
      ];
      const voids: ShortArrival[] = [
        { start: 10, end: 20, void: 'no-history' },
        { start: 20, end: 30, void: 'evicted' },
      ];
      expect(await stream(ends, voids)).toMatchObject({
        gaps: [],
        voids: [
          { start: 10, end: 20, reason: 'no-history' },
          { start: 20, end: 30, reason: 'evicted' },
        ],
      });
      expect(await stream([{ start: 15, end: 30, backfill: true }])).toMatchObject({
        gaps: [],
        voids: [{ start: 10, end: 15, reason: 'no-history' }],
        covered: [
          [0, 10],
          [15, 40],
        ],
      });
    });

    test('a void beyond the last window extends the span', async () => {
      expect(
        await stream([
          { start: 0, end: 10 },
          { start: 20, end: 30, void: 'evicted' },
        ]),
      ).toMatchObject({
        first: 0,
        last: 30,
        gaps: [[10, 20]],
      });
    });

    test('tells what came as backfill', async () => {
      expect(
        await stream(
          [
            { start: 0, end: 10 },
            { start: 5, end: 15, backfill: true },
          ],
          [{ start: 15, end: 20 }],
        ),
      ).toMatchObject({ covered: [[0, 20]], backfilled: [[10, 15]] });
    });

    test('a window in parts is covered once all have arrived, in any order, over any number of batches', async () => {
      const part = (k: number): ShortArrival => ({ start: 10, end: 20, part: [k, 3] });
      expect(
        await stream([{ start: 0, end: 10 }, part(3)], [part(1), part(1), { start: 20, end: 30 }]),
      ).toMatchObject({
        gaps: [[10, 20]],
        pendingParts: 2,
        duplicates: 1,
      });
      expect(await stream([part(2)])).toMatchObject({ covered: [[0, 30]], pendingParts: 0 });
      expect(await stream([part(2)])).toMatchObject({ duplicates: 2, pendingParts: 0, messages: 7 });
    });

    test('parts of different encodings of a window do not complete each other', async () => {
      const part = (k: number, requestId?: string): ShortArrival => ({
        start: 0,
        end: 10,
        part: [k, 2],
        ...(requestId === undefined ? {} : { requestId }),
      });
      expect(await stream([part(1)], [part(2, 'r1')], [part(1, 'r2')])).toMatchObject({
        covered: [],
        pendingParts: 3,
      });
      expect(await stream([part(1, 'r1')])).toMatchObject({ covered: [[0, 10]], pendingParts: 0 });
    });

    test('parts wait for nothing once their window arrived whole', async () => {
      expect(await stream([{ start: 0, end: 10, part: [1, 2] }], [{ start: 0, end: 30 }])).toMatchObject({
        pendingParts: 0,
        covered: [[0, 30]],
      });
    });

    test('keeps streams of the same name apart by device', async () => {
      await arrive(database, [
        { device: 'a', start: 0, end: 10 },
        { device: 'b', start: 90, end: 99 },
        { device: 'a', stream: 'other', start: 5, end: 6 },
      ]);
      expect(await listStreams(database, { limit: 10, deviceId: 'a' })).toMatchObject([
        { batchId: 's', covered: [[0, 10]] },
        { batchId: 'other', covered: [[5, 6]] },
      ]);
    });

    test('holds the whole range of an index', async () => {
      const far = Number.MAX_SAFE_INTEGER;
      expect(
        await stream([
          { start: -far, end: 0 },
          { start: 1, end: far },
        ]),
      ).toMatchObject({
        first: -far,
        last: far,
        gaps: [[0, 1]],
      });
    });

    test('a stream of many holes keeps a small row of its own, and knows its past as before', async () => {
      const holes = 2000;
      const at = (hole: number) => ({ start: hole * 100, end: hole * 100 + 60 });
      const void_ = (hole: number, reason: VoidReason) =>
        ({ start: hole * 100 + 60, end: hole * 100 + 100, void: reason }) as const;
      for (let hole = 0; hole < holes; hole += 100) {
        const list = Array.from({ length: 100 }, (_, i) => hole + i);
        // One hole in ten is left open.
        await arrive(
          database,
          list.flatMap((n) => [at(n), ...(n % 10 === 0 ? [] : [void_(n, n % 2 ? 'evicted' : 'no-history')])]),
        );
      }
      const [own] = await database.query<{ ranges: number; rows: number }>(
        `select (select count(*) from unnest(covered)) + (select count(*) from unnest(voided)) as ranges,
                (select count(*) from stream_archive) as rows from stream`,
      );
      expect(own!.ranges).toBeLessThanOrEqual(segmentLimits.most + 3);
      expect(own!.rows).toBeGreaterThan(10);
      const before = await stream();
      expect(before).toMatchObject({ first: 0, last: holes * 100, messages: 3800, duplicates: 0 });
      expect(before.lengths).toEqual({ covered: 120_000, missing: 8000, excused: 72_000 });

      // For the past: again, the open holes, data where a void was, a window over many segments, and before all of it.
      expect(await stream([at(3), void_(5, 'evicted')])).toMatchObject({ duplicates: 2 });
      await arrive(database, [
        { start: 60, end: 100, backfill: true },
        { start: 160, end: 180 },
      ]);
      const after = await stream([{ start: 50_000, end: 100_000 }], [{ start: -500, end: -400 }]);
      expect(after).toMatchObject({ first: -500, last: holes * 100, duplicates: 2, messages: 3806 });
      expect(after.lengths).toEqual({
        covered: 120_000 + 40 + 20 + 20_000 + 100,
        missing: 8000 - 40 - 50 * 40 + 400,
        excused: 72_000 - 20 - 450 * 40,
      });
      const { covered, gaps, voids } = (await readCoverage(database, after.id, { start: -500, end: 1100 }))!;
      expect(covered.slice(0, 4)).toEqual([
        [-500, -400],
        [0, 180],
        [200, 260],
        [300, 360],
      ]);
      expect(gaps).toEqual([
        [-400, 0],
        [1060, 1100],
      ]);
      expect(voids.slice(0, 2)).toEqual([
        { start: 180, end: 200, reason: 'evicted' },
        { start: 260, end: 300, reason: 'no-history' },
      ]);
    });

    test('a page of streams ends early where they have many ranges, and shows the newest of each', async () => {
      await database.query(
        `insert into stream (device_id, module_id, batch_id, index_kind, span, covered, messages, created_at, last_arrival_at)
         select 'd', 'm', 's' || n, 'sequence', '[10, 30005)',
                (select range_agg(int8range(i * 10, i * 10 + 5)) from generate_series(1, 3000) i), 1, 0, 0
           from generate_series(1, 30) n`,
      );
      const seen: StreamView[] = [];
      for (let isWhole = false, after = 0; !isWhole; ) {
        const page = await readStreamPage(database, { after, limit: 1000 });
        const ranges = page.streams.reduce((sum, { covered, gaps }) => sum + covered.length + gaps.length, 0);
        expect(ranges).toBeLessThanOrEqual(50_000);
        expect(page.streams.length).toBeGreaterThan(0);
        seen.push(...page.streams);
        after = page.streams[page.streams.length - 1]!.id;
        isWhole = page.isWhole;
      }
      expect(seen.map(({ batchId }) => batchId)).toEqual(Array.from({ length: 30 }, (_, n) => `s${n + 1}`));
      const [stream] = seen;
      expect(stream).toMatchObject({ first: 10, last: 30_005, truncated: true });
      expect(stream!.lengths).toEqual({ covered: 15_000, missing: 14_995, excused: 0 });
      expect(stream!.covered.length).toBe(2000);
      expect([stream!.covered[0], stream!.covered[1999]]).toEqual([
        [10_010, 10_015],
        [30_000, 30_005],
      ]);
      expect(await readStreamPage(database, { limit: 3 })).toMatchObject({
        isWhole: false,
        streams: { length: 3 },
      });
    });
  });
}
