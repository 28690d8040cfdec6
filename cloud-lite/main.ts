// The composition root of cloud-lite: the only file here that builds real adapters.
//
//   main.ts            runs the detector
//   main.ts rebuild    begins the ledger anew; the next start reads all that the hub retains
import { existsSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { describeError, HoldfastError } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import { createProcessLog } from '../kernel/process-log.ts';
import { createPrometheusMetrics } from '../kernel/prometheus.ts';
import { systemRandom } from '../kernel/random.ts';
import type { Database } from './database/database.ts';
import { createDatabaseClock } from './database/database-clock.ts';
import { migrate } from './database/migrate.ts';
import { emptyLedger, setFolderAside } from './database/rebuild.ts';
import { createDetector, type Detector } from './detector.ts';
import { createRestHubTwins } from './gateways/rest-hub-twins.ts';
import { metricCatalogue } from './health/metric-catalogue.ts';
import type { Server } from './http/api.ts';
import { noDashboard } from './http/dashboard-files.ts';
import { createHttpServer } from './http/server.ts';
import { turnLimits } from './http/turns.ts';
import type { EventHubAccess } from './ingest/event-hub-client.ts';
import { createEventHubsSource } from './ingest/event-hubs-source.ts';
import type { Bounds } from './ingest/plausible.ts';
import { type Authorize, authorizeByEntra, authorizeByKey } from './repair/authorize.ts';
import type { RepairLimits } from './repair/decide.ts';
import { createHubRest } from './repair/hub-rest.ts';
import { createRestHubMethods } from './repair/rest-hub-methods.ts';
import { readSettings, type Settings } from './settings.ts';

const machineClock = systemClock;
const random = systemRandom;
const stopLimitMs = 20_000;

// Logs go to stderr; stdout carries the one line that says where the HTTP API listens.
async function run(settings: Settings, log: Log): Promise<void> {
  const metrics = createPrometheusMetrics({ catalogue: metricCatalogue });
  const database = await openDatabase(settings, log);
  const views = await openViews(settings, log);
  const limits = repairLimits(settings);
  // The first question is asked before anything is stamped: of the machine's own clock nothing is known.
  const clock = createDatabaseClock(database, machineClock, log.child({ part: 'clock' }));
  await clock.read();
  const keepingTime = new AbortController();
  clock.run(keepingTime.signal);
  const hub = createHubRest({ ...(await hubAccess(settings, clock)), clock, fetch });
  const detector = createDetector({
    database,
    clock,
    random,
    log,
    metrics,
    limits,
    fetch,
    source: createEventHubsSource(
      {
        access: await eventHubAccess(settings),
        consumerGroup: settings.HOLDFAST_EVENTHUB_CONSUMER_GROUP,
        instance: settings.HOLDFAST_INSTANCE,
        balanceIntervalMs: settings.HOLDFAST_BALANCE_INTERVAL_MS,
        ownershipMs: settings.HOLDFAST_OWNERSHIP_MS,
        // What is not known to be read is not judged: often enough that this adds little to the delay.
        inspectIntervalMs: Math.min(10_000, Math.max(250, settings.HOLDFAST_DETECTION_DELAY_MS / 3)),
      },
      { database, clock, random, log: log.child({ part: 'ingest' }) },
    ),
    methods: createRestHubMethods(hub),
    twins: {
      hub: createRestHubTwins(hub),
      moduleId: settings.HOLDFAST_GATEWAY_MODULE,
      intervalMs: settings.HOLDFAST_TWINS_INTERVAL_MS,
      pauseMs: settings.HOLDFAST_TWINS_PAUSE_MS,
    },
    plausible: plausibleBounds(settings),
    sweepIntervalMs: settings.HOLDFAST_SWEEP_INTERVAL_MS,
    silenceMs: settings.HOLDFAST_SILENCE_MS,
    lastsMs: settings.HOLDFAST_LASTING_MS,
    historyMs: settings.HOLDFAST_HISTORY_MS,
    webhookUrl: settings.HOLDFAST_ALERT_WEBHOOK,
  });
  const page = settings.HOLDFAST_DASHBOARD_FOLDER ?? builtDashboard();
  const server = await createHttpServer({
    database,
    views,
    clock,
    random,
    limits,
    silenceMs: settings.HOLDFAST_SILENCE_MS,
    twinsIntervalMs: settings.HOLDFAST_TWINS_INTERVAL_MS,
    log: log.child({ part: 'http' }),
    state: () => detector.state(),
    sweepIntervalMs: settings.HOLDFAST_SWEEP_INTERVAL_MS,
    wake: () => detector.wake(),
    metricsText: () => metrics.text(),
    token: settings.HOLDFAST_API_TOKEN,
    staticFolder: page,
  });
  const databases = views === undefined ? [database] : [views, database];
  stopOnSignals({ server, detector, keepingTime, databases, log });
  if (page === undefined) log.warn({ code: 'dashboard-not-built' }, noDashboard.trim());
  await detector.start();
  await server.listen({ host: settings.HOLDFAST_HTTP_HOST, port: settings.HOLDFAST_HTTP_PORT });
  const httpPort = (server.server.address() as AddressInfo).port;
  log.info({ host: settings.HOLDFAST_HTTP_HOST, port: httpPort, database: database.engine }, 'ready');
  process.stdout.write(`${JSON.stringify({ ready: true, httpPort, database: database.engine })}\n`);
}

interface Running {
  readonly server: Server;
  readonly detector: Detector;
  readonly keepingTime: AbortController;
  readonly databases: readonly Database[];
  readonly log: Log;
}

function stopOnSignals({ server, detector, keepingTime, databases, log }: Running): void {
  let stopping = false;
  const stop = async (signal: string) => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'stopping');
    machineClock.setTimer(stopLimitMs, () => {
      log.error(
        { code: 'stop-timeout' },
        'stopping took too long; unfinished work is resumed at the next start',
      );
      process.exit(1);
    });
    await server.close();
    await detector.stop();
    keepingTime.abort();
    for (const database of databases) await database.close();
    log.info({}, 'stopped');
    process.exit(0);
  };
  const onSignal = (signal: string) => {
    stop(signal).catch((error: unknown) => {
      log.error({ code: 'stop-failed', err: describeError(error) }, 'stopping failed');
      process.exit(1);
    });
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}

async function rebuild(settings: Settings, log: Log): Promise<void> {
  if (settings.DATABASE_URL === undefined) {
    const folder = embeddedFolder(settings);
    const aside = await setFolderAside(folder, machineClock.now());
    log.info({ folder, aside }, 'the ledger is rebuilt at the next start');
    return;
  }
  const database = await openDatabase(settings, log);
  await migrate(database);
  await emptyLedger(database);
  await database.close();
  log.info({}, 'the ledger is empty; running instances read all that the hub retains again');
}

function plausibleBounds(settings: Settings): Bounds {
  return {
    earliest: settings.HOLDFAST_EARLIEST_TIME,
    maxAheadMs: settings.HOLDFAST_MAX_AHEAD_MS,
    maxAgeMs: settings.HOLDFAST_MAX_AGE_MS,
    // What is asked for may be answered in one window.
    maxWidth: {
      time: Math.max(settings.HOLDFAST_MAX_WINDOW_MS, settings.HOLDFAST_REQUEST_MAX_MS),
      sequence: Math.max(settings.HOLDFAST_MAX_WINDOW_RECORDS, settings.HOLDFAST_REQUEST_MAX_RECORDS),
    },
    maxJump: settings.HOLDFAST_MAX_JUMP_RECORDS,
  };
}

function repairLimits(settings: Settings): RepairLimits {
  return {
    detectionDelayMs: settings.HOLDFAST_DETECTION_DELAY_MS,
    expiryMs: settings.HOLDFAST_REQUEST_EXPIRY_MS,
    maxAttempts: settings.HOLDFAST_REQUEST_ATTEMPTS,
    retryMs: settings.HOLDFAST_REQUEST_RETRY_MS,
    maxRange: { time: settings.HOLDFAST_REQUEST_MAX_MS, sequence: settings.HOLDFAST_REQUEST_MAX_RECORDS },
    maxActivePerDevice: settings.HOLDFAST_REQUESTS_PER_DEVICE,
    maxActive: settings.HOLDFAST_REQUESTS_ACTIVE,
  };
}

/** Only the engine that is used is loaded. */
async function openDatabase(settings: Settings, log: Log): Promise<Database> {
  const url = settings.DATABASE_URL;
  if (url === undefined) {
    const { openPgliteDatabase } = await import('./database/pglite-database.ts');
    const folder = embeddedFolder(settings);
    return openPgliteDatabase(folder, (error) => {
      log.error(
        { code: 'disk-refuses', folder, err: describeError(error) },
        'the disk of the embedded database failed: ending',
      );
      return process.exit(1);
    });
  }
  const { openPostgresDatabase } = await import('./database/postgres-database.ts');
  return openPostgresDatabase({ url, log: log.child({ part: 'database' }) });
}

/** The database of the API's reading calls. An embedded database has one connection, so they share it. */
async function openViews(settings: Settings, log: Log): Promise<Database | undefined> {
  const url = settings.DATABASE_URL;
  if (url === undefined) return undefined;
  const { openPostgresDatabase } = await import('./database/postgres-database.ts');
  return openPostgresDatabase({
    url,
    maxConnections: 3,
    statementTimeoutMs: turnLimits.limitMs,
    log: log.child({ part: 'views' }),
  });
}

/** Inside the data folder, so that it can be put in place and set aside where that is a volume of its own. */
function embeddedFolder(settings: Settings): string {
  return join(settings.HOLDFAST_DATA_FOLDER, 'ledger');
}

/** Where an image has it: built beside the compiled code. */
function builtDashboard(): string | undefined {
  const folder = fileURLToPath(new URL('dashboard/public/', import.meta.url));
  return existsSync(folder) ? folder : undefined;
}

// A key wins over an identity where both are set. readSettings sees to it that one of them is.
async function eventHubAccess(settings: Settings): Promise<EventHubAccess> {
  const connectionString = settings.HOLDFAST_EVENTHUB_CONNECTION;
  if (connectionString !== undefined) return { connectionString };
  const [namespace, name] = [settings.HOLDFAST_EVENTHUB_NAMESPACE!, settings.HOLDFAST_EVENTHUB_NAME!];
  return { namespace, name, credential: await entraCredential() };
}

async function hubAccess(
  settings: Settings,
  clock: Clock,
): Promise<{ hostName: string; authorize: Authorize }> {
  const connection = settings.HOLDFAST_HUB_CONNECTION;
  return connection === undefined
    ? { hostName: settings.HOLDFAST_HUB_HOSTNAME!, authorize: authorizeByEntra(await entraCredential()) }
    : { hostName: connection.hostName, authorize: authorizeByKey(connection, clock) };
}

async function entraCredential() {
  // 60 MB of libraries that only an identity needs.
  const { createEntraCredential } = await import('./entra-credential.ts');
  return createEntraCredential();
}

async function main([command = 'run', ...rest]: readonly string[]): Promise<void> {
  const commands = { run, rebuild };
  if (rest.length > 0 || !Object.hasOwn(commands, command)) {
    throw new HoldfastError('settings-invalid', `usage: main.ts [run | rebuild]`);
  }
  const settings = readSettings(process.env);
  const log = createProcessLog(settings.HOLDFAST_LOG_LEVEL, { app: 'cloud-lite' });
  await commands[command as keyof typeof commands](settings, log);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${describeError(error)}\n`);
  process.exit(error instanceof HoldfastError && error.code === 'settings-invalid' ? 2 : 1);
});
