// What the demo runs: its processes with their arguments, and the pace. The runtime gets the
// identity that IoT Edge gives a module and a configuration file as a site would write it; nothing in
// either says that this is a demo.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { UnitInfo } from '../plant/plant.ts';
import { sensorControl } from '../plant/sensor-site.ts';
import { type DemoDashboard, demoToken } from './dashboard.ts';
import { type ProcessSpec, repositoryFile } from './processes.ts';

export const timings = {
  // Slow enough that a machine of two busy cores still polls each sample.
  scanMs: 400,
  // Twice as fast as the equipment samples: at the same rate every small delay would skip a sample.
  stampedPollMs: 200,
  polledPollMs: 400,
  windowMs: 2000,
  detectionDelayMs: 3000,
  sweepMs: 500,
} as const;

export interface PlantReady {
  readonly host: string;
  readonly port: number;
  readonly controlPort: number;
  readonly serial?: { readonly port: number; readonly path?: string };
  readonly units: Readonly<Record<string, UnitInfo>>;
}

export interface HubReady {
  readonly amqpsPort: number;
  readonly controlPort: number;
  readonly caFile: string;
  /** Connection strings by module. */
  readonly otherModules: Readonly<Record<string, string>>;
  readonly serviceConnectionString: string;
  readonly eventHubConnectionString: string;
  readonly edgeEnvironment: Readonly<Record<string, string>>;
}

const scanArgs = (seed: number) => ['--seed', String(seed), '--scan-ms', String(timings.scanMs)];

/** `serialPath`: where the port of its serial bus is to appear; without one it has none. */
export const plantSpec = (seed: number, serialPath?: string): ProcessSpec => ({
  name: 'plant',
  script: repositoryFile('lab/plant/main.ts'),
  args: [
    ...scanArgs(seed),
    ...['--history-s', '600'],
    ...(serialPath === undefined ? [] : ['--serial-path', serialPath]),
  ],
});

export const loggerSpec = (seed: number): ProcessSpec => ({
  name: 'logger',
  script: repositoryFile('lab/plant/logger-main.ts'),
  args: scanArgs(seed),
});

/** Its certificates go into the demo's folder. */
export const opcuaSpec = (seed: number, folder: string): ProcessSpec => ({
  name: 'opcua',
  script: repositoryFile('lab/plant/opcua-main.ts'),
  args: [...scanArgs(seed), '--folder', join(folder, 'opcua-server')],
});

export const hubSpec = (folder: string): ProcessSpec => ({
  name: 'hub',
  script: repositoryFile('lab/hub/main.ts'),
  args: ['--data', join(folder, 'hub-data'), '--strict-message-ids', '--other-modules', 'sensor'],
});

export const sensorSpec = (seed: number, hub: HubReady): ProcessSpec => ({
  name: 'sensor',
  script: repositoryFile('lab/plant/sensor-main.ts'),
  args: ['--ca', hub.caFile, ...scanArgs(seed)],
  env: { HOLDFAST_SENSOR_CONNECTION_STRING: hub.otherModules.sensor! },
});

export function runtimeSpec(config: string, hub: HubReady, networkPort: number): ProcessSpec {
  return {
    name: 'runtime',
    script: repositoryFile('runtime/main.ts'),
    args: ['run', '--config', config, '--ready-line'],
    env: {
      ...hub.edgeEnvironment,
      IOTEDGE_GATEWAYHOSTNAME: `localhost:${networkPort}`,
      NODE_EXTRA_CA_CERTS: hub.caFile,
    },
  };
}

/** `databaseUrl`: of a PostgreSQL server; without one the detector has a database of its own in the folder. */
export function detectorSpec(
  folder: string,
  hub: HubReady,
  dashboard: DemoDashboard,
  {
    databaseUrl,
    detectorEnv = {},
  }: { readonly databaseUrl?: string; readonly detectorEnv?: Readonly<Record<string, string>> } = {},
): ProcessSpec {
  const data = join(folder, 'ledger');
  mkdirSync(data, { recursive: true });
  return {
    name: 'detector',
    script: repositoryFile('cloud-lite/main.ts'),
    env: {
      HOLDFAST_EVENTHUB_CONNECTION: hub.eventHubConnectionString,
      HOLDFAST_HUB_CONNECTION: hub.serviceConnectionString,
      ...(databaseUrl === undefined ? { HOLDFAST_DATA_FOLDER: data } : { DATABASE_URL: databaseUrl }),
      HOLDFAST_HTTP_PORT: String(dashboard.port),
      HOLDFAST_DASHBOARD_FOLDER: dashboard.folder,
      HOLDFAST_API_TOKEN: demoToken,
      HOLDFAST_DETECTION_DELAY_MS: String(timings.detectionDelayMs),
      HOLDFAST_SWEEP_INTERVAL_MS: String(timings.sweepMs),
      NODE_EXTRA_CA_CERTS: hub.caFile,
      ...detectorEnv,
    },
  };
}

/** The rule that keeps the sensor's machine cool: the window is short, so that some of them end within a cut of the network. */
export const demoRule = {
  name: 'overheated',
  source: 'sensor',
  tag: 'machine.temperature',
  windowMs: 2000,
  bound: 30,
};

function ruleEntry() {
  const { name, source, tag, windowMs, bound } = demoRule;
  return {
    name,
    inputs: { input: { source, time: 'timeCreated' } },
    query: `SELECT 'reset' AS command, Max(timeCreated) AS maxEventTime INTO output FROM input TIMESTAMP BY timeCreated
      GROUP BY TumblingWindow(millisecond, ${windowMs}) HAVING Avg(${tag}) > ${bound}`,
    outputs: { output: [{ send: sensorControl }, 'upstream'] },
  };
}

/** Writes the runtime's configuration; JSON is YAML too. Returns the file's path. */
export function writeConfig(folder: string, sources: readonly object[], dataFolder: string): string {
  const file = join(folder, 'holdfast.yaml');
  const config = {
    dataFolder,
    sources,
    rules: [ruleEntry()],
    windows: { ageMs: timings.windowMs, quietMs: timings.windowMs },
    statusPort: 0,
    // The demo's public may kill it as often as it likes, and wants to see it read again at once.
    restarts: { free: 1000 },
    // It goes to a file, for whoever has to explain a failed tour.
    logLevel: 'debug',
  };
  writeFileSync(file, `${JSON.stringify(config, null, 2)}\n`);
  return file;
}
