#!/usr/bin/env -S sh -c 'exec "$(dirname "$(readlink -f "$0")")/../holdfast" "$@"'
// The module's entry: gives it the real edges. Run as a program (`npx holdfast`), it hands over to the launcher, since the
// machine's own Node may be too old.
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readBoot } from '../kernel/boot.ts';
import { systemClock } from '../kernel/clock.ts';
import { HoldfastError } from '../kernel/errors.ts';
import { type Log, silentLog } from '../kernel/log.ts';
import { noMetrics } from '../kernel/metrics.ts';
import { createPrometheusMetrics } from '../kernel/prometheus.ts';
import { systemRandom } from '../kernel/random.ts';
import { adapterMetrics, createAdapters } from './adapters.ts';
import { dropEmptyVariables } from './cli/empty-variables.ts';
import { createProgram } from './cli/program.ts';
import type { StartOptions } from './cli/run.ts';
import { type ComposedModule, composeModule } from './compose.ts';
import { type Identity, namesOf, readStatusToken } from './config/identity.ts';
import type { SourceConfig } from './config/schema.ts';
import { readStartSettings } from './config/start-settings.ts';
import { edgeLabels } from './health/edge-labels.ts';
import { metricCatalogue } from './health/metric-catalogue.ts';
import { createProcessLog, type ProcessLog } from './health/pino-log.ts';
import { openStartJournal } from './health/start-journal.ts';
import { labelValuesOf } from './label-values.ts';
import { createInputs } from './sources/inputs.ts';
import { openSpoolKeys } from './spool/encryption/open-keys.ts';
import { openSpool } from './spool/spool.ts';
import { fileExists } from './time/synchronised-file.ts';
import { createIotEdgeUplink } from './uplink/edge-uplink.ts';
import { createLineUplink } from './uplink/line-uplink.ts';
import { createWorkloadWrapper } from './uplink/workload-wrapper.ts';
import { version } from './version.ts';

// What this process makes is for its user alone: readings, configuration, keys.
process.umask(0o077);
dropEmptyVariables(process.env);

const clock = systemClock;
const random = systemRandom;

async function startModule(options: StartOptions, log: ProcessLog): Promise<ComposedModule> {
  const { dataFolder, configFile, destination, useTwin, mayWait, signal } = options;
  const identity = destination.kind === 'hub' ? destination.identity : undefined;
  const { HOLDFAST_CONFIG_FOLDERS, HOLDFAST_MARK_FOLDER } = process.env;
  const boot = readBoot(random.uuid());
  const statusToken = await readStatusToken(process.env);
  const metrics = createPrometheusMetrics({
    catalogue: { ...metricCatalogue, ...adapterMetrics },
    common: edgeLabels(process.env, connectionStringOf(identity), random.uuid()),
  });
  await makeDataFolder(dataFolder);
  const settings = await readStartSettings({ dataFolder, file: configFile, useTwin });
  const keys = await openSpoolKeys(settings.spool.encryption, {
    environment: process.env,
    folder: join(dataFolder, 'spool', 'keys'),
    wrapper: createWorkloadWrapper({ environment: process.env, clock }),
    clock,
    random,
    log: log.child({ part: 'spool' }),
    signal,
  });
  const { synchronisedFile } = settings.clock;
  return composeModule({
    clock,
    random,
    boot,
    log,
    metrics,
    metricsText: (samples) => metrics.text(samples),
    onReload: (config) => {
      for (const [label, values] of Object.entries(labelValuesOf(config))) metrics.keepOnly(label, values);
    },
    statusToken,
    recentLog: () => log.recent(),
    environment: process.env,
    isIotEdge: identity?.kind === 'iot-edge',
    dataFolder,
    configFile,
    configFolders: HOLDFAST_CONFIG_FOLDERS,
    useTwin,
    mayWait,
    settings,
    keys,
    ...(synchronisedFile && { synchronised: fileExists(synchronisedFile) }),
    onLogLevel: options.onLogLevel,
    openSpool: (of) =>
      openSpool({
        ...of,
        folder: join(dataFolder, 'spool'),
        owners: identity === undefined ? [] : namesOf(identity, process.env),
        noteElsewhere: HOLDFAST_MARK_FOLDER ?? join(tmpdir(), 'holdfast'),
        signal,
      }),
    makeAdapters: (inputs) => createAdapters({ clock, random, metrics, dataFolder, inputs }),
    noteStart: (restarts) =>
      openStartJournal({
        folder: dataFolder,
        boot: boot.id,
        settings: restarts,
        clock,
        log: log.child({ part: 'starts' }),
      }),
    connect: ({ transport, caFile, output, sendTimeoutMs }) => {
      const uplinkLog = log.child({ part: 'uplink' });
      if (destination.kind === 'lines') return createLineUplink({ ...destination, clock, log: uplinkLog });
      return createIotEdgeUplink({
        identity: destination.identity,
        transport,
        ...(caFile && { caFile }),
        ...(output && { output }),
        limits: { sendTimeoutMs },
        clock,
        random,
        log: uplinkLog,
        metrics,
      });
    },
  });
}

function connectionStringOf(identity: Identity | undefined): string | undefined {
  return identity?.kind === 'connection-string' ? identity.connectionString : undefined;
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

/** For `holdfast probe`. */
const makeSources = (dataFolder: string) => {
  const inputs = createInputs({ clock, log: silentLog, metrics: noMetrics });
  const make = createAdapters({ clock, random, metrics: noMetrics, dataFolder, inputs });
  return (settings: SourceConfig, sourceLog: Log) => make(settings, { stampClock: clock, log: sourceLog });
};

// No `await`: the image's bundle is of a kind that has none here.
export const ended = createProgram({
  startModule,
  createLog: (level, format) => createProcessLog(level, format, clock),
  makeSources,
  clock,
  version,
}).parseAsync();

// As an exception: a rejection is what `run` survives.
ended.catch((error: unknown) =>
  process.nextTick(() => {
    throw error;
  }),
);
