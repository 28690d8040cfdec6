import fc from 'fast-check';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import type { Database } from '../database/database.ts';
import { listStreams } from '../ledger/streams.ts';
import { answeringOtherwise, poison } from '../testing/answering-otherwise.ts';
import { emptyDatabase } from '../testing/databases.ts';
import type { ReceivedEvent } from './event-source.ts';
import { createIngestor, type Ingestor } from './ingestor.ts';

const partition = { hub: 'hub', consumerGroup: 'group', partitionId: '0' };
const telemetry = { 'iothub-connection-device-id': 'd', 'iothub-connection-module-id': 'm' };
const noon = Date.UTC(2026, 10, 21, 12);

function event(sequenceNumber: number, properties: Record<string, unknown>, annotations: object = telemetry) {
  return {
    sequenceNumber,
    offset: `o${sequenceNumber}`,
    enqueuedAt: noon,
    properties,
    annotations: annotations as ReceivedEvent['annotations'],
  };
}

const windowOf = (start: number) => ({
  batchId: 's',
  index: 'sequence',
  startWindow: String(start),
  endWindow: String(start + 10),
  count: '1',
});

/** The contract of ingest, on any database. */
export function ingestorContract(open: () => Database): void {
  describe('ingest', () => {
    let database: Database;
    let ingestor: Ingestor;
    let woken = 0;
    beforeAll(() => {
      database = open();
    });
    beforeEach(async () => {
      await emptyDatabase(database);
      woken = 0;
      ingestor = newIngestor();
    });

    const newIngestor = (using = database) =>
      createIngestor({
        database: using,
        clock: new VirtualClock(),
        log: silentLog,
        metrics: noMetrics,
        plausible: { earliest: Date.UTC(2000, 0), maxAheadMs: 3_600_000 },
        onBackfill: () => {
          woken++;
        },
      });
    const streams = () => listStreams(database, { limit: 10 });
    const asideReasons = async () =>
      (await database.query<{ reason: string }>('select reason from set_aside order by id')).map(
        (row) => row.reason,
      );

    test.each<[string, Record<string, unknown>]>([
      ['taken', windowOf(0)],
      ['set aside', { ...windowOf(0), endWindow: '9000000000' }],
    ])(
      'a row that was deleted since it was remembered is made anew, for an event that is %s',
      async (_, properties) => {
        await ingestor.ingest(partition, [event(1, { ...windowOf(0), endWindow: '8000000000' })]);
        await database.query('delete from stream');
        const again = () => ingestor.ingest(partition, [event(2, properties)], 1);
        await expect(again()).rejects.toMatchObject({ code: 'ledger-stream-gone', retryable: true });
        await again();
        expect(await asideReasons()).not.toContain('refused-by-database');
        expect((await database.query('select from stream')).length).toBe(1);
      },
    );

    test('takes each event once, however often and in whatever slices it comes', async () => {
      const log = [0, 10, 20, 30, 40].map((start, i) => event(100 + i, windowOf(start)));
      expect(await ingestor.ingest(partition, log.slice(0, 3))).toEqual({
        taken: 3,
        replayed: 0,
        setAside: 0,
      });
      expect(await ingestor.ingest(partition, log.slice(1, 4))).toEqual({
        taken: 1,
        replayed: 2,
        setAside: 0,
      });
      expect(await newIngestor().ingest(partition, log)).toEqual({ taken: 1, replayed: 4, setAside: 0 });
      expect(await newIngestor().ingest(partition, log)).toMatchObject({ taken: 0 });
      expect(await streams()).toMatchObject([{ messages: 5, duplicates: 0, covered: [[0, 50]] }]);
    });

    test('counts each partition by itself', async () => {
      await ingestor.ingest(partition, [event(7, windowOf(0))]);
      await ingestor.ingest({ ...partition, partitionId: '1' }, [event(3, windowOf(10))]);
      expect(await streams()).toMatchObject([{ messages: 2 }]);
    });

    test('a batch that fails leaves no trace, and is taken whole the next time', async () => {
      const failing: Database = {
        ...database,
        transaction: (work) =>
          database.transaction(async (session) => {
            await work(session);
            throw new Error('the line went dead before the commit');
          }),
      };
      const events = [event(0, windowOf(0)), event(1, {})];
      await expect(newIngestor(failing).ingest(partition, events)).rejects.toMatchObject({ retryable: true });
      expect(await streams()).toMatchObject([{ messages: 0 }]);
      expect(await asideReasons()).toEqual([]);
      expect(await ingestor.ingest(partition, events)).toEqual({ taken: 2, replayed: 0, setAside: 1 });
    });

    test('two instances that read the same partition at once count nothing twice', async () => {
      const log = Array.from({ length: 60 }, (_, i) => event(i, windowOf(i * 10)));
      const read = async (own: Ingestor, size: number) => {
        for (let from = 0; from < log.length; from += size) {
          await own.ingest(partition, log.slice(from, from + size));
        }
      };
      await Promise.all([read(newIngestor(), 7), read(newIngestor(), 11), read(ingestor, 5)]);
      expect(await streams()).toMatchObject([{ messages: 60, duplicates: 0, covered: [[0, 600]] }]);
    });

    test('sets aside what is not for the ledger, says why, and goes on', async () => {
      const stamped = (start: unknown, end: unknown) => ({
        batchId: 't',
        startWindow: start,
        endWindow: end,
      });
      const result = await ingestor.ingest(partition, [
        event(0, windowOf(0), {}),
        event(1, windowOf(0), { ...telemetry, 'iothub-message-source': 'twinChangeEvents' }),
        event(2, { temperature: 21 }),
        event(3, stamped(0, 1000)),
        event(4, stamped(noon, noon + 7_200_000)),
        event(5, windowOf(10), { ...telemetry, 'iothub-message-source': 'Telemetry' }),
        event(6, { ...stamped(noon, noon + 1000), batchId: 's' }),
      ]);
      expect(result).toEqual({ taken: 7, replayed: 0, setAside: 6 });
      expect(await asideReasons()).toEqual([
        'no-device',
        'not-telemetry',
        'not-a-mini-batch',
        'implausible-time',
        'implausible-time',
        'index-changed',
      ]);
      // A stream of which nothing is believed is there all the same, and says why.
      expect(await streams()).toMatchObject([
        { batchId: 't', messages: 0, covered: [], setAside: [{ reason: 'implausible-time', messages: 2 }] },
        { batchId: 's', messages: 1, covered: [[10, 20]], setAside: [{ reason: 'index-changed' }] },
      ]);
    });

    test.each([1, 2])(
      'a message that is set aside does not say what orders its stream, in batches of %i',
      async (size) => {
        const far = { startWindow: '2070-01-01T00:00:00Z', endWindow: '2070-01-01T00:00:10Z' };
        const list = [
          event(0, { batchId: 's', count: '1', ...far }),
          event(1, windowOf(0)),
          event(2, {
            batchId: 's',
            count: '1',
            startWindow: '2026-11-21T11:59:00Z',
            endWindow: '2026-11-21T11:59:10Z',
          }),
          event(3, windowOf(10)),
        ];
        for (let at = 0; at < list.length; at += size)
          await ingestor.ingest(partition, list.slice(at, at + size));
        expect(await streams()).toMatchObject([{ index: 'sequence', covered: [[0, 20]], messages: 2 }]);
        const aside = await database.query<{ reason: string }>('select reason from set_aside order by id');
        expect(aside.map(({ reason }) => reason)).toEqual(['implausible-time', 'index-changed']);
      },
    );

    test('what is set aside is counted for ever and kept within bounds, whatever it holds', async () => {
      const strange = {
        a: 'nul \0 inside',
        'key\0': 1n,
        deep: { 'x\0': 'y'.repeat(10_000) },
        date: new Date(0),
      };
      for (let round = 0; round < 13; round++) {
        const events = Array.from({ length: 200 }, (_, i) => event(round * 200 + i, strange));
        await ingestor.ingest(partition, events);
      }
      const [kept] = await database.query<{ n: number; bytes: number }>(
        'select count(*) as n, max(length(properties)) as bytes from set_aside',
      );
      expect(kept!.n).toBe(1000);
      expect(kept!.bytes).toBeLessThan(5000);
      expect(await database.query('select messages from set_aside_count')).toEqual([{ messages: 2600 }]);
    });

    test('a void that answers a request excuses what was asked for, and nothing else of any stream', async () => {
      const others = { ...windowOf(100), batchId: 'other' };
      await ingestor.ingest(partition, [
        event(0, windowOf(100)),
        event(1, windowOf(200)),
        event(2, others),
        event(3, { ...others, startWindow: '200', endWindow: '210' }),
      ]);
      const [stream] = (await streams()).filter(({ batchId }) => batchId === 's');
      await database.query(
        `insert into request (id, stream_id, range, remaining, state, origin, attempt, due_at, created_at, progress_at)
         values ('r', $1, '[110,150)', '{[110,150)}', 'accepted', 'detector', 1, 0, 0, 0)`,
        [stream!.id],
      );
      const gone = (startWindow: string, endWindow: string, requestId = 'r') => ({
        ...{ batchId: 's', index: 'sequence', startWindow, endWindow },
        ...{ isBackfill: 'true', requestId, void: 'history-expired' },
      });
      await ingestor.ingest(partition, [
        event(4, gone('0', '150')),
        event(5, gone('300', '400')),
        // Of no request that is known: as it is.
        event(6, gone('150', '160', 'other')),
        event(7, { ...gone('110', '150'), batchId: 'other' }),
      ]);
      expect(
        await database.query(
          'select missing::text as missing, voided::text as voided from stream order by batch_id desc',
        ),
      ).toEqual([
        { missing: '{[160,200)}', voided: '{[110,160)}' },
        { missing: '{[110,200)}', voided: '{}' },
      ]);
      expect(await asideReasons()).toEqual(['implausible-void', 'implausible-void']);
    });

    test('a module that gives each message another name is told of by some of them, then by their number', async () => {
      const bad = { startWindow: '1990-01-01T00:00:00Z', endWindow: '1990-01-01T00:00:10Z', count: '1' };
      let sequence = 0;
      for (let batch = 0; batch < 30; batch++) {
        await ingestor.ingest(partition, [event(sequence, { ...bad, batchId: `s${sequence++}` })]);
      }
      const alerts = await database.query<{ message: string; batch_id: string | null }>(
        `select message, batch_id from alert where kind = 'messages-set-aside' order by id`,
      );
      expect(alerts.map(({ batch_id }) => batch_id)).toEqual(['s0', 's1', 's2', 's3', 's4', null]);
      expect(alerts[5]!.message).toMatch(
        /^messages of 6 streams of .* are set aside, 6 by now: implausible-time;/,
      );
    });

    test('no text of an event stops its partition, whatever UTF-16 it is made of, and wherever it would be cut', async () => {
      const text = fc
        .array(
          fc.oneof(
            {
              weight: 3,
              arbitrary: fc.constantFrom(
                'x'.repeat(97),
                '\u{1F600}',
                '\ud83d',
                '\ude00',
                '\0',
                '\n',
                '\\',
                '"',
              ),
            },
            fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
          ),
          { maxLength: 90 },
        )
        .map((list) => list.join(''));
      const value = fc.oneof(
        text,
        fc.constantFrom(1, 2n, true, null, undefined),
        fc.array(text, { maxLength: 3 }),
      );
      const strange = fc.record({
        properties: fc.dictionary(
          fc.oneof(text, fc.constantFrom('batchId', 'startWindow', 'requestId', 'void')),
          value,
        ),
        annotations: fc.record({
          'iothub-connection-device-id': fc.oneof(fc.constant('d'), value),
          'iothub-connection-module-id': value,
          'iothub-message-source': fc.oneof(fc.constant('Telemetry'), value),
        }),
      });
      let sequence = 0;
      const first = { a: `${'x'.repeat(993)}\u{1F600}${'x'.repeat(5000)}` };
      expect(await ingestor.ingest(partition, [event(sequence++, first)])).toMatchObject({ taken: 1 });
      await fc.assert(
        fc.asyncProperty(fc.array(strange, { minLength: 1, maxLength: 20 }), async (list) => {
          const events = list.map(({ properties, annotations }) =>
            event(sequence++, properties, annotations),
          );
          expect(await ingestor.ingest(partition, events)).toMatchObject({
            taken: events.length,
            replayed: 0,
          });
        }),
        { numRuns: 60 },
      );
      const [kept] = await database.query<{ refused: number; longest: number }>(
        `select count(*) filter (where reason = 'refused-by-database') as refused, max(length(properties)) as longest
           from set_aside`,
      );
      expect(kept!.refused).toBe(0);
      expect(kept!.longest).toBeLessThan(5000);
    });

    test.each<[string, (sql: string) => boolean]>([
      ['nowhere but in the counts', (sql) => sql.includes('insert into set_aside (')],
      ['by the ledger alone', (sql) => sql.includes('update stream')],
    ])('an event that is refused %s is counted, and the next one is taken', async (_, isPoisoned) => {
      const poisoned = answeringOtherwise(database, (sql, _, session) =>
        isPoisoned(sql) ? poison(session) : undefined,
      );
      const events = [event(0, {}), event(1, windowOf(0))];
      const result = await newIngestor(poisoned).ingest(partition, events);
      expect(result).toMatchObject({ taken: 2, replayed: 0 });
      const counted = await database.query<{ messages: number }>('select messages from set_aside_count');
      expect(counted.reduce((sum, { messages }) => sum + messages, 0)).toBe(result.setAside);
      expect(await ingestor.ingest(partition, [event(2, windowOf(10))])).toMatchObject({
        taken: 1,
        setAside: 0,
      });
    });

    test('a message over which we stumble ourselves is set aside alone', async () => {
      const log = Array.from({ length: 5 }, (_, i) => event(i, windowOf(i * 10)));
      const bad = { ...log[2]!, annotations: null as unknown as ReceivedEvent['annotations'] };
      const result = await ingestor.ingest(partition, log.with(2, bad));
      expect(result).toEqual({ taken: 5, replayed: 0, setAside: 1 });
      expect(await streams()).toMatchObject([{ messages: 4, gaps: [[20, 30]] }]);
    });

    test('one event that the database refuses is set aside alone', async () => {
      const poisoned = answeringOtherwise(database, (sql, params, session) =>
        sql.includes('update stream') && JSON.stringify(params).includes('[70,80)')
          ? poison(session)
          : undefined,
      );
      const log = Array.from({ length: 12 }, (_, i) => event(i, windowOf(i * 10)));
      expect(await newIngestor(poisoned).ingest(partition, log)).toEqual({
        taken: 12,
        replayed: 0,
        setAside: 1,
      });
      expect(await asideReasons()).toEqual(['refused-by-database']);
      expect(await streams()).toMatchObject([{ messages: 11, gaps: [[70, 80]] }]);
    });

    test('notices a checkpoint that was put back, instead of leaving out what lies between', async () => {
      await ingestor.ingest(partition, [event(0, windowOf(0)), event(1, windowOf(10))]);
      await database.query('update checkpoint set sequence_number = -1');
      const next = [event(2, windowOf(20))];
      await expect(ingestor.ingest(partition, next)).rejects.toMatchObject({ code: 'ingest-position-lost' });
      // It is told once; what is given then comes from the checkpoint on.
      expect(await ingestor.ingest(partition, [event(0, windowOf(0))])).toMatchObject({ taken: 1 });
    });

    test('reads the published sample, both spellings', async () => {
      await ingestor.ingest(partition, [
        event(0, {
          BatchId: 'press',
          dataWindowStart: '2026-11-21T10:00:00.0000000Z',
          dataWindowEnd: '2026-11-21T10:00:10.0000000Z',
        }),
        event(1, { batchId: 'press', StartWindow: noon, EndWindow: noon + 10_000 }),
      ]);
      expect(await streams()).toMatchObject([
        { batchId: 'press', index: 'time', messages: 2, gaps: [[noon - 7_190_000, noon]] },
      ]);
    });

    test('wakes repair when backfill has come, not otherwise', async () => {
      await ingestor.ingest(partition, [event(0, windowOf(0))]);
      expect(woken).toBe(0);
      await ingestor.ingest(partition, [event(1, { ...windowOf(10), isBackfill: 'true' })]);
      expect(woken).toBe(1);
    });

    test('takes the hub at its word about who sent: a device without a module is its own sender', async () => {
      const annotations = { 'iothub-connection-device-id': 'alone' };
      await ingestor.ingest(partition, [event(0, { ...windowOf(0), deviceId: 'liar' }, annotations)]);
      expect(await streams()).toMatchObject([{ deviceId: 'alone', moduleId: '' }]);
    });
  });
}
