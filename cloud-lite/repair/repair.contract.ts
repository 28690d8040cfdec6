import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { seededRandom } from '../../kernel/random.ts';
import type { Database } from '../database/database.ts';
import { listAlerts } from '../health/alerts.ts';
import { markRead } from '../ingest/checkpoint.ts';
import { answeringOtherwise, poison } from '../testing/answering-otherwise.ts';
import { arrive as arriveAt, type ShortArrival } from '../testing/arrivals.ts';
import {
  type Answer,
  accepted,
  answered,
  hole,
  limits,
  offline,
  RepairRig,
  takesAndSaysDone,
  takesAndWorks,
} from '../testing/repair-rig.ts';
import { listGaps } from './gap-views.ts';
import type { MethodOutcome } from './hub-methods.ts';
import { sweep } from './sweep.ts';

/** The contract of repair, on any database. */
export function repairContract(open: () => Database): void {
  describe('repair', { timeout: 60_000 }, () => {
    let rig: RepairRig;
    beforeAll(() => {
      rig = new RepairRig(open());
    });
    beforeEach(() => rig.begin());
    afterEach(() => {
      // What went wrong inside is expected by one test alone, which takes it away.
      expect(rig.errors).toEqual([]);
    });
    const arrive = (...list: readonly ShortArrival[]) => rig.arrive(...list);
    const live = (...args: Parameters<RepairRig['live']>) => rig.live(...args);
    const asks = () => rig.asks();
    const requests = () => rig.requests();
    const states = () => rig.states();
    const stream = () => rig.stream();

    test('what is only late is never found and never asked for', async () => {
      await arrive(...hole);
      await live(20_000);
      await arrive({ start: 10, end: 50 });
      await live(60_000);
      expect(rig.calls).toEqual([]);
      expect(await stream()).toMatchObject({ gapsFound: 0, gapsClosed: 0, gaps: [] });
    });

    test('a gap is asked for after the detection delay, and closed by the answer', async () => {
      await arrive(...hole);
      await live(60_000);
      expect(rig.calls[0]).toMatchObject({
        method: 'backfill',
        device: 'd',
        payload: { batchId: 's', startWindow: '10', endWindow: '50' },
      });
      expect(asks()).toEqual([[10, 50]]);
      const { requestId } = rig.calls[0]!.payload;
      await arrive({ start: 10, end: 50, requestId: requestId! });
      await live(10_000);
      expect(await requests()).toMatchObject([{ requestId, state: 'closed', attempt: 1 }]);
      expect(await stream()).toMatchObject({ gapsFound: 1, gapsClosed: 1, openRequests: 0 });
    });

    test('a request part of which is void ends as partly void', async () => {
      await arrive(...hole);
      await live(40_000);
      await arrive({ start: 10, end: 30, void: 'no-history' }, { start: 30, end: 50 });
      await live(10_000);
      expect(await states()).toEqual(['partly-void']);
      const lost = { lost: [{ reason: 'no-history', length: 20 }], lostLength: 20 };
      expect(await requests()).toMatchObject([lost]);
      expect(await listGaps(rig.database, { limit: 9 })).toMatchObject([{ state: 'closed', ...lost }]);
    });

    test('a range that is lost whole says so, by reason; what came in spite of that is not lost', async () => {
      await arrive(...hole);
      await live(40_000);
      await arrive({ start: 10, end: 30, void: 'no-history' }, { start: 30, end: 50, void: 'evicted' });
      await live(10_000);
      const reasons = [
        { reason: 'evicted', length: 20 },
        { reason: 'no-history', length: 20 },
      ];
      expect(await requests()).toMatchObject([{ start: 10, end: 50, lost: reasons, lostLength: 40 }]);
      await arrive({ start: 30, end: 50, backfill: true });
      expect(await requests()).toMatchObject([{ lost: [reasons[1]], lostLength: 20 }]);
    });

    test('asks in pieces no wider than the limit, two until something comes, then a few at a time', async () => {
      await arrive({ start: 0, end: 10 }, { start: 9000, end: 9010 });
      await live(60_000);
      expect(asks()).toEqual([
        [10, 1010],
        [1010, 2010],
      ]);
      await arrive({ start: 10, end: 2010, backfill: true });
      await live(10_000);
      expect(asks().slice(2)).toEqual([
        [2010, 3010],
        [3010, 4010],
        [4010, 5010],
        [5010, 6010],
      ]);
    });

    test('a fleet that comes back is not asked all at once', async () => {
      for (const device of ['a', 'b', 'c', 'd']) {
        await arrive({ device, start: 0, end: 10 }, { device, start: 5000, end: 5010 });
      }
      await live(60_000);
      expect(asks()).toHaveLength(limits.maxActive);
      const perDevice = Map.groupBy(
        rig.calls.filter((call) => call.method === 'backfill'),
        (call) => call.device,
      );
      for (const list of perDevice.values())
        expect(list.length).toBeLessThanOrEqual(limits.maxActivePerDevice);
    });

    test('a device that cannot be reached is waited for without using up attempts, and more and more rarely', async () => {
      rig.answer = () => offline;
      await arrive(...hole);
      await live(7_200_000, 120_000);
      expect(asks().length).toBeGreaterThan(8);
      expect(asks().length).toBeLessThan(60);
      expect(await requests()).toMatchObject([
        { state: 'pending', attempt: 1, unreachable: true, answer: 'offline' },
      ]);
      rig.answer = () => accepted;
      const before = rig.calls.length;
      // It is heard of again: no need to wait for the next turn.
      await arrive({ start: 60, end: 70 });
      await live(15_000);
      expect(rig.calls.length).toBeGreaterThan(before);
      expect(await states()).toEqual(['accepted']);
    });

    test('what came in while the device was away is not asked for', async () => {
      rig.answer = () => offline;
      await arrive(...hole);
      await live(40_000);
      rig.answer = () => accepted;
      await arrive({ start: 10, end: 40 });
      rig.calls.length = 0;
      await live(60_000);
      expect(asks()).toEqual([[40, 50]]);
    });

    test.each<[string, MethodOutcome]>([
      ['429, too many jobs', answered(429)],
      ['503, stopping', answered(503)],
      ["the hub's throttling", { kind: 'throttled', detail: 'slow down', retryAfterMs: 20_000 }],
      ["the hub's refusal of our key", { kind: 'unauthorised', detail: '401' }],
      ['a hub that fails', { kind: 'hub-failed', detail: '500' }],
    ])('is no attempt: %s', async (_, outcome) => {
      let failures = 4;
      rig.answer = () => (failures-- > 0 ? outcome : accepted);
      await arrive(...hole);
      await live(300_000);
      expect(await requests()).toMatchObject([{ state: 'accepted', attempt: 1 }]);
    });

    test.each([404, 500])(
      'a module that answers %i to each call is asked again and again, for as long as three attempts may take',
      async (status) => {
        rig.answer = () => answered(status, 'out of order');
        await arrive(...hole);
        await live(3 * limits.expiryMs - 300_000, 300_000);
        expect(await requests()).toMatchObject([{ state: 'pending', attempt: 3 }]);
        expect(asks().length).toBeLessThan(150);
        await live(1_800_000, 300_000);
        expect(await requests()).toMatchObject([{ state: 'abandoned', attempt: 3 }]);
        expect(await stream()).toMatchObject({ gaps: [[10, 50]], abandoned: [[10, 50]], openRequests: 0 });
      },
    );

    const deep = JSON.parse(`${'['.repeat(20_000)}${']'.repeat(20_000)}`);
    test.each<[string, Answer, RegExp]>([
      [
        'answers deeper than can be written',
        () => answered(404, deep),
        /^the module answered 404: .{1,300}$/,
      ],
      ['throws', () => Promise.reject(new TypeError('boom')), /^the call failed: boom$/],
    ])('a call that %s counts as declined, and ends in time with its reason', async (_, answer, reason) => {
      rig.answer = answer;
      await arrive(...hole);
      await live(300_000, 60_000);
      expect(await requests()).toMatchObject([
        { state: 'pending', attempt: 1, answer: expect.stringMatching(reason) },
      ]);
      await live(3.5 * limits.expiryMs, 300_000);
      expect(await requests()).toMatchObject([{ state: 'abandoned', attempt: limits.maxAttempts }]);
      rig.errors.length = 0;
    });

    test('a call for an accepted request that throws is repeated, until it expires', async () => {
      rig.answer = ({ method }) => (method === 'backfill' ? accepted : Promise.reject(new Error('boom')));
      await arrive(...hole);
      await live(300_000, 60_000);
      expect(await requests()).toMatchObject([{ state: 'accepted', answer: 'the call failed: boom' }]);
      await live(limits.expiryMs, 300_000);
      expect(await states()).toContain('expired');
      rig.errors.length = 0;
    });

    test.each([1000.5, Number.NaN])('a hub that says to wait %d ms is asked again', async (retryAfterMs) => {
      let failures = 2;
      rig.answer = () =>
        failures-- > 0 ? { kind: 'throttled', detail: 'slow down', retryAfterMs } : accepted;
      await arrive(...hole);
      await live(300_000, 60_000);
      expect(rig.errors).toEqual([]);
      expect(await requests()).toMatchObject([{ state: 'accepted', attempt: 1 }]);
    });

    test('a refused request is not repeated', async () => {
      rig.answer = () => answered(400, [{ field: 'batchId', problem: 'unknown' }]);
      await arrive(...hole);
      await live(300_000, 10_000);
      expect(asks()).toHaveLength(1);
      expect(await states()).toEqual(['abandoned']);
      expect(await listAlerts(rig.database, { limit: 10 })).toMatchObject([
        {
          kind: 'range-abandoned',
          deviceId: 'd',
          moduleId: 'm',
          batchId: 's',
          message: expect.stringMatching(/^stream s of d\/m: records 10 to \d+ asked for no more: /),
        },
      ]);
    });

    test('a request expires after its last progress, and what it left is asked for again', async () => {
      rig.answer = takesAndWorks;
      await arrive(...hole);
      await live(60_000);
      await live(3_000_000, 300_000);
      await arrive({ start: 20, end: 30, requestId: rig.calls[0]!.payload.requestId! });
      await live(3_000_000, 300_000);
      // Still within the hour after the progress.
      expect(await states()).toEqual(['accepted']);
      await live(1_500_000, 300_000);
      expect(asks().slice(1)).toEqual([
        [10, 20],
        [30, 50],
      ]);
      expect(await requests()).toMatchObject([
        { state: 'expired', attempt: 1 },
        { state: 'accepted', attempt: 2 },
        { state: 'accepted', attempt: 2 },
      ]);
    });

    test('an answer that was lost on the way is asked for again without waiting for the expiry, in longer and longer pauses', async () => {
      rig.answer = takesAndSaysDone;
      await arrive(...hole);
      let sent = 60;
      const goesOn = () => arrive({ start: sent++, end: sent });
      await live(180_000, 10_000, goesOn);
      expect(asks()).toHaveLength(2);
      expect(await states()).toMatchObject(['expired', 'accepted']);
      await live(400_000, 10_000, goesOn);
      expect(asks()).toHaveLength(3);
      expect(await states()).toEqual(['expired', 'expired', 'abandoned']);
    });

    test('a module that says it has sent all, and is not heard any more, is not held to have lost anything', async () => {
      rig.answer = takesAndSaysDone;
      await arrive(...hole);
      await live(1_800_000, 60_000);
      expect(asks()).toHaveLength(1);
      expect(await requests()).toMatchObject([{ state: 'accepted', attempt: 1 }]);
      // Its way to the hub is back, and what had waited comes.
      await arrive(
        { start: 60, end: 70 },
        { start: 10, end: 50, requestId: rig.calls[0]!.payload.requestId! },
      );
      await live(60_000, 10_000);
      expect(await states()).toEqual(['closed']);
    });

    test('a source that is not up yet is waited for', async () => {
      rig.answer = () => answered(404, { problem: 'unknown stream' });
      await arrive(...hole);
      await live(1_800_000, 60_000);
      rig.answer = () => accepted;
      await live(600_000, 60_000);
      expect(await requests()).toMatchObject([{ state: 'accepted', attempt: 1 }]);
    });

    test('as long as the module sends other backfill, an answer may stand in its queue', async () => {
      rig.answer = takesAndSaysDone;
      await arrive(...hole);
      for (let minute = 0; minute < 10; minute++) {
        await live(20_000, 10_000);
        await arrive({ stream: 'other', start: minute, end: minute + 1, backfill: true });
      }
      expect(asks()).toHaveLength(1);
      expect(await states()).toEqual(['accepted']);
    });

    test('what lies unread in the hub is neither found missing nor held for lost', async () => {
      rig.answer = takesAndSaysDone;
      const partition = { hub: 'h', consumerGroup: 'g', partitionId: '7' };
      const arriveFrom = (list: readonly ShortArrival[]) =>
        arriveAt(rig.database, list, rig.clock.now(), '7');
      await markRead(rig.database, partition, rig.clock.now());
      await arriveFrom(hole);
      await live(300_000, 30_000);
      expect(await stream()).toMatchObject({ gapsFound: 0 });
      await markRead(rig.database, partition, rig.clock.now());
      await live(60_000);
      expect(asks()).toEqual([[10, 50]]);
      await live(300_000, 30_000);
      expect(await states()).toEqual(['accepted']);
      await arriveFrom([{ start: 60, end: 70 }]);
      await markRead(rig.database, partition, rig.clock.now());
      await live(10_000);
      expect((await states())[0]).toBe('expired');
    });

    test('a module that has forgotten a request is told again', async () => {
      let known = false;
      rig.answer = ({ method }) => {
        if (method === 'backfill') return accepted;
        return known ? answered(200, { state: 'running' }) : answered(404);
      };
      await arrive(...hole);
      await live(70_000);
      known = true;
      await live(60_000);
      expect(asks().length).toBe(2);
      expect(await requests()).toMatchObject([{ state: 'accepted', attempt: 2 }]);
    });

    test('a request whose gap closes by itself ends without a call', async () => {
      rig.answer = () => offline;
      await arrive(...hole);
      await live(40_000);
      rig.calls.length = 0;
      await arrive({ start: 10, end: 50 });
      await live(60_000);
      expect(rig.calls).toEqual([]);
      expect(await states()).toEqual(['closed']);
    });

    test('a detector that died in the middle of a call makes it again, with the same request id', async () => {
      rig.answer = () => {
        throw new Error('the process is gone');
      };
      await arrive(...hole);
      await live(40_000);
      expect(rig.errors.splice(0)).not.toEqual([]);
      rig.answer = () => accepted;
      await live(60_000);
      expect(new Set(rig.calls.map((call) => call.payload.requestId)).size).toBe(1);
      expect(await states()).toEqual(['accepted']);
    });

    test('forty thousand gaps of one stream are found and closed, and hold up no other stream', {
      timeout: 120_000,
    }, async () => {
      const gaps = 40_000;
      for (let made = 0; made < gaps; made += 1000) {
        const windows = Array.from({ length: 1000 }, (_, i) => ({
          start: (made + i) * 10,
          end: (made + i) * 10 + 5,
        }));
        await arrive(...windows);
      }
      await arrive(
        { start: gaps * 10, end: gaps * 10 + 5 },
        ...hole.map((window) => ({ ...window, stream: 'other' })),
      );
      const random = seededRandom(1);
      const look = (at: number) => sweep(rig.database, random, at, limits);
      await look(0);
      expect(await look(limits.detectionDelayMs)).toMatchObject({ gapsFound: gaps + 1, failed: [] });
      const asked = await requests();
      expect(asked.filter(({ batchId }) => batchId === 'other')).toMatchObject([{ start: 10, end: 50 }]);
      // A stream's oldest gaps first.
      const starts = asked.filter(({ batchId }) => batchId === 's').map(({ start }) => start);
      expect(starts.sort((x, y) => x - y)).toEqual(Array.from({ length: 16 }, (_, i) => i * 10 + 5));
      await arrive({ start: 0, end: gaps * 5, backfill: true });
      expect(await look(limits.detectionDelayMs + 1)).toMatchObject({ gapsClosed: gaps / 2, failed: [] });
      expect((await stream()).gapsClosed).toBe(gaps / 2);
    });

    test('a stream that the database fails on is named, and left out: others are looked after', async () => {
      for (const stream of ['a', 'b', 'c']) await arrive(...hole.map((window) => ({ ...window, stream })));
      const failing = answeringOtherwise(rig.database, (sql, params, session) =>
        sql.includes('gap') && params?.some((list) => Array.isArray(list) && list.includes(2))
          ? poison(session)
          : undefined,
      );
      const look = (at: number) => sweep(failing, seededRandom(1), at, limits);
      expect((await look(0))!.failed).toMatchObject([{ what: 'stream 2' }]);
      expect(await look(limits.detectionDelayMs)).toMatchObject({ gapsFound: 2 });
      expect((await requests()).map(({ batchId }) => batchId).sort()).toEqual(['a', 'c']);
    });

    test('every change of state is kept with its time and cause', async () => {
      await arrive(...hole);
      await live(40_000);
      await arrive({ start: 10, end: 50 });
      await live(10_000);
      const audit = await rig.database.query<{ subject: string; event: string; cause: string; at: number }>(
        'select subject, event, cause, at from audit order by id',
      );
      expect(audit.map(({ subject, event }) => `${subject} ${event}`)).toEqual([
        'gap found',
        'request recorded',
        'request accepted',
        'gap closed',
        'request closed',
      ]);
      expect(audit.every(({ at, cause }) => at > 0 && cause !== '')).toBe(true);
    });
  });
}
