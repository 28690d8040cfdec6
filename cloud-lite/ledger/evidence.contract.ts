import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { seededRandom } from '../../kernel/random.ts';
import type { Database } from '../database/database.ts';
import type { RepairLimits } from '../repair/decide.ts';
import { backfillPayload } from '../repair/repairer.ts';
import { claim, sweep } from '../repair/sweep.ts';
import { arrive, type ShortArrival } from '../testing/arrivals.ts';
import { emptyDatabase } from '../testing/databases.ts';
import { judgeFleet } from './fleet-judgement.ts';
import { listStreams, type StreamView } from './streams.ts';
import { readSummary } from './summary.ts';

const limits: RepairLimits = {
  detectionDelayMs: 1000,
  expiryMs: 3_600_000,
  maxAttempts: 3,
  retryMs: 30_000,
  maxRange: { time: 3_600_000, sequence: 1000 },
  maxActivePerDevice: 4,
  maxActive: 6,
};
const everything = { start: Number.MIN_SAFE_INTEGER, end: Number.MAX_SAFE_INTEGER };

/** What the ledger may say on what evidence, on any database. */
export function evidenceContract(open: () => Database): void {
  describe('what covers nothing', () => {
    let database: Database;
    beforeAll(() => {
      database = open();
    });
    beforeEach(() => emptyDatabase(database));

    const stream = async (...batches: readonly (readonly ShortArrival[])[]): Promise<StreamView> => {
      for (const batch of batches) await arrive(database, batch);
      return (await listStreams(database, { limit: 10 }))[0]!;
    };
    const state = async () => {
      const selection = { order: 'worst', offset: 0, limit: 10, period: everything } as const;
      return (await judgeFleet(database, selection)).page[0]?.state;
    };
    /** Two looks, a detection delay apart; what is asked for after them. */
    const asked = async (from = 10_000) => {
      for (const now of [from, from + 1000]) await sweep(database, seededRandom(now), now, limits);
      const due = await claim(database, from + 1000, 10, limits);
      return due.map((request) => {
        const { requestId: _, ...payload } = backfillPayload(request);
        return payload;
      });
    };

    describe('late windows', () => {
      const late = (number: number, readings = 1): ShortArrival => ({
        start: 0,
        end: 0,
        late: number,
        readings,
      });

      test('hide no live window that is lost: the gaps are all there, and asked for', async () => {
        const ten = (n: number): ShortArrival => ({ start: n * 10, end: n * 10 + 10 });
        const view = await stream([ten(0), ten(1), late(1, 2), ten(5)]);
        expect(view).toMatchObject({
          covered: [
            [0, 20],
            [50, 60],
          ],
          gaps: [[20, 50]],
          readings: 5,
          messages: 4,
        });
        expect(await asked()).toEqual([{ batchId: 's', startWindow: '20', endWindow: '50' }]);
      });

      test('add their readings once, however often they come', async () => {
        const view = await stream([late(1, 5), late(1, 5)], [late(1, 5), late(2, 3), { start: 0, end: 10 }]);
        expect(view).toMatchObject({
          readings: 9,
          messages: 5,
          duplicates: 2,
          covered: [[0, 10]],
          late: { arrived: 2, missing: 0 },
        });
        expect(await readSummary(database)).toMatchObject({
          streams: 1,
          messages: 5,
          readings: 9,
          duplicates: 2,
        });
      });

      test('in parts add their readings, and have arrived once all parts have', async () => {
        const part = (k: number, set: string): ShortArrival => ({ ...late(1, 4), part: [k, 2, set] });
        expect(await stream([part(1, 'a'), part(2, 'b')])).toMatchObject({
          readings: 8,
          pendingParts: 2,
          late: { arrived: 0, missing: 1 },
        });
        expect(await stream([part(2, 'a')])).toMatchObject({ pendingParts: 0, late: { arrived: 1 } });
      });

      test('of which one is lost between others are missed, asked for by number, and healthy once they came', async () => {
        expect(await stream([{ start: 0, end: 10 }, late(1), late(4)])).toMatchObject({
          gaps: [],
          late: { arrived: 2, missing: 2 },
        });
        expect(await asked()).toEqual([{ batchId: 's', lateNumber: '2', lateThrough: '3' }]);
        expect(await state()).toBe('repairing');
        expect(await readSummary(database)).toMatchObject({ streamsWithGaps: 1, openGaps: 1 });
        expect(await stream([{ ...late(2), requestId: 'r' }, late(3)])).toMatchObject({
          late: { missing: 0 },
        });
        await sweep(database, seededRandom(1), 20_000, limits);
        expect(await state()).toBe('healthy');
      });

      test('of which the last is lost are missed by what later windows say', async () => {
        expect(await stream([{ start: 0, end: 10 }, late(1)])).toMatchObject({ late: { missing: 0 } });
        expect(await stream([{ start: 10, end: 20, lateThrough: 3 }])).toMatchObject({
          late: { missing: 2 },
        });
        expect(await asked()).toEqual([{ batchId: 's', lateNumber: '2', lateThrough: '3' }]);
      });

      test('of which all are lost are missed by what later windows say', async () => {
        expect(await stream([{ start: 0, end: 10, lateThrough: 1 }])).toMatchObject({
          messages: 1,
          late: { arrived: 0, missing: 1 },
        });
        expect(await asked()).toEqual([{ batchId: 's', lateNumber: '1', lateThrough: '1' }]);
      });

      test('that are declared lost are excused, and void nothing of the stream', async () => {
        const view = await stream([
          { start: 0, end: 10 },
          { ...late(2), void: 'evicted' },
          { start: 20, end: 30, lateThrough: 2 },
        ]);
        expect(view).toMatchObject({
          voids: [],
          gaps: [[10, 20]],
          late: { arrived: 0, missing: 1, excused: 1 },
        });
        await stream([late(1), { start: 10, end: 20 }]);
        expect(await state()).toBe('lossy');
      });

      test('are the first of a stream that has no window yet, and show it', async () => {
        expect(await stream([late(1, 3)])).toMatchObject({
          covered: [],
          first: null,
          messages: 1,
          readings: 3,
        });
        expect((await listStreams(database, { limit: 10 })).length).toBe(1);
      });
    });

    describe('windows known by some of their parts alone', () => {
      const part = (start: number, k: number, n = 2, set?: string): ShortArrival => {
        const which = set === undefined ? ([k, n] as const) : ([k, n, set] as const);
        return { start, end: start + 10, part: which };
      };

      test('are missing and asked for, whole windows between them or not', async () => {
        const view = await stream([0, 10, 20, 30, 40].map((start) => part(start, 1)));
        expect(view).toMatchObject({ first: 0, last: 50, covered: [], gaps: [[0, 50]], pendingParts: 5 });
        expect(await asked()).toEqual([{ batchId: 's', startWindow: '0', endWindow: '50' }]);
        expect(await state()).toBe('repairing');
      });

      test('are missing at the end of the stream', async () => {
        expect(await stream([{ start: 0, end: 10 }, part(10, 1)])).toMatchObject({
          gaps: [[10, 20]],
          last: 20,
        });
        expect(await asked()).toEqual([{ batchId: 's', startWindow: '10', endWindow: '20' }]);
        expect(await stream([part(10, 2)])).toMatchObject({ gaps: [], covered: [[0, 20]], pendingParts: 0 });
      });

      test('stay missing when their parts were forgotten', async () => {
        await stream([{ start: 0, end: 10 }, part(10, 1)]);
        await database.query('delete from pending_part');
        expect(await stream([{ start: 0, end: 10 }])).toMatchObject({ gaps: [[10, 20]] });
      });

      test('before what the stream began with, and in its archive, too', async () => {
        const many = Array.from(
          { length: 600 },
          (_, n): ShortArrival => ({ start: n * 10, end: n * 10 + 5 }),
        );
        await stream(many);
        expect(await stream([part(-20, 1)])).toMatchObject({
          first: -20,
          lengths: { missing: 599 * 5 + 20 },
        });
        expect(await stream([part(-20, 2)])).toMatchObject({ lengths: { missing: 599 * 5 + 10 } });
      });

      test('are not completed by parts of another encoding, though the request is the same', async () => {
        const answer = (k: number, set: string): ShortArrival => ({ ...part(0, k, 2, set), requestId: 'r1' });
        expect(await stream([answer(1, 'first'), answer(2, 'second')])).toMatchObject({
          covered: [],
          pendingParts: 2,
          gaps: [[0, 10]],
        });
        expect(await stream([answer(1, 'second')])).toMatchObject({ covered: [[0, 10]], pendingParts: 0 });
      });

      test('are completed by parts of the same encoding, whatever brings them', async () => {
        expect(
          await stream([part(0, 1, 2, 'x')], [{ ...part(0, 2, 2, 'x'), requestId: 'r1' }]),
        ).toMatchObject({
          covered: [[0, 10]],
          pendingParts: 0,
        });
      });
    });
  });
}
