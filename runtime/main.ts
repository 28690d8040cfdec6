// The composition root: the only file that builds real adapters, and the module's entry.
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readBoot } from '../kernel/boot.ts';
import { systemClock } from '../kernel/clock.ts';
import { describeError, HoldfastError } from '../kernel/errors.ts';
import { type Log, silentLog } from '../kernel/log.ts';
import { noMetrics } from '../kernel/metrics.ts';
import { systemRandom } from '../kernel/random.ts';
import { createAdapters } from './adapters.ts';
import { buildSource, openWindows } from './build-source.ts';
import { createProgram } from './cli/program.ts';
import type { RunningModule, StartOptions } from './cli/run.ts';
import { commitLimitsOf } from './config/commit-limits.ts';
import { createConfigKeeper } from './config/keeper.ts';
import type { ReloadPlan } from './config/reload-plan.ts';
import type { Config, SourceConfig } from './config/schema.ts';
import { readStartSettings } from './config/start-settings.ts';
import { frontierOf } from './frontier.ts';
import { createProcessLog } from './health/pino-log.ts';
import { composeReported, lifeIn } from './health/reported-state.ts';
import { createReporter } from './health/reporter.ts';
import { openStartJournal } from './health/start-journal.ts';
import { createStatusPort } from './health/status-port.ts';
import { keepHolding } from './hold-back.ts';
import { createBackfillJobs } from './methods/backfill-jobs.ts';
import { createMethodRouter } from './methods/router.ts';
import type { Skip } from './methods/skip.ts';
import { composeStatus } from './methods/status.ts';
import { notReady } from './not-ready.ts';
import { createRuntime } from './runtime.ts';
import { historyOf, mayBeHad } from './source-history.ts';
import { createSourceSet } from './source-set.ts';
import { createInputs } from './sources/module-input/inputs.ts';
import type { SupervisedSource } from './sources/supervisor.ts';
import { openSpoolKeys, withKeyProblem } from './spool/encryption/open-keys.ts';
import { openSpool, type Spool } from './spool/spool.ts';
import { releasedAt } from './time/release-date.ts';
import { createSiteClock, type SiteClock } from './time/site-clock.ts';
import { fileExists } from './time/synchronised-file.ts';
import { keepDayUse, readDayUse } from './uplink/day-use.ts';
import { createIotEdgeUplink } from './uplink/edge-uplink.ts';
import type { ForwarderLimits } from './uplink/forwarder-limits.ts';
import { createForwarderSlot } from './uplink/forwarder-slot.ts';
import { createWorkloadWrapper } from './uplink/workload-wrapper.ts';
import { version } from './version.ts';
import { createWindows } from './windows/windows.ts';
import type { WindowLimits, Windows } from './windows/windows-api.ts';

// What this process makes is for its user alone: readings, configuration, keys.
process.umask(0o077);

const clock = systemClock;
const random = systemRandom;
const metrics = noMetrics;

/** Builds and starts the whole module. @throws HoldfastError when it cannot start; nothing is left open then. */
async function startModule(options: StartOptions, log: Log): Promise<RunningModule> {
  const { dataFolder, configFile, identity, heedTwin, signal } = options;
  const startedAt = clock.now();
  const boot = readBoot(random.uuid());
  await makeDataFolder(dataFolder);
  // The configuration itself is in the spool; this is what is needed until that is open.
  const atStart = await readStartSettings({ dataFolder, file: configFile, heedTwin });
  const siteClock: SiteClock = createSiteClock({
    clock,
    boot,
    settings: atStart.clock,
    store: () => spool.time,
    releasedAt,
    ...(atStart.clock.synchronisedFile && { synchronised: fileExists(atStart.clock.synchronisedFile) }),
    log: log.child({ part: 'clock' }),
    metrics,
  });
  const keys = await openSpoolKeys(atStart.spool.encryption, {
    environment: process.env,
    folder: join(dataFolder, 'spool', 'keys'),
    wrapper: createWorkloadWrapper({ environment: process.env, clock }),
    clock,
    random,
    log: log.child({ part: 'spool' }),
    signal,
  });
  // Read at each encoding, so that a reload reaches it.
  const encode = encodingOf(atStart);
  // Until the sources are known, nothing is taken for lost that one of them might still have.
  let mayHaveHistory: (batchId: string) => boolean = () => true;
  const spool: Spool = await openSpool({
    folder: join(dataFolder, 'spool'),
    clock: siteClock.storing,
    clockTrusted: () => siteClock.trusted(),
    storedSince: (storedAt) => siteClock.storedSince(storedAt),
    log: log.child({ part: 'spool' }),
    metrics,
    encode,
    codec: keys.codec,
    ...(atStart.spool.retention && { retention: atStart.spool.retention }),
    hasHistory: (batchId) => mayHaveHistory(batchId),
    bootId: boot.id,
    noteElsewhere: process.env.HOLDFAST_MARK_FOLDER ?? join(tmpdir(), 'holdfast'),
    signal,
  });
  try {
    return await startParts();
  } catch (error) {
    await spool.close();
    throw error;
  }

  async function startParts(): Promise<RunningModule> {
    const keeper = createConfigKeeper({
      ...(configFile !== undefined && { file: configFile }),
      heedTwin,
      dataFolder,
      remoteFolders: process.env.HOLDFAST_CONFIG_FOLDERS,
      store: spool,
      clock,
      log: log.child({ part: 'config' }),
      apply,
      onReport: () => reporter.now(),
      isConnected: () => uplink.state().connected,
    });
    const config = await keeper.boot(identity.kind === 'iot-edge');
    options.onLogLevel(config.logLevel);
    Object.assign(encode, encodingOf(config));
    const starts = await openStartJournal({
      folder: dataFolder,
      boot: boot.id,
      settings: config.restarts,
      clock,
      log: log.child({ part: 'starts' }),
    });
    if (starts.pauseMs > 0) {
      log.warn(
        { quickCrashes: starts.crashes, pauseMs: starts.pauseMs },
        'this module has crashed again and again: the sources wait before they start',
      );
    }
    const windows = createWindows({
      store: spool,
      clock,
      log: log.child({ part: 'windows' }),
      metrics,
      limits: windowLimitsOf(config),
      present: () => (siteClock.trusted() ? clock.now() : undefined),
    });
    spool.onLost(() => windows.loseContinuity());
    const inputs = createInputs({ clock, log: log.child({ part: 'inputs' }), metrics });
    const makeSource = createAdapters({ clock, random, metrics, dataFolder, inputs });
    const holding = keepHolding(spool, windows, (batchId) => typeof history(batchId) === 'object');
    const sources = createSourceSet<SourceConfig, SupervisedSource>({
      build: (settings, batchId) =>
        holding.heed(
          buildSource(settings, batchId, {
            windows,
            siteClock,
            makeSource,
            clock,
            random,
            metrics,
            log,
          }),
        ),
      closeStream,
      log,
    });
    sources.load(config.sources);
    const history = historyOf(sources, () => keeper.isDecided());
    mayHaveHistory = (batchId) => mayBeHad(history(batchId));
    holding.begin(sources.running);
    const uplink = createIotEdgeUplink({
      identity,
      transport: config.uplink.transport,
      ...(config.uplink.caFile && { caFile: config.uplink.caFile }),
      ...(config.uplink.output && { output: config.uplink.output }),
      limits: { sendTimeoutMs: config.uplink.sendTimeoutMs },
      clock,
      random,
      log: log.child({ part: 'uplink' }),
      metrics,
    });
    const dayUse = await readDayUse(spool);
    const forwarder = createForwarderSlot(
      {
        uplink,
        lanes: spool,
        clock,
        random,
        log: log.child({ part: 'forwarder' }),
        metrics,
        ...(dayUse && { dayUse }),
      },
      forwarderLimitsOf(config),
    );
    const dayUseKeeper = keepDayUse({
      store: spool,
      use: () => (keeper.config().uplink.caps.messagesPerDay > 0 ? forwarder.state().dayUse : undefined),
      clock,
      log,
    });
    const jobs = createBackfillJobs({
      store: spool,
      sources: history,
      frontier: frontierOf(windows, spool),
      queued: () => spool.depth('backfill').messages,
      clock,
      random,
      log: log.child({ part: 'backfill' }),
      metrics,
    });
    let strayErrors = 0;
    const startsStatus = () => ({ quickCrashes: starts.crashes, waiting: runtime.waiting() });
    const status = () => ({
      ...composeStatus({
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
        spool: withKeyProblem(spool.stats(), keys),
        uplink: uplink.state(),
        forwarder: forwarder.state(),
        jobs: jobs.jobs(),
        clock: siteClock.state(),
        config: keeper.report(),
      }),
      starts: startsStatus(),
      strayErrors,
    });
    const methods = createMethodRouter({
      host: uplink,
      jobs,
      status,
      skip: skipIn(windows, sources.running, () => keeper.config().faultInjection),
      log: log.child({ part: 'methods' }),
      metrics,
    });
    const reporter = createReporter({
      compose: () =>
        composeReported({
          version,
          now: clock.now(),
          config: keeper.report(),
          sources: [...sources.running.values()].map((source) => ({ name: source.name, ...source.state() })),
          failedSources: sources.failed,
          spool: spool.stats(),
          clock: siteClock.state(),
          starts: { crashes: starts.crashes, waiting: runtime.waiting() },
          strayErrors,
        }),
      report: uplink.report,
      clock,
      log,
    });
    const runtime = createRuntime({
      sources,
      pauseMs: starts.pauseMs,
      config: keeper,
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
    const server = createStatusPort({
      status,
      notReady: () => notReady(sources.failed, spool.stats(), runtime.waiting(), keys.problem),
      log,
    });
    uplink.onDesired((properties) => keeper.desired(properties));
    uplink.onReported((reported) => {
      spool.hearLife(lifeIn(reported)).catch((error) => {
        log.warn({ reason: describeError(error) }, 'what the hub knows of the spool was not taken in');
      });
    });
    // Only where a source is sent messages: IoT Hub itself, without IoT Edge, has no inputs to attach to.
    const wantInputs = ({ sources: wanted }: Config) => {
      if (wanted.some(({ type }) => type === 'module-input')) uplink.handleInputs(inputs.receive);
    };
    wantInputs(config);

    /** A new configuration takes effect: each part takes what concerns it, the others go on untouched. */
    async function apply(next: Config, plan: ReloadPlan): Promise<void> {
      options.onLogLevel(next.logLevel);
      Object.assign(encode, encodingOf(next));
      if (plan.windows) windows.setLimits(windowLimitsOf(next));
      if (plan.status) await server.listen({ host: next.statusHost, port: next.statusPort });
      await sources.change(plan.sources.removed, plan.sources.started);
      wantInputs(next);
      runtime.releaseSources();
      if (plan.forwarder) await forwarder.setLimits(forwarderLimitsOf(next));
      if (plan.uplink) uplink.reconfigure(next.uplink);
    }

    /** Of a source that is gone: what waits for the clock still goes to its windows. */
    async function closeStream(batchId: string): Promise<void> {
      if (await siteClock.close(batchId)) await windows.closeStream(batchId);
    }

    // Streams whose source was removed while its readings waited for the clock, in an earlier process.
    const left: string[] = [];
    await siteClock.start((batchId) => {
      siteClock.open(...openWindows({ batchId, index: 'time', pace: 'own' }, windows));
      left.push(batchId);
    });
    for (const batchId of left) void closeStream(batchId).catch(() => {});
    await runtime.start();
    reporter.start();
    dayUseKeeper.start();
    await server.listen({ host: config.statusHost, port: config.statusPort });
    log.info({ sources: config.sources.length, dataFolder, config: keeper.report().state }, 'started');
    return {
      statusPort: server.port,
      onStrayReset() {
        strayErrors += 1;
      },
      onClientError(error) {
        strayErrors += 1;
        metrics.count('holdfast_uplink_stray_errors_total');
        uplink.renew(error);
      },
      reread: () => keeper.reread(),
      async stop() {
        reporter.stop();
        // Beside the stop, not before it: a slow disk would take their time from the ten seconds that there are. What
        // is on its way to the spool is written when that closes.
        const notes = [starts.stopped(), server.close()];
        void dayUseKeeper.stop();
        await runtime.stop();
        await Promise.all(notes);
      },
    };
  }
}

function encodingOf({ uplink: { body, gzip } }: Config): { schema: Config['uplink']['body']; gzip: boolean } {
  return { schema: body, gzip };
}

function windowLimitsOf({ windows, spool }: Config): WindowLimits {
  return { ...windows, ...commitLimitsOf(spool) };
}

function forwarderLimitsOf({ uplink: { caps, inFlight } }: Config): Partial<ForwarderLimits> {
  return { ...caps, inFlightMessages: inFlight.messages, inFlightBytes: inFlight.bytes };
}

function skipIn(windows: Windows, known: ReadonlyMap<string, unknown>, isAllowed: () => boolean): Skip {
  return (batchId, count) => {
    // As if the method did not exist: nobody shall lose data on purpose where it is not switched on.
    if (!isAllowed()) return false;
    const targets = batchId === undefined ? [...known.keys()] : [batchId];
    if (!targets.every((target) => known.has(target))) return false;
    for (const target of targets) windows.skipNext(target, count);
    return true;
  };
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

const makeSources = (dataFolder: string) => {
  const inputs = createInputs({ clock, log: silentLog, metrics });
  const make = createAdapters({ clock, random, metrics, dataFolder, inputs });
  return (settings: SourceConfig, sourceLog: Log) => make(settings, { stampClock: clock, log: sourceLog });
};

await createProgram({
  startModule,
  createLog: createProcessLog,
  makeSources,
  clock,
  version,
}).parseAsync();
