// The composition root: the only file that builds real adapters, and the module's entry.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readBoot } from '../kernel/boot.ts';
import { systemClock } from '../kernel/clock.ts';
import { describeError, HoldfastError } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import { noMetrics } from '../kernel/metrics.ts';
import { systemRandom } from '../kernel/random.ts';
import { createProgram } from './cli/program.ts';
import type { RunningModule } from './cli/run.ts';
import type { Identity } from './config/identity.ts';
import type { Config } from './config/schema.ts';
import { createProcessLog } from './health/pino-log.ts';
import { type StatusServer, startStatusServer } from './health/status-server.ts';
import { createBackfillJobs } from './methods/backfill-jobs.ts';
import { createMethodRouter } from './methods/router.ts';
import type { Skip } from './methods/skip.ts';
import { composeStatus } from './methods/status.ts';
import { createRuntime } from './runtime.ts';
import { createModbusLinks } from './sources/modbus/link.ts';
import { createModbusSource } from './sources/modbus/modbus-source.ts';
import { type SupervisedSource, superviseSource } from './sources/supervisor.ts';
import { openSpool, type Spool, type SpoolStats } from './spool/spool.ts';
import { releasedAt } from './time/release-date.ts';
import { createSiteClock, type SiteClock } from './time/site-clock.ts';
import { fileExists } from './time/synchronised-file.ts';
import { createIotEdgeUplink } from './uplink/edge-uplink.ts';
import { createForwarder } from './uplink/forwarder.ts';
import { version } from './version.ts';
import { createWindows, type Windows } from './windows/windows.ts';

const clock = systemClock;
const random = systemRandom;
const metrics = noMetrics;

/** Builds and starts the whole module. @throws HoldfastError when it cannot start; nothing is left open then. */
async function startModule(config: Config, identity: Identity, log: Log): Promise<RunningModule> {
  const startedAt = clock.now();
  await makeDataFolder(config.dataFolder);
  const siteClock: SiteClock = createSiteClock({
    clock,
    boot: readBoot(random.uuid()),
    settings: config.clock,
    store: () => spool.time,
    releasedAt,
    ...(config.clock.synchronisedFile && { synchronised: fileExists(config.clock.synchronisedFile) }),
    log: log.child({ part: 'clock' }),
    metrics,
  });
  const spool: Spool = await openSpool({
    folder: join(config.dataFolder, 'spool'),
    clock: siteClock.storing,
    clockTrusted: () => siteClock.trusted(),
    storedSince: (storedAt) => siteClock.storedSince(storedAt),
    log: log.child({ part: 'spool' }),
    metrics,
    encode: { schema: config.uplink.body, gzip: config.uplink.gzip },
  });
  const windows = createWindows({
    store: spool,
    clock,
    log: log.child({ part: 'windows' }),
    metrics,
    limits: { ...config.windows, commitIntervalMs: config.spool.commitIntervalMs },
  });
  const sources = buildSources(config, windows, spool, siteClock, log);
  const uplink = createIotEdgeUplink({
    identity,
    transport: config.uplink.transport,
    limits: { sendTimeoutMs: config.uplink.sendTimeoutMs },
    clock,
    random,
    log: log.child({ part: 'uplink' }),
    metrics,
  });
  const forwarder = createForwarder({
    uplink,
    lanes: spool,
    clock,
    random,
    log: log.child({ part: 'forwarder' }),
    metrics,
  });
  const jobs = createBackfillJobs({
    store: spool,
    sources: (batchId) => {
      const running = sources.running.get(batchId);
      return running && (running.source.history ?? 'no-history');
    },
    queued: () => spool.depth('backfill').messages,
    clock,
    random,
    log: log.child({ part: 'backfill' }),
    metrics,
  });
  const status = () =>
    composeStatus({
      version,
      startedAt,
      now: clock.now(),
      sources: [...sources.running].map(([batchId, source]) => ({
        batchId,
        name: source.name,
        ...source.state(),
      })),
      failedSources: sources.failed,
      streams: windows.streams(),
      spool: spool.stats(),
      uplink: uplink.state(),
      forwarder: forwarder.state(),
      jobs: jobs.jobs(),
      clock: siteClock.state(),
    });
  const methods = createMethodRouter({
    host: uplink,
    jobs,
    status,
    ...(config.faultInjection && { skip: skipIn(windows, sources.running) }),
    log: log.child({ part: 'methods' }),
    metrics,
  });
  const runtime = createRuntime({
    sources: [...sources.running.values()],
    windows: {
      // What waits for the clock is a source's too: it is kept once the sources have stopped.
      async closeAll() {
        await siteClock.stop();
        await windows.closeAll();
      },
    },
    jobs,
    methods,
    forwarder,
    uplink,
    spool,
    clock,
    log,
  });
  await siteClock.start();
  await runtime.start();
  const server = await serveStatus(config, status, () => notReady(sources, spool.stats()), log);
  return {
    statusPort: server?.port,
    async stop() {
      await server?.close();
      await runtime.stop();
    },
  };
}

interface Sources {
  /** By stream id. */
  readonly running: ReadonlyMap<string, SupervisedSource>;
  readonly failed: readonly { readonly name: string; readonly reason: string }[];
}

/** A source that cannot be built is reported and left out: it never keeps the others from running. */
function buildSources(
  config: Config,
  windows: Windows,
  spool: Spool,
  siteClock: SiteClock,
  log: Log,
): Sources {
  const running = new Map<string, SupervisedSource>();
  const failed: { name: string; reason: string }[] = [];
  // One for all: units on one line take turns on one connection.
  const links = createModbusLinks({ clock });
  for (const settings of config.sources) {
    const { name } = settings;
    const batchId = settings.batchId ?? name;
    const sourceLog = log.child({ part: 'source', source: name });
    try {
      const source = createModbusSource(settings, {
        clock,
        stampClock: siteClock.local,
        log: sourceLog,
        metrics,
        links,
      });
      const inner = windows.openStream({ batchId, index: source.index });
      // What the equipment stamps, or numbers, needs no clock of ours.
      const { floor } = spool.openStream(batchId, source.index);
      const stream = { batchId, ...(floor === undefined ? {} : { floor }) };
      const sink = source.stampedByGateway ? siteClock.open(inner, stream) : inner;
      running.set(batchId, superviseSource({ name, source, sink, clock, random, log: sourceLog, metrics }));
    } catch (error) {
      failed.push({ name, reason: describeError(error) });
      sourceLog.error({ reason: describeError(error) }, 'this source cannot run; the others do');
    }
  }
  return { running, failed };
}

/** Why the module cannot do all of its work right now. A lost network is no reason: it works without. */
function notReady(sources: Sources, spool: SpoolStats): readonly string[] {
  const failed = sources.failed.map(({ name, reason }) => `source ${name} cannot run: ${reason}`);
  return spool.state === 'ok' ? failed : [`the spool is ${spool.state}: ${spool.problem}`, ...failed];
}

function skipIn(windows: Windows, known: ReadonlyMap<string, unknown>): Skip {
  return (batchId, count) => {
    const targets = batchId === undefined ? [...known.keys()] : [batchId];
    if (!targets.every((target) => known.has(target))) return false;
    for (const target of targets) windows.skipNext(target, count);
    return true;
  };
}

/** The status port is a convenience: when it is taken, the module says so and works on without it. */
async function serveStatus(
  config: Config,
  status: () => unknown,
  notReady: () => readonly string[],
  log: Log,
): Promise<StatusServer | undefined> {
  if (config.statusPort === undefined) return undefined;
  try {
    return await startStatusServer({ host: config.statusHost, port: config.statusPort, status, notReady });
  } catch (error) {
    log.error({ reason: describeError(error) }, 'no status over HTTP');
    return undefined;
  }
}

async function makeDataFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (cause) {
    throw new HoldfastError(
      'data-folder',
      `${folder} cannot be used as data folder: make it writable for this user, or choose another dataFolder`,
      { cause },
    );
  }
}

await createProgram({ startModule, createLog: createProcessLog, clock, version }).parseAsync();
