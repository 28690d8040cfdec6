import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { seededRandom } from '../../kernel/random.ts';
import type { Database } from '../database/database.ts';
import { waiveRange } from '../repair/actions.ts';
import { sweep } from '../repair/sweep.ts';
import { arrive, type ShortArrival } from '../testing/arrivals.ts';
import { emptyDatabase } from '../testing/databases.ts';
import { type FleetQuery, readFleet } from './fleet.ts';

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
    const look = () => sweep(database, seededRandom(1), 100, limits);

    test('is judged by what is silent, lost, fetched and there, the worst first', async () => {
      await arrive(database, [
        time('a-healthy', 0, 100),
        time('b-holed', 0, 30),
        time('b-holed', 50, 100),
        time('c-void', 0, 80),
        time('c-void', 80, 90, { void: 'no-history' }),
        time('c-void', 90, 100),
        time('d-silent', 0, 50),
      ]);
      await database.query(
        `insert into silent_stream (stream_id, since) select id, 90 from stream where batch_id = 'd-silent'`,
      );
      // Only late, for all that is known.
      expect((await read()).counts).toEqual({ silent: 1, lossy: 1, repairing: 0, unknown: 0, healthy: 2 });
      await look();
      const page = await read();
      expect(page.counts).toEqual({ silent: 1, lossy: 1, repairing: 1, unknown: 0, healthy: 1 });
      expect(page.streams.map(({ batchId, state, strip }) => [batchId, state, strip])).toEqual([
        ['d-silent', 'silent', 'ccccc.....'],
        ['c-void', 'lossy', 'ccccccccvc'],
        ['b-holed', 'repairing', 'cccrrccccc'],
        ['a-healthy', 'healthy', 'cccccccccc'],
      ]);
      expect(page.streams[2]).toMatchObject({
        openGaps: 1,
        openRequests: 1,
        lengths: { covered: 80, missing: 20, excused: 0, abandoned: 0 },
      });
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
      expect(await states({})).toEqual(['repairing', 'lossy', 'lossy']);
      expect(await states({ period: { start: 50, end: 100 } })).toEqual(['repairing', 'healthy', 'healthy']);
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
          state: 'lossy',
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
      expect((await read({ search: 'PRESS', limit: 1 })).counts.healthy).toBe(3);
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
      await database.query(
        `insert into silent_stream (stream_id, since) select id, 90 from stream where batch_id in ('s-3', 's-11')`,
      );
      for (const query of [
        {},
        { order: 'name' },
        { state: 'lossy' },
        { state: 'healthy' },
        { state: 'healthy', order: 'name' },
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
      expect(counts).toEqual({ silent: 2, lossy: 5, repairing: 4, unknown: 0, healthy: 3 });
      expect(streams.map(({ state }) => state)).toEqual(
        (['silent', 'lossy', 'repairing', 'healthy'] as const).flatMap((state) =>
          Array(counts[state]).fill(state),
        ),
      );
      const names = (await read({ order: 'name' })).streams.map(({ batchId }) => batchId);
      expect(names).toEqual(names.toSorted());
    });
  });
}
