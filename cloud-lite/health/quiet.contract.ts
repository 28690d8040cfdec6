import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { seededRandom } from '../../kernel/random.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import type { Database } from '../database/database.ts';
import type { HubMethods, MethodOutcome, MethodTarget } from '../repair/hub-methods.ts';
import { createHubPace } from '../repair/hub-pace.ts';
import { emptyDatabase } from '../testing/databases.ts';
import { silenceDesk, silenceMs } from '../testing/silence-desk.ts';
import { listAlerts } from './alerts.ts';
import { askModule, claimQuiet } from './quiet.ts';

/** How streams by record number that have nothing to send are told from those that have stopped, on any database. */
export function quietContract(open: () => Database): void {
  describe('quiet streams of records', () => {
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

    /** Asks after all streams of records that are due, as the detector's own loop does; `answer` is a module's. */
    const askQuiet = async (
      answer: (call: MethodTarget) => MethodOutcome,
      pace = createHubPace(10, clock, seededRandom(1)),
    ) => {
      const asked: string[] = [];
      const methods: HubMethods = {
        call: async (target) => {
          asked.push(`${target.deviceId}/${target.moduleId}`);
          return answer(target);
        },
      };
      const random = seededRandom(1);
      const options = { database, methods, clock, random, log: silentLog, metrics: noMetrics, silenceMs };
      for (const module of await claimQuiet(database, clock.now(), silenceMs, pace.room(0)))
        await askModule(options, module, pace, signal);
      return asked;
    };
    const gone: MethodOutcome = { kind: 'unreachable', detail: 'offline' };
    const says = (...sources: object[]): MethodOutcome => ({
      kind: 'answered',
      status: 200,
      payload: { sources, totals: { sources: sources.length } },
    });
    const records = { index: 'sequence' as const };
    /** Minutes pass; each is judged after what is due was asked. */
    const minutes = async (count: number, answer: (call: MethodTarget) => MethodOutcome) => {
      let asked = 0;
      for (let minute = 0; minute < count; minute++) {
        await clock.advance(60_000);
        asked += (await askQuiet(answer)).length;
        await judge();
      }
      return asked;
    };

    test('one on a module with no others is quiet while the module says that it is watched', async () => {
      await send('d', 'log', 7, records);
      const answer = () => says({ batchId: 'log', name: 'log', phase: 'connected' });
      // Twice in the time of silence, for as long as it is quiet.
      expect(await minutes(60, answer)).toBeLessThan(25);
      expect(await kinds()).toEqual([]);
      await minutes(6, () => gone);
      expect(await kinds()).toEqual(['device-silent']);
      await minutes(20, () => gone);
      await minutes(3, answer);
      expect(await kinds()).toEqual(['device-silent', 'device-resumed']);
      await minutes(30, answer);
      expect(await kinds()).toHaveLength(2);
    });

    test('one whose source does not hear its equipment is silent, whatever else its module sends', async () => {
      await send('d', 'log', 7, records);
      const lastError = { code: 'modbus-timeout', message: 'no answer', at: 'then' };
      const broken = () => says({ batchId: 'log', name: 'log', phase: 'backoff', lastError });
      for (let minute = 1; minute <= 8; minute++) {
        await send('d', 'polled', minute);
        await minutes(1, broken);
      }
      expect(await kinds()).toEqual(['stream-silent log']);
      const [alert] = await listAlerts(database, { limit: 1 });
      expect(alert!.message).toBe(
        'stream log of d/m has sent nothing for 300 s; its module says: backoff: modbus-timeout, no answer',
      );
      await send('d', 'log', 8, records);
      await judge();
      expect(await kinds()).toEqual(['stream-silent log', 'stream-resumed log']);
    });

    test('one that no source feeds any more is silent', async () => {
      await send('d', 'log', 7, records);
      await minutes(8, () => says({ batchId: 'other', name: 'other', phase: 'connected' }));
      expect(await kinds()).toEqual(['device-silent']);
    });

    test('a module of another make, and one with more sources than it lists, are heard of by their answer', async () => {
      await send('d', 'log', 7, records);
      await send('e', 'log', 7, records);
      const listed = { sources: [{ batchId: 'other', phase: 'backoff' }], totals: { sources: 151 } };
      await minutes(60, ({ deviceId }) => ({
        kind: 'answered',
        status: deviceId === 'd' ? 501 : 200,
        payload: deviceId === 'd' ? null : listed,
      }));
      expect(await kinds()).toEqual([]);
    });

    test.each([404, 500, 503])(
      'one whose module answers with the error %i is heard of by nothing',
      async (status) => {
        await send('d', 'log', 7, records);
        await minutes(8, () => ({ kind: 'answered', status, payload: null }));
        expect(await kinds()).toEqual(['device-silent']);
      },
    );

    test('after a pause of the detector nothing is called silent before its module was asked', async () => {
      await send('d', 'log', 7, records);
      await clock.advance(7_200_000);
      await judge();
      await judge();
      expect(await kinds()).toEqual([]);
      await minutes(1, () => says({ batchId: 'log', phase: 'connected' }));
      expect(await kinds()).toEqual([]);
    });

    test('a hub that lets nobody ask makes no stream silent at once, and none healthy for ever', async () => {
      await send('d', 'log', 7, records);
      const refused = (): MethodOutcome => ({ kind: 'throttled', detail: 'too many' });
      await minutes(5, refused);
      await judge();
      expect(await kinds()).toEqual([]);
      await minutes(5, refused);
      expect(await kinds()).toEqual(['device-silent']);
    });

    test('a hub that refuses one call for an hour has refused all: what could not be asked for is silent, too', async () => {
      for (const device of ['d', 'e', 'f']) await send(device, 'log', 7, records);
      const refused: MethodOutcome = { kind: 'throttled', detail: 'too many', retryAfterMs: 3_600_000 };
      let calls = 0;
      const pace = createHubPace(1, clock, seededRandom(1));
      for (let minute = 0; minute < 12; minute++) {
        await clock.advance(60_000);
        calls += (await askQuiet(() => refused, pace)).length;
        await judge();
        if (minute === 6) expect(await kinds()).toEqual([]);
      }
      expect(calls).toBe(1);
      expect(await kinds()).toEqual(['device-silent', 'device-silent', 'device-silent']);
    });

    test('thousands of one module are heard of together, and silent together', async () => {
      await send('d', 'log', 7, records);
      const columns = `module_id, index_kind, span, covered, messages, created_at, last_arrival_at, heard_at, partition_id`;
      await database.query(
        `insert into stream (device_id, batch_id, ${columns})
         select device_id, 'log ' || n, ${columns} from stream, generate_series(1, 4999) n`,
      );
      const silent = async () => (await database.query('select from silent_stream')).length;
      await clock.advance(400_000);
      await database.query(
        'insert into stream_word (stream_id, asked_at, due_at, unanswered_since) select id, $1, $1, $2 from stream',
        [clock.now(), clock.now() - 400_000],
      );
      await send('d', 'polled', 0);
      await judge();
      expect(await silent()).toBe(0);
      await clock.advance(200_000);
      await judge();
      expect(await silent()).toBe(0);
      await clock.advance(200_000);
      await database.query('update stream_word set asked_at = $1, due_at = $1', [clock.now()]);
      await judge();
      expect(await silent()).toBe(5001);
      expect(await kinds()).toEqual(['device-silent']);
      await send('d', 'polled', 0);
      await judge();
      expect(await silent()).toBe(0);
      expect(await kinds()).toEqual(['device-silent', 'device-resumed']);
    });

    test('two detectors ask a module once', async () => {
      for (let n = 0; n < 20; n++) await send(`d${n}`, 'log', 7, records);
      await clock.advance(200_000);
      const claims = await Promise.all([1, 2, 3].map(() => claimQuiet(database, clock.now(), silenceMs, 10)));
      const all = claims.flat().map(({ deviceId }) => deviceId);
      expect(new Set(all).size).toBe(all.length);
      expect(all.length).toBeGreaterThan(9);
    });

    test('one is quiet, not silent, while its module is heard of, where that can be asked nothing', async () => {
      await send('d', 'log', 0, records);
      await send('d', 'log of another module', 0, { ...records, module: 'other' });
      for (let minute = 1; minute <= 12; minute++) {
        await clock.advance(60_000);
        await send('d', 'polled', minute);
        await askQuiet(() => gone);
        await judge();
      }
      expect(await kinds()).toEqual(['stream-silent log of another module']);
      await clock.advance(400_000);
      await askQuiet(() => gone);
      await judge();
      expect(await kinds()).toEqual(['stream-silent log of another module', 'device-silent']);
      await send('d', 'polled', 99);
      await judge();
      const silent = await database.query<{ name: string }>(
        'select batch_id as name from silent_stream join stream on id = stream_id',
      );
      expect(silent.map(({ name }) => name)).toEqual(['log of another module']);
    });
  });
}
