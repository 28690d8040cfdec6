// The detector's real way from decoded events to commit: events read, windows merged, the partition's offset
// moved, one transaction a batch, the partitions side by side. Or a bare table of the same windows instead.
import type { Database } from '../../../cloud-lite/database/database.ts';
import { migrate } from '../../../cloud-lite/database/migrate.ts';
import { openPgliteDatabase } from '../../../cloud-lite/database/pglite-database.ts';
import { openPostgresDatabase } from '../../../cloud-lite/database/postgres-database.ts';
import { type HubEvent, receivedEvent } from '../../../cloud-lite/ingest/event-hub-client.ts';
import { createIngestor } from '../../../cloud-lite/ingest/ingestor.ts';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { childSettings, mark } from '../harness/child.ts';
import { cpuMicros } from '../harness/usage.ts';
import { createBareTable } from './bare-table.ts';
import { batchesOf, windowMs } from './events.ts';

export interface IngestSettings {
  /** A PostgreSQL server; or the folder of an embedded database. */
  readonly url?: string;
  readonly folder?: string;
  readonly into: 'ledger' | 'bare table';
  readonly streams: number;
  readonly partitions: number;
  readonly batchSize: number;
  /** Batches of each partition: to warm up, and measured. */
  readonly warmup: number;
  readonly measured: number;
}

type Take = (partitionId: string, events: readonly HubEvent[]) => Promise<unknown>;

const settings = childSettings<IngestSettings>();
const database = await openDatabase();
await migrate(database);
const take = settings.into === 'ledger' ? intoLedger(database) : await createBareTable(database);

// All of it exists before it is measured: making events is not the detector's work.
const days =
  ((settings.warmup + settings.measured) * settings.batchSize * settings.partitions * windowMs) /
  settings.streams;
const fleet = { ...settings, startsAt: systemClock.now() - days };
const work = Array.from({ length: settings.partitions }, (_, partition) => {
  const batches = batchesOf(fleet, partition);
  const next = (count: number) =>
    Array.from({ length: count }, () => batches.next().value as readonly HubEvent[]);
  return { partitionId: String(partition), warmup: next(settings.warmup), measured: next(settings.measured) };
});

await Promise.all(work.map(({ partitionId, warmup }) => drain(partitionId, warmup)));
mark('start');
const [cpuBefore, startedAt] = [cpuMicros(), performance.now()];
await Promise.all(work.map(({ partitionId, measured }) => drain(partitionId, measured)));
const seconds = (performance.now() - startedAt) / 1000;
const windows = settings.measured * settings.batchSize * settings.partitions;
mark('end', { windowsPerSecond: windows / seconds, cpuMicrosPerWindow: (cpuMicros() - cpuBefore) / windows });
await database.close();

async function drain(partitionId: string, batches: readonly (readonly HubEvent[])[]): Promise<void> {
  for (const batch of batches) await take(partitionId, batch);
}

function intoLedger(into: Database): Take {
  const ingestor = createIngestor({
    database: into,
    clock: systemClock,
    log: silentLog,
    metrics: noMetrics,
    plausible: { earliest: 0, maxAheadMs: 86_400_000 },
  });
  return (partitionId, events) =>
    ingestor.ingest({ hub: 'bench', consumerGroup: '$Default', partitionId }, events.map(receivedEvent));
}

function openDatabase(): Promise<Database> {
  return settings.url === undefined
    ? openPgliteDatabase(settings.folder)
    : Promise.resolve(openPostgresDatabase({ url: settings.url, log: silentLog }));
}
