import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { seededRandom } from '../../kernel/random.ts';
import type { Database } from '../database/database.ts';
import { markRead } from '../ingest/checkpoint.ts';
import { requestRange, waiveRange } from '../repair/actions.ts';
import type { RepairLimits } from '../repair/decide.ts';
import { backfillPayload } from '../repair/repairer.ts';
import { claim, sweep } from '../repair/sweep.ts';
import { arrive, type ShortArrival, streamAfter } from '../testing/arrivals.ts';
import { emptyDatabase } from '../testing/databases.ts';
import { at, IngestRig, noon, second } from '../testing/ingest-rig.ts';
import { listAudit } from './audit.ts';
import { readCoverage } from './coverage.ts';
import { readFleet } from './fleet.ts';
import { judgeFleet } from './fleet-judgement.ts';
import { listStreams } from './streams.ts';
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

/** Which evidence each statement of the ledger needs, on any database. */
export function evidenceContract(open: () => Database): void {
  describe('messages that cover nothing', () => {
    let database: Database;
    beforeAll(() => {
      database = open();
    });
    beforeEach(() => emptyDatabase(database));

    const stream = (...batches: readonly (readonly ShortArrival[])[]) => streamAfter(database, ...batches);
    const state = async () => {
      const selection = {
        order: 'worst',
        offset: 0,
        limit: 10,
        period: everything,
        now: 0,
        silenceMs: 300_000,
      } as const;
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

      test('cover nothing, however wide the range that their message states', async () => {
        const rig = new IngestRig(() => database);
        await rig.begin();
        const wide = { ...at(-54.5 * second, -14.499 * second), isBackfill: 'true', isLate: 'true' };
        const live = [-60, -20, -10].map((start) => at(start * second));
        await rig.send(...live, { ...wide, count: '2', lateNumber: '1' });
        const lost = [noon - 50 * second, noon - 20 * second];
        expect(await rig.stream()).toMatchObject({
          gaps: [lost],
          lengths: { covered: 30 * second, missing: 30 * second },
          readings: 5,
        });
        expect(await rig.asked()).toEqual([lost]);
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
        expect(await readSummary(database, 0)).toMatchObject({
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

      test('of which one is lost between others are missed, asked for by number, and whole once they came', async () => {
        expect(await stream([{ start: 0, end: 10 }, late(1), late(4)])).toMatchObject({
          gaps: [],
          late: { arrived: 2, missing: 2 },
        });
        expect(await asked()).toEqual([{ batchId: 's', lateNumber: '2', lateThrough: '3' }]);
        expect(await state()).toBe('repairing');
        expect(await readSummary(database, 0)).toMatchObject({ streamsWithGaps: 1, openGaps: 1 });
        expect(await stream([{ ...late(2), requestId: 'r' }, late(3)])).toMatchObject({
          late: { missing: 0 },
        });
        await sweep(database, seededRandom(1), 20_000, limits);
        expect(await state()).toBe('whole');
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
        expect(await state()).toBe('lost');
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

    describe('a range that a person requests', () => {
      const ask = async (start: number, end: number, now = 5000) => {
        const { id } = await stream();
        return requestRange(database, seededRandom(now), limits, id, { start, end }, now);
      };

      test('is cut to what the stream was observed to be', async () => {
        await stream([
          { start: 100, end: 110 },
          { start: 120, end: 130 },
        ]);
        expect(await ask(0, 1000)).toMatchObject({ kind: 'done', ranges: [{ start: 110, end: 120 }] });
        expect(await ask(0, 100)).toMatchObject({ kind: 'conflict' });
        expect(await ask(130, 1000)).toMatchObject({ kind: 'conflict' });
        expect(await stream()).toMatchObject({ first: 100, last: 130, voids: [] });
      });

      test('may be what was void for want of a history, or cancelled; nothing else that is void', async () => {
        await stream([
          { start: 0, end: 10 },
          { start: 10, end: 20, void: 'no-history' },
          { start: 20, end: 30, void: 'cancelled' },
          { start: 30, end: 40, void: 'evicted' },
          { start: 35, end: 45, void: 'no-history' },
          { start: 45, end: 50 },
        ]);
        expect(await ask(5, 50)).toMatchObject({
          kind: 'done',
          ranges: [
            { start: 10, end: 30 },
            { start: 40, end: 45 },
          ],
        });
        const reopened = await stream();
        expect(reopened).toMatchObject({
          gaps: [
            [10, 30],
            [40, 45],
          ],
          openRequests: 2,
        });
        expect(reopened.voids).toEqual([
          { start: 30, end: 40, reason: 'evicted' },
          { start: 35, end: 40, reason: 'no-history' },
        ]);
        const audit = await listAudit(database, { limit: 10 });
        expect(audit.map(({ event, cause }) => [event, cause])).toContainEqual([
          'reopened',
          '{[10,30),[40,45)}: was void, and a person asks for it again',
        ]);
        // It may end as it was, or better.
        expect(
          await stream([
            { start: 10, end: 25, requestId: 'r' },
            { start: 25, end: 30, void: 'no-history' },
          ]),
        ).toMatchObject({ gaps: [[40, 45]] });
      });

      test('may be void in the archive of a stream', async () => {
        const many = Array.from({ length: 600 }, (_, n): ShortArrival[] => [
          { start: n * 10, end: n * 10 + 5 },
          { start: n * 10 + 5, end: n * 10 + 10, void: 'no-history' },
        ]);
        await stream(many.flat());
        expect(await ask(100, 120)).toMatchObject({
          ranges: [
            { start: 105, end: 110 },
            { start: 115, end: 120 },
          ],
        });
        expect(await stream()).toMatchObject({ lengths: { missing: 10, excused: 598 * 5 } });
      });

      test('ends now, and so does what a person waives: of what is still to come nothing is lost', async () => {
        const { id } = await stream([
          { start: 0, end: 10, index: 'time' },
          { start: 9000, end: 9010, index: 'time' },
        ]);
        expect(await ask(0, 9000)).toMatchObject({ kind: 'done', ranges: [{ start: 10, end: 5000 }] });
        expect(await ask(5000, 9000)).toMatchObject({ kind: 'conflict' });
        const waive = (end: number) =>
          waiveRange(database, id, { start: 4000, end }, 'nobody was there', 6000);
        expect(await waive(9000)).toMatchObject({ kind: 'done', ranges: [{ start: 4000, end: 6000 }] });
        expect(await waive(9000)).toMatchObject({ kind: 'conflict' });
        expect((await stream()).gaps).toEqual([
          [10, 4000],
          [6000, 9000],
        ]);
      });

      test('and waives meanwhile, is closed by the waiver, and the audit says so', async () => {
        const { id } = await stream([
          { start: 0, end: 10 },
          { start: 20, end: 30 },
        ]);
        await ask(10, 20);
        await waiveRange(database, id, { start: 10, end: 20 }, 'nobody was there', 6000);
        await sweep(database, seededRandom(1), 7000, limits);
        const audit = await listAudit(database, { limit: 10 });
        const ended = audit.find(({ subject, event }) => subject === 'request' && event === 'closed');
        expect(ended?.cause).toBe('nothing is missing, part of it was waived');
      });
    });

    describe('complete', () => {
      const hour = 3_600_000;
      const partition = { hub: 'h', consumerGroup: 'g', partitionId: '0' };
      const send = (start: number, end: number) =>
        arrive(database, [{ start, end, index: 'time' }], end, '0');
      const day = { start: 0, end: 24 * hour };
      const cover = async (period = day) => (await readCoverage(database, (await stream()).id, period))!;

      test('is not what ended after an hour of the day, as far as it is known that nothing came', async () => {
        await send(0, hour);
        await markRead(database, partition, 24 * hour);
        expect(await cover()).toMatchObject({
          lengths: { covered: hour, missing: 0, excused: 0 },
          unheard: 23 * hour,
          delivered: 1 / 24,
          accounted: 1 / 24,
        });
        expect((await cover({ start: 0, end: 2 * hour })).delivered).toBe(1 / 2);
        expect((await cover({ start: 0, end: 100 * hour })).delivered).toBe(1 / 24);
        expect(await cover({ start: 5 * hour, end: 6 * hour })).toMatchObject({
          delivered: 0,
          unheard: hour,
        });
        expect(await stream()).toMatchObject({ unheard: 23 * hour });
        const query = {
          order: 'name',
          offset: 0,
          limit: 1,
          cells: 10,
          period: day,
          now: 24 * hour,
          silenceMs: 300_000,
        } as const;
        expect((await readFleet(database, query)).streams).toMatchObject([{ unheard: 23 * hour }]);
      });

      test('is what has come while the partition is not read any further', async () => {
        await send(0, hour);
        await markRead(database, partition, hour);
        expect(await cover()).toMatchObject({ unheard: 0, delivered: 1 });
      });

      test('is what has come while the next window may still be open', async () => {
        await send(0, hour);
        await markRead(database, partition, hour + 100_000);
        expect(await cover()).toMatchObject({ unheard: 0, delivered: 1 });
      });

      test('waits for no record: their numbers have no time', async () => {
        await arrive(database, [{ start: 0, end: 10 }], 0, '0');
        await markRead(database, partition, hour);
        expect(await cover()).toMatchObject({ unheard: 0, delivered: 1 });
      });
    });
  });
}
