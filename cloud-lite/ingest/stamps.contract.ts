import { beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../database/database.ts';
import { at, hour, IngestRig, noon, records, second } from '../testing/ingest-rig.ts';
import { listCheckpoints } from './checkpoint.ts';
import { settleHub } from './hub-identity.ts';

/** What ingest makes of numbers and times that the hub cannot have meant, on any database. */
export function stampsContract(open: () => Database): void {
  describe('what the hub states of an event', () => {
    const rig = new IngestRig(open);
    beforeEach(() => rig.begin());

    const numbered = (sequenceNumber: number, n: number) =>
      rig.event(records(n * 10), { sequenceNumber, offset: String(n) });
    const kinds = async () => (await rig.alerts()).map(({ kind }) => kind).reverse();
    const checkpoint = async () => (await listCheckpoints(rig.database, 'hub', 'group'))[0]!;

    test.each<[string, readonly number[]]>([
      ['far ahead', [500_000_000]],
      ['twice', [500_000_000, 600_000_000]],
      ['near', [3]],
    ])('a number to which an event leaps alone makes no later one count as read: %s', async (_, wrong) => {
      await rig.ingest(numbered(0, 0), numbered(1, 1));
      for (const [i, number] of wrong.entries()) await rig.ingest(numbered(number, 2 + i));
      const next = 2 + wrong.length;
      if (wrong[0] === 3) {
        // The hole is real: nothing comes from within.
        await rig.ingest(numbered(4, 3));
        expect((await checkpoint()).leaptFrom).toEqual([]);
        expect(await kinds()).toEqual(['events-lost']);
        return;
      }
      await rig.ingest(numbered(next, next));
      await rig.ingest(numbered(next + 1, next + 1), numbered(next + 2, next + 2));
      const end = (next + 3) * 10;
      expect(await rig.stream()).toMatchObject({ covered: [[0, end]], messages: next + 3, duplicates: 0 });
      expect((await checkpoint()).sequenceNumber).toBe(next + 2);
      expect((await kinds()).at(-1)).toBe('event-stamps-wrong');
      expect(await rig.database.query('select id from unread_hole')).toEqual([]);
    });

    test('behind a real leap a wrong one is told from it: what came alone behind the real one counts once', async () => {
      await rig.ingest(numbered(0, 0), numbered(1, 1));
      // Retention removed 2 and 3.
      rig.sequenceNumber = 4;
      await rig.ingest(numbered(4, 4));
      await rig.ingest(numbered(500_000_000, 5));
      expect((await checkpoint()).leaptFrom).toEqual([1, 4]);
      // Given again, as after a retry, they show nothing alone.
      await rig.ingest(numbered(4, 4));
      await rig.ingest(numbered(500_000_000, 5));
      expect(await rig.stream()).toMatchObject({ messages: 4 });
      await rig.ingest(numbered(4, 4), numbered(500_000_000, 5), numbered(6, 6), numbered(7, 7));
      expect(await rig.stream()).toMatchObject({ gaps: [[20, 40]], messages: 6, duplicates: 0 });
      expect(await kinds()).toEqual(['events-lost', 'events-lost', 'event-stamps-wrong']);
      const holes = await rig.database.query('select first_sequence, last_sequence from unread_hole');
      expect(holes).toEqual([{ first_sequence: 2, last_sequence: 3 }]);
    });

    test('a wrong number behind events that were removed before anything was read counts once', async () => {
      rig.sequenceNumber = 9;
      await rig.ingest(numbered(500_000_000, 9));
      await rig.ingest(numbered(500_000_000, 9), numbered(10, 10));
      expect(await rig.stream()).toMatchObject({ messages: 2, duplicates: 0, setAside: [] });
      expect((await checkpoint()).sequenceNumber).toBe(10);
      expect(await kinds()).toEqual(['event-stamps-wrong']);
    });

    test('events without a number behind a wrong one count, too', async () => {
      await rig.ingest(numbered(0, 0), numbered(1, 1));
      await rig.ingest(numbered(500_000_000, 2));
      const behind = [numbered(Number.NaN, 3), numbered(Number.NaN, 4), numbered(5, 5), numbered(6, 6)];
      const partition = { hub: 'hub', consumerGroup: 'group', partitionId: '0' };
      await rig.newIngestor().ingest(partition, behind, 2);
      expect(await rig.stream()).toMatchObject({ messages: 5 });
      const counts = await rig.database.query('select reason, messages from set_aside_count');
      expect(counts).toEqual([{ reason: 'damaged-event', messages: 2 }]);
    });

    test('what retention removed behind a wrong number is told all the same', async () => {
      await rig.ingest(numbered(0, 0), numbered(1, 1));
      await rig.ingest(numbered(500_000_000, 2));
      await rig.ingest(numbered(30, 30));
      expect(await kinds()).toEqual(['events-lost', 'event-stamps-wrong', 'events-lost']);
      const holes = await rig.database.query('select first_sequence, last_sequence from unread_hole');
      expect(holes).toEqual([{ first_sequence: 3, last_sequence: 29 }]);
    });

    test('the first event`s may be the last of all numbers: it is told, and those that follow are taken', async () => {
      await rig.ingest(numbered(Number.MAX_SAFE_INTEGER, 0));
      await rig.ingest(numbered(1, 1), numbered(2, 2));
      expect(await rig.stream()).toMatchObject({ covered: [[0, 30]], messages: 3, duplicates: 0 });
      expect(await kinds()).toEqual(['event-stamps-wrong']);
    });

    test('a wrong number costs nothing where the detector begins again behind it', async () => {
      await rig.ingest(numbered(0, 0), numbered(1, 1));
      await rig.ingest(numbered(500_000_000, 2));
      // The hub, asked, has had four events: it is the one that it was.
      const [facts, checkpoints] = [
        { isEmpty: false, newest: 4, newestAt: rig.clock.now() },
        [await checkpoint()],
      ];
      const sight = {
        hub: 'hub',
        consumerGroup: 'group',
        checkpoints,
        facts: { createdAt: 0, partitionIds: ['0'] },
        partitions: new Map([['0', facts]]),
      };
      expect(await settleHub(rig.database, sight, rig.clock.now())).toBe('none');
      await rig.ingest(numbered(500_000_000, 2), numbered(3, 3), numbered(4, 4));
      expect(await rig.stream()).toMatchObject({ covered: [[0, 50]], messages: 5, duplicates: 0 });
    });

    test('a number that comes again wrong costs nothing either', async () => {
      await rig.ingest(numbered(0, 0), numbered(1, 1));
      await rig.ingest(numbered(999_999, 1), numbered(2, 2), numbered(3, 3));
      await rig.ingest(numbered(4, 4));
      expect(await rig.stream()).toMatchObject({ covered: [[0, 50]], messages: 5 });
    });

    test.each<[string, number]>([
      ['of the year 2100', Date.UTC(2100, 0)],
      ['an hour ahead', noon + hour],
      ['of 2011', Date.UTC(2011, 0)],
    ])('a time that cannot be is not believed, counted, and told once: %s', async (_, enqueuedAt) => {
      await rig.send(at(-60 * second, -50 * second));
      await rig.ingest(
        rig.event(at(-50 * second), { enqueuedAt }),
        rig.event(at(-40 * second), { enqueuedAt }),
      );
      expect(await rig.stream()).toMatchObject({ messages: 3, gaps: [], setAside: [], lastArrivalAt: noon });
      expect(await kinds()).toEqual(['event-stamps-wrong']);
      expect((await rig.alerts())[0]!.message).toContain('2 events of partition 0');
      // What the partition holds is known no further than its other events say, and it is the hub that it was.
      await rig.clock.advance(10 * hour);
      await rig.judge();
      expect(await rig.state()).toBe('unknown');
      expect(await kinds()).toEqual(['event-stamps-wrong', 'ingest-stalled']);
      const again = { sequenceNumber: 2, enqueuedAt };
      await rig.ingest(
        rig.event(at(-40 * second), again),
        rig.event(at(-30 * second), { sequenceNumber: 3 }),
      );
      expect(await rig.stream()).toMatchObject({ messages: 4, duplicates: 0 });
      expect(await kinds()).not.toContain('hub-remade');
    });

    test('a time just ahead of ours is the hub`s', async () => {
      await rig.ingest(rig.event(at(0), { enqueuedAt: noon + 60 * second }));
      expect(await kinds()).toEqual([]);
    });
  });
}
