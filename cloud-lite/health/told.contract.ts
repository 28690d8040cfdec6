import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { seededRandom } from '../../kernel/random.ts';
import type { Database } from '../database/database.ts';
import { sweep } from '../repair/sweep.ts';
import { arrive, type ShortArrival } from '../testing/arrivals.ts';
import { emptyDatabase } from '../testing/databases.ts';
import { listAlerts } from './alerts.ts';
import { judgeAway } from './away.ts';
import { settleFutureStamps } from './future-stamps.ts';
import { judgeLasting } from './lasting.ts';
import { judgeLosses } from './losses.ts';
import { judgeRefused } from './refused.ts';

const minute = 60_000;
const noon = Date.UTC(2026, 10, 21, 12);
const now = noon + 10 * minute;
const hour = 60 * minute;
const limits = {
  detectionDelayMs: 0,
  expiryMs: 3 * hour,
  maxAttempts: 3,
  retryMs: 30_000,
  maxRange: { time: hour, sequence: 10_000 },
  maxActivePerDevice: 4,
  maxActive: 8,
};

/** Alerts of losses and of trouble that lasts, on any database. */
export function toldContract(open: () => Database): void {
  describe('what is told of', () => {
    let database: Database;
    beforeAll(() => {
      database = open();
    });
    beforeEach(() => emptyDatabase(database));

    const time = (from: number, to: number, more: Partial<ShortArrival> = {}): ShortArrival => ({
      index: 'time',
      start: noon + from * minute,
      end: noon + to * minute,
      ...more,
    });
    const told = async () =>
      (await listAlerts(database, { limit: 50 })).map(({ kind, message }) => [kind, message]).toReversed();

    test('a loss, with its length and reason: at once, then each hour while more comes', async () => {
      await arrive(database, [time(0, 1), time(1, 3, { void: 'no-history' }), time(3, 4)], now);
      await judgeLosses(database, now);
      const first =
        'stream s of d/m lost 2 min (no-history), the newest of it 2026-11-21T12:01:00.000Z to 2026-11-21T12:03:00.000Z';
      expect(await told()).toEqual([['range-lost', first]]);
      // Read again, and said twice: nothing new.
      await arrive(database, [time(1, 3, { void: 'no-history' })], now + minute);
      await judgeLosses(database, now + minute);
      await arrive(database, [time(4, 5, { void: 'evicted' })], now + 2 * minute);
      await arrive(database, [time(5, 6, { void: 'evicted' })], now + 3 * minute);
      await judgeLosses(database, now + 3 * minute);
      const more = '2 min (evicted), the newest of it 2026-11-21T12:04:00.000Z to 2026-11-21T12:06:00.000Z';
      expect(await told()).toEqual([['range-lost', `${first}; since then lost ${more}`]]);
      // What came after all is not lost any more, and is not told as such.
      await arrive(database, [time(4, 6)], now + 4 * minute);
      await judgeLosses(database, now + 4 * minute);
      expect(await told()).toEqual([['range-lost', first]]);
      await arrive(database, [time(6, 8, { void: 'evicted' })], now + 5 * minute);
      await judgeLosses(database, now + 5 * minute);
      await judgeLosses(database, now + hour);
      const second =
        'stream s of d/m lost 2 min (evicted), the newest of it 2026-11-21T12:06:00.000Z to 2026-11-21T12:08:00.000Z';
      expect((await told())[0]).toEqual(['range-lost', first]);
      expect((await told())[1]).toEqual(['range-lost', second]);
      await judgeLosses(database, now + 9 * hour);
      expect(await told()).toHaveLength(2);
    });

    test('a loss in the place of another one that is as long', async () => {
      await arrive(database, [time(0, 1), time(1, 3, { void: 'no-history' }), time(3, 4)], now);
      await judgeLosses(database, now);
      await arrive(database, [time(1, 3), time(4, 6, { void: 'evicted' })], now + minute);
      await judgeLosses(database, now + hour);
      expect((await told())[1]![1]).toMatch(/ lost 2 min \(evicted\), the newest of it 2026-11-21T12:04/);
    });

    test('late windows that are declared lost', async () => {
      await arrive(database, [time(0, 1, { lateThrough: 3 })], now);
      await arrive(
        database,
        [1, 3].map((late) => time(0, 1, { late, void: 'evicted' })),
        now,
      );
      await judgeLosses(database, now);
      expect(await told()).toEqual([
        ['range-lost', 'stream s of d/m lost 2 late windows (evicted), the newest of them number 3'],
      ]);
    });

    test('a loss of one stream, however many others with old ones go on sending', async () => {
      const names = Array.from({ length: 600 }, (_, n) => `s${n}`);
      const all = (more: (stream: string) => readonly ShortArrival[], at: number) =>
        arrive(database, names.flatMap(more), at);
      const old = (stream: string) => [time(0, 1, { stream }), time(1, 2, { stream, void: 'no-history' })];
      await all((stream) => (stream === 's599' ? [time(0, 1, { stream })] : old(stream)), now);
      for (let look = 0; look < 2; look++) await judgeLosses(database, now);
      await all((stream) => [time(2, 3, { stream })], now + hour);
      await arrive(database, [time(1, 2, { stream: 's599', void: 'evicted' })], now + hour);
      for (let look = 0; look < 2; look++) await judgeLosses(database, now + hour + look * minute);
      const newest = await listAlerts(database, { limit: 1 });
      expect(newest).toMatchObject([{ kind: 'range-lost', batchId: 's599' }]);
    });

    test('a loss after a clock that was a year ahead', async () => {
      const year = 365 * 24 * hour;
      await arrive(database, [time(0, 1), time(1, 2, { void: 'no-history' })], now);
      await judgeLosses(database, now + year);
      await settleFutureStamps(database, now, hour);
      await arrive(database, [time(2, 4, { void: 'no-history' })], now + hour);
      await judgeLosses(database, now + hour);
      expect((await told()).at(-1)![1]).toMatch(/ lost 2 min \(no-history\)/);
    });

    test('no loss where data came all the same', async () => {
      await arrive(database, [time(0, 1), time(1, 3, { void: 'no-history' }), time(1, 4)], now);
      await judgeLosses(database, now);
      expect(await told()).toEqual([]);
    });

    test('a gateway that is not connected by two readings of the hub, once, and its return', async () => {
      await arrive(database, [time(0, 1), time(0, 1, { device: 'e' })], now);
      const word = async (away: number | null, readAt: number) => {
        await database.query(
          `insert into gateway (device_id, module_id, tags, reported, is_connected, problems, read_at, disconnected_at)
           select d, 'm', '{}'::jsonb, '{}'::jsonb, $1::int8 is null, '{}'::text[], $2, $1
             from unnest(array['d', 'never-seen']) as t(d)
           on conflict (device_id, module_id) do update set read_at = $2, disconnected_at = $1`,
          [away, readAt],
        );
        await judgeAway(database, readAt);
        return told();
      };
      // Once may be a module that starts anew.
      expect(await word(now + minute, now + minute)).toEqual([]);
      const away = [
        'gateway-disconnected',
        'gateway d/m is not connected to the hub, by its word since 2026-11-21T12:11:00.000Z',
      ];
      expect(await word(now + minute, now + 2 * minute)).toEqual([away]);
      expect(await word(now + minute, now + 3 * minute)).toEqual([away]);
      const back = ['gateway-connected', 'gateway d/m is connected again'];
      expect(await word(null, now + 4 * minute)).toEqual([away, back]);
      // What comes says more than the hub's word.
      await arrive(database, [time(1, 2)], now + 6 * minute);
      expect(await word(now + 5 * minute, now + 7 * minute)).toEqual([away, back]);
    });

    test('a configuration that a gateway refused or took back, once for each, and its end', async () => {
      const says = async (state: string, hash: string | null, problem?: string) => {
        await database.query(
          `insert into gateway (device_id, module_id, tags, reported, config_state, config_hash, problems, read_at)
           select d, 'm', '{}'::jsonb, '{"config": {"version": "7"}}'::jsonb, s, $2, $3::text[], $4
             from (values ('d', $1::text), ('well', 'applied')) as t(d, s)
           on conflict (device_id, module_id) do update
              set config_state = excluded.config_state, config_hash = $2, problems = $3::text[]`,
          [state, hash, problem === undefined ? [] : [problem], now],
        );
        for (let n = 0; n < 2; n++) await judgeRefused(database, now);
        return told();
      };
      const first = [
        'config-refused',
        'gateway d/m: configuration refused: sources: is missing; the former one runs',
      ];
      expect(await says('applied', 'aaaa')).toEqual([]);
      expect(await says('refused', null, 'configuration refused: sources: is missing')).toEqual([first]);
      const second = ['config-refused', 'gateway d/m: configuration refused (bbbb); the former one runs'];
      expect(await says('refused', 'bbbb')).toEqual([first, second]);
      // A trial is not over yet, and neither is a start without the hub.
      expect(await says('last-good', 'aaaa')).toHaveLength(2);
      expect(await says('trial', 'cccc')).toHaveLength(2);
      const third = [
        'config-reverted',
        'gateway d/m: configuration reverted: sources: none (cccc); the former one runs',
      ];
      expect((await says('reverted', 'cccc', 'configuration reverted: sources: none')).slice(2)).toEqual([
        third,
      ]);
      const over = ['config-applied', 'gateway d/m: runs the configuration that is wanted (aaaa)'];
      expect((await says('applied', 'aaaa')).slice(3)).toEqual([over]);
      expect((await says('refused', 'bbbb')).slice(4)).toEqual([second]);
      await database.query('delete from gateway');
      for (let n = 0; n < 2; n++) await judgeRefused(database, now);
      expect((await told()).slice(5)).toEqual([['config-applied', 'gateway d/m: is gone from the hub']]);
    });

    test('a gap that is open for long, with the last answer, and its end', async () => {
      await arrive(database, [time(0, 1), time(2, 3)], now);
      await arrive(
        database,
        [
          { stream: 'r', start: 0, end: 5 },
          { stream: 'r', start: 6, end: 9 },
        ],
        now,
      );
      await sweep(database, seededRandom(1), now, limits);
      await database.query(
        `update request set answer = 'busy' where stream_id = (select id from stream where batch_id = 's')`,
      );
      await judgeLasting(database, now + hour - 1, hour);
      expect(await told()).toEqual([]);
      for (let n = 0; n < 2; n++) await judgeLasting(database, now + hour, hour);
      expect(await told()).toEqual([
        ['gap-open', 'stream r of d/m: record 5 still missing'],
        [
          'gap-open',
          'stream s of d/m: 1 min, 2026-11-21T12:01:00.000Z to 2026-11-21T12:02:00.000Z, still missing; the last answer: busy',
        ],
      ]);
      await arrive(database, [time(1, 2)], now + hour);
      await sweep(database, seededRandom(1), now + hour, limits);
      for (let n = 0; n < 2; n++) await judgeLasting(database, now + 2 * hour, hour);
      expect((await told()).slice(2)).toEqual([
        [
          'gap-closed',
          'stream s of d/m: 1 min, 2026-11-21T12:01:00.000Z to 2026-11-21T12:02:00.000Z, missing no more',
        ],
      ]);
    });

    test('in ranges that people read, some of many', async () => {
      const words = async (kind: string, ranges: string) =>
        (
          await database.query<{ words: string }>('select words_of($1, $2::int8multirange) as words', [
            kind,
            ranges,
          ])
        )[0]!.words;
      expect(await words('time', `{[${noon},${noon + 1500})}`)).toBe(
        '2026-11-21T12:00:00.000Z to 2026-11-21T12:00:01.500Z',
      );
      expect(await words('sequence', '{[5,6),[8,10)}')).toBe('record 5, records 8 to 9');
      expect(await words('time', '{[0,9007199254740991)}')).toBe(
        '1970-01-01T00:00:00.000Z to 9007199254740991',
      );
      const many = Array.from({ length: 20 }, (_, n) => `[${n * 2},${n * 2 + 1})`).join();
      expect(await words('sequence', `{${many}}`)).toMatch(/^record 0, .*record 14 and 12 more$/);
    });

    test('a device that cannot be called for long, once for all of its streams, and its end', async () => {
      await arrive(
        database,
        ['a', 'b'].flatMap((stream) => [time(0, 1, { stream }), time(2, 3, { stream })]),
        now,
      );
      await sweep(database, seededRandom(1), now, limits);
      await database.query('update request set unreachable = true');
      const device = async () => (await told()).filter(([kind]) => kind!.startsWith('device'));
      for (let n = 0; n < 2; n++) await judgeLasting(database, now + hour, hour);
      expect(await device()).toEqual([
        ['device-unreachable', 'device d cannot be called, and what is missing of it cannot be asked for'],
      ]);
      await database.query('update request set unreachable = false');
      for (let n = 0; n < 2; n++) await judgeLasting(database, now + 2 * hour, hour);
      expect((await device())[1]![0]).toBe('device-reached');
    });
  });
}
