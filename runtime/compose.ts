// How the parts of the module are put together, from what lies at its edges: time, disk, hub, equipment. `main.ts` gives the
// real edges; benches, tests and simulations give others. Each step needs only what steps before it have made.

import type { Boot } from '../kernel/boot.ts';
import type { Clock } from '../kernel/clock.ts';
import { codeOf, describeError } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import type { Metrics } from '../kernel/metrics.ts';
import { momentOf } from '../kernel/moment.ts';
import type { Sample } from '../kernel/prometheus.ts';
import type { Random } from '../kernel/random.ts';
import type { BodyOptions } from '../wire/body.ts';
import { adapterOf, type MakeSource } from './adapters.ts';
import { applyBackpressure } from './backpressure.ts';
import { buildSource, openWindows } from './build-source.ts';
import { historyWithRules, makeRules, makeWriteMethod, sourcesOfRules } from './compose-rules.ts';
import { createActiveConfig } from './config/active-config.ts';
import type { ActiveConfig, ActiveConfigOptions } from './config/active-config-api.ts';
import { commitLimitsOf } from './config/commit-limits.ts';
import type { ReloadPlan } from './config/reload-plan.ts';
import type { Config, SourceConfig } from './config/schema.ts';
import { type DelayedStart, delayStart } from './delayed-start.ts';
import { frontierOf } from './frontier.ts';
import type { LogEntry } from './health/log-entry.ts';
import { lifeIn } from './health/reported-state.ts';
import type { DampingSettings, StartJournal } from './health/start-journal.ts';
import { statusAddress } from './health/status-address.ts';
import { KnownEquipment } from './known-equipment.ts';
import { createBackfillJobs } from './methods/backfill-jobs.ts';
import type { BackfillJobs, HistoryAnswer } from './methods/backfill-jobs-api.ts';
import { makeReports, type Reports } from './reports.ts';
import { CommitTap } from './rules/host/commit-tap.ts';
import type { RulesHost } from './rules/host/rules-host-api.ts';
import { createRuntime } from './runtime.ts';
import { historyOf, mayBeHad } from './source-history.ts';
import { createSourceSet, type SourceSet } from './source-set.ts';
import { createInputs, type Inputs } from './sources/inputs.ts';
import { LearnedBook } from './sources/learned.ts';
import type { SupervisedSource } from './sources/supervisor.ts';
import type { SpoolKeys } from './spool/encryption/open-keys.ts';
import type { Spool, SpoolOptions } from './spool/spool.ts';
import { releasedAt } from './time/release-date.ts';
import { createSiteClock, type SiteClock } from './time/site-clock.ts';
import { type DayUseSaver, keepDayUse, readDayUse } from './uplink/day-use.ts';
import type { EdgeUplink } from './uplink/edge-uplink.ts';
import { createForwarder } from './uplink/forwarder/forwarder.ts';
import type { Forwarder, ForwarderLimits } from './uplink/forwarder/forwarder-api.ts';
import { createWindows } from './windows/windows.ts';
import type { WindowLimits, Windows } from './windows/windows-api.ts';
import { workingIn } from './working-in.ts';

/** What lies around the module, and what a start knows before any configuration. */
export interface Edges {
  readonly clock: Clock;
  readonly random: Random;
  readonly boot: Boot;
  readonly log: Log;
  readonly metrics: Metrics;
  /** What was counted and `samples`, in Prometheus' form. Default: `/metrics` answers 404. */
  readonly metricsText?: ((samples: readonly Sample[]) => Promise<string>) | undefined;
  /** Series of what is configured no more are forgotten. */
  readonly onReload?: ((config: Config) => void) | undefined;
  /** Opens the status to others than the gateway itself. */
  readonly statusToken?: string | undefined;
  /** The last lines of the log, for who looks at the status. */
  readonly recentLog?: (() => readonly LogEntry[]) | undefined;
  /** Where secrets may come from, which no bundle may hold. Default: none come from there. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  readonly dataFolder: string;
  /** The gateway's own configuration file; it may be missing. */
  readonly configFile?: string | undefined;
  /** Folders of files that the twin may name, parted by colons. */
  readonly configFolders?: string | undefined;
  /** Whether the twin may configure the module. */
  readonly useTwin: boolean;
  /** Where status and metrics are served unless the configuration says. Default false. */
  readonly isIotEdge?: boolean;
  /** Whether the module may begin without a configuration, and wait for one. */
  readonly mayWait: boolean;
  /** What clock and spool need before the last good configuration, which is in the spool, can be read. */
  readonly settings: Config;
  readonly keys: SpoolKeys;
  /** Whether something else keeps the wall clock synchronised; absent where it is not known. */
  readonly synchronised?: () => Promise<boolean>;
  openSpool(options: Omit<SpoolOptions, 'folder'>): Promise<Spool>;
  makeAdapters(inputs: Inputs): MakeSource;
  connect(settings: Config['uplink']): EdgeUplink;
  noteStart(settings: DampingSettings): Promise<StartJournal>;
  /** Keeps what clock and spool of the next start need. Default: a file in the data folder. */
  readonly keepForStart?: ActiveConfigOptions['keepForStart'];
  /** A configuration is about to take effect. */
  onLogLevel(level: string): void;
}

export interface ComposedModule {
  /** Where status is served; undefined where it is not. */
  readonly statusPort: number | undefined;
  /** An exception that the client library threw where nobody could catch it. */
  onClientError(error: unknown): void;
  /** A connection was reset while nobody listened: survived, and counted. */
  onStrayReset(): void;
  /** Reads the configuration's files again. */
  reread(): void;
  stop(): Promise<void>;
}

/** The parts, in the order in which they are made. */
interface Disk {
  readonly activeConfig: ActiveConfig;
  readonly sources: SourceSet<SourceConfig, SupervisedSource>;
  /** Who can be asked for what a stream lacks. */
  readonly history: (batchId: string) => HistoryAnswer;
  readonly siteClock: SiteClock;
  readonly spool: Spool;
  /** Read at each encoding: a reload changes it in place. */
  readonly encoding: { -readonly [K in keyof BodyOptions]: BodyOptions[K] };
}

interface Intake {
  readonly tap: CommitTap;
  readonly windows: Windows;
  readonly inputs: Inputs;
  readonly delayed: DelayedStart;
  readonly starts: StartJournal;
  readonly learned: LearnedBook;
  /** Closes a stream whose source was removed: readings that wait for the clock still go to its windows. */
  readonly closeStream: (batchId: string) => Promise<void>;
}

interface Outbound {
  readonly uplink: EdgeUplink;
  readonly forwarder: Forwarder;
  readonly dayUse: DayUseSaver;
  readonly jobs: BackfillJobs;
}

type Parts = Disk & Intake & Outbound & Reports & { readonly rules: RulesHost };

/** Builds and starts the whole module. @throws HoldfastError when it cannot start; nothing is left open then. */
export async function composeModule(edges: Edges): Promise<ComposedModule> {
  const [started, disk] = [momentOf(edges.clock), await openDisk(edges)];
  try {
    const config = await disk.activeConfig.boot(disk.spool, edges.mayWait);
    edges.onLogLevel(config.logLevel);
    Object.assign(disk.encoding, encodingOf(config));
    const intake = await makeIntake(edges, disk, config);
    const outbound = await makeOutbound(edges, disk, intake, config);
    const acting = makeRules(edges, { ...disk, ...intake, ...outbound });
    const { rules } = acting;
    const write = makeWriteMethod(edges, acting, () => disk.activeConfig.config().remoteWrites);
    const reports = makeReports({ ...edges, ...disk, ...intake, ...outbound, rules, write }, started);
    return await run(edges, { ...disk, ...intake, ...outbound, ...reports, rules }, config);
  } catch (error) {
    await disk.spool.close();
    throw error;
  }
}

async function openDisk(edges: Edges): Promise<Disk> {
  const { clock, log, metrics, settings, keys, boot, synchronised } = edges;
  const sources = createSourceSet<SourceConfig, SupervisedSource>({ log });
  const activeConfig = createActiveConfig({
    ...(edges.configFile !== undefined && { file: edges.configFile }),
    useTwin: edges.useTwin,
    dataFolder: edges.dataFolder,
    remoteFolders: edges.configFolders,
    keepForStart: edges.keepForStart,
    clock,
    log: log.child({ part: 'config' }),
  });
  const history = historyOf(sources, () => activeConfig.isDecided());
  const siteClock = createSiteClock({
    clock,
    boot,
    settings: settings.clock,
    store: () => spool.time,
    releasedAt,
    ...(synchronised && { synchronised }),
    log: log.child({ part: 'clock' }),
    metrics,
  });
  const encoding = encodingOf(settings);
  const spool: Spool = await edges.openSpool({
    clock: siteClock.storing,
    clockTrusted: () => siteClock.trusted(),
    storedSince: (storedAt) => siteClock.storedSince(storedAt),
    log: log.child({ part: 'spool' }),
    metrics,
    encode: encoding,
    codec: keys.codec,
    ...(settings.spool.retention && { retention: settings.spool.retention }),
    hasHistory: (batchId) => mayBeHad(batchId, history(batchId)),
    boot,
    asksHub: true,
  });
  return { activeConfig, sources, history, siteClock, spool, encoding };
}

async function makeIntake(edges: Edges, disk: Disk, config: Config): Promise<Intake> {
  const { clock, random, log, metrics } = edges;
  const { sources, history, siteClock, spool } = disk;
  const starts = await edges.noteStart(config.restarts);
  if (starts.pauseMs > 0) {
    log.warn(
      { code: 'crash-loop', quickCrashes: starts.crashes, pauseMs: starts.pauseMs },
      'this module has crashed again and again: the sources wait before they start',
    );
  }
  const tap = new CommitTap(log.child({ part: 'rules' }));
  const windows = tap.watched(
    createWindows({
      store: tap.over(spool),
      clock,
      log: log.child({ part: 'windows' }),
      metrics,
      limits: windowLimitsOf(config),
    }),
  );
  spool.onLost(() => windows.loseContinuity());
  const inputs = createInputs({ clock, log: log.child({ part: 'inputs' }), metrics });
  const makeSource = edges.makeAdapters(inputs);
  const backpressure = applyBackpressure(spool, windows, (batchId) => typeof history(batchId) === 'object');
  const learned = await LearnedBook.open(spool, log);
  const equipment = await KnownEquipment.open(spool, log);
  const building = { windows, siteClock, makeSource, clock, random, metrics, log, learned, equipment };
  const closeStream = async (batchId: string) => {
    if (await siteClock.close(batchId)) await windows.closeStream(batchId);
  };
  sources.load(config.sources, {
    build: (settings, batchId) => backpressure.register(buildSource(settings, batchId, building)),
    closeStream,
  });
  backpressure.begin(sources.running);
  const delayed = delayStart(sources, { delayMs: starts.pauseMs, clock, log });
  return { tap, windows, inputs, delayed, starts, learned, closeStream };
}

async function makeOutbound(
  edges: Edges,
  disk: Disk,
  { windows }: Intake,
  config: Config,
): Promise<Outbound> {
  const { clock, random, log, metrics } = edges;
  const { spool, activeConfig, history } = disk;
  const uplink = edges.connect(config.uplink);
  const usedBefore = await readDayUse(spool);
  const forwarder = createForwarder({
    uplink,
    lanes: spool,
    clock,
    random,
    limits: forwarderLimitsOf(config),
    log: log.child({ part: 'forwarder' }),
    metrics,
    ...(usedBefore && { dayUse: usedBefore }),
  });
  const dayUse = keepDayUse({
    store: spool,
    use: () => (activeConfig.config().uplink.caps.messagesPerDay > 0 ? forwarder.state().dayUse : undefined),
    clock,
    log,
  });
  const jobs: BackfillJobs = createBackfillJobs({
    store: spool,
    sources: historyWithRules(history, {
      ...{ store: spool, jobs: () => jobs.jobs(), clock },
      config: () => activeConfig.config(),
    }),
    frontier: frontierOf(windows, spool),
    queued: () => spool.depth('backfill').messages,
    clock,
    random,
    log: log.child({ part: 'backfill' }),
    metrics,
  });
  return { uplink, forwarder, dayUse, jobs };
}

/** Starts the parts in their order. */
async function run(edges: Edges, parts: Parts, config: Config): Promise<ComposedModule> {
  const { clock, log, metrics, dataFolder } = edges;
  const { activeConfig, siteClock, spool, windows, uplink, inputs, reporter, dayUse, server, starts, stray } =
    parts;
  // Only where a source is sent messages: IoT Hub itself, without IoT Edge, has no inputs to attach to.
  const wantInputs = ({ sources: wanted }: Config) => {
    if (wanted.some((source) => adapterOf(source).hearsInputs)) uplink.handleInputs(inputs.receive);
  };
  const runtime = createRuntime({
    sources: parts.delayed,
    config: {
      start: () =>
        activeConfig.start({
          apply: async (next, plan) => {
            await applyTo(parts, edges, next, plan);
            wantInputs(next);
          },
          onReport: () => reporter.now(),
          working: () => workingIn(parts),
        }),
      stop: () => activeConfig.stop(),
    },
    windows: {
      // What waits for the clock is a source's too: it is kept once the sources have stopped.
      async closeAll() {
        await siteClock.stop();
        await parts.rules.stop();
        await windows.closeAll();
      },
    },
    jobs: parts.jobs,
    methods: parts.methods,
    forwarder: parts.forwarder,
    uplink,
    spool,
    clock,
    log,
  });
  uplink.onDesired((properties) => activeConfig.desired(properties));
  uplink.onReported((reported) => {
    spool.compareWithHub(lifeIn(reported)).catch((error) => {
      log.warn(
        { code: codeOf(error, 'unexpected-trouble'), reason: describeError(error) },
        'the state of the spool as the hub knows it could not be processed',
      );
    });
  });
  wantInputs(config);
  await parts.rules.start(config.rules, sourcesOfRules(config));
  await startClock(parts);
  parts.rules.release();
  await runtime.start();
  reporter.start();
  dayUse.start();
  parts.views.fillRate.start();
  parts.views.outages.start();
  await server.listen(statusAddress(config, edges.isIotEdge ?? false));
  log.info({ sources: config.sources.length, dataFolder, config: activeConfig.report().state }, 'started');
  return {
    get statusPort() {
      return server.port;
    },
    onStrayReset() {
      stray.count += 1;
    },
    onClientError(error) {
      stray.count += 1;
      metrics.count('holdfast_uplink_stray_errors_total');
      uplink.renew(error);
    },
    reread: () => activeConfig.reread(),
    async stop() {
      reporter.stop();
      parts.views.fillRate.stop();
      parts.views.outages.stop();
      // Beside the stop, not before it: a slow disk would take their time from the ten seconds that there are. What
      // is on its way to the spool is written when that closes.
      const notes = [starts.stopped(), server.close()];
      void dayUse.stop();
      await runtime.stop();
      await Promise.all(notes);
    },
  };
}

/** With streams whose source was removed while its readings waited for the clock, in an earlier process. */
async function startClock({ siteClock, windows, closeStream }: Parts): Promise<void> {
  const left: string[] = [];
  await siteClock.start((batchId) => {
    siteClock.open(...openWindows({ batchId, index: 'time', pace: 'own' }, windows));
    left.push(batchId);
  });
  for (const batchId of left) void closeStream(batchId).catch(() => {});
}

/** A new configuration takes effect: each part takes what concerns it, the others go on untouched. */
async function applyTo(parts: Parts, edges: Edges, next: Config, plan: ReloadPlan): Promise<void> {
  edges.onLogLevel(next.logLevel);
  Object.assign(parts.encoding, encodingOf(next));
  if (plan.windows) parts.windows.setLimits(windowLimitsOf(next));
  if (plan.status) await parts.server.listen(statusAddress(next, edges.isIotEdge ?? false));
  await parts.sources.change(plan.sources.removed, plan.sources.started);
  await parts.rules.change(next.rules, sourcesOfRules(next));
  edges.onReload?.(next);
  parts.delayed.release();
  if (plan.forwarder) parts.forwarder.setLimits(forwarderLimitsOf(next));
  if (plan.uplink) parts.uplink.reconfigure(next.uplink);
}

function encodingOf({ uplink: { body, gzip } }: Config): Disk['encoding'] {
  return { schema: body, gzip };
}

function windowLimitsOf({ windows, spool }: Config): WindowLimits {
  return { ...windows, ...commitLimitsOf(spool) };
}

function forwarderLimitsOf({ uplink: { caps, inFlight } }: Config): Partial<ForwarderLimits> {
  return { ...caps, inFlightMessages: inFlight.messages, inFlightBytes: inFlight.bytes };
}
