import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { seededRandom } from '../../kernel/random.ts';
import type { Database } from '../database/database.ts';
import { listStreams } from '../ledger/streams.ts';
import { answeringOtherwise } from '../testing/answering-otherwise.ts';
import {
  accepted,
  hole,
  limits,
  type MadeCall,
  offline,
  RepairRig,
  takesAndWorks,
} from '../testing/repair-rig.ts';
import type { MethodOutcome } from './hub-methods.ts';
import { claim, sweep } from './sweep.ts';

const minute = 60_000;

/** A module or stream in trouble delays no other, on any database. */
export function fairnessContract(open: () => Database): void {
  describe('shares of repair', { timeout: 120_000 }, () => {
    let rig: RepairRig;
    beforeAll(() => {
      rig = new RepairRig(open());
    });
    beforeEach(() => rig.begin());
    afterEach(() => {
      expect(rig.errors).toEqual([]);
    });

    /** Much is missing of each. */
    const long = (list: readonly { device?: string; stream?: string }[]) =>
      rig.arrive(
        ...list.flatMap((of) => [
          { ...of, start: 0, end: 10 },
          { ...of, start: 90_000, end: 90_010 },
        ]),
      );
    const firstAsk = (device: string, stream = 's') =>
      rig.calls.find(({ device: d, payload }) => d === device && payload.batchId === stream)?.at;

    test('streams whose history hangs do not keep another one of their device waiting', async () => {
      rig.answer = takesAndWorks;
      await long(Array.from({ length: 12 }, (_, n) => ({ stream: `hangs-${n}` })));
      await rig.live(10 * minute, 30_000);
      const startedAt = rig.clock.now();
      await rig.arrive(...hole.map((window) => ({ ...window, stream: 'other' })));
      await rig.live(5 * minute, 30_000);
      expect(firstAsk('d', 'other')! - startedAt).toBeLessThanOrEqual(limits.detectionDelayMs + 90_000);
      // What hangs is not given more and more: the module's own list has an end.
      for (let n = 0; n < 12; n++) expect(rig.asks(`hangs-${n}`).length).toBeLessThanOrEqual(2);
    });

    test('devices whose histories hang do not keep another one waiting', async () => {
      rig.answer = takesAndWorks;
      await long(Array.from({ length: 10 }, (_, n) => ({ device: `hangs-${n}` })));
      await rig.live(10 * minute, 30_000);
      const startedAt = rig.clock.now();
      await long([{ device: 'other' }]);
      await rig.live(5 * minute, 30_000);
      expect(firstAsk('other')! - startedAt).toBeLessThanOrEqual(limits.detectionDelayMs + 90_000);
    });

    test('streams that move slowly leave each other one of a device a place', async () => {
      rig.answer = takesAndWorks;
      await long(Array.from({ length: 3 }, (_, n) => ({ stream: `slow-${n}` })));
      let sent = 10;
      const trickles = async () => {
        for (let n = 0; n < 3; n++)
          await rig.arrive({ stream: `slow-${n}`, start: sent, end: sent + 1, backfill: true });
        sent++;
      };
      await rig.live(10 * minute, 30_000, trickles);
      const active = (await rig.requests()).filter(({ state }) => state === 'accepted');
      expect(new Set(active.map(({ batchId }) => batchId)).size).toBe(3);
      expect(active.length).toBe(limits.maxActivePerDevice);
      const startedAt = rig.clock.now();
      await rig.arrive(...hole.map((window) => ({ ...window, stream: 'other' })));
      await rig.live(3 * minute, 30_000, trickles);
      expect(firstAsk('d', 'other')! - startedAt).toBeLessThanOrEqual(limits.detectionDelayMs + 90_000);
    });

    test('a device of which nothing hangs goes before all of which something does', async () => {
      const devices = ['hangs-0', 'hangs-1', 'other'];
      await rig.arrive(...devices.flatMap((device) => hole.map((window) => ({ ...window, device }))));
      const streams = await listStreams(rig.database, { limit: 10 });
      const add = (id: string, device: string, state: string, dueAt: number) =>
        rig.database.query(
          `insert into request (id, stream_id, range, remaining, state, origin, attempt, due_at, created_at, progress_at,
                                accepted_at)
           values ($1, $2, int8range(10, 50), '{[10,50)}'::int8multirange, $3, 'person', 1, $4, 0, 0, 0)`,
          [id, streams.find(({ deviceId }) => deviceId === device)!.id, state, dueAt],
        );
      for (const device of ['hangs-0', 'hangs-1']) {
        await add(`${device}-hangs`, device, 'accepted', 100_000_000);
        await add(`${device}-waits`, device, 'pending', 1);
      }
      await add('other', 'other', 'pending', 9_000_000);
      const [first, ...more] = await claim(rig.database, 10_000_000, 1, limits);
      expect([first?.id, more]).toEqual(['other', []]);
      expect(await claim(rig.database, 10_000_001, 9, limits)).toHaveLength(2);
    });

    test('many counts of late windows of a stream have one share with it, and take turns with its own gaps', async () => {
      await rig.arrive(...hole, ...hole.map((window) => ({ ...window, stream: 'other' })));
      await rig.database.query(
        `insert into stream (device_id, module_id, batch_id, index_kind, created_at, last_arrival_at, late_of, late_series)
         select device_id, module_id, batch_id, 'sequence', 0, 0, id, 'l' || n from stream, generate_series(1, 40) n
          where batch_id = 's'`,
      );
      await rig.database.query(
        `insert into request (id, stream_id, range, remaining, state, origin, attempt, due_at, created_at, progress_at)
         select s.batch_id || coalesce(s.late_series, ''), s.id, int8range(10, 50), '{[10,50)}'::int8multirange, 'pending',
                'person', 1, case when s.late_of is null then 100 else 1 end, 0, 0 from stream s`,
      );
      const claimed = (await claim(rig.database, 10_000_000, 64, limits)).map(({ id }) => id);
      expect(claimed).toContain('s');
      expect(claimed).toContain('other');
      expect(claimed).toHaveLength(3);
    });

    test('what cannot go now never keeps what stands behind it from being looked at', async () => {
      await rig.arrive(...hole, ...hole.map((window) => ({ ...window, stream: 'behind' })));
      await rig.database.query(
        `insert into request (id, stream_id, range, remaining, state, origin, attempt, due_at, created_at, progress_at)
         select 'r' || n, 1, int8range(10, 50), '{[10,50)}'::int8multirange, 'pending', 'person', 1, n, 0, 0 from generate_series(1, 5000) n
          union all select 'behind', 2, int8range(10, 50), '{[10,50)}'::int8multirange, 'pending', 'person', 1, 6000, 0, 0`,
      );
      const claimed: string[] = [];
      for (let turn = 0; turn < 4; turn++) {
        claimed.push(...(await claim(rig.database, 10_000_000 + turn, 64, limits)).map(({ id }) => id));
      }
      expect(claimed).toHaveLength(3);
      expect(claimed).toContain('behind');
    });

    test('a sweep that has begun ends, however often outcomes of calls hold the lock meanwhile', async () => {
      await rig.arrive(...hole);
      let tries = 0;
      const busy = answeringOtherwise(rig.database, (sql, params, session) =>
        sql.includes('pg_try_advisory_xact_lock') && tries++ > 0
          ? session.query(sql.replace('pg_try_advisory_xact_lock($1)', '$1::int8 is null'), params)
          : undefined,
      );
      const now = rig.clock.now();
      expect(await sweep(busy, seededRandom(1), now, limits)).toBeDefined();
      tries = 0;
      const later = now + limits.detectionDelayMs;
      expect(await sweep(busy, seededRandom(1), later, limits)).toMatchObject({ requestsRecorded: 1 });
      expect(await sweep(busy, seededRandom(1), later, limits)).toBeUndefined();
    });

    test('nor do requests to modules that are not to be called yet', async () => {
      await rig.arrive(
        ...hole.map((window) => ({ ...window, device: 'away' })),
        ...hole.map((window) => ({ ...window, stream: 'behind' })),
      );
      await rig.database.query(
        `insert into module_contact (device_id, module_id, unreachable, failures, due_at, tried_at)
         select device_id, module_id, true, 5, 10300000, 9900000 from stream where device_id = 'away'`,
      );
      await rig.database.query(
        `insert into request (id, stream_id, range, remaining, state, origin, attempt, due_at, created_at, progress_at)
         select 'r' || n, s.id, int8range(10, 50), '{[10,50)}'::int8multirange, 'pending', 'person', 1, n, 0, 0
           from stream s, generate_series(1, 5000) n where device_id = 'away'
          union all
         select 'behind', id, int8range(10, 50), '{[10,50)}'::int8multirange, 'pending', 'person', 1, 6000, 0, 0
           from stream where batch_id = 'behind'`,
      );
      const claimed: string[] = [];
      const take = async (now: number) =>
        claimed.push(...(await claim(rig.database, now, 64, limits)).map(({ id }) => id));
      for (let turn = 0; turn < 4; turn++) await take(10_000_000 + turn);
      expect(claimed).toEqual(['behind']);
      // Nothing is put off beyond when its module is to be called.
      for (let turn = 0; turn < 4; turn++) await take(10_300_000 + turn);
      expect(claimed.filter((id) => id !== 'behind')).toHaveLength(1);
    });

    test('a module that was removed is called more and more rarely, however much its device sends', async () => {
      const gone = (call: MadeCall): MethodOutcome => (call.module === 'gone' ? offline : accepted);
      rig.answer = gone;
      for (let n = 0; n < 5; n++) {
        await rig.arrive(...hole.map((window) => ({ ...window, module: 'gone', stream: `s${n}` })));
      }
      let sent = 0;
      const lives = () => rig.arrive({ module: 'lives', start: sent++, end: sent });
      await rig.live(20 * minute, 30_000, lives);
      rig.calls.length = 0;
      await rig.live(60 * minute, 60_000, lives);
      expect(rig.calls.filter(({ module }) => module === 'gone').length).toBeLessThanOrEqual(24);
      expect((await rig.requests()).every(({ attempt, unreachable }) => attempt === 1 && unreachable)).toBe(
        true,
      );
      // It comes back, and all of it is asked for within a minute.
      rig.answer = () => accepted;
      await rig.arrive({ module: 'gone', stream: 's0', start: 60, end: 61 });
      await rig.live(minute, 10_000, lives);
      expect(await rig.states()).toEqual(Array.from({ length: 5 }, () => 'accepted'));
    });

    test('a hub that throttles is left alone by all for as long as it asks', async () => {
      rig.answer = () => ({ kind: 'throttled', detail: 'slow down', retryAfterMs: 5 * minute });
      let devices = 0;
      const arrives = async () => {
        if (devices < 30) await rig.arrive(...hole.map((window) => ({ ...window, device: `d${devices}` })));
        devices++;
      };
      await rig.live(5 * minute, 10_000, arrives);
      expect(rig.calls.length).toBe(1);
      rig.answer = () => accepted;
      await rig.live(2 * minute, 10_000);
      expect(await rig.states()).toContain('accepted');
      expect((await rig.requests()).every(({ attempt }) => attempt === 1)).toBe(true);
    });
  });
}
