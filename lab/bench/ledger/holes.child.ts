// What an arrival, a look of repair and a page of the fleet cost for one stream with many holes of its past. The
// holes are made by the detector's own ingest: windows with a void after each, or with nothing; or windows of which one
// part in ten thousand has come, and the rest never will.
import type { Database } from '../../../cloud-lite/database/database.ts';
import { migrate } from '../../../cloud-lite/database/migrate.ts';
import { openPgliteDatabase } from '../../../cloud-lite/database/pglite-database.ts';
import { openPostgresDatabase } from '../../../cloud-lite/database/postgres-database.ts';
import type { ReceivedEvent } from '../../../cloud-lite/ingest/event-source.ts';
import { createIngestor } from '../../../cloud-lite/ingest/ingestor.ts';
import { readFleet } from '../../../cloud-lite/ledger/fleet.ts';
import { sweep } from '../../../cloud-lite/repair/sweep.ts';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { systemRandom } from '../../../kernel/random.ts';
import { childSettings, mark } from '../harness/child.ts';
import { median } from '../harness/numbers.ts';

export interface HolesSettings {
  readonly url?: string;
  readonly folder?: string;
  readonly holes: number;
  /** What lies in a hole: a void, which settles it; nothing, so that it is to be repaired; or one part of a window. */
  readonly kind: 'void' | 'open' | 'parts';
  readonly arrivals: number;
}

const settings = childSettings<HolesSettings>();
const database: Database =
  settings.url === undefined
    ? await openPgliteDatabase(settings.folder)
    : openPostgresDatabase({ url: settings.url, log: silentLog });
await migrate(database);

const partition = { hub: 'bench', consumerGroup: '$Default', partitionId: '0' };
const ingestor = createIngestor({
  database,
  clock: systemClock,
  log: silentLog,
  metrics: noMetrics,
  plausible: { earliest: 0, maxAheadMs: 86_400_000 },
});
const windowMs = 10_000;
const startsAt = systemClock.now() - (2 * settings.holes + 2 * settings.arrivals + 1000) * windowMs;
let next = 0;
let sequence = 0;

mark('start');
for (let made = 0; made < settings.holes; ) {
  const batch: ReceivedEvent[] = [];
  for (; batch.length < 500 && made < settings.holes; made++) {
    if (settings.kind === 'parts') {
      batch.push(event({ count: '500', part: '1/10000', partSet: String(made) }));
      continue;
    }
    batch.push(event({ count: '500' }));
    if (settings.kind === 'void') batch.push(event({ void: 'no-history' }));
    else next++;
  }
  await ingestor.ingest(partition, batch);
}
// What a server does by itself, in its own time.
if (database.engine === 'postgres') await database.script('vacuum analyze');

for (let n = 0; n < 5; n++) await arrive();
const walBefore = await wal();
const took: number[] = [];
for (let n = 0; n < settings.arrivals; n++) took.push(await arrive());
const walBytes = ((await wal()) - walBefore) / settings.arrivals;
const looks: number[] = [];
for (let n = 0; n < 5; n++) looks.push(await timed(() => look(systemClock.now() + n * 60_000)));
const now = systemClock.now();
const page = async () => {
  const period = { start: now - 3_600_000, end: now };
  await readFleet(database, {
    order: 'worst',
    offset: 0,
    limit: 50,
    cells: 120,
    period,
    now,
    silenceMs: 300_000,
  });
};
const pages = [await timed(page), await timed(page), await timed(page)];
mark('end', {
  arrivalMs: median(took),
  walBytes,
  firstLookMs: looks[0],
  lookMs: median(looks.slice(2)),
  pageMs: median(pages),
});
await database.close();

function event(content: Record<string, string>): ReceivedEvent {
  const start = startsAt + next++ * windowMs;
  const sequenceNumber = sequence++;
  return {
    sequenceNumber,
    offset: String(sequenceNumber),
    enqueuedAt: systemClock.now(),
    properties: {
      batchId: 'press',
      startWindow: new Date(start).toISOString(),
      endWindow: new Date(start + windowMs).toISOString(),
      ...content,
    },
    annotations: {
      'iothub-connection-device-id': 'gateway',
      'iothub-connection-module-id': 'holdfast',
      'iothub-message-source': 'Telemetry',
    },
  };
}

function arrive(): Promise<number> {
  return timed(() => ingestor.ingest(partition, [event({ count: '500' })]));
}

async function look(at: number): Promise<void> {
  await sweep(database, systemRandom, at, {
    detectionDelayMs: 30_000,
    expiryMs: 10_800_000,
    maxAttempts: 5,
    retryMs: 30_000,
    maxRange: { time: 3_600_000, sequence: 100_000 },
    maxActivePerDevice: 8,
    maxActive: 256,
  });
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** Bytes of the write-ahead log so far. */
async function wal(): Promise<number> {
  const [row] = await database.query<{ bytes: number }>(
    `select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::int8 as bytes`,
  );
  return row!.bytes;
}
