import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import type { Database } from '../database/database.ts';
import { listAlerts } from '../health/alerts.ts';
import { listStreams } from '../ledger/streams.ts';
import { at, day, hour, IngestRig, noon, records, type Sent, second } from '../testing/ingest-rig.ts';
import { acceptRange } from './accept.ts';
import { listAsideSources } from './set-aside-source.ts';

/** How ingest treats messages that no correct clock or counter can have sent, on any database. */
export function plausibleContract(open: () => Database): void {
  describe('messages that no correct clock or counter can have sent', () => {
    const rig = new IngestRig(open);
    let database: Database;
    let clock: VirtualClock;
    beforeAll(() => {
      database = open();
    });
    beforeEach(async () => {
      await rig.begin();
      clock = rig.clock;
    });

    const send = (...list: readonly Sent[]) => rig.send(...list);
    const stream = () => rig.stream();
    const asked = () => rig.asked();
    const state = () => rig.state();

    /** Counted, shown at the stream, and an alert. */
    const expectSetAside = async (reason: string) => {
      const { setAside } = await stream();
      expect(setAside).toMatchObject([{ reason, messages: 1 }]);
      const [alert, ...more] = await rig.alerts();
      expect(alert).toMatchObject({ kind: 'messages-set-aside', batchId: 's' });
      expect(alert!.message).toContain(reason);
      expect(more).toEqual([]);
    };

    test.each<[string, Record<string, string>, reason?: string]>([
      ['ten hours ahead', at(10 * hour)],
      ['a clock without battery', { startWindow: '2000-01-01T00:00:10Z', endWindow: '2000-01-01T00:00:20Z' }],
      [
        'a window from 2000 to now',
        { startWindow: '2000-01-01T00:00:00Z', endWindow: at(0).startWindow },
        'implausible-width',
      ],
    ])('opens and closes no gap: %s', async (_, properties, reason = 'implausible-time') => {
      await send(at(-60 * second), at(-20 * second), properties);
      expect(await stream()).toMatchObject({
        messages: 2,
        gaps: [[noon - 50 * second, noon - 20 * second]],
        lengths: { covered: 20 * second, missing: 30 * second },
      });
      expect(await asked()).toEqual([[noon - 50 * second, noon - 20 * second]]);
      await expectSetAside(reason);
    });

    test.each<[string, Record<string, string>, reason?: string]>([
      ['one bad number', records(90_000_000_000)],
      ['a window up to the last number of all', records(20, Number.MAX_SAFE_INTEGER), 'implausible-width'],
      ['a counter that began anew', { ...records(-5_000_000) }],
    ])('makes no requests by the billion: %s', async (_, properties, reason = 'implausible-jump') => {
      await send(records(0), records(20), properties, records(30));
      expect(await stream()).toMatchObject({ messages: 3, gaps: [[10, 20]], first: 0, last: 40 });
      expect(await asked()).toEqual([[10, 20]]);
      await expectSetAside(reason);
    });

    test('a void of a clock that is ahead a little claims nothing of what is to come, and is no trouble', async () => {
      const ahead = { void: 'evicted', streamStart: at(-50 * second).startWindow };
      await send({ ...at(20 * second), ...ahead });
      expect(await stream()).toMatchObject({ messages: 1, index: 'time', first: null, voids: [] });
      await send(at(-30 * second), { ...at(20 * second), ...ahead }, { ...at(-5 * second), ...ahead });
      expect(await stream()).toMatchObject({
        messages: 4,
        gaps: [
          [noon - 50 * second, noon - 30 * second],
          [noon - 20 * second, noon - 5 * second],
        ],
        voids: [{ reason: 'evicted', start: noon - 5 * second, end: noon }],
        last: noon,
        setAside: [],
      });
      expect(await rig.alerts()).toEqual([]);
      // What of it came to nothing is missing once the stream is known to reach there, and void once it is over.
      await rig.clock.advance(60 * second);
      await send(at(30 * second));
      expect((await stream()).gaps.at(-1)).toEqual([noon, noon + 30 * second]);
      await send({ ...at(0, 30 * second), ...ahead });
      expect((await stream()).voids).toEqual([
        { reason: 'evicted', start: noon - 5 * second, end: noon + 30 * second },
      ]);
    });

    test('a late number that cannot be costs its window nothing', async () => {
      await send({ ...records(0), lateThrough: '9000000000' }, { ...records(10), lateThrough: '2' });
      expect(await stream()).toMatchObject({ covered: [[0, 20]], late: { missing: 2 }, messages: 2 });
      expect(await listAsideSources(database, { limit: 10 })).toMatchObject([
        { batchId: 's', reason: 'implausible-jump', messages: 1 },
      ]);
    });

    test('is shown, and raises an alert when it begins and once a day while it goes on', async () => {
      await send(at(10 * hour));
      // A device of which nothing else is known is there all the same.
      expect(await stream()).toMatchObject({
        deviceId: 'd',
        messages: 0,
        setAside: [
          { reason: 'implausible-time', messages: 1, range: [noon + 10 * hour, noon + 10 * hour + 10_000] },
        ],
      });
      expect(await state()).toBe('lost');
      await send(at(10 * hour), at(11 * hour));
      const alerts = () => listAlerts(database, { limit: 10 });
      expect(await alerts()).toMatchObject([
        { kind: 'messages-set-aside', deviceId: 'd', moduleId: 'm', batchId: 's' },
      ]);
      await clock.advance(day);
      await send(at(day + 10 * hour));
      expect((await alerts()).length).toBe(2);
      expect(await listAsideSources(database, { limit: 10 })).toMatchObject([{ messages: 4 }]);
    });

    test('is counted by device where the message names no stream', async () => {
      await send({ startWindow: 'soon' });
      expect(await listAsideSources(database, { limit: 10 })).toMatchObject([
        { deviceId: 'd', batchId: '', streamId: null, reason: 'not-a-mini-batch', messages: 1 },
      ]);
      expect(await listAlerts(database, { limit: 10 })).toMatchObject([{ kind: 'messages-set-aside' }]);
    });

    test('is counted without an alert where a route upstream brings what a rule sent to another module', async () => {
      const action = (properties: object) => rig.event({}, { properties });
      await rig.ingest(action({ rule: 'hot' }), action({ rule: 'hot', beforeDurable: 'true' }));
      expect(await listAsideSources(database, { limit: 10 })).toMatchObject([
        { deviceId: 'd', moduleId: 'm', batchId: '', reason: 'rule-action', messages: 2 },
      ]);
      const [source] = await listAsideSources(database, { limit: 10 });
      expect(source!.detail).toMatch(/rule hot .* the route upstream names all outputs.*outputs\/telemetry$/);
      expect(await listAlerts(database, { limit: 10 })).toEqual([]);
      // A mini-batch that has such a property by chance is one.
      await send({ ...at(0), rule: 'hot' });
      expect(await stream()).toMatchObject({ messages: 1 });
    });

    test('a stream that one message contradicts is not healthy', async () => {
      await send(records(0), { ...records(10), index: 'time', ...at(0) });
      expect(await stream()).toMatchObject({ setAside: [{ reason: 'index-changed', range: null }] });
      expect(await state()).toBe('lost');
      expect(await listAlerts(database, { limit: 10 })).toMatchObject([
        { kind: 'messages-set-aside', batchId: 's', message: expect.stringContaining('index-changed') },
      ]);
    });

    test('is taken once a person accepts it: what is kept, and what comes', async () => {
      await send(records(5_000_000), records(5_000_010), records(0), records(10));
      const { id } = await stream();
      expect(await stream()).toMatchObject({ covered: [[5_000_000, 5_000_020]], messages: 2 });
      const accepted = await acceptRange(database, id, { start: 0, end: 1000 }, 'a new device', clock.now());
      expect(accepted).toMatchObject({ kind: 'done' });
      expect(await stream()).toMatchObject({
        covered: [
          [0, 20],
          [5_000_000, 5_000_020],
        ],
        messages: 4,
        setAside: [],
      });
      await send(records(20));
      expect(await stream()).toMatchObject({ messages: 5, setAside: [] });
      expect(await acceptRange(database, id, { start: 5, end: 50 }, 'again', clock.now())).toMatchObject({
        kind: 'conflict',
      });
      expect(await acceptRange(database, 999, { start: 5, end: 50 }, 'again', clock.now())).toEqual({
        kind: 'not-found',
      });
    });

    test('accepting a range says how many kept messages cannot be taken, and why', async () => {
      const long = { ...records(10), note: 'x'.repeat(5000) };
      await send(records(5_000_000), records(5_000_010), records(0), long);
      const { id } = await stream();
      const accepted = await acceptRange(database, id, { start: 0, end: 1000 }, 'a new device', clock.now());
      expect(accepted).toMatchObject({
        kind: 'done',
        notTaken: { messages: 1, why: expect.stringContaining('4,096 characters') },
      });
      const [said] = await database.query<{ cause: string }>(
        `select cause from audit where event = 'accepted'`,
      );
      expect(said!.cause).toContain('1 messages taken, 1 not: ');
      expect((await stream()).setAside).not.toEqual([]);
    });

    test('accepting takes all that is kept, however many came at once, and says what was only counted', async () => {
      const old = (days: number, count: number, from = 0) =>
        Array.from({ length: count }, (_, n) =>
          at(-days * day + (from + n) * second, -days * day + (from + n + 1) * second),
        );
      await send(at(-second, 0), ...old(100, 300));
      const { id } = await stream();
      const everything = { start: noon - 101 * day, end: noon - 99 * day };
      const accepted = await acceptRange(database, id, everything, 'an old backlog', clock.now());
      expect(accepted).toEqual({ kind: 'done', requestIds: [], ranges: [everything] });
      expect(await stream()).toMatchObject({ messages: 301, setAside: [] });
      for (let n = 0; n < 3; n++) await send(...old(400, 400, n * 400));
      const later = { start: noon - 401 * day, end: noon - 399 * day };
      expect(await acceptRange(database, id, later, 'more of it', clock.now())).toMatchObject({
        notTaken: { messages: 200, why: expect.stringContaining('more came than are kept') },
      });
      expect(await stream()).toMatchObject({ messages: 1301, setAside: [{ messages: 200 }] });
    });

    test('accepting takes nothing that counts in another way than its stream', async () => {
      await send(at(10 * hour, 10 * hour + second), records(0), records(10));
      const { id } = await stream();
      const range = { start: noon, end: noon + 20 * hour };
      await acceptRange(database, id, range, 'a mistake', clock.now());
      expect(await stream()).toMatchObject({ covered: [[0, 20]], messages: 2 });
    });

    test('what is accepted late was heard of when the hub had it: a dead device stays silent, however its stream ends', async () => {
      await send(at(-60 * second, 0), at(10 * hour, 10 * hour + second));
      await clock.advance(hour);
      const judge = async () => {
        await rig.readToEnd();
        await rig.judge();
      };
      await judge();
      // What was set aside is the worse of the two.
      expect(await state()).toBe('lost');
      const { id, silentSince } = await stream();
      expect(silentSince).toBe(clock.now());
      const range = { start: noon + 10 * hour, end: noon + 10 * hour + second };
      await acceptRange(database, id, range, 'a test', clock.now());
      await judge();
      expect(await stream()).toMatchObject({
        messages: 2,
        lastArrivalAt: noon,
        last: range.end,
        silentSince,
      });
      const alerts = await listAlerts(database, { limit: 10 });
      expect(alerts.map(({ kind }) => kind)).toEqual(['device-silent', 'messages-set-aside']);
    });

    test('of a gap that ends in the future, what is past is asked for', async () => {
      await send(at(-60 * second, 0), at(10 * hour, 10 * hour + second));
      const { id } = await stream();
      const range = { start: noon + 10 * hour, end: noon + 10 * hour + second };
      await acceptRange(database, id, range, 'a test', clock.now());
      await clock.advance(20 * 60 * second);
      const now = clock.now();
      expect(await asked()).toEqual([[noon, now + 31 * second]]);
      expect(await stream()).toMatchObject({ gapsFound: 1 });
    });

    describe('a stream by record number', () => {
      test('is where a person accepts that it is, not where an absurd first message was', async () => {
        await send(records(5_000_000_000), records(100));
        const { id } = await stream();
        await acceptRange(database, id, { start: 100, end: 110 }, 'it begins here', clock.now());
        await send(records(110), records(120));
        expect(await stream()).toMatchObject({ covered: [[100, 130]], messages: 3, setAside: [] });
        expect(await listAlerts(database, { limit: 10 })).toMatchObject([
          {
            kind: 'stream-moved',
            message: expect.stringContaining('a person accepted that it is at records 100 to 109'),
          },
          { kind: 'messages-set-aside' },
        ]);
      });

      test('makes no records of tags: a window explains as many as it is long', async () => {
        const list = Array.from({ length: 400 }, (_, n) => ({
          ...records(n * 20_000, n * 20_000 + 100),
          count: '20000',
        }));
        await send(...list);
        expect(await lost()).toBeLessThanOrEqual(4_000_000);
        expect(await stream()).toMatchObject({ setAside: [{ reason: 'implausible-jump' }] });
      });

      const lost = async () => (await stream()).lengths.missing;

      test('is moved no further by many messages than by one', async () => {
        for (let n = 0; n < 60; n++) await send(records(n * 1_000_005, n * 1_000_005 + 5));
        expect(await lost()).toBeLessThanOrEqual(4_000_000);
        expect(await stream()).toMatchObject({ setAside: [{ reason: 'implausible-jump', messages: 56 }] });
        expect(await listAlerts(database, { limit: 10 })).toMatchObject([{ kind: 'messages-set-aside' }]);
        // A day explains one jump more, however many there are.
        await clock.advance(day);
        for (let n = 4; n < 9; n++) await send(records(n * 1_000_005, n * 1_000_005 + 5));
        expect((await stream()).last).toBeLessThan(20_000_000);
      });

      test('nor in one batch, nor downwards, nor by windows that are as wide', async () => {
        await send(...Array.from({ length: 60 }, (_, n) => records(n * 1_000_005, n * 1_000_005 + 5)));
        expect(await lost()).toBeLessThanOrEqual(4_000_000);
        const list = Array.from({ length: 60 }, (_, n) => records(-n * 1_000_005, -n * 1_000_005 + 5));
        await send(...list.map((one) => ({ ...one, batchId: 'down' })));
        const wide = Array.from({ length: 60 }, (_, n) => records(n * 1_000_000, (n + 1) * 1_000_000));
        await send(...wide.map((one) => ({ ...one, batchId: 'wide' })));
        const [, down, widest] = await listStreams(database, { limit: 10 });
        expect(down!.lengths.missing).toBeLessThanOrEqual(4_000_000);
        expect(widest!.lengths.covered).toBeLessThanOrEqual(4_000_000);
      });

      test('may lose what it makes, day after day, and may count faster than it records', async () => {
        for (let day_ = 0; day_ < 30; day_++) {
          // 1,800,000 records a day, half of which are lost.
          for (let part = 0; part < 9; part++) {
            const start = day_ * 1_800_000 + part * 200_000;
            await send({ ...records(start, start + 100_000), count: '100000' });
          }
          // A thousand numbers for each record.
          const sparse = {
            ...records(day_ * 900_000, (day_ + 1) * 900_000),
            count: '900',
            batchId: 'sparse',
          };
          await send(sparse);
          await clock.advance(day);
        }
        const [dense, sparse] = await listStreams(database, { limit: 10 });
        expect(dense).toMatchObject({ messages: 270, setAside: [] });
        expect(sparse).toMatchObject({ messages: 30, setAside: [], gaps: [] });
      });

      test('that is fast is taken whole after an outage, whether its backlog or its live data comes first', async () => {
        // 100 records a second for an hour, then the gateway is cut off for ten.
        for (const batchId of ['backlog', 'live'])
          for (let n = 0; n < 60; n++) {
            await send({ ...records(n * 6000, (n + 1) * 6000), count: '6000', batchId });
            await clock.advance(batchId === 'live' ? 60_000 : 0);
          }
        await clock.advance(10 * hour);
        const [backlog, live] = [records(360_000, 366_000), records(3_960_000, 3_961_000)];
        const sent = (batchId: string, ...list: readonly Sent[]) =>
          send(...list.map((one) => ({ ...one, count: '1000', batchId })));
        await sent('live', live);
        await sent('live', backlog);
        await sent('backlog', backlog);
        await clock.advance(2 * second);
        await sent('backlog', live);
        for (const one of await listStreams(database, { limit: 10 }))
          expect(one).toMatchObject({ last: 3_961_000, setAside: [], lengths: { missing: 3_594_000 } });
        // Nothing is explained twice.
        await sent('backlog', records(5_500_000), records(7_000_000));
        expect((await listStreams(database, { limit: 10 }))[0]).toMatchObject({
          last: 3_961_000,
          setAside: [{ reason: 'implausible-jump', messages: 2 }],
        });
      });

      test.each<[string, number]>([
        ['one batch', 1],
        ['batches of their own', 0],
      ])(
        'is where two messages agree that it is, not where an absurd first one was: in %s',
        async (_, inOne) => {
          const absurd = records(2 ** 52);
          const right = [0, 10, 20, 30].map((start) => records(start));
          if (inOne === 1) await send(absurd, ...right);
          else for (const one of [absurd, ...right]) await send(one);
          expect(await stream()).toMatchObject({ first: 0, last: 40, covered: [[10, 40]], gaps: [[0, 10]] });
          expect(await asked()).toEqual([[0, 10]]);
          const told = (await listAlerts(database, { limit: 10 })).find(
            ({ kind }) => kind === 'stream-moved',
          );
          expect(told!.message).toContain('records 0 to 19');
          // It is there for good: what is absurd later moves nothing.
          await send(absurd, records(2 ** 52 + 10), records(40));
          expect(await stream()).toMatchObject({ first: 0, last: 50 });
        },
      );

      test('stays where it is once a second message bore it out, whatever agrees elsewhere', async () => {
        await send(records(0), records(10), records(2 ** 40), records(2 ** 40 + 10), records(20));
        expect(await stream()).toMatchObject({ covered: [[0, 30]], messages: 3 });
        // The same message once more bears nothing out.
        const other = { batchId: 'other' };
        await send({ ...records(2 ** 40), ...other }, { ...records(2 ** 40), ...other });
        await send({ ...records(0), ...other }, { ...records(0), ...other }, { ...records(10), ...other });
        expect((await listStreams(database, { limit: 10 }))[1]).toMatchObject({ first: 0, last: 20 });
      });

      test('a count of late windows is moved no further either', async () => {
        const far = Array.from({ length: 60 }, (_, n) => `aa.${(n + 1) * 1_000_000}`);
        await send(...far.map((lateThrough, n) => ({ ...records(n * 10), lateThrough })));
        expect((await stream()).late.missing).toBeLessThanOrEqual(4_000_000);
        expect(await stream()).toMatchObject({ messages: 60, covered: [[0, 600]] });
      });
    });

    test('a gap is judged once the stream can have reached its end', async () => {
      await send(at(0, 5 * second), at(100 * second, 110 * second));
      for (let look = 0; look < 3; look++) {
        await clock.advance(30 * second);
        await rig.readToEnd();
        await rig.sweep();
      }
      expect(await rig.due()).toEqual([]);
      expect(await asked()).toEqual([[noon + 5 * second, noon + 100 * second]]);
    });
  });
}
