import { beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../database/database.ts';
import { at, day, hour, IngestRig, noon, records, type Sent, second } from '../testing/ingest-rig.ts';

/** What the ledger makes of a stream that says where it began, on any database. */
export function beginningContract(open: () => Database): void {
  describe('the beginning of a stream', () => {
    const rig = new IngestRig(open);
    beforeEach(() => rig.begin());

    const since = (start: number, properties: Sent): Sent => ({ ...properties, streamStart: String(start) });

    test.each<[string, Sent, number, number]>([
      ['by time', at(-60 * second), noon - 200 * second, noon - 60 * second],
      ['by record number', records(70), 20, 70],
      ['a rule`s', { ...at(-60 * second), batchId: 'rule:hot' }, noon - 200 * second, noon - 60 * second],
      [
        'of which only a part came',
        { ...at(-60 * second), part: '1/2' },
        noon - 200 * second,
        noon - 50 * second,
      ],
      [
        'that came as a void',
        { ...at(-60 * second), void: 'evicted', count: '0' },
        noon - 200 * second,
        noon - 60 * second,
      ],
    ])(
      'is missing, and asked for, where the first messages were lost: %s',
      async (_, message, start, end) => {
        await rig.send(since(start, message));
        expect(await rig.stream()).toMatchObject({ first: start, gaps: [[start, end]], messages: 1 });
        expect(await rig.asked()).toEqual([[start, end]]);
        expect(await rig.state()).toBe('void' in message ? 'lost' : 'repairing');
      },
    );

    test('is whole once the lost messages came, and opens nothing twice', async () => {
      for (const start of [30, 40, 50]) await rig.send(since(0, records(start)));
      expect(await rig.asked()).toEqual([[0, 30]]);
      await rig.send(since(0, { ...records(0, 30), isBackfill: 'true', requestId: 'r' }));
      expect(await rig.asked()).toEqual([]);
      expect(await rig.stream()).toMatchObject({ gaps: [], gapsFound: 1, covered: [[0, 60]], setAside: [] });
    });

    test('opens no gap where it is what came first, or later: a module with a new folder goes on', async () => {
      await rig.send(since(0, records(0)), since(0, records(10)));
      await rig.send(since(20, records(20)), since(900, records(30)));
      expect(await rig.stream()).toMatchObject({ first: 0, gaps: [], covered: [[0, 40]], setAside: [] });
    });

    test('of a stream that was there before is asked for when it is first said', async () => {
      await rig.send(records(100), records(110));
      await rig.send(since(90, records(120)));
      expect(await rig.stream()).toMatchObject({ first: 90, gaps: [[90, 100]], messages: 3 });
    });

    test.each<[string, Sent, Sent, number, string]>([
      [
        'a clock that was never set',
        at(-20 * second),
        at(-10 * second),
        Date.UTC(2000, 0),
        '2000-01-01T00:00:00.000Z',
      ],
      ['older than anything that is asked for', at(-20 * second), at(-10 * second), noon - 40 * day, 'began'],
      [
        'a counter`s leap',
        records(5_000_000_000),
        records(5_000_000_010),
        3,
        'began at 3, 4999999997 records',
      ],
      ['numbers below all', records(0), records(10), Number.MIN_SAFE_INTEGER, 'began'],
    ])(
      'that cannot be costs its message nothing, and is told once: %s',
      async (_, one, next, start, text) => {
        await rig.send(since(start, one), since(start, next));
        await rig.send(since(start, next));
        const stream = await rig.stream();
        expect(stream).toMatchObject({ messages: 3, gaps: [], lengths: { missing: 0 } });
        expect(stream.setAside).toMatchObject([
          { reason: 'implausible-start', messages: 1, detail: expect.stringContaining(text) },
        ]);
        expect(await rig.alerts()).toMatchObject([{ kind: 'messages-set-aside', batchId: 's' }]);
        expect(await rig.state()).toBe('lost');
        expect(await rig.asked()).toEqual([]);
      },
    );

    test('that a person accepts is asked for from there on', async () => {
      const began = noon - 40 * day;
      await rig.send(since(began, at(-20 * second)));
      const { id } = await rig.stream();
      await rig.accept(id, began, noon);
      await rig.send(since(began, at(-10 * second)));
      const stream = await rig.stream();
      expect(stream).toMatchObject({ first: began, messages: 2, setAside: [] });
      expect(stream.gaps).toEqual([[began, noon - 20 * second]]);
      expect((await rig.asked())[0]).toEqual([began, began + hour]);
    });

    test('moves a stream by record number no further by many words than by one', async () => {
      for (let n = 0; n < 20; n++) await rig.send(since(-n * 999_000, records(n * 10)));
      const { first } = await rig.stream();
      expect(first).toBeLessThan(-900_000);
      expect(first).toBeGreaterThan(-4_000_000);
    });

    test('is that of the stream, where an absurd first message was elsewhere', async () => {
      await rig.send(since(0, records(2 ** 50)));
      for (const start of [30, 40, 50]) await rig.send(since(0, records(start)));
      expect(await rig.stream()).toMatchObject({ first: 0, last: 60, gaps: [[0, 40]] });
    });

    test('in the future, or of no number, opens nothing', async () => {
      await rig.send(since(noon + day, at(-20 * second)));
      expect(await rig.stream()).toMatchObject({ gaps: [], messages: 1, setAside: [] });
      await rig.send({ ...at(-10 * second), streamStart: 'soon' });
      expect(await rig.alerts()).toMatchObject([{ message: expect.stringContaining('streamStart') }]);
    });
  });
}
