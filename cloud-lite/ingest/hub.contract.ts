import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { systemRandom } from '../../kernel/random.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import type { Database } from '../database/database.ts';
import { emptyLedger } from '../database/rebuild.ts';
import { listAlerts } from '../health/alerts.ts';
import { judgeUnread } from '../health/unread.ts';
import { listStreams } from '../ledger/streams.ts';
import { emptyDatabase } from '../testing/databases.ts';
import { at, IngestRig } from '../testing/ingest-rig.ts';
import { listCheckpoints, markRead } from './checkpoint.ts';
import type { EventHubClient } from './event-hub-client.ts';
import { type HubSight, settleHub } from './hub-identity.ts';
import { createIngestor } from './ingestor.ts';
import { createOwnershipTable } from './ownership.ts';
import { PartitionWatch } from './partition-watch.ts';

const partition = { hub: 'hub', consumerGroup: 'group', partitionId: '0' };
const noon = Date.UTC(2026, 10, 21, 12);
const minute = 60_000;

/** What the ledger does when the hub changes, on any database. */
export function hubContract(open: () => Database): void {
  describe('the hub under the ledger', () => {
    let database: Database;
    let clock: VirtualClock;
    beforeAll(() => {
      database = open();
    });
    beforeEach(async () => {
      await emptyDatabase(database);
      clock = new VirtualClock(noon);
    });

    const newIngestor = () => createIngestor({ database, clock, log: silentLog, metrics: noMetrics });
    const event = (sequenceNumber: number, stream = 's') => ({
      sequenceNumber,
      offset: String(sequenceNumber),
      enqueuedAt: clock.now(),
      properties: {
        batchId: stream,
        index: 'sequence',
        startWindow: String(sequenceNumber * 10),
        endWindow: String(sequenceNumber * 10 + 10),
        count: '1',
      },
      annotations: { 'iothub-connection-device-id': 'd', 'iothub-connection-module-id': 'm' },
    });
    const events = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => event(from + i));
    const streams = () => listStreams(database, { limit: 10 });
    const kinds = async () =>
      [...(await listAlerts(database, { limit: 10 }))].reverse().map(({ kind }) => kind);
    const position = async () => {
      const rows = await listCheckpoints(database, partition.hub, partition.consumerGroup);
      return rows.find(({ partitionId }) => partitionId === '0')?.sequenceNumber;
    };
    const partitionsOf = async () =>
      (await database.query<{ id: string }>('select partition_id as id from stream')).map(({ id }) => id);
    test('how old a claim of a partition is, the database says, whatever clock stamped it', async () => {
      const table = createOwnershipTable(database, systemRandom, 'one');
      const claim = { hub: 'hub', consumerGroup: 'group', partitionId: '0', ownerId: 'a' };
      const age = async () => (await table.list('hub', 'group'))[0]!.ageMs!;
      const [claimed] = await table.claim([claim]);
      expect(await age()).toBeGreaterThanOrEqual(0);
      expect(await age()).toBeLessThan(20_000);
      // Taken by nobody who saw an older one.
      expect(await createOwnershipTable(database, systemRandom, 'two').claim([claim])).toEqual([]);
      expect(await table.claim([claimed!])).toHaveLength(1);
      const year = 365 * 86_400_000;
      await database.query('update ownership set modified_at = modified_at + $1::int8', [year]);
      // A stamp of the future, of an owner that is gone, must not keep the partition for a year.
      expect(await age()).toBeGreaterThan(year - 60_000);
    });

    /** Looks at the hub as a session does before it reads. */
    const settle = async (
      newest: number,
      more: Partial<HubSight> & { createdAt?: number; newestAt?: number } = {},
    ) => {
      const { createdAt = 1000, newestAt = clock.now(), ...rest } = more;
      const { hub, consumerGroup } = { ...partition, ...rest };
      const ids = rest.facts?.partitionIds ?? ['0', '1'];
      return settleHub(
        database,
        {
          hub,
          consumerGroup,
          checkpoints: await listCheckpoints(database, hub, consumerGroup),
          partitions: new Map(ids.map((id) => [id, { isEmpty: newest < 0, newest, newestAt }])),
          facts: { createdAt, partitionIds: ids },
          ...rest,
        },
        clock.now(),
      );
    };

    test('that is what it was goes on where it was read to', async () => {
      expect(await settle(-1)).toBe('none');
      await newIngestor().ingest(partition, events(0, 5), -1);
      expect(await settle(4)).toBe('none');
      expect(await settle(9)).toBe('none');
      expect(await position()).toBe(4);
      expect(await kinds()).toEqual([]);
      expect(await partitionsOf()).toEqual(['0']);
    });

    test('that was made anew and has more events than were read of the one before is read from its beginning', async () => {
      await settle(-1);
      await newIngestor().ingest(partition, events(0, 5), -1);
      expect(await settle(100, { createdAt: 9000 })).toBe('remade');
      expect(await position()).toBe(-1);
      expect(await kinds()).toEqual(['hub-remade']);
      // Nobody knows where the streams are now.
      expect(await partitionsOf()).toEqual(['']);
      expect(await settle(100, { createdAt: 9000 })).toBe('none');
    });

    test('that says of no time when it was made, and has more and newer events than were read, shows it by the last of them', async () => {
      await settle(-1, { createdAt: 0 });
      await newIngestor().ingest(partition, events(0, 5), -1);
      await clock.advance(60_000);
      expect(await settle(100, { createdAt: 0 })).toBe('none');
      // The client begins with the event that was taken last, which is another one here.
      const again = newIngestor().ingest(partition, events(4, 30), 4);
      await expect(again).rejects.toMatchObject({ code: 'ingest-position-lost' });
      expect(await position()).toBeUndefined();
      expect(await kinds()).toEqual(['hub-remade']);
      expect(await partitionsOf()).toEqual(['']);
      await newIngestor().ingest(partition, events(0, 30), -1);
      expect(await streams()).toMatchObject([{ covered: [[0, 300]], messages: 35 }]);
      expect(await kinds()).toEqual(['hub-remade']);
    });

    test('that gives the last event once more goes on behind it', async () => {
      const read = events(0, 5);
      await newIngestor().ingest(partition, read, -1);
      await clock.advance(60_000);
      const { taken, replayed } = await newIngestor().ingest(partition, [read[4]!, ...events(5, 8)], 4);
      expect([taken, replayed]).toEqual([3, 1]);
      expect(await kinds()).toEqual([]);
    });

    test.each<[string, number, number | undefined]>([
      ['that counts from the start again', 2, undefined],
      ['whose newest event came before one that was read', 100, noon - 10_000],
    ])('%s was made anew, though it does not say when', async (_, newest, newestAt) => {
      await settle(-1, { createdAt: 0 });
      await newIngestor().ingest(partition, events(0, 5), -1);
      const how = newestAt === undefined ? {} : { newestAt };
      expect(await settle(newest, { createdAt: 0, ...how })).toBe('remade');
      expect(await position()).toBe(-1);
    });

    test('is not made anew because another instance has read on meanwhile, or has seen it already', async () => {
      await settle(-1);
      const ingestor = newIngestor();
      await ingestor.ingest(partition, events(0, 5), -1);
      const checkpoints = await listCheckpoints(database, partition.hub, partition.consumerGroup);
      await ingestor.ingest(partition, events(5, 10), 4);
      expect(await settle(4, { checkpoints })).toBe('none');
      const stale = await listCheckpoints(database, partition.hub, partition.consumerGroup);
      expect(await settle(2)).toBe('remade');
      await newIngestor().ingest(partition, events(0, 2), -1);
      expect(await settle(2, { checkpoints: stale })).toBe('none');
      expect(await position()).toBe(1);
    });

    test('that is another one than before is told, and streams are looked for in all of it', async () => {
      await settle(-1);
      await newIngestor().ingest(partition, events(0, 5), -1);
      await clock.advance(minute);
      expect(await settle(-1, { hub: 'other', facts: { createdAt: 5, partitionIds: ['0'] } })).toBe('moved');
      expect(await kinds()).toEqual(['hub-moved']);
      expect(await partitionsOf()).toEqual(['']);
      // What is in the other's partition is not known; so nothing is.
      const known = () =>
        database.query<{ known_until: number }>('select known_until from stream_known order by stream_id');
      const other = { hub: 'other', consumerGroup: 'group', partitionId: '0' };
      await markRead(database, other, clock.now());
      expect(await known()).toEqual([{ known_until: clock.now() }]);
    });

    test('that has other partitions is told', async () => {
      await settle(-1);
      const facts = { createdAt: 1000, partitionIds: ['0', '1', '2', '3'] };
      expect(await settle(-1, { facts })).toBe('repartitioned');
      expect(await kinds()).toEqual(['hub-moved']);
      expect((await listCheckpoints(database, 'hub', 'group')).length).toBe(4);
    });

    test('that has fewer partitions than before: a stream that is left behind is silent, and its gaps are asked for, once all of them were read', async () => {
      const rig = new IngestRig(() => database);
      await rig.begin();
      clock = rig.clock;
      const facts = (...partitionIds: string[]) => ({ createdAt: 1000, partitionIds });
      await settle(-1, { facts: facts('0', '1', '2', '3') });
      const left = { ...partition, partitionId: '3' };
      const hole = [noon - 50_000, noon - 10_000];
      await rig.newIngestor().ingest(left, [rig.event(at(-60_000)), rig.event(at(-10_000))], -1);
      expect(await settle(-1, { facts: facts('0', '1') })).toBe('repartitioned');
      await clock.advance(10 * minute);
      // It may be in the partition that is not read yet.
      expect(await rig.asked()).toEqual([]);
      await rig.judge();
      expect(await kinds()).not.toContain('device-silent');
      await markRead(database, { ...partition, partitionId: '1' }, clock.now());
      expect(await rig.asked()).toEqual([hole]);
      await markRead(database, { ...partition, partitionId: '1' }, clock.now());
      await rig.judge();
      expect(await kinds()).toContain('device-silent');
      expect(await rig.state()).toBe('silent');
    });

    test('that removed events unread: the hole is missing, and told; so are streams that began or ended in it', async () => {
      const ingestor = newIngestor();
      await ingestor.ingest(partition, [...events(0, 3), event(3, 'ended')], -1);
      await clock.advance(60 * minute);
      await ingestor.ingest(partition, [event(50), event(51, 'began')], 3);
      const [s] = await streams();
      expect(s).toMatchObject({ batchId: 's', gaps: [[30, 500]] });
      const [alert, ...more] = await listAlerts(database, { limit: 10 });
      expect(more).toEqual([]);
      expect(alert!.kind).toBe('events-lost');
      expect(alert!.message).toContain('46 events of partition 0');
      const judge = async () => {
        await markRead(database, partition, clock.now());
        await database.transaction((session) => judgeUnread(session, clock.now(), 5 * minute));
      };
      await judge();
      expect((await kinds()).length).toBe(1);
      await clock.advance(6 * minute);
      await judge();
      await judge();
      const told = [...(await listAlerts(database, { limit: 10 }))].reverse().slice(1);
      expect(told.map(({ kind }) => kind)).toEqual(['streams-began-unread', 'streams-ended-unread']);
      expect(told[0]!.message).toContain('began of d/m');
      expect(told[1]!.message).toContain('ended of d/m');
    });

    /** One look of the watch at a partition that the reader waits for. */
    const look = async (
      facts: { isEmpty: boolean; newest: number; newestAt: number },
      became: { createdAt?: number; partitionIds?: readonly string[] } = {},
      isUnsteady = false,
    ) => {
      const { hub, consumerGroup } = partition;
      const stop = new AbortController();
      const before = { createdAt: 1, partitionIds: ['0'] };
      let isBegun = false;
      const client = {
        hub,
        hubFacts: async () =>
          isBegun ? { ...before, ...became, ...(isUnsteady && { createdAt: clock.now() }) } : before,
        // Asked for the first time it is told to end: the look under way ends first.
        facts: async () => {
          if (isBegun) stop.abort();
          return isBegun ? facts : { isEmpty: true, newest: 1e9, newestAt: clock.now() };
        },
      } as unknown as EventHubClient;
      const options = { client, consumerGroup, database, clock, log: silentLog };
      const watch = new PartitionWatch({ ...options, stallMs: minute, inspectIntervalMs: 1000 });
      await watch.settleHub();
      isBegun = true;
      watch.waiting('0');
      const done = watch.run(stop.signal);
      done.catch(() => {});
      for (let looks = 0; looks < 3; looks++) {
        await clock.advance(1000);
        // The database answers in its own time.
        await Promise.race([done.catch(() => {}), new Promise((resolve) => setTimeout(resolve, 50))]);
      }
      await done;
    };
    const knownUntil = async () =>
      (await database.query<{ at: number }>('select known_until as at from partition_known'))[0]?.at;

    test.each<[string, number, object]>([
      ['has had fewer events than were read of it', 1, {}],
      ['was made at another time', 9, { createdAt: 2 }],
      ['has more partitions', 9, { partitionIds: ['0', '1'] }],
    ])('that %s while it is read ends the session, and is not taken for read', async (_, newest, became) => {
      await newIngestor().ingest(partition, events(0, 5), -1);
      const readAt = await knownUntil();
      await clock.advance(minute);
      const facts = { isEmpty: false, newest, newestAt: clock.now() };
      await expect(look(facts, became)).rejects.toMatchObject({ code: 'eventhub-session-lost' });
      expect(await knownUntil()).toBe(readAt);
    });

    test('that says each time that it was made at another time is read all the same', async () => {
      await newIngestor().ingest(partition, events(0, 5), -1);
      await clock.advance(minute);
      await look({ isEmpty: false, newest: 4, newestAt: clock.now() }, {}, true);
      expect(await knownUntil()).toBeGreaterThan(noon + minute);
    });

    test('that removed events unread and holds none now: that is a hole at once, told once', async () => {
      const ingestor = newIngestor();
      await ingestor.ingest(partition, events(0, 3), -1);
      const takenAt = clock.now();
      await clock.advance(2000 * minute);
      const facts = { isEmpty: true, newest: 49, newestAt: takenAt + 1000 * minute };
      await look(facts);
      await look(facts);
      expect(await kinds()).toEqual(['events-lost']);
      expect((await listAlerts(database, { limit: 1 }))[0]!.message).toContain('47 events of partition 0');
      expect(await position()).toBe(49);
      await clock.advance(6 * minute);
      await look(facts);
      await database.transaction((session) => judgeUnread(session, clock.now(), 5 * minute));
      expect(await kinds()).toEqual(['events-lost', 'streams-ended-unread']);
      // It goes on behind the hole, which is not told again.
      await ingestor.ingest(partition, [event(50)], 2);
      expect(await kinds()).toHaveLength(2);
      expect(await streams()).toMatchObject([{ gaps: [[30, 500]] }]);
    });

    test('that is empty as it was left, or before anything was read, has no hole', async () => {
      await look({ isEmpty: true, newest: 7, newestAt: 1 });
      await newIngestor().ingest(partition, events(0, 3), -1);
      await look({ isEmpty: true, newest: 2, newestAt: clock.now() });
      expect(await kinds()).toEqual([]);
    });

    test('that changes before it is told which streams ended in a hole: they are told all the same', async () => {
      await newIngestor().ingest(partition, [event(0, 'ended'), event(1)], -1);
      await clock.advance(minute);
      await newIngestor().ingest(partition, [event(50)], -1);
      await database.query(`update stream set partition_id = ''`);
      await clock.advance(6 * minute);
      await markRead(database, { ...partition, hub: 'other', partitionId: '7' }, clock.now());
      await database.transaction((session) => judgeUnread(session, clock.now(), 5 * minute));
      expect(await kinds()).toEqual(['events-lost', 'streams-ended-unread']);
      const [alert] = await listAlerts(database, { limit: 1 });
      expect(alert!.message).toContain(': ended of d/m;');
    });

    test('that removed events before anything was read is no hole', async () => {
      await newIngestor().ingest(partition, events(100, 105), -1);
      expect(await kinds()).toEqual([]);
    });

    test('is read from its beginning when the ledger is begun anew under a detector that has not read anything yet', async () => {
      const first = newIngestor();
      await first.ingest(partition, events(0, 10), -1);
      // Another one opens at event 9, and the ledger is emptied before event 10 comes.
      const second = newIngestor();
      await emptyLedger(database);
      await expect(second.ingest(partition, [event(10)], 9)).rejects.toMatchObject({
        code: 'ingest-position-lost',
      });
      await second.ingest(partition, events(0, 11), -1);
      expect(await streams()).toMatchObject([{ covered: [[0, 110]], messages: 11 }]);
    });
  });
}
