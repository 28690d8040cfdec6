import { beforeAll, describe, expect, test } from 'vitest';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { systemRandom } from '../../kernel/random.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import { createIngestor } from '../ingest/ingestor.ts';
import { waiveRange } from '../repair/actions.ts';
import type { RepairLimits } from '../repair/decide.ts';
import { sweep } from '../repair/sweep.ts';
import { emptyDatabase } from '../testing/databases.ts';
import type { Database } from './database.ts';
import { migrate } from './migrate.ts';

/** The contract of the database port, for both engines. */
export function databaseContract(open: () => Database): void {
  describe('a database', () => {
    let database: Database;
    beforeAll(() => {
      database = open();
    });

    test('gives int8, counts and sums of int4 as numbers, ranges as text, arrays and jsonb as themselves', async () => {
      const [row] = await database.query(
        `select 9007199254740991::int8 as big, count(*) as n, sum(i) as total, '{[1,3)}'::int8multirange as m,
                int8range(1, 3) as r, array[1, 2]::int4[] as list, '{"a": [1]}'::jsonb as json
           from generate_series(1, 3) as i`,
      );
      expect(row).toEqual({
        big: Number.MAX_SAFE_INTEGER,
        n: 3,
        total: 6,
        m: '{[1,3)}',
        r: '[1,3)',
        list: [1, 2],
        json: { a: [1] },
      });
    });

    test('takes arrays as parameters, with nulls, quotes and backslashes in them', async () => {
      const texts = ['plain', null, 'quote " and \\ backslash', '{braces},comma'];
      const rows = await database.query('select * from unnest($1::int8[], $2::text[]) as t(i, text)', [
        [1, 2, 3, -4],
        texts,
      ]);
      expect(rows).toEqual(texts.map((text, i) => ({ i: [1, 2, 3, -4][i], text })));
    });

    test('takes any text: what no text of a database can hold is marked', async () => {
      const strange = ['nul \0', 'half \ud83d', '\ude00 other half', '\u{1F600}', null];
      const rows = await database.query('select text, $2::text as one from unnest($1::text[]) as text', [
        strange,
        'a\0b\ud83d',
      ]);
      const marked = ['nul \ufffd', 'half \ufffd', '\ufffd other half', '\u{1F600}', null];
      expect(rows).toEqual(marked.map((text) => ({ text, one: 'a\ufffdb\ufffd' })));
    });

    test('rolls back all of a transaction that rejects, and hands on its error', async () => {
      const failure = new Error('changed my mind');
      const work = database.transaction(async (session) => {
        await session.query(`insert into set_aside_count values ('p', 'r', 1)`);
        throw failure;
      });
      await expect(work).rejects.toMatchObject({ cause: failure });
      expect(await database.query('select * from set_aside_count')).toEqual([]);
    });

    test('keeps transactions apart: each of many concurrent increments counts', async () => {
      await database.query(`insert into set_aside_count values ('p', 'r', 0)`);
      await Promise.all(
        Array.from({ length: 20 }, () =>
          database.transaction(async (session) => {
            await session.query(`select messages from set_aside_count where reason = 'r' for update`);
            await session.query(`update set_aside_count set messages = messages + 1 where reason = 'r'`);
          }),
        ),
      );
      expect(await database.query('select messages from set_aside_count')).toEqual([{ messages: 20 }]);
    });

    test('says whether the data or the database is at fault', async () => {
      await expect(database.query(`select 'x'::int8`)).rejects.toMatchObject({
        code: 'database-refused-data',
        retryable: false,
      });
      // A row that a statement meets twice: any state that is not of the database itself.
      await expect(
        database.query(
          `insert into set_aside_count values ('p', 'twice', 1), ('p', 'twice', 1)
           on conflict (partition_id, reason) do update set messages = 2`,
        ),
      ).rejects.toMatchObject({ code: 'database-refused-data', retryable: false });
      await expect(database.query('select * from nowhere')).rejects.toMatchObject({
        code: 'database-failed',
        retryable: true,
      });
    });

    test('that a newer detector has brought further is written by none that does not know it', async () => {
      const clock = new VirtualClock();
      const ingestor = createIngestor({ database, clock, log: silentLog, metrics: noMetrics });
      const partition = { hub: 'h', consumerGroup: 'g', partitionId: '0' };
      const limits = {} as RepairLimits;
      await emptyDatabase(database);
      await database.query(`insert into schema_version (version, name) values (9999, 'of a newer one')`);
      try {
        const code = 'database-other-schema';
        await expect(migrate(database)).rejects.toMatchObject({ code });
        await expect(ingestor.ingest(partition, [null])).rejects.toMatchObject({ code, retryable: true });
        await expect(sweep(database, systemRandom, 0, limits)).rejects.toMatchObject({ code });
        await expect(waiveRange(database, 1, { start: 0, end: 1 }, '', 0)).rejects.toMatchObject({ code });
        expect(await database.query('select from set_aside')).toEqual([]);
      } finally {
        await database.query('delete from schema_version where version = 9999');
      }
      expect(await ingestor.ingest(partition, [null])).toMatchObject({ setAside: 1 });
    });

    test('is not migrated twice', async () => {
      await database.query(`insert into set_aside_count values ('kept', 'r', 1)`);
      await Promise.all([migrate(database), migrate(database)]);
      expect(await database.query('select version from schema_version where version > 0')).not.toEqual([]);
      expect(
        await database.query(`select 1 as one from set_aside_count where partition_id = 'kept'`),
      ).toHaveLength(1);
    });
  });
}
