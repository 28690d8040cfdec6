// The composition root of cloud-lite: the only file here that builds real adapters.
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { systemClock } from '../kernel/clock.ts';
import { describeError } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import { systemRandom } from '../kernel/random.ts';
import type { Database } from './database/database.ts';
import { openPgliteDatabase } from './database/pglite-database.ts';
import { openPostgresDatabase } from './database/postgres-database.ts';
import { createDetector } from './detector.ts';
import { createPrometheusMetrics } from './health/prometheus.ts';
import { createHttpServer } from './http/server.ts';
import { createEventHubsSource } from './ingest/event-hubs-source.ts';
import { createRestHubMethods } from './repair/rest-hub-methods.ts';
import { readSettings, type Settings } from './settings.ts';

// Logs go to stderr; stdout carries the one line that says where the HTTP API listens.
const stopLimitMs = 20_000;

async function run(settings: Settings, log: Log): Promise<void> {
  const clock = systemClock;
  const random = systemRandom;
  const metrics = createPrometheusMetrics();
  const database = await openDatabase(settings, log);
  const limits = {
    detectionDelayMs: settings.HOLDFAST_DETECTION_DELAY_MS,
    expiryMs: settings.HOLDFAST_REQUEST_EXPIRY_MS,
    maxAttempts: settings.HOLDFAST_REQUEST_ATTEMPTS,
    maxRange: { time: settings.HOLDFAST_REQUEST_MAX_MS, sequence: settings.HOLDFAST_REQUEST_MAX_RECORDS },
    maxActivePerDevice: settings.HOLDFAST_REQUESTS_PER_DEVICE,
    maxActive: settings.HOLDFAST_REQUESTS_ACTIVE,
  };
  const detector = createDetector({
    database,
    clock,
    random,
    log,
    metrics,
    source: createEventHubsSource(
      {
        connectionString: settings.HOLDFAST_EVENTHUB_CONNECTION,
        consumerGroup: settings.HOLDFAST_EVENTHUB_CONSUMER_GROUP,
        instance: settings.HOLDFAST_INSTANCE,
        balanceIntervalMs: settings.HOLDFAST_BALANCE_INTERVAL_MS,
        ownershipMs: settings.HOLDFAST_OWNERSHIP_MS,
      },
      { database, clock, random, log: log.child({ part: 'ingest' }) },
    ),
    methods: createRestHubMethods({ connection: settings.HOLDFAST_HUB_CONNECTION, clock, fetch }),
    sweepIntervalMs: settings.HOLDFAST_SWEEP_INTERVAL_MS,
    plausible: { earliest: settings.HOLDFAST_EARLIEST_TIME, maxAheadMs: settings.HOLDFAST_MAX_AHEAD_MS },
    limits,
    silenceMs: settings.HOLDFAST_SILENCE_MS,
    historyMs: settings.HOLDFAST_HISTORY_MS,
    webhookUrl: settings.HOLDFAST_ALERT_WEBHOOK,
    fetch,
  });
  const server = await createHttpServer({
    database,
    clock,
    random,
    limits,
    log: log.child({ part: 'http' }),
    state: () => detector.state(),
    wake: () => detector.wake(),
    metricsText: () => metrics.text(),
    token: settings.HOLDFAST_API_TOKEN,
    staticFolder: settings.HOLDFAST_DASHBOARD_FOLDER,
  });

  let stopping = false;
  const stop = async (signal: string) => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'stopping');
    clock.setTimer(stopLimitMs, () => {
      log.error({}, 'stopping took too long; what was in flight is taken up again after the next start');
      process.exit(1);
    });
    await server.close();
    await detector.stop();
    await database.close();
    log.info({}, 'stopped');
    process.exit(0);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);

  await detector.start();
  await server.listen({ host: settings.HOLDFAST_HTTP_HOST, port: settings.HOLDFAST_HTTP_PORT });
  const httpPort = (server.server.address() as AddressInfo).port;
  log.info({ host: settings.HOLDFAST_HTTP_HOST, port: httpPort, database: database.engine }, 'ready');
  process.stdout.write(`${JSON.stringify({ ready: true, httpPort, database: database.engine })}\n`);
}

function openDatabase(settings: Settings, log: Log): Promise<Database> {
  return settings.DATABASE_URL === undefined
    ? openPgliteDatabase(settings.HOLDFAST_DATA_FOLDER)
    : Promise.resolve(
        openPostgresDatabase({ url: settings.DATABASE_URL, log: log.child({ part: 'database' }) }),
      );
}

try {
  const settings = readSettings(process.env);
  const log = pino({ level: settings.HOLDFAST_LOG_LEVEL, base: { app: 'cloud-lite' } }, pino.destination(2));
  await run(settings, log).catch((error: unknown) => {
    log.fatal({ err: describeError(error) }, 'could not start');
    process.exit(1);
  });
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`);
  process.exit(2);
}
