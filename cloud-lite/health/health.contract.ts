import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { seededRandom } from '../../kernel/random.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import type { Database } from '../database/database.ts';
import { markRead } from '../ingest/checkpoint.ts';
import { settleHub } from '../ingest/hub-identity.ts';
import { claim, sweep } from '../repair/sweep.ts';
import { answeringOtherwise } from '../testing/answering-otherwise.ts';
import { arrive, type ShortArrival } from '../testing/arrivals.ts';
import { emptyDatabase } from '../testing/databases.ts';
import { partition, silenceDesk, silenceMs } from '../testing/silence-desk.ts';
import { listAlerts, raiseAlerts } from './alerts.ts';
import { deliverAlerts, tellAlerts } from './delivery.ts';
import { restingStamps, settledStamps, settleFutureStamps } from './future-stamps.ts';
import { deleteEmptyStreams, deleteOldHistory } from './housekeeping.ts';
import { createMonitor } from './monitor.ts';
import { judgeSilence } from './silence.ts';

/** The contract of the monitor's parts, on any database. */
export function healthContract(open: () => Database): void {
  describe('health', () => {
    let database: Database;
    let clock: VirtualClock;
    const signal = new AbortController().signal;
    beforeAll(() => {
      database = open();
    });
    beforeEach(async () => {
      await emptyDatabase(database);
      clock = new VirtualClock();
    });

    const { judge, kinds, send } = silenceDesk(
      () => database,
      () => clock,
    );

    test('a stream that stops is told once, and once when it is back', async () => {
      await send('d', 'stops', 0);
      for (let minute = 1; minute <= 12; minute++) {
        await clock.advance(60_000);
        await send('d', 'goes on', minute);
        if (minute === 9) await send('d', 'stops', 9);
        await judge();
      }
      expect(await kinds()).toEqual(['stream-silent stops', 'stream-resumed stops']);
    });

    test('what cannot be judged does not keep silence from being told', async () => {
      const failing = answeringOtherwise(database, (sql) =>
        sql.includes('told_loss') ? Promise.reject(new Error('of one stream')) : undefined,
      );
      const monitor = createMonitor({
        ...{ database: failing, clock, log: silentLog, metrics: noMetrics, silenceMs },
        ...{ lastsMs: silenceMs, longestMs: silenceMs, historyMs: silenceMs },
      });
      await send('d', 'stops', 0);
      const stop = new AbortController();
      const done = monitor.run(stop.signal);
      for (let look = 0; look < 200 && (await kinds()).length === 0; look++) {
        await clock.advance(15_000);
        await send('d', 'goes on', 0);
        await markRead(database, partition, clock.now());
      }
      stop.abort();
      await done;
      expect(await kinds()).toEqual(['stream-silent stops']);
    });

    const late = (n: number) => ({ start: 0, end: 1, late: n });
    test.each<[string, (began: number, minute: number) => Partial<ShortArrival>]>([
      ['late messages', (_, minute) => late(minute)],
      ['repeated windows', (began) => ({ start: began, end: began + 1 })],
      ['answers to requests', (began) => ({ start: began - 9, end: began - 8, requestId: 'r' })],
      ['voids of the past', (began) => ({ start: began - 9, end: began - 8, void: 'evicted' })],
    ])(
      'a stream by time whose live windows stop is late, whatever else of it comes: %s',
      async (_, other) => {
        const began = clock.now();
        await send('d', 's', 0);
        await send('d', 'alive', 0);
        for (let minute = 1; minute <= 12; minute++) {
          await clock.advance(60_000);
          await send('d', 's', 0, other(began, minute));
          await send('d', 'alive', 0);
          await judge();
          expect(await kinds()).toEqual(minute <= 5 ? [] : ['stream-late s']);
        }
        await send('d', 's', 0);
        await judge();
        expect(await kinds()).toEqual(['stream-late s', 'stream-resumed s']);
      },
    );

    test('a stream by time of which nothing but late messages ever came is silent in time', async () => {
      for (let minute = 0; minute < 7; minute++) {
        await send('d', 's', 0, late(minute + 1));
        await judge();
        await clock.advance(60_000);
      }
      expect(await kinds()).toEqual(['device-silent']);
    });

    test('a claim of the future does not keep a stream from being silent', async () => {
      await send('d', 's', 10_000_000);
      await clock.advance(301_000);
      await judge();
      expect(await kinds()).toEqual(['device-silent']);
    });

    test('a stream whose clock is slow by about the time of silence does not come and go', async () => {
      for (let half = 0; half < 40; half++) {
        if (half % 2 === 0) await send('d', 's', -280_000);
        await judge();
        await clock.advance(30_000);
      }
      expect(await kinds()).toEqual(['device-silent']);
    });

    test('a stream that is left behind on a hub that is read no more is silent', async () => {
      const old = { hub: 'old', consumerGroup: 'g', partitionId: '3' };
      await markRead(database, old, clock.now());
      await arrive(
        database,
        [{ device: 'd', stream: 's', start: clock.now() - 1, end: clock.now(), index: 'time' }],
        clock.now(),
        '3',
      );
      await clock.advance(400_000);
      await judge();
      expect(await kinds()).toEqual(['device-silent']);
    });

    test('a partition that has not been read yet keeps the streams silent that may be in it', async () => {
      await arrive(
        database,
        [{ device: 'd', stream: 's', start: clock.now() - 1, end: clock.now(), index: 'time' }],
        clock.now(),
        '',
      );
      const partitions = new Map(['0', '1'].map((id) => [id, { isEmpty: true, newest: -1, newestAt: 0 }]));
      const facts = { createdAt: 1, partitionIds: ['0', '1'] };
      const { hub, consumerGroup } = partition;
      await settleHub(database, { hub, consumerGroup, checkpoints: [], facts, partitions }, clock.now());
      await clock.advance(200_000);
      await judge();
      expect(await kinds()).toEqual([]);
      await clock.advance(200_000);
      await judge();
      expect(await kinds()).toEqual(['ingest-stalled']);
      await markRead(database, { ...partition, partitionId: '1' }, clock.now());
      await judge();
      expect(await kinds()).toEqual(['ingest-stalled', 'ingest-resumed', 'device-silent']);
    });

    test('a device of which all streams stop is told as one', async () => {
      await send('d', 'a', 0);
      await send('d', 'b', 0);
      await clock.advance(400_000);
      await judge();
      await judge();
      expect(await kinds()).toEqual(['device-silent']);
      await send('d', 'a', 1);
      await judge();
      expect(await kinds()).toEqual(['device-silent', 'device-resumed']);
    });

    test('what has not been read yet is not silence, but is told itself', async () => {
      await send('d', 'a', 0);
      await judge();
      const readUntil = clock.now();
      await clock.advance(400_000);
      await judge(readUntil);
      await judge(readUntil);
      expect(await kinds()).toEqual(['ingest-stalled']);
      await send('d', 'a', 1);
      await judge();
      expect(await kinds()).toEqual(['ingest-stalled', 'ingest-resumed']);
    });

    test('nothing is judged before anything was read', async () => {
      await database.transaction((session) => judgeSilence(session, clock.now(), silenceMs));
      expect(await kinds()).toEqual([]);
    });

    test('a clock that was a year ahead for one look holds nothing up once it is right again', async () => {
      const year = 365 * 86_400_000;
      const limits = {
        detectionDelayMs: 30_000,
        expiryMs: 10_800_000,
        maxAttempts: 3,
        retryMs: 30_000,
        maxRange: { time: 3_600_000, sequence: 1000 },
        maxActivePerDevice: 4,
        maxActive: 6,
      };
      const look = () => sweep(database, seededRandom(1), clock.now(), limits);
      const claimed = async () => (await claim(database, clock.now(), 10, limits)).map(({ range }) => range);
      clock.stepWall(year);
      const base = clock.now() - 1000;
      const sendAt = (stream: string, start: number) =>
        send('d', stream, 0, { start: base + start, end: base + start + 1 });
      for (const [stream, start] of [
        ['s', 0],
        ['s', 50],
        ['other', 0],
      ] as const)
        await sendAt(stream, start);
      await judge();
      await look();
      clock.stepWall(-year);
      expect(await settleFutureStamps(database, clock.now(), limits.expiryMs)).toBeGreaterThan(3);
      expect(await settleFutureStamps(database, clock.now(), limits.expiryMs)).toBe(0);
      await clock.advance(31_000);
      await sendAt('s', 51);
      await judge();
      await look();
      expect(await claimed()).toEqual([{ start: base + 1, end: base + 50 }]);
      clock.stepWall(year);
      await clock.advance(60_000);
      await claimed();
      clock.stepWall(-year);
      await settleFutureStamps(database, clock.now(), limits.expiryMs);
      // The claim of the year ahead is as long as any.
      await clock.advance(60_000);
      expect(await claimed()).toEqual([{ start: base + 1, end: base + 50 }]);
      await clock.advance(200_000);
      await judge();
      expect(await kinds()).toEqual(['clock-was-ahead', 'clock-was-ahead', 'device-silent']);
    });

    test('every time of the schema is put right, or is one that nothing waits for', async () => {
      const columns = await database.query<{ table: string; column: string }>(
        `select c.table_name as table, c.column_name as column from information_schema.columns c
           join information_schema.tables t using (table_schema, table_name)
          where c.table_schema = current_schema() and t.table_type = 'BASE TABLE' and c.data_type = 'bigint'
            and c.column_name ~ '(^at|_at|since|until|stamp)$'`,
      );
      const decided = [
        ...settledStamps,
        ...Object.entries(restingStamps).map(([table, columns]) => ({ table, columns })),
      ].flatMap(({ table, columns }) => columns.map((column) => `${table}.${column}`));
      const there = columns.map(({ table, column }) => `${table}.${column}`);
      expect(there.toSorted()).toEqual([...new Set(decided)].toSorted());
    });

    test('an alert goes to the webhook until it is taken, and then no more', async () => {
      const bodies: { id: number; kind: string; deviceId: string }[] = [];
      let status = 500;
      const options = {
        database,
        clock,
        random: seededRandom(1),
        log: silentLog,
        metrics: noMetrics,
        webhookUrl: 'http://alerts.example/',
        fetch: (async (_: string, init: { body: string }) => {
          bodies.push(JSON.parse(init.body));
          return new Response(null, { status });
        }) as unknown as typeof fetch,
      };
      await send('d', 'a', 0);
      await clock.advance(400_000);
      await judge();
      await deliverAlerts(options, signal);
      await deliverAlerts(options, signal);
      expect(bodies).toHaveLength(1);
      await clock.advance(60_000);
      status = 204;
      await deliverAlerts(options, signal);
      await clock.advance(86_400_000);
      await deliverAlerts(options, signal);
      expect(bodies).toHaveLength(2);
      expect(bodies[1]).toMatchObject({ kind: 'device-silent', deviceId: 'd' });
      expect(bodies[1]!.id).toBe(bodies[0]!.id);
      expect(await listAlerts(database, { limit: 1 })).toMatchObject([{ doneAt: clock.now() - 86_400_000 }]);
    });

    test('a webhook that hangs holds up neither the log nor anything else, and gets all of it once it is back', async () => {
      const logged: string[] = [];
      const taken: number[] = [];
      let hangs = true;
      let calls = 0;
      const options = {
        database,
        clock,
        random: seededRandom(1),
        log: { ...silentLog, warn: (_: object, text: string) => logged.push(text) },
        metrics: noMetrics,
        webhookUrl: 'http://alerts.example/',
        fetch: ((_: string, init: RequestInit) => {
          calls++;
          const { id } = JSON.parse(init.body as string) as { id: number };
          if (!hangs) {
            taken.push(id);
            return Promise.resolve(new Response(null, { status: 204 }));
          }
          return new Promise((_, reject) => {
            init.signal!.addEventListener('abort', () => reject(init.signal!.reason));
          });
        }) as typeof fetch,
      };
      const raise = (n: number) =>
        raiseAlerts(
          database,
          [{ kind: 'device-silent', deviceId: `d${n}`, message: `alert ${n}` }],
          clock.now(),
        );
      for (let n = 0; n < 400; n++) await raise(n);
      const stop = new AbortController();
      const telling = tellAlerts(options, stop.signal);
      const pass = async (seconds: number) => {
        for (let passed = 0; passed < seconds; passed++) {
          await clock.advance(1000);
          await new Promise((resolve) => setTimeout(resolve, 4));
        }
      };
      await pass(60);
      expect(logged.filter((text) => text.startsWith('alert: '))).toHaveLength(400);
      await raise(400);
      await pass(10);
      expect(logged).toContain('alert: alert 400');
      // It is asked again and again, by one call at a time.
      expect(calls).toBeGreaterThan(1);
      expect(calls).toBeLessThan(10);
      hangs = false;
      await pass(900);
      stop.abort();
      await telling;
      expect(new Set(taken).size).toBe(401);
    });

    test('an alert that the webhook does not take keeps no other one from it', async () => {
      const taken: string[] = [];
      const options = {
        database,
        clock,
        random: seededRandom(1),
        log: silentLog,
        metrics: noMetrics,
        webhookUrl: 'http://alerts.example/',
        fetch: (async (_: string, init: RequestInit) => {
          const { message } = JSON.parse(init.body as string) as { message: string };
          if (message === 'b') return new Response(null, { status: 413 });
          taken.push(message);
          return new Response(null, { status: 204 });
        }) as typeof fetch,
      };
      const alerts = ['a', 'b', 'c'].map((message) => ({ kind: 'device-silent' as const, message }));
      await raiseAlerts(database, alerts, clock.now());
      expect(await deliverAlerts(options, signal)).toBe(true);
      expect(taken).toEqual(['a', 'c']);
    });

    test('an alert that nobody takes is given up in the end', async () => {
      let calls = 0;
      const options = {
        database,
        clock,
        random: seededRandom(1),
        log: silentLog,
        metrics: noMetrics,
        webhookUrl: 'http://alerts.example/',
        fetch: (async () => {
          calls++;
          throw new Error('refused');
        }) as typeof fetch,
      };
      await send('d', 'a', 0);
      await clock.advance(400_000);
      await judge();
      for (let hour = 0; hour < 60; hour++) {
        await deliverAlerts(options, signal);
        await clock.advance(3_600_000);
      }
      expect(calls).toBe(30);
    });

    test('old history goes, the ledger and what is still open stay', async () => {
      await arrive(
        database,
        [
          { start: 0, end: 10 },
          { start: 20, end: 30, part: [1, 2] },
          { start: 40, end: 50 },
        ],
        1000,
      );
      await database.script(`
        insert into gap (stream_id, range, state, seen_at, closed_at) values
          (1, '[10,20)', 'closed', 1, 1000), (1, '[12,20)', 'closed', 1, 9000), (1, '[20,30)', 'open', 1, null);
        insert into audit (at, subject, subject_id, event) values (1000, 's', '1', 'e'), (9000, 's', '1', 'e');
        insert into alert (at, kind, message, due_at, done_at) values (1, 'k', 'm', 1, 1000), (1, 'k', 'm', 1, null);
        insert into request (id, stream_id, range, remaining, state, origin, attempt, due_at, created_at, progress_at, ended_at)
          values ('old', 1, '[10,20)', '{}', 'closed', 'detector', 1, 1, 1, 1, 1000),
                 ('open', 1, '[20,30)', '{}', 'pending', 'detector', 1, 1, 1, 1, null);
      `);
      expect(await deleteOldHistory(database, 10_000, 5000)).toBe(false);
      const left = async (table: string) => (await database.query(`select * from ${table}`)).length;
      expect(
        await Promise.all(['gap', 'audit', 'alert', 'request', 'pending_part', 'stream'].map(left)),
      ).toEqual([2, 1, 1, 1, 0, 1]);
    });

    test('a stream that nothing was ever taken of goes with what was set aside of it, its late windows too', async () => {
      const stream = (id: number, more: Readonly<Record<string, unknown>> = {}) => {
        const row = { batch_id: `s${id}`, created_at: 1000, messages: 0, late_of: null, ...more };
        return database.query(
          `insert into stream (id, device_id, module_id, index_kind, last_arrival_at, batch_id, created_at, messages, late_of,
                               late_series, span, accepted)
           overriding system value
           select $1, 'd', 'm', 'time', created_at, batch_id, created_at, messages, late_of,
                  case when late_of is not null then 'x' end, coalesce(span, 'empty'), coalesce(accepted, '{}')
             from jsonb_to_record($2::jsonb) as t(batch_id text, created_at int8, messages int8, late_of int8,
                                                  span int8range, accepted int8multirange)`,
          [id, JSON.stringify(row)],
        );
      };
      await stream(1);
      await stream(2, { late_of: 1, batch_id: 's1' });
      await stream(3, { created_at: 9000 });
      await stream(4, { messages: 1 });
      await stream(5, { span: '[1,2)' });
      await stream(6, { accepted: '{[1,2)}' });
      await stream(7);
      await stream(8);
      await stream(9, { late_of: 8, batch_id: 's8', span: '[1,2)' });
      await database.script(`
        insert into set_aside_source (device_id, module_id, batch_id, reason, stream_id, messages, first_at, last_at, detail)
          values ('d', 'm', 's1', 'r', 1, 1, 1000, 1000, 'old'), ('d', 'm', 's7', 'r', 7, 1, 1000, 9000, 'new');
        insert into set_aside (at, partition_id, sequence_number, reason, detail, properties, stream_id)
          values (1000, '0', 1, 'r', 'old', '{}', 1);
        insert into checkpoint (hub, consumer_group, partition_id, sequence_number, event_offset, enqueued_at, events, updated_at)
          values ('h', 'g', '0', 1, '', 0, 0, 0)`);
      const left = async () =>
        (await database.query<{ id: number }>('select id from stream order by id')).map(({ id }) => id);
      // The source of the first is still shown.
      expect(await deleteEmptyStreams(database, 10_000, 5000, 0)).toBe(0);
      expect(await left()).toEqual([1, 3, 4, 5, 6, 7, 8, 9]);
      await deleteOldHistory(database, 10_000, 5000);
      expect(await deleteEmptyStreams(database, 10_000, 5000, 1)).toBe(0);
      expect(await left()).toEqual([1, 3, 4, 5, 6, 7, 8, 9]);
      expect(await deleteEmptyStreams(database, 10_000, 5000, 0)).toBe(0);
      expect(await left()).toEqual([3, 4, 5, 6, 7, 8, 9]);
      expect(await database.query('select stream_id from set_aside')).toEqual([{ stream_id: null }]);
    });

    test('a storm of changes is told as 500 alerts, the last one saying how many were left out', async () => {
      const storm = Array.from({ length: 1234 }, (_, n) => ({
        kind: 'device-silent' as const,
        deviceId: `d${n}`,
        message: `device d${n} has sent nothing`,
      }));
      await raiseAlerts(database, storm, 7);
      const alerts = await listAlerts(database, { limit: 1000 });
      expect(alerts.length).toBe(500);
      expect(alerts[0]).toMatchObject({
        kind: 'alerts-left-out',
        message: expect.stringMatching(/^735 more changes/),
      });
      expect(alerts[499]).toMatchObject({ deviceId: 'd0' });
    });
  });
}
