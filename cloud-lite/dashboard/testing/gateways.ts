// Gateways with something of everything, as a reading of their twins leaves them.
import type { Database } from '../../database/database.ts';

const hours = 3_600_000;
const [former, next] = ['91bc4a5d7e0f1122', '3f0a77c1d2e3f405'];

interface Scenario {
  readonly device: string;
  readonly tags: object;
  readonly state: string;
  readonly hash: string;
  readonly running?: string;
  readonly connected?: boolean;
  readonly troubled?: boolean;
  readonly reported?: object;
}

const scenarios: readonly Scenario[] = [
  { device: 'press-hall-1', tags: { site: 'hall-1', line: 'press', ring: '0' }, state: 'reverted', hash: next!, running: former!, reported: { config: { errors: [{ path: 'sources', message: 'press-04 had a connection with the former settings, and none within 180 s with these: the former are in force again' }] } } },
  { device: 'packing', tags: { site: 'hall-1', line: 'pack', ring: '0' }, state: 'trial', hash: next! },
  { device: 'boiler-house', tags: { site: 'power', line: 'boiler', ring: '1' }, state: 'applied', hash: former!, troubled: true },
  { device: 'yard', tags: { site: 'yard', ring: '1' }, state: 'applied', hash: former!, connected: false },
]; // biome-ignore format: a table

/** Four gateways that stand out, and twenty that are well. */
export async function fillGateways(database: Database, now: number): Promise<void> {
  const rest = Array.from({ length: 20 }, (_, n): Scenario => {
    const [site, ring] = [`hall-${2 + (n % 3)}`, String(1 + (n % 2))];
    return {
      device: `cell-${String(n).padStart(2, '0')}`,
      tags: { site, line: 'cell', ring },
      state: 'applied',
      hash: former!,
    };
  });
  for (const scenario of [...scenarios, ...rest]) await put(database, scenario, now);
  await database.query(
    'insert into twin_reading (due_at, claimed_until, ended_at, took_ms) values ($1, 0, $2, 1000)',
    [now + 60_000, now],
  );
}

async function put(database: Database, scenario: Scenario, now: number): Promise<void> {
  const { device, tags, state, hash, running, connected = true, troubled = false } = scenario;
  const list = [
    {
      name: 'boiler-east',
      state: troubled ? 'not-connected' : 'connected',
      ...(troubled && { error: 'modbus-timeout' }),
    },
    { name: 'boiler-west', state: 'connected' },
  ];
  const reported = {
    version: '0.2.0',
    sources: { total: 2, connected: troubled ? 1 : 2, list },
    backlog: { messages: troubled ? 1200 : 0, bytes: 640_000, oldestAgeMinutes: troubled ? 42 : 0 },
    spool: { state: 'ok', backpressure: false, storedBytes: 310_000_000 },
    disk: { roomBytes: 3_900_000_000, fullInHours: 310 },
    clock: { trusted: true, mode: 'trusted' },
    uplink: { unitsToday: 5300, unitsCap: 8000, waitingFor: null },
    jobs: { open: troubled ? 2 : 0 },
    starts: { quickCrashes: 0, waiting: false },
    ...scenario.reported,
  };
  const problems =
    state === 'reverted'
      ? ['configuration reverted: sources: press-04 had a connection']
      : troubled
        ? ['1 of 2 sources not connected: boiler-east (modbus-timeout)']
        : [];
  await database.query(
    `insert into gateway values ($1, 'm', $2::jsonb, $3::jsonb, $4, $5, '0.2.0', $6, $7, $8, $9::text[], $10, $11)`,
    [
      ...[device, JSON.stringify(tags), JSON.stringify(reported), now - 2 * hours, connected],
      ...[state, hash, running ?? hash, problems, now, connected ? null : now],
    ],
  );
}
