import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { seededRandom } from '../../kernel/random.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import type { Database } from '../database/database.ts';
import { listAlerts } from '../health/alerts.ts';
import { judgeFleet } from '../ledger/fleet-judgement.ts';
import { listStreams } from '../ledger/streams.ts';
import type { RepairLimits } from '../repair/decide.ts';
import { claim, sweep } from '../repair/sweep.ts';
import { emptyDatabase } from '../testing/databases.ts';
import { acceptRange } from './accept.ts';
import { markRead } from './checkpoint.ts';
import { createIngestor } from './ingestor.ts';
import { listAsideSources } from './set-aside-source.ts';

const partition = { hub: 'hub', consumerGroup: 'group', partitionId: '0' };
const second = 1000;
const hour = 3600 * second;
const day = 24 * hour;
const noon = Date.UTC(2026, 10, 21, 12);
const limits: RepairLimits = {
  detectionDelayMs: 30 * second,
  expiryMs: 3 * hour,
  maxAttempts: 3,
  retryMs: 30_000,
  maxRange: { time: hour, sequence: 1000 },
  maxActivePerDevice: 100,
  maxActive: 1000,
};

/** What is done with messages that no honest clock or counter can have sent, on any database. */
export function plausibleContract(open: () => Database): void {
  describe('what no honest clock or counter says', () => {
    let database: Database;
    let clock: VirtualClock;
    let sequenceNumber: number;
    beforeAll(() => {
      database = open();
    });
    beforeEach(async () => {
      await emptyDatabase(database);
      clock = new VirtualClock(noon);
      sequenceNumber = 0;
    });

    const newIngestor = () => createIngestor({ database, clock, log: silentLog, metrics: noMetrics });
    const send = (...list: readonly Record<string, string>[]) =>
      newIngestor().ingest(
        partition,
        list.map((properties) => ({
          sequenceNumber: sequenceNumber++,
          offset: '',
          enqueuedAt: clock.now(),
          properties: { batchId: 's', count: '1', ...properties },
          annotations: { 'iothub-connection-device-id': 'd', 'iothub-connection-module-id': 'm' },
        })),
      );
    const at = (start: number, end = start + 10 * second) => ({
      startWindow: new Date(noon + start).toISOString(),
      endWindow: new Date(noon + end).toISOString(),
    });
    const records = (start: number, end = start + 10) => ({
      index: 'sequence',
      startWindow: String(start),
      endWindow: String(end),
    });
    const stream = async () => (await listStreams(database, { limit: 10 }))[0]!;
    const asked = async () => {
      for (let look = 0; look < 3; look++) {
        await clock.advance(31 * second);
        await markRead(database, partition, clock.now());
        await sweep(database, seededRandom(look), clock.now(), limits);
      }
      const due = await claim(database, clock.now(), 1000, limits);
      return due.map(({ range }) => [range.start, range.end]);
    };
    const state = async () => {
      const period = { start: clock.now() - hour, end: clock.now() };
      const { page } = await judgeFleet(database, { order: 'worst', offset: 0, limit: 10, period });
      return page[0]?.state;
    };

    test.each<[string, Record<string, string>]>([
      ['ten hours ahead', at(10 * hour)],
      ['a clock without battery', { startWindow: '2000-01-01T00:00:10Z', endWindow: '2000-01-01T00:00:20Z' }],
      [
        'a window from 2000 to now',
        { startWindow: '2000-01-01T00:00:00Z', ...{ endWindow: at(0).startWindow } },
      ],
    ])('opens and closes no gap: %s', async (_, properties) => {
      await send(at(-60 * second), at(-20 * second), properties);
      expect(await stream()).toMatchObject({
        messages: 2,
        gaps: [[noon - 50 * second, noon - 20 * second]],
        lengths: { covered: 20 * second, missing: 30 * second },
      });
      expect(await asked()).toEqual([[noon - 50 * second, noon - 20 * second]]);
    });

    test.each<[string, Record<string, string>]>([
      ['one bad number', records(90_000_000_000)],
      ['a window up to the last number of all', records(20, Number.MAX_SAFE_INTEGER)],
      ['a counter that began anew', { ...records(-5_000_000) }],
    ])('makes no requests by the billion: %s', async (_, properties) => {
      await send(records(0), records(20), properties, records(30));
      expect(await stream()).toMatchObject({ messages: 3, gaps: [[10, 20]], first: 0, last: 40 });
      expect(await asked()).toEqual([[10, 20]]);
    });

    test('a late number that cannot be costs its window nothing', async () => {
      await send({ ...records(0), lateThrough: '9000000000' }, { ...records(10), lateThrough: '2' });
      expect(await stream()).toMatchObject({ covered: [[0, 20]], late: { missing: 2 }, messages: 2 });
      expect(await listAsideSources(database, { limit: 10 })).toMatchObject([
        { batchId: 's', reason: 'implausible-jump', messages: 1 },
      ]);
    });

    test('is shown, and raises an alert when it begins and once a day while it goes on', async () => {
      await send(at(10 * hour));
      // A device of which nothing else is known is there all the same.
      expect(await stream()).toMatchObject({
        deviceId: 'd',
        messages: 0,
        setAside: [
          { reason: 'implausible-time', messages: 1, range: [noon + 10 * hour, noon + 10 * hour + 10_000] },
        ],
      });
      expect(await state()).toBe('lossy');
      await send(at(10 * hour), at(11 * hour));
      const alerts = () => listAlerts(database, { limit: 10 });
      expect(await alerts()).toMatchObject([
        { kind: 'messages-set-aside', deviceId: 'd', moduleId: 'm', batchId: 's' },
      ]);
      await clock.advance(day);
      await send(at(day + 10 * hour));
      expect((await alerts()).length).toBe(2);
      expect(await listAsideSources(database, { limit: 10 })).toMatchObject([{ messages: 4 }]);
    });

    test('is counted by device where the message names no stream', async () => {
      await send({ startWindow: 'soon' });
      expect(await listAsideSources(database, { limit: 10 })).toMatchObject([
        { deviceId: 'd', batchId: '', streamId: null, reason: 'not-a-mini-batch', messages: 1 },
      ]);
      expect(await listAlerts(database, { limit: 10 })).toMatchObject([{ kind: 'messages-set-aside' }]);
    });

    test('a stream that one message contradicts is not healthy', async () => {
      await send(records(0), { ...records(10), index: 'time', ...at(0) });
      expect(await stream()).toMatchObject({ setAside: [{ reason: 'index-changed', range: null }] });
      expect(await state()).toBe('lossy');
      expect(await listAlerts(database, { limit: 10 })).toMatchObject([
        { kind: 'messages-set-aside', batchId: 's', message: expect.stringContaining('index-changed') },
      ]);
    });

    test('is taken once a person accepts it: what is kept, and what comes', async () => {
      await send(records(5_000_000), records(5_000_010), records(0), records(10));
      const { id } = await stream();
      expect(await stream()).toMatchObject({ covered: [[5_000_000, 5_000_020]], messages: 2 });
      const accepted = await acceptRange(database, id, { start: 0, end: 1000 }, 'a new device', clock.now());
      expect(accepted).toMatchObject({ kind: 'done' });
      expect(await stream()).toMatchObject({
        covered: [
          [0, 20],
          [5_000_000, 5_000_020],
        ],
        messages: 4,
        setAside: [],
      });
      await send(records(20));
      expect(await stream()).toMatchObject({ messages: 5, setAside: [] });
      expect(await acceptRange(database, id, { start: 5, end: 50 }, 'again', clock.now())).toMatchObject({
        kind: 'conflict',
      });
      expect(await acceptRange(database, 999, { start: 5, end: 50 }, 'again', clock.now())).toEqual({
        kind: 'not-found',
      });
    });

    test('accepting a range says how many kept messages cannot be taken, and why', async () => {
      const long = { ...records(10), note: 'x'.repeat(5000) };
      await send(records(5_000_000), records(0), long);
      const { id } = await stream();
      const accepted = await acceptRange(database, id, { start: 0, end: 1000 }, 'a new device', clock.now());
      expect(accepted).toMatchObject({
        kind: 'done',
        notTaken: { messages: 1, why: expect.stringContaining('4,096 characters') },
      });
      const [said] = await database.query<{ cause: string }>(
        `select cause from audit where event = 'accepted'`,
      );
      expect(said!.cause).toContain('1 messages taken, 1 not: ');
      expect((await stream()).setAside).not.toEqual([]);
    });

    test('a gap is judged once the stream can have reached its end', async () => {
      await send(at(0, 5 * second), at(100 * second, 110 * second));
      for (let look = 0; look < 3; look++) {
        await clock.advance(30 * second);
        await markRead(database, partition, clock.now());
        await sweep(database, seededRandom(look), clock.now(), limits);
      }
      expect(await claim(database, clock.now(), 10, limits)).toEqual([]);
      expect(await asked()).toEqual([[noon + 5 * second, noon + 100 * second]]);
    });
  });
}
