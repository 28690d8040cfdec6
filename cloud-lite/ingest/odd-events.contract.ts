import fc from 'fast-check';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import type { Database } from '../database/database.ts';
import { listStreams } from '../ledger/streams.ts';
import { emptyDatabase } from '../testing/databases.ts';
import { createIngestor } from './ingestor.ts';
import type { GivenEvent } from './sound-event.ts';

const partition = { hub: 'hub', consumerGroup: 'group', partitionId: '0' };
const noon = Date.UTC(2026, 10, 21, 12);

const right = (n: number) => ({
  sequenceNumber: n,
  offset: String(n),
  enqueuedAt: noon,
  annotations: { 'iothub-connection-device-id': 'd', 'iothub-connection-module-id': 'm' },
  properties: {
    batchId: 's',
    index: 'sequence',
    startWindow: String(n),
    endWindow: String(n + 1),
    count: '1',
  },
});

/** Text that no database takes as it is, too. */
const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 6 }), fc.constantFrom('\0', '\ud83d', "' or 1"));
const anything = fc.oneof(
  text,
  fc.double(),
  fc.bigInt(),
  fc.date({ noInvalidDate: false }),
  fc.constantFrom<unknown>(
    undefined,
    null,
    true,
    Symbol('s'),
    () => 1,
    new Map(),
    new Uint8Array(3),
    Number.MAX_SAFE_INTEGER,
    2 ** 53,
    -1,
    1.5,
    8.64e15,
  ),
  fc.dictionary(text, fc.anything({ withBigInt: true, withDate: true, withTypedArray: true }), {
    maxKeys: 3,
  }),
  fc.array(text, { maxLength: 2 }),
);
const fields = [
  'sequenceNumber',
  'offset',
  'enqueuedAt',
  'properties',
  'annotations',
  'messageId',
  'contentType',
  'contentEncoding',
] as const;

/** Events that the hub's client may give, of which any field is anything, on any database. */
export function oddEventsContract(open: () => Database): void {
  describe('an event of which a field is anything, or missing,', () => {
    let database: Database;
    beforeAll(() => {
      database = open();
    });
    beforeEach(() => emptyDatabase(database));

    const newIngestor = () =>
      createIngestor({ database, clock: new VirtualClock(noon), log: silentLog, metrics: noMetrics });

    test('neither stops its partition nor is lost in silence', async () => {
      let next = 0;
      const odd = fc.dictionary(fc.constantFrom(...fields), anything, { minKeys: 1, maxKeys: 3 });
      const ingestor = newIngestor();
      await fc.assert(
        fc.asyncProperty(fc.array(odd, { minLength: 1, maxLength: 4 }), async (list) => {
          const events: GivenEvent[] = [right(next)];
          for (const changes of list) events.push({ ...right(next + events.length), ...changes });
          events.push(right(next + events.length));
          const { taken } = await ingestor.ingest(partition, events);
          next += events.length;
          const [row] = await database.query<{ read: number; at: number; aside: number; messages: number }>(
            `select sequence_number as read, enqueued_at as at,
                    (select coalesce(sum(messages), 0)::int8 from set_aside_count) as aside,
                    (select sum(messages)::int8 from stream where late_of is null) as messages from checkpoint`,
          );
          // What it says of its number is believed where it can be so.
          return taken <= events.length && row!.read === next - 1 && row!.at === noon;
        }),
        { numRuns: 60 },
      );
      // Each was either taken or counted.
      const [sums] = await database.query<{ all: number; told: number }>(
        `select (select sum(events)::int8 from checkpoint) as all,
                (select coalesce(sum(messages), 0)::int8 from set_aside_count)
                  + (select sum(messages)::int8 from stream where late_of is null) as told`,
      );
      expect(sums!.told).toBe(sums!.all);
      expect(sums!.all).toBe(next);
    });

    test.each<[string, object]>([
      ['no time', { enqueuedAt: undefined }],
      ['a time that is no date', { enqueuedAt: new Date(Number.NaN).getTime() }],
      ['a time of the year 275760', { enqueuedAt: 8.64e15 }],
      ['a text as its time', { enqueuedAt: '2026-11-21T12:00:00Z' }],
      ['no number', { sequenceNumber: undefined }],
      ['the last of all numbers', { sequenceNumber: Number.MAX_SAFE_INTEGER }],
      ['a number further on', { sequenceNumber: 1000 }],
      ['a number that was', { sequenceNumber: 0 }],
      ['properties that are none', { properties: 'text' }],
      ['annotations that are none', { annotations: [1] }],
    ])('with %s is refused, counted and shown', async (_, change) => {
      const events = [right(0), { ...right(1), ...change }, right(2)];
      expect(await newIngestor().ingest(partition, events)).toEqual({ taken: 3, replayed: 0, setAside: 1 });
      expect(await listStreams(database, { limit: 10 })).toMatchObject([{ messages: 2, gaps: [[1, 2]] }]);
      expect(await database.query('select reason, messages from set_aside_count')).toEqual([
        { reason: 'damaged-event', messages: 1 },
      ]);
      const kept = await database.query('select reason, sequence_number from set_aside');
      expect(kept).toEqual([{ reason: 'damaged-event', sequence_number: 1 }]);
      const read = await database.query('select sequence_number, enqueued_at from checkpoint');
      expect(read).toEqual([{ sequence_number: 2, enqueued_at: noon }]);
    });

    test('that is none at all, or throws when it is read, is refused too', async () => {
      const throws = {
        get enqueuedAt(): number {
          throw new Error('decoded too late');
        },
      };
      const events = [null, undefined, 7, throws, right(4)] as readonly GivenEvent[];
      expect(await newIngestor().ingest(partition, events)).toEqual({ taken: 5, replayed: 0, setAside: 4 });
      expect(await listStreams(database, { limit: 10 })).toMatchObject([{ messages: 1 }]);
    });

    test('of senders whose names are stored as one, in one batch, are refused, counted, and block nothing', async () => {
      const from = (n: number, names: object) => ({
        ...right(n),
        annotations: { 'iothub-connection-device-id': 'd', 'iothub-connection-module-id': 'm', ...names },
      });
      const named = ['\0', '\ud800', '\udfff', '\ufffd'].flatMap((name) => [
        { 'iothub-connection-device-id': name },
        { 'iothub-connection-module-id': name },
      ]);
      const events = [right(0), ...named.map((names, i) => from(i + 1, names)), right(named.length + 1)];
      const ingestor = newIngestor();
      // U+FFFD is text, and so a name.
      expect(await ingestor.ingest(partition, events)).toMatchObject({ taken: 10, setAside: 6 });
      expect(await listStreams(database, { limit: 10 })).toMatchObject([
        { deviceId: 'd', moduleId: 'm', messages: 2 },
        { deviceId: '\ufffd', moduleId: 'm', messages: 1 },
        { deviceId: 'd', moduleId: '\ufffd', messages: 1 },
      ]);
      const sources = await database.query(
        'select device_id as d, module_id as m, messages as n from set_aside_source order by d',
      );
      expect(sources).toEqual([
        { d: 'd', m: '\ufffd', n: 3 },
        { d: '\ufffd', m: 'm', n: 3 },
      ]);
    });

    test('leaves the place where the partition is read from again where it was', async () => {
      const ingestor = newIngestor();
      await ingestor.ingest(partition, [right(0), right(1), right(2)]);
      await ingestor.ingest(partition, [{ ...right(3), offset: "3' or '1' = '1" }]);
      const places = await database.query('select event_offset, again_offset from checkpoint');
      expect(places).toEqual([{ event_offset: '2', again_offset: '2' }]);
      // The client begins behind event 1: the last one that was taken comes once more.
      await ingestor.ingest(partition, [right(4), right(5)]);
      const later = await database.query('select event_offset, again_offset from checkpoint');
      expect(later).toEqual([{ event_offset: '5', again_offset: '4' }]);
    });
  });
}
