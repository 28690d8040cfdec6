import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import type { Database } from '../database/database.ts';
import { markRead } from '../ingest/checkpoint.ts';
import { createIngestor } from '../ingest/ingestor.ts';
import { judgeFleet } from '../ledger/fleet-judgement.ts';
import { listStreams } from '../ledger/streams.ts';
import { emptyDatabase } from '../testing/databases.ts';
import { listAlerts } from './alerts.ts';
import { judgeSilence } from './silence.ts';

const partition = { hub: 'hub', consumerGroup: 'group', partitionId: '0' };
const noon = Date.UTC(2026, 10, 21, 12);
const minute = 60_000;
const hour = 60 * minute;
const silenceMs = 5 * minute;

/** The states of streams whose latest messages were not read yet, on any database. */
export function knownContract(open: () => Database): void {
  describe('streams whose messages are not read yet', () => {
    let database: Database;
    let clock: VirtualClock;
    let sequenceNumber: number;
    const ends = new Map<string, number>();
    beforeAll(() => {
      database = open();
    });
    beforeEach(async () => {
      await emptyDatabase(database);
      clock = new VirtualClock(noon);
      sequenceNumber = 0;
      ends.clear();
    });

    const ingest = (...list: readonly { at: number; stream?: string; sequence?: number }[]) =>
      createIngestor({ database, clock, log: silentLog, metrics: noMetrics }).ingest(
        partition,
        list.map(({ at, stream = 's', sequence }) => ({
          sequenceNumber: sequenceNumber++,
          offset: '',
          enqueuedAt: at,
          properties: {
            batchId: stream,
            count: '1',
            ...(sequence === undefined
              ? { startWindow: lastEnd(stream, at), endWindow: new Date(at).toISOString() }
              : { index: 'sequence', startWindow: String(sequence), endWindow: String(sequence + 1) }),
          },
          annotations: { 'iothub-connection-device-id': stream, 'iothub-connection-module-id': 'm' },
        })),
      );
    /** Its windows touch. */
    const lastEnd = (stream: string, at: number) => {
      const start = ends.get(stream) ?? at - minute;
      ends.set(stream, at);
      return new Date(start).toISOString();
    };
    const judge = () => judgeSilence(database, clock.now(), silenceMs);
    const states = async () => {
      const now = clock.now();
      const period = { start: now - 24 * hour, end: now };
      const selection = { order: 'name', offset: 0, limit: 10, period, now, silenceMs } as const;
      const { counts, page } = await judgeFleet(database, selection);
      for (const state of ['unknown', 'whole', 'silent'] as const) {
        const shown = await judgeFleet(database, { ...selection, state });
        expect(shown.page).toHaveLength(counts[state]);
      }
      const worst = await judgeFleet(database, { ...selection, order: 'worst' });
      expect(worst.page.map(({ id }) => id).toSorted()).toEqual(page.map(({ id }) => id).toSorted());
      const judged = { now, silenceMs };
      const views = await listStreams(database, { limit: 10, judged });
      // Nothing was lost: the stream's own page says the same as the list.
      for (const { id, state } of page) expect(views.find((view) => view.id === id)!.state).toBe(state);
      return page.map(({ state }) => state);
    };
    const kinds = async () =>
      (await listAlerts(database, { limit: 20 })).map(({ kind }) => kind).toReversed();

    test('is not known while the detector, after hours away, has yet to read it: not whole, nor silent', async () => {
      await ingest({ at: noon, stream: 'dead' }, { at: noon, stream: 'live' });
      await markRead(database, partition, noon);
      expect(await states()).toEqual(['whole', 'whole']);
      await clock.advance(10 * hour);
      await judge();
      expect(await states()).toEqual(['unknown', 'unknown']);
      // The backlog: one that died in its first hour, and one that did not.
      await ingest({ at: noon + minute, stream: 'dead' }, { at: noon + minute, stream: 'live' });
      await judge();
      expect(await states()).toEqual(['unknown', 'unknown']);
      for (let at = 2 * minute; at < 10 * hour - 4 * minute; at += 20 * minute)
        await ingest({ at: noon + at, stream: 'live' });
      await judge();
      // Enough is read to say that of the one.
      expect(await states()).toEqual(['silent', 'unknown']);
      await ingest({ at: clock.now() - minute, stream: 'live' });
      await markRead(database, partition, clock.now());
      await judge();
      expect(await states()).toEqual(['silent', 'whole']);
      expect(await kinds()).toEqual(['ingest-stalled', 'device-silent', 'ingest-resumed']);
    });

    test('is not known either while it was read and has not been judged yet', async () => {
      await ingest({ at: noon });
      await clock.advance(hour);
      await markRead(database, partition, clock.now());
      expect(await states()).toEqual(['unknown']);
      await judge();
      expect(await states()).toEqual(['silent']);
    });

    test('of a stream by record number is known by when the hub had it, or by its module`s word', async () => {
      await ingest({ at: noon, stream: 'r', sequence: 0 });
      await clock.advance(10 * hour);
      await ingest({ at: noon + minute, stream: 'r', sequence: 1 });
      await markRead(database, partition, clock.now());
      await judge();
      expect(await states()).toEqual(['unknown']);
      await database.query(
        'insert into stream_word (stream_id, due_at, asked_at, heard_at) select id, 0, $1::int8, $1::int8 from stream',
        [clock.now()],
      );
      expect(await states()).toEqual(['whole']);
    });

    test('keeps a silent stream silent, and lets it come back with the first message that is new', async () => {
      await ingest({ at: noon, stream: 'r', sequence: 0 }, { at: noon, stream: 't' });
      await clock.advance(hour);
      await markRead(database, partition, clock.now());
      await database.query(
        'insert into stream_word (stream_id, due_at, asked_at) select id, 0, $1::int8 from stream',
        [clock.now()],
      );
      await judge();
      expect(await states()).toEqual(['silent', 'silent']);
      await ingest({ at: noon + minute, stream: 'r', sequence: 1 }, { at: noon + minute, stream: 't' });
      await judge();
      expect(await states()).toEqual(['silent', 'silent']);
      // The hub had it just before the look that found the stream silent.
      await ingest(
        { at: clock.now() - 1000, stream: 'r', sequence: 2 },
        { at: clock.now() - 1000, stream: 't' },
      );
      await judge();
      expect(await states()).toEqual(['whole', 'whole']);
    });
  });
}
