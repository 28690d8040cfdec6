// The real Event Hubs client against the lab's hub, through everything that can happen to a connection.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { systemRandom } from '../../kernel/random.ts';
import { type Hub, startHub } from '../../lab/hub/hub.ts';
import type { Database } from '../database/database.ts';
import { emptyLedger } from '../database/rebuild.ts';
import { listAlerts } from '../health/alerts.ts';
import { listStreams } from '../ledger/streams.ts';
import { emptyDatabase, openTestDatabase } from '../testing/databases.ts';
import { type EdgeModule, openEdgeModule } from '../testing/edge-module.ts';
import { createEventHubsSource, type EventHubsOptions } from './event-hubs-source.ts';
import { createIngestor } from './ingestor.ts';
import { createReader } from './reader.ts';

let hub: Hub;
let database: Database;
let modules: EdgeModule[];
let stops: (() => Promise<void>)[];

const start = (extra: Partial<EventHubsOptions> = {}) => {
  const parts = { clock: systemClock, random: systemRandom, log: silentLog, metrics: noMetrics };
  const source = createEventHubsSource(
    {
      access: { connectionString: hub.eventHubConnectionString },
      consumerGroup: '$Default',
      instance: 'test',
      balanceIntervalMs: 300,
      ...extra,
    },
    { ...parts, database },
  );
  const plausible = { earliest: 0, maxAheadMs: 0 };
  const reader = createReader({
    ...parts,
    source,
    ingestor: createIngestor({ ...parts, database, plausible }),
  });
  const abort = new AbortController();
  const done = reader.run(abort.signal);
  const stop = async () => {
    abort.abort();
    await done;
  };
  stops.push(stop);
  return { stop, reader };
};

const edge = async (deviceId: string) => {
  const module = await openEdgeModule({ hub, deviceId, moduleId: 'm', index: 'sequence' });
  modules.push(module);
  return module;
};

/** Sends `count` windows on from `first`. */
const send = async (module: EdgeModule, first: number, count: number) => {
  for (let i = first; i < first + count; i++) await module.send('s', { start: i, end: i + 1 });
};

/** Waits until each device has all its windows, then makes sure that nothing was counted twice. */
const expectAll = async (devices: Readonly<Record<string, number>>, limitMs = 30_000) => {
  const wanted = Object.entries(devices).map(([deviceId, sent]) => ({
    deviceId,
    covered: [[0, sent]],
    messages: sent,
    duplicates: 0,
  }));
  const end = Date.now() + limitMs;
  for (;;) {
    const streams = [...(await listStreams(database, { limit: 100 }))].sort((a, b) =>
      a.deviceId < b.deviceId ? -1 : 1,
    );
    const done = wanted.every(({ deviceId, messages }) =>
      streams.some((stream) => stream.deviceId === deviceId && stream.messages >= messages),
    );
    if (done || Date.now() > end) {
      expect(streams).toMatchObject(wanted);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

beforeAll(async () => {
  database = await openTestDatabase();
});
beforeEach(async () => {
  hub = await startHub({ partitions: 4 });
  modules = [];
  stops = [];
  await emptyDatabase(database);
});
afterEach(async () => {
  await Promise.allSettled(stops.map((stop) => stop()));
  await Promise.allSettled(modules.map((module) => module.close()));
  await hub.stop();
});
afterAll(() => database.close());

describe('the event hub source', () => {
  test('reads all partitions, and goes on exactly where it stopped', async () => {
    const devices = await Promise.all(['a', 'b', 'c', 'd', 'e'].map(edge));
    for (const module of devices) await send(module, 0, 20);
    const first = start();
    await expectAll({ a: 20, b: 20, c: 20, d: 20, e: 20 });
    await first.stop();
    for (const module of devices) await send(module, 20, 20);
    start();
    await expectAll({ a: 40, b: 40, c: 40, d: 40, e: 40 });
  });

  test.each<[string, () => unknown]>([
    ['its connections are cut', () => hub.drop(['eventHub'])],
    ['its connections are closed by the hub', () => hub.close(['eventHub'])],
    ['the hub is away for a while', () => hub.restart({ downMs: 1500, where: ['eventHub'] })],
  ])('misses nothing and counts nothing twice when %s', async (_, trouble) => {
    const module = await edge('a');
    start();
    await send(module, 0, 50);
    await expectAll({ a: 50 });
    const later = Promise.resolve(trouble());
    await send(module, 50, 100);
    await later;
    await expectAll({ a: 150 });
  });

  test('gives up a connection that has gone silent, and takes another', async () => {
    const module = await edge('a');
    start({ stallMs: 3000 });
    await send(module, 0, 10);
    await expectAll({ a: 10 });
    await hub.setFaults({ stall: ['eventHub'] });
    await send(module, 10, 10);
    await new Promise((resolve) => setTimeout(resolve, 5000));
    await hub.clearFaults();
    await expectAll({ a: 20 });
  });

  test.each([
    ['is further on than its last event', 5],
    ['lies among its events', 60],
  ])('reads a hub that was made anew from its beginning, though its checkpoint %s', async (_, sent) => {
    const module = await edge('a');
    const first = start();
    await send(module, 0, 30);
    await expectAll({ a: 30 });
    await first.stop();
    const { eventHubPort } = hub;
    await module.close();
    await hub.stop();
    hub = await startHub({ partitions: 4, eventHubPort });
    const again = await edge('a');
    await send(again, 30, sent);
    start();
    await expectAll({ a: 30 + sent });
    const alerts = await listAlerts(database, { limit: 5 });
    expect(alerts.map(({ kind }) => kind)).toEqual(['hub-remade']);
  });

  test('a ledger that is begun anew before a detector has read anything is filled with all that the hub retains', async () => {
    const module = await edge('a');
    const first = start();
    await send(module, 0, 30);
    await expectAll({ a: 30 });
    await first.stop();
    const { reader } = start();
    const isOpen = async () =>
      (await database.query(`select from ownership where owner_id <> ''`)).length === 4 &&
      reader.state().running;
    for (const end = Date.now() + 20_000; !(await isOpen()) && Date.now() < end; ) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    // Partitions are open by now, each at its checkpoint.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await emptyLedger(database);
    await send(module, 30, 1);
    await expectAll({ a: 31 });
  });

  test('a ledger that is begun anew under a running detector is filled with all that the hub retains', async () => {
    const module = await edge('a');
    start();
    await send(module, 0, 30);
    await expectAll({ a: 30 });
    await emptyLedger(database);
    await send(module, 30, 10);
    await expectAll({ a: 40 });
  });

  test('two instances share the partitions, and one takes over when the other stops or dies', async () => {
    const devices = Object.fromEntries(
      await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map(async (id) => [id, await edge(id)] as const)),
    );
    const names = Object.keys(devices);
    const sendAll = (first: number, count: number) =>
      Promise.all(Object.values(devices).map((module) => send(module, first, count)));
    const one = start({ instance: 'one', ownershipMs: 2000 });
    await sendAll(0, 10);
    start({ instance: 'two', ownershipMs: 2000 });
    const owners = async () =>
      new Set(
        (
          await database.query<{ instance: string }>(`select instance from ownership where owner_id <> ''`)
        ).map((row) => row.instance),
      );
    const end = Date.now() + 20_000;
    while ((await owners()).size < 2 && Date.now() < end)
      await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await owners()).toEqual(new Set(['one', 'two']));
    await sendAll(10, 30);
    await expectAll(Object.fromEntries(names.map((name) => [name, 40])));
    await one.stop();
    await sendAll(40, 10);
    await expectAll(Object.fromEntries(names.map((name) => [name, 50])));
    expect(await owners()).toEqual(new Set(['two']));
  });
});
