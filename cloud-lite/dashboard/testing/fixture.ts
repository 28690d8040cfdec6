// The detector's HTTP server over a ledger that a test fills: the dashboard without hub and module.
import type { AddressInfo } from 'node:net';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { seededRandom, systemRandom } from '../../../kernel/random.ts';
import type { Database } from '../../database/database.ts';
import type { Server } from '../../http/api.ts';
import { createHttpServer } from '../../http/server.ts';
import { sweep } from '../../repair/sweep.ts';
import { arrive, type ShortArrival } from '../../testing/arrivals.ts';
import { emptyDatabase, openTestDatabase } from '../../testing/databases.ts';
import { ensureDashboard } from '../build.ts';
import { fillGateways } from './gateways.ts';

export const token = 'a-token-of-sixteen-or-more';
const second = 1000;
const minute = 60 * second;

const limits = {
  detectionDelayMs: 0,
  expiryMs: 3 * 60 * minute,
  maxAttempts: 3,
  retryMs: 30_000,
  maxRange: { time: 60 * minute, sequence: 100_000 },
  maxActivePerDevice: 4,
  maxActive: 64,
};

export interface Fixture {
  readonly url: string;
  readonly database: Database;
  /** The server goes away, and comes back at the same address. */
  goAway(): Promise<void>;
  comeBack(): Promise<void>;
  empty(): Promise<void>;
  /** As messages would. */
  arrive(list: readonly ShortArrival[]): Promise<void>;
  /** Repair looks at the ledger once. */
  sweep(): Promise<void>;
  close(): Promise<void>;
}

/** `fill` has its effect before the server is there, so that the plots do not show it as a flood. */
export async function startFixture(
  fill: (database: Database) => Promise<void> = async () => {},
): Promise<Fixture> {
  const staticFolder = await ensureDashboard();
  const database = await openTestDatabase();
  let server: Server | undefined;
  let port = 0;
  const listen = async () => {
    server = await createHttpServer({
      database,
      clock: systemClock,
      random: seededRandom(7),
      log: silentLog,
      limits,
      silenceMs: 300_000,
      state: () => ({ ingest: { running: true }, repair: { lastSweepAt: Date.now() } }),
      wake: () => {},
      metricsText: async () => '',
      token,
      staticFolder,
    });
    await server.listen({ host: '127.0.0.1', port });
    port = (server.server.address() as AddressInfo).port;
  };
  const goAway = async () => {
    await server?.close();
    server = undefined;
  };
  await fill(database);
  await listen();
  return {
    url: `http://127.0.0.1:${port}/`,
    database,
    goAway,
    comeBack: listen,
    empty: () => emptyDatabase(database),
    arrive: (list) => arrive(database, list, Date.now(), '0'),
    sweep: () => look(database),
    async close() {
      await goAway();
      await database.close();
    },
  };
}

async function look(database: Database): Promise<void> {
  // Requests made by two looks must not have one id.
  await sweep(database, systemRandom, Date.now(), limits);
}

/** Minutes before now at which a stream has no data, and what became of each. */
interface StreamScenario {
  readonly device: string;
  readonly stream: string;
  readonly holes?: readonly (readonly [from: number, to: number, what: 'missing' | 'backfilled' | 'void'])[];
  readonly silentMinutes?: number;
}

const scenarios: readonly StreamScenario[] = [
  { device: 'press-hall-1', stream: 'press-04', holes: [[42, 36, 'backfilled'], [21, 17, 'backfilled'], [9, 5, 'missing']] },
  { device: 'press-hall-1', stream: 'press-05' },
  { device: 'press-hall-1', stream: 'press-06', holes: [[42, 36, 'backfilled']] },
  { device: 'boiler-house', stream: 'boiler-east', holes: [[50, 47, 'void'], [30, 29, 'backfilled']] },
  { device: 'boiler-house', stream: 'boiler-west', holes: [[25, 14, 'missing']] },
  { device: 'boiler-house', stream: 'feedwater' },
  { device: 'yard', stream: 'meter-main', holes: [[33, 31, 'void'], [12, 11.5, 'void']] },
  { device: 'yard', stream: 'tank-7', silentMinutes: 14 },
  { device: 'packing', stream: 'line-a' },
  { device: 'packing', stream: 'line-b', holes: [[57, 55, 'backfilled'], [40, 39, 'backfilled'], [28, 26.5, 'backfilled']] },
  { device: 'packing', stream: 'wrapper' },
]; // biome-ignore format: a table

/** A fleet with something of everything, an hour long. */
export async function fillFleet(database: Database): Promise<void> {
  const now = Math.floor(Date.now() / second) * second;
  const arrivals: ShortArrival[] = scenarios.flatMap((scenario) => arrivalsOf(scenario, now));
  arrivals.push(
    { device: 'packing', stream: 'scale-log', start: 10_000, end: 48_000, readings: 38_000 },
    { device: 'packing', stream: 'scale-log', start: 48_200, end: 52_431, readings: 4231 },
  );
  await arrive(database, arrivals, now, '0');
  // Read to its end in a moment's time: a hole is found once what came later is known.
  await database.query(
    `insert into checkpoint (hub, consumer_group, partition_id, sequence_number, event_offset, enqueued_at, events, updated_at, idle_at)
     select 'hub', '$Default', p::text, 4000, '4000', $1::int8, 4000, $1::int8, $1::int8 from generate_series(0, 3) p`,
    [now + minute],
  );
  await look(database);
  await look(database);
  await database.query('update checkpoint set enqueued_at = $1, idle_at = $1', [now]);
  await tellOutcomes(database, now);
  await fillGateways(database, Date.now());
}

function arrivalsOf(
  { device, stream, holes = [], silentMinutes = 0 }: StreamScenario,
  now: number,
): ShortArrival[] {
  const list: ShortArrival[] = [];
  let at = now - 60 * minute;
  const live = (until: number) => {
    if (until > at) {
      list.push({ device, stream, index: 'time', start: at, end: until, readings: (until - at) / 200 });
    }
  };
  for (const [from, to, what] of holes) {
    const hole = {
      device,
      stream,
      index: 'time' as const,
      start: now - from * minute,
      end: now - to * minute,
    };
    live(hole.start);
    at = hole.end;
    if (what === 'backfilled')
      list.push({ ...hole, backfill: true, readings: (hole.end - hole.start) / 200 });
    if (what === 'void') list.push({ ...hole, void: 'no-history' });
  }
  live(now - silentMinutes * minute);
  return list;
}

/** What only time and modules would bring about: requests taken up or unreachable, one given up, silence. */
async function tellOutcomes(database: Database, now: number): Promise<void> {
  const ofStream = 'stream_id = (select id from stream where batch_id = $1)';
  await database.query(
    `update request set state = 'accepted', accepted_at = $2::int8, answer = null, created_at = $2::int8 - 8000 where ${ofStream}`,
    ['press-04', now],
  );
  await database.query(
    `update request set unreachable = true, failures = 4, answer = 'the device is not online', attempt = 2,
            created_at = $2::int8 - 400000 where ${ofStream}`,
    ['boiler-west', now],
  );
  await database.query(
    `update request set state = 'abandoned', attempt = 3, ended_at = $2::int8, created_at = $2::int8 - 900000,
            answer = 'answered, but not all of it arrived' where ${ofStream}`,
    ['scale-log', now],
  );
  await database.query(
    `update gap set abandoned = int8multirange(range), given_up = true
      where stream_id = (select id from stream where batch_id = $1)`,
    ['scale-log'],
  );
  await database.query('update gap set seen_at = $1, opened_at = $1', [now - 480_000]);
  await database.query(
    'insert into silent_stream (stream_id, since) select id, $2 from stream where batch_id = $1',
    ['tank-7', now - 840_000],
  );
  await database.query('update stream set last_arrival_at = $2, heard_at = $2 where batch_id = $1', [
    'tank-7',
    now - 840_000,
  ]);
  await database.query(
    `insert into alert (at, kind, device_id, module_id, batch_id, message, due_at)
     values ($1, 'stream-silent', 'yard', 'm', 'tank-7', 'stream tank-7 of yard/m has sent nothing for 300 s', $1),
            ($2, 'range-abandoned', 'packing', 'm', 'scale-log', 'stream scale-log of packing/m: 200 records are asked for no more', $2)`,
    [now - 540_000, now - 300_000],
  );
}
