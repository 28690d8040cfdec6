import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { seededRandom } from '../../kernel/random.ts';
import type { Database } from '../database/database.ts';
import { waiveRange } from '../repair/actions.ts';
import { sweep } from '../repair/sweep.ts';
import { arrive, type ShortArrival } from '../testing/arrivals.ts';
import { emptyDatabase } from '../testing/databases.ts';
import { readAccount } from './account.ts';
import { type FleetQuery, type FleetStream, readFleet } from './fleet.ts';
import { streamStates } from './stream-states.ts';
import { readStream } from './streams.ts';

const limits = {
  detectionDelayMs: 0,
  expiryMs: 1000,
  maxAttempts: 3,
  retryMs: 30_000,
  maxRange: { time: 10_000, sequence: 10_000 },
  maxActivePerDevice: 4,
  maxActive: 8,
};

/** How the fleet is judged, on any database. */
export function fleetContract(open: () => Database): void {
  describe('the fleet', () => {
    let database: Database;
    beforeAll(() => {
      database = open();
    });
    beforeEach(() => emptyDatabase(database));

    const read = async (query: Partial<FleetQuery> = {}) =>
      readFleet(database, {
        order: 'worst',
        offset: 0,
        limit: 50,
        cells: 10,
        period: { start: 0, end: 100 },
        now: 100,
        silenceMs: 300_000,
        ...query,
      });
    const time = (stream: string, start: number, end: number, more: Partial<ShortArrival> = {}) => ({
      stream,
      start,
      end,
      index: 'time' as const,
      ...more,
    });
    const none = Object.fromEntries(streamStates.map((state) => [state, 0]));
    /** As it is judged long after its last message. */
    const fallSilent = (...names: readonly string[]) =>
      database.query(
        `with gone as (update stream set heard_at = -400_000 where batch_id = any($1) returning id)
         insert into silent_stream (stream_id, since) select id, 90 from gone`,
        [names],
      );
    const look = () => sweep(database, seededRandom(1), 100, limits);

    test('is judged by what is silent, lost, fetched and there, the worst first', async () => {
      await arrive(database, [
        time('a-whole', 0, 100),
        time('b-holed', 0, 30),
        time('b-holed', 50, 100),
        time('c-void', 0, 80),
        time('c-void', 80, 90, { void: 'no-history' }),
        time('c-void', 90, 100),
        time('d-silent', 0, 50),
        time('e-late', 0, 50),
      ]);
      await fallSilent('d-silent');
      await database.query(
        `insert into silent_stream (stream_id, since) select id, 90 from stream where batch_id = 'e-late'`,
      );
      // It may only be late, and nobody fetches it: it is not there.
      expect((await read()).counts).toEqual({ ...none, missing: 1, lost: 1, late: 1, silent: 1, whole: 1 });
      expect((await read()).streams[0]).toMatchObject({ batchId: 'b-holed', strip: 'cccmmccccc' });
      await look();
      const page = await read();
      expect(page.counts).toEqual({ ...none, lost: 1, late: 1, silent: 1, repairing: 1, whole: 1 });
      expect(page.streams.map(({ batchId, state, strip }) => [batchId, state, strip])).toEqual([
        ['c-void', 'lost', 'ccccccccvc'],
        ['e-late', 'late', 'ccccc.....'],
        ['d-silent', 'silent', 'ccccc.....'],
        ['b-holed', 'repairing', 'cccrrccccc'],
        ['a-whole', 'whole', 'cccccccccc'],
      ]);
      const judged = { now: 100, silenceMs: 300_000 };
      for (const { id, state } of page.streams)
        expect((await readStream(database, id, judged))!.state).toBe(state);
      expect(page.streams[3]).toMatchObject({
        openGaps: 1,
        openRequests: 1,
        lengths: { covered: 80, missing: 20, excused: 0, abandoned: 0 },
      });
    });

    test('a stream is not whole while the hub says that its module is not connected, unless it was heard of since', async () => {
      await arrive(database, [
        time('cut', 0, 100),
        time('heard', 0, 100),
        time('holed', 0, 30),
        time('holed', 50, 100),
      ]);
      await database.query("update stream set heard_at = case batch_id when 'heard' then 70 else 50 end");
      await database.query(
        `insert into gateway (device_id, module_id, tags, reported, is_connected, problems, read_at, disconnected_at)
         select distinct device_id, module_id, '{}'::jsonb, '{}'::jsonb, false, '{}'::text[], 90, 60 from stream`,
      );
      const judged = { now: 100, silenceMs: 300_000 };
      for (const query of [{ order: 'worst' }, { order: 'name' }] as const) {
        const { counts, streams } = await read(query);
        expect(counts).toEqual({ ...none, missing: 1, unknown: 1, whole: 1 });
        const states = Object.fromEntries(
          streams.map(({ batchId, state, awaySince }) => [batchId, [state, awaySince]]),
        );
        expect(states).toEqual({ cut: ['unknown', 60], heard: ['whole', null], holed: ['missing', 60] });
        for (const { id, state, awaySince } of streams)
          expect(await readStream(database, id, judged)).toMatchObject({ state, awaySince });
      }
      expect((await read({ state: 'unknown' })).streams.map(({ batchId }) => batchId)).toEqual(['cut']);
      const [line] = await readAccount(database, {
        period: { start: 0, end: 100 },
        offset: 0,
        limit: 5,
        ...judged,
      });
      expect(line).toMatchObject({ batchId: 'cut', state: 'unknown' });
      await database.query('update gateway set is_connected = true, disconnected_at = null');
      expect((await read()).counts).toEqual({ ...none, missing: 1, whole: 2 });
    });

    test('what is asked of a module that cannot be reached is missing, not being fetched', async () => {
      await arrive(database, [time('s', 0, 30), time('s', 50, 100)]);
      await look();
      const shown = async () => {
        const { streams } = await read();
        const [{ id, state, strip }] = streams as [FleetStream];
        expect((await readStream(database, id, { now: 100, silenceMs: 300_000 }))!.state).toBe(state);
        return [state, strip];
      };
      expect(await shown()).toEqual(['repairing', 'cccrrccccc']);
      await database.query('update request set unreachable = true');
      expect(await shown()).toEqual(['missing', 'cccmmccccc']);
      await database.query("update request set unreachable = false, state = 'accepted'");
      expect(await shown()).toEqual(['repairing', 'cccrrccccc']);
      await database.query(
        `insert into gateway (device_id, module_id, tags, reported, is_connected, problems, read_at, disconnected_at)
         select device_id, module_id, '{}'::jsonb, '{}'::jsonb, false, '{}'::text[], 90, heard_at + 1 from stream`,
      );
      expect(await shown()).toEqual(['missing', 'cccmmccccc']);
      await database.query('update stream set heard_at = heard_at + 1');
      expect(await shown()).toEqual(['repairing', 'cccrrccccc']);
    });

    test('forgets losses that lie before its period, and never what is missing', async () => {
      await arrive(database, [
        time('lost', 0, 10),
        time('lost', 10, 20, { void: 'evicted' }),
        time('lost', 20, 100),
        time('waived', 0, 10),
        time('waived', 20, 100),
        time('holed', 0, 10),
        time('holed', 20, 100),
      ]);
      const [row] = await database.query<{ id: number }>(`select id from stream where batch_id = 'waived'`);
      await waiveRange(database, row!.id, { start: 10, end: 20 }, 'a test', 100);
      await look();
      const states = async (query: Partial<FleetQuery>) =>
        (await read({ order: 'name', ...query })).streams.map(({ state }) => state);
      expect(await states({})).toEqual(['repairing', 'lost', 'lost']);
      expect(await states({ period: { start: 50, end: 100 } })).toEqual(['repairing', 'whole', 'whole']);
    });

    test('tells what is missing and asked for no more', async () => {
      await arrive(database, [
        { stream: 's', start: 0, end: 40 },
        { stream: 's', start: 50, end: 100 },
      ]);
      await look();
      await database.query(`update request set state = 'abandoned', ended_at = 1`);
      await database.query('update gap set abandoned = int8multirange(range), given_up = true');
      expect((await read({ period: { start: 1e6, end: 2e6 } })).streams).toMatchObject([
        // Of a sequence all is shown: its numbers have no period.
        {
          state: 'missing',
          strip: 'ccccmccccc',
          lengths: { missing: 10, abandoned: 10 },
          openGaps: 1,
          openRequests: 0,
        },
      ]);
    });

    test('is searched by any part of a name, in any case, and paged', async () => {
      const list = ['Press-1', 'Press-2', 'boiler'].map((stream) => time(stream, 0, 100, { device: 'Hall' }));
      await arrive(database, [...list, time('x', 0, 100, { device: 'press_hall%' })]);
      const names = async (query: Partial<FleetQuery>) =>
        (await read({ order: 'name', ...query })).streams.map(({ batchId }) => batchId);
      expect(await names({ search: 'PRESS' })).toEqual(['Press-1', 'Press-2', 'x']);
      expect(await names({ search: '%' })).toEqual(['x']);
      expect(await names({ search: 'nothing' })).toEqual([]);
      expect(await names({ offset: 1, limit: 2 })).toEqual(['Press-2', 'boiler'].sort());
      expect(await names({ state: 'silent' })).toEqual([]);
      expect((await read({ search: 'PRESS', limit: 1 })).counts.whole).toBe(3);
    });

    test('page by page shows each stream once, in one order, whatever is asked for', async () => {
      const list = Array.from({ length: 14 }, (_, n) => {
        const stream = `s-${(n * 5) % 14}`;
        return n % 3 === 0
          ? [time(stream, 0, 40), time(stream, 60, 100)]
          : n % 3 === 1
            ? [time(stream, 0, 40), time(stream, 40, 60, { void: 'evicted' as const }), time(stream, 60, 100)]
            : [time(stream, 0, 100)];
      });
      await arrive(database, list.flat());
      await look();
      await fallSilent('s-10', 's-11');
      for (const query of [
        {},
        { order: 'name' },
        { state: 'lost' },
        { state: 'whole' },
        { state: 'whole', order: 'name' },
        { search: 'S-1' },
        { search: 's-1', order: 'name' },
      ] as Partial<FleetQuery>[]) {
        const whole = (await read(query)).streams;
        const paged: unknown[] = [];
        for (let offset = 0; offset < 18; offset += 3) {
          paged.push(...(await read({ ...query, offset, limit: 3 })).streams);
        }
        expect(paged, JSON.stringify(query)).toEqual(whole);
        expect(whole.length, JSON.stringify(query)).toBeGreaterThan(0);
        expect(new Set(whole.map(({ id }) => id)).size).toBe(whole.length);
      }
      const { counts, streams } = await read();
      expect(counts).toEqual({ ...none, lost: 5, silent: 2, repairing: 5, whole: 2 });
      expect(streams.map(({ state }) => state)).toEqual(
        streamStates.flatMap((state) => Array(counts[state]).fill(state)),
      );
      const names = (await read({ order: 'name' })).streams.map(({ batchId }) => batchId);
      expect(names).toEqual(names.toSorted());
    });
  });
}
