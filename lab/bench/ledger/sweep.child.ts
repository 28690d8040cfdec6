// What one look of repair costs: gaps noticed, found and closed, requests followed, recorded and claimed. The
// number of open gaps stays the same while the fleet grows.
import { migrate } from '../../../cloud-lite/database/migrate.ts';
import { openPgliteDatabase } from '../../../cloud-lite/database/pglite-database.ts';
import { openPostgresDatabase } from '../../../cloud-lite/database/postgres-database.ts';
import { recordSent } from '../../../cloud-lite/repair/outcome.ts';
import { claim, sweep } from '../../../cloud-lite/repair/sweep.ts';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { systemRandom } from '../../../kernel/random.ts';
import { childSettings, mark } from '../harness/child.ts';
import { median } from '../harness/numbers.ts';
import { fillFleet } from './fill-fleet.ts';

export interface SweepSettings {
  readonly url?: string;
  readonly folder?: string;
  readonly streams: number;
  readonly openGaps: number;
  readonly looks: number;
}

const settings = childSettings<SweepSettings>();
const limits = {
  detectionDelayMs: 30_000,
  expiryMs: 10_800_000,
  maxAttempts: 5,
  retryMs: 30_000,
  maxRange: { time: 3_600_000, sequence: 100_000 },
  maxActivePerDevice: 8,
  maxActive: 256,
};
const maxCalls = 64;
const intervalMs = 5000;

const database =
  settings.url === undefined
    ? await openPgliteDatabase(settings.folder)
    : openPostgresDatabase({ url: settings.url, log: silentLog });
await migrate(database);
let now = systemClock.now();
await fillFleet(database, {
  streams: settings.streams,
  withGap: settings.openGaps,
  streamsPerDevice: 4,
  now,
});

mark('start');
const noticing = await look();
now += limits.detectionDelayMs;
// All gaps are found, and asked for, at once: a fleet that comes back.
const finding = await look();
const steady: number[] = [];
for (let n = 0; n < settings.looks; n++) steady.push(await look());
const [row] = await database.query<{ gaps: number }>(`select count(*) as gaps from gap where state = 'open'`);
mark('end', { noticing, finding, steady: median(steady), openGaps: row!.gaps });
await database.close();

/** Milliseconds. The modules' answers are written between looks, and are not counted. */
async function look(): Promise<number> {
  now += intervalMs;
  const startedAt = performance.now();
  await sweep(database, systemRandom, now, limits);
  const claimed = await claim(database, now, maxCalls, limits);
  const took = performance.now() - startedAt;
  const times = { now, retryMs: () => 4000, followUpMs: 30_000 };
  for (const request of claimed.filter(({ state }) => state === 'pending')) {
    await recordSent(database, request, { kind: 'accepted', answered: false }, times, limits);
  }
  return took;
}
