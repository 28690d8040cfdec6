import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { seededRandom } from '../../kernel/random.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import type { Database } from '../database/database.ts';
import { markRead } from '../ingest/checkpoint.ts';
import { listStreams } from '../ledger/streams.ts';
import { arrive as arriveAt, type ShortArrival } from '../testing/arrivals.ts';
import { emptyDatabase } from '../testing/databases.ts';
import type { RepairLimits } from './decide.ts';
import type { HubMethods, MethodOutcome } from './hub-methods.ts';
import { createRepairer } from './repairer.ts';
import { listRequests } from './request-views.ts';
import { sweep } from './sweep.ts';

const limits: RepairLimits = {
  detectionDelayMs: 30_000,
  expiryMs: 3_600_000,
  maxAttempts: 3,
  maxRange: { time: 3_600_000, sequence: 1000 },
  maxActivePerDevice: 4,
  maxActive: 6,
};

type Answer = (method: string, payload: Record<string, string>, device: string) => MethodOutcome;
const accepted: MethodOutcome = { kind: 'answered', status: 202, payload: { state: 'accepted' } };
const offline: MethodOutcome = { kind: 'unreachable', detail: 'offline' };
const answered = (status: number, payload: unknown = null): MethodOutcome => ({
  kind: 'answered',
  status,
  payload,
});

/** What repair owes, on any database. Time is virtual: hours pass in milliseconds. */
export function repairContract(open: () => Database): void {
  describe('repair', () => {
    let database: Database;
    let clock: VirtualClock;
    let answer: Answer;
    const calls: { method: string; device: string; payload: Record<string, string> }[] = [];
    beforeAll(() => {
      database = open();
    });
    beforeEach(async () => {
      await emptyDatabase(database);
      clock = new VirtualClock();
      calls.length = 0;
      answer = () => accepted;
    });

    /** What went wrong inside; expected by one test alone. */
    const errors: object[] = [];
    afterEach(() => {
      expect(errors.splice(0)).toEqual([]);
    });
    const methods: HubMethods = {
      async call(target, method, payload) {
        const call = { method, device: target.deviceId, payload: payload as Record<string, string> };
        calls.push(call);
        return answer(method, call.payload, call.device);
      },
    };
    const asks = () =>
      calls
        .filter((call) => call.method === 'backfill')
        .map(({ payload }) => [Number(payload.startWindow), Number(payload.endWindow)]);
    const arrive = (...list: readonly ShortArrival[]) => arriveAt(database, list, clock.now());
    const stream = async () => (await listStreams(database, { limit: 1 }))[0]!;
    const requests = async () => [...(await listRequests(database, { limit: 100, offset: 0 }))].reverse();
    const states = async () => (await requests()).map((request) => request.state);

    /** Lets one detector run for `ms`. Its steps wait for the database in real time, so time goes in small ones. */
    const live = async (ms: number, stepMs = 5000) => {
      const stop = new AbortController();
      const repairer = createRepairer({
        database,
        methods,
        limits,
        sweepIntervalMs: stepMs,
        clock,
        random: seededRandom(clock.now()),
        log: { ...silentLog, error: (fields) => errors.push(fields) },
        metrics: noMetrics,
      });
      const done = repairer.run(stop.signal);
      for (let passed = 0; passed < ms; passed += stepMs) {
        const before = sweeps(repairer);
        await clock.advance(stepMs);
        await until(() => sweeps(repairer) !== before || passed === 0);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      stop.abort();
      await done;
    };
    const sweeps = (repairer: { lastSweepAt(): number | undefined }) => repairer.lastSweepAt();
    const until = async (done: () => boolean) => {
      for (let i = 0; i < 400 && !done(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    const hole: ShortArrival[] = [
      { start: 0, end: 10 },
      { start: 50, end: 60 },
    ];

    test('what is only late is never found and never asked for', async () => {
      await arrive(...hole);
      await live(20_000);
      await arrive({ start: 10, end: 50 });
      await live(60_000);
      expect(calls).toEqual([]);
      expect(await stream()).toMatchObject({ gapsFound: 0, gapsClosed: 0, gaps: [] });
    });

    test('a gap is asked for after the detection delay, and closed by the answer', async () => {
      await arrive(...hole);
      await live(60_000);
      expect(calls[0]).toMatchObject({
        method: 'backfill',
        device: 'd',
        payload: { batchId: 's', startWindow: '10', endWindow: '50' },
      });
      expect(asks()).toEqual([[10, 50]]);
      const { requestId } = calls[0]!.payload;
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
    });

    test('asks in pieces no wider than the limit, few at a time', async () => {
      await arrive({ start: 0, end: 10 }, { start: 9000, end: 9010 });
      await live(60_000);
      expect(asks()).toEqual([
        [10, 1010],
        [1010, 2010],
        [2010, 3010],
        [3010, 4010],
      ]);
      await arrive({ start: 10, end: 3010 });
      await live(10_000);
      expect(asks().slice(4)).toEqual([
        [4010, 5010],
        [5010, 6010],
        [6010, 7010],
      ]);
    });

    test('a fleet that comes back is not asked all at once', async () => {
      for (const device of ['a', 'b', 'c', 'd']) {
        await arrive({ device, start: 0, end: 10 }, { device, start: 5000, end: 5010 });
      }
      await live(60_000);
      expect(asks()).toHaveLength(limits.maxActive);
      const perDevice = Map.groupBy(
        calls.filter((call) => call.method === 'backfill'),
        (call) => call.device,
      );
      for (const list of perDevice.values())
        expect(list.length).toBeLessThanOrEqual(limits.maxActivePerDevice);
    });

    test('a device that cannot be reached is waited for without using up attempts, and more and more rarely', async () => {
      answer = () => offline;
      await arrive(...hole);
      await live(7_200_000, 120_000);
      expect(asks().length).toBeGreaterThan(8);
      expect(asks().length).toBeLessThan(60);
      expect(await requests()).toMatchObject([
        { state: 'pending', attempt: 1, unreachable: true, answer: 'offline' },
      ]);
      answer = () => accepted;
      const before = calls.length;
      // It is heard of again: no need to wait for the next turn.
      await arrive({ start: 60, end: 70 });
      await live(15_000);
      expect(calls.length).toBeGreaterThan(before);
      expect(await states()).toEqual(['accepted']);
    });

    test('what came in while the device was away is not asked for', async () => {
      answer = () => offline;
      await arrive(...hole);
      await live(40_000);
      answer = () => accepted;
      await arrive({ start: 10, end: 40 });
      calls.length = 0;
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
      answer = () => (failures-- > 0 ? outcome : accepted);
      await arrive(...hole);
      await live(300_000);
      expect(await requests()).toMatchObject([{ state: 'accepted', attempt: 1 }]);
    });

    test('a module that fails uses up attempts, and at the limit the range is abandoned for good', async () => {
      answer = () => answered(500, 'out of order');
      await arrive(...hole);
      await live(600_000, 10_000);
      expect(asks()).toHaveLength(3);
      expect(await requests()).toMatchObject([{ state: 'abandoned', attempt: 3 }]);
      expect(await stream()).toMatchObject({ gaps: [[10, 50]], abandoned: [[10, 50]], openRequests: 0 });
    });

    test('a refused request is not repeated', async () => {
      answer = () => answered(400, [{ field: 'batchId', problem: 'unknown' }]);
      await arrive(...hole);
      await live(300_000, 10_000);
      expect(asks()).toHaveLength(1);
      expect(await states()).toEqual(['abandoned']);
    });

    test('a request expires after its last progress, and what it left is asked for again', async () => {
      answer = (method) => (method === 'backfill' ? accepted : answered(200, { state: 'running' }));
      await arrive(...hole);
      await live(60_000);
      await live(3_000_000, 300_000);
      await arrive({ start: 20, end: 30, requestId: calls[0]!.payload.requestId! });
      await live(3_000_000, 300_000);
      // Still within the hour after the progress.
      expect(await states()).toEqual(['accepted']);
      await live(900_000, 300_000);
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

    test('an answer that was lost on the way is asked for again without waiting for the expiry', async () => {
      answer = (method) => (method === 'backfill' ? accepted : answered(200, { state: 'done' }));
      await arrive(...hole);
      await live(150_000);
      expect(asks().length).toBeGreaterThan(1);
      expect((await requests())[0]).toMatchObject({ state: 'expired' });
      await live(600_000, 10_000);
      expect(asks()).toHaveLength(3);
      expect(await states()).toEqual(['expired', 'expired', 'abandoned']);
    });

    test('as long as the module sends other backfill, an answer may stand in its queue', async () => {
      answer = (method) => (method === 'backfill' ? accepted : answered(200, { state: 'done' }));
      await arrive(...hole);
      for (let minute = 0; minute < 10; minute++) {
        await live(20_000, 10_000);
        await arrive({ stream: 'other', start: minute, end: minute + 1, backfill: true });
      }
      expect(asks()).toHaveLength(1);
      expect(await states()).toEqual(['accepted']);
    });

    test('what lies unread in the hub is neither found missing nor held for lost', async () => {
      answer = (method) => (method === 'backfill' ? accepted : answered(200, { state: 'done' }));
      const partition = { hub: 'h', consumerGroup: 'g', partitionId: '7' };
      const arriveFrom = (list: readonly ShortArrival[]) => arriveAt(database, list, clock.now(), '7');
      await markRead(database, partition, clock.now());
      await arriveFrom(hole);
      await live(300_000, 30_000);
      expect(await stream()).toMatchObject({ gapsFound: 0 });
      await markRead(database, partition, clock.now());
      await live(60_000);
      expect(asks()).toEqual([[10, 50]]);
      await live(300_000, 30_000);
      expect(await states()).toEqual(['accepted']);
      await markRead(database, partition, clock.now());
      await live(10_000);
      expect((await states())[0]).toBe('expired');
    });

    test('a module that has forgotten a request is told again', async () => {
      let known = false;
      answer = (method) => {
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
      answer = () => offline;
      await arrive(...hole);
      await live(40_000);
      calls.length = 0;
      await arrive({ start: 10, end: 50 });
      await live(60_000);
      expect(calls).toEqual([]);
      expect(await states()).toEqual(['closed']);
    });

    test('a detector that died in the middle of a call makes it again, with the same request id', async () => {
      answer = () => {
        throw new Error('the process is gone');
      };
      await arrive(...hole);
      await live(40_000);
      expect(errors.splice(0)).not.toEqual([]);
      answer = () => accepted;
      await live(60_000);
      expect(new Set(calls.map((call) => call.payload.requestId)).size).toBe(1);
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
      const look = (at: number) => sweep(database, random, at, limits);
      await look(0);
      expect(await look(limits.detectionDelayMs)).toMatchObject({ gapsFound: gaps + 1, failed: [] });
      const asked = await requests();
      expect(asked.filter(({ batchId }) => batchId === 'other')).toMatchObject([{ start: 10, end: 50 }]);
      // A stream's oldest gaps first.
      const starts = asked.filter(({ batchId }) => batchId === 's').map(({ start }) => start);
      expect(starts.sort((x, y) => x - y)).toEqual(Array.from({ length: 64 }, (_, i) => i * 10 + 5));
      await arrive({ start: 0, end: gaps * 5, backfill: true });
      expect(await look(limits.detectionDelayMs + 1)).toMatchObject({ gapsClosed: gaps / 2, failed: [] });
      expect((await stream()).gapsClosed).toBe(gaps / 2);
    });

    test('a stream that the database fails on is named, and left out: others are looked after', async () => {
      for (const stream of ['a', 'b', 'c']) await arrive(...hole.map((window) => ({ ...window, stream })));
      const failing: Database = {
        ...database,
        transaction: (work) =>
          database.transaction((session) =>
            work({
              ...session,
              query: (sql, params) =>
                sql.includes('gap') && params?.some((list) => Array.isArray(list) && list.includes(2))
                  ? session.query(`select 'poison'::int8`)
                  : session.query(sql, params),
            }),
          ),
      };
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
      const audit = await database.query<{ subject: string; event: string; cause: string; at: number }>(
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
