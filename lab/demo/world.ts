// The demo's world: four processes and the two cables that can be cut.
//
//   plant ──relay── runtime ──relay── hub ── detector
//                                      └──── tap
//
// The runtime knows neither the relays nor the tap: it has the identity that IoT Edge gives a module, and a
// configuration file as a site would write it.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Window } from '../../wire/window.ts';
import type { UnitInfo } from '../plant/plant.ts';
import { plantSources } from '../plant/site.ts';
import {
  type Account,
  accountPolled,
  accountStamped,
  compareLedger,
  type LedgerStream,
  total,
  type Values,
} from './account.ts';
import type { CloudMessage } from './cloud-copy.ts';
import { type CloudTap, startCloudTap } from './cloud-tap.ts';
import { getJson, getLines, postJson } from './http-json.ts';
import type { DemoEvent } from './live-state.ts';
import { createProcesses, type Processes, repositoryFile, type Supervised } from './processes.ts';
import { type Relay, startRelay } from './relay.ts';

export interface WorldOptions {
  /** Logs, the spool, the ledger. Must exist and be empty. */
  readonly folder: string;
  readonly seed: number;
  readonly onEvent?: (text: string, tone: DemoEvent['tone']) => void;
}

/** A stream of the demo: its source in the configuration, its unit in the plant. */
export interface DemoStream {
  readonly name: string;
  readonly unit: number;
  /** `polled`: no time stamp and no log of its own. */
  readonly kind: 'stamped' | 'polled';
}

export const demoStreams: readonly DemoStream[] = [
  { name: 'press', unit: 1, kind: 'stamped' },
  { name: 'boiler', unit: 2, kind: 'stamped' },
  { name: 'meter', unit: 3, kind: 'polled' },
];

export const timings = {
  scanMs: 200,
  // Twice as fast as the equipment samples: at the same rate every small delay would skip a sample.
  stampedPollMs: 100,
  polledPollMs: 250,
  windowMs: 2000,
  detectionDelayMs: 3000,
  sweepMs: 500,
} as const;

interface PlantReady {
  readonly host: string;
  readonly port: number;
  readonly controlPort: number;
  readonly units: Readonly<Record<string, UnitInfo>>;
}

interface HubReady {
  readonly amqpsPort: number;
  readonly controlPort: number;
  readonly caFile: string;
  readonly serviceConnectionString: string;
  readonly eventHubConnectionString: string;
  readonly edgeEnvironment: Readonly<Record<string, string>>;
}

export interface PlantFacts {
  readonly units: Readonly<
    Record<string, { readonly samples: number; readonly oldest?: number; readonly answers: number }>
  >;
}

export interface HubFacts {
  readonly counts: { readonly accepted: number; readonly lost: number };
}

interface TruthLine {
  readonly number: number;
  readonly timestamp: number;
  readonly values: Values;
}

interface ShownLine {
  readonly at: number;
  readonly values: Values;
}

export interface World {
  readonly network: Relay;
  readonly device: Relay;
  readonly tap: CloudTap;
  readonly processes: readonly Supervised[];
  readonly runtime: Supervised;
  readonly detector: Supervised;
  plantFacts(): Promise<PlantFacts>;
  hubFacts(): Promise<HubFacts>;
  /** The runtime's own status; rejects while it is down. */
  runtimeStatus(): Promise<unknown>;
  /** The detector's ledger; rejects while it is down. */
  ledger(): Promise<readonly LedgerStream[]>;
  /** The hub acknowledges the next messages of a stream (of any, without one) and loses them. */
  loseNext(count: number, stream?: string): Promise<void>;
  stopSampling(): Promise<void>;
  /** The account as of now; `problems` are those of the caller. */
  account(problems?: readonly string[]): Promise<Account>;
  /** Stops everything. Idempotent. */
  stop(): Promise<void>;
}

/** Resolves when all four processes are ready. @throws Error with the end of a log; nothing is left running. */
export async function startWorld(options: WorldOptions): Promise<World> {
  const say = options.onEvent ?? (() => {});
  const processes = createProcesses({
    folder: options.folder,
    onEvent: (name, text) => say(`${name}: ${text}`, /itself|not/.test(text) ? 'bad' : 'plain'),
  });
  const closers: (() => Promise<void>)[] = [() => processes.stopAll()];
  try {
    return await build(options, processes, closers);
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

async function build(
  options: WorldOptions,
  processes: Processes,
  closers: (() => Promise<void>)[],
): Promise<World> {
  const { folder, seed } = options;
  const plant = processes.supervise(plantSpec(seed));
  const hub = processes.supervise(hubSpec(folder));
  const [plantReady, hubReady] = (await Promise.all([plant.start(), hub.start()])) as unknown as [
    PlantReady,
    HubReady,
  ];
  const device = await startRelay({ target: { host: plantReady.host, port: plantReady.port } });
  closers.push(() => device.close());
  const network = await startRelay({ target: { host: '127.0.0.1', port: hubReady.amqpsPort } });
  closers.push(() => network.close());
  const tap = startCloudTap({
    connectionString: hubReady.eventHubConnectionString,
    onMessage: (message) => announce(message, options),
    onError: (error) => options.onEvent?.(`tap: ${error.message}`, 'bad'),
  });
  closers.push(() => tap.close());

  const config = writeConfig(folder, plantReady, device.port);
  const runtime = processes.supervise(runtimeSpec(config, hubReady, network.port));
  const detector = processes.supervise(detectorSpec(folder, hubReady));
  await Promise.all([runtime.start(), detector.start()]);

  const plantControl = `http://127.0.0.1:${plantReady.controlPort}`;
  const hubControl = `http://127.0.0.1:${hubReady.controlPort}`;
  const detectorApi = () => `http://127.0.0.1:${detector.ready()?.port}`;
  const plantFacts = () => getJson<PlantFacts>(`${plantControl}/state`);
  const ledger = async () => {
    const { streams } = await getJson<{ streams: LedgerJson[] }>(`${detectorApi()}/api/streams`);
    return streams.map(toLedgerStream);
  };

  async function account(problems: readonly string[] = []): Promise<Account> {
    const facts = await plantFacts();
    const truths = await Promise.all(
      demoStreams.map(({ unit, kind }) =>
        kind === 'stamped'
          ? getLines<TruthLine>(`${plantControl}/truth?unit=${unit}`)
          : getLines<ShownLine>(`${plantControl}/shown?unit=${unit}`),
      ),
    );
    const ledgers = await ledger();
    // From here on nothing is awaited: what the tap holds is of one moment.
    const copies = tap.copy.streams();
    const streams = demoStreams.map((stream, i) => {
      const copy = copies.get(stream.name);
      if (stream.kind === 'polled') {
        return accountPolled({ stream: stream.name, shown: truths[i] as ShownLine[], copy });
      }
      const lines = truths[i] as TruthLine[];
      const truth = lines.map(({ timestamp, values }) => ({ at: timestamp, values }));
      const oldest = facts.units[stream.unit]?.oldest ?? 0;
      const logReachesBackTo = lines.find((line) => line.number >= oldest)?.timestamp ?? Infinity;
      return accountStamped({ stream: stream.name, truth, copy, logReachesBackTo });
    });
    const contradictions = [...copies.values()].flatMap((copy) => {
      const found = compareLedger(
        ledgers.find(({ batchId }) => batchId === copy.batchId),
        copy,
      );
      return found.map((problem) => `${copy.batchId}: ${problem}`);
    });
    return total(streams, ledgers, [...problems, ...contradictions, ...tap.undecodable]);
  }

  let stopping: Promise<void> | undefined;
  return {
    network,
    device,
    tap,
    processes: [plant, runtime, hub, detector],
    runtime,
    detector,
    plantFacts,
    hubFacts: () => getJson<HubFacts>(`${hubControl}/state`),
    runtimeStatus: () => getJson(`http://127.0.0.1:${runtime.ready()?.statusPort}/status`),
    ledger,
    loseNext: (next, batchId) =>
      postJson(`${hubControl}/faults`, { ackAndLose: { next, ...(batchId && { batchId }) } }),
    stopSampling: () => postJson(`${plantControl}/stop-sampling`),
    account,
    stop() {
      stopping ??= closeAll(closers);
      return stopping;
    },
  };
}

/** In the opposite order of opening; one that fails keeps none of the others from being closed. */
async function closeAll(closers: readonly (() => Promise<void>)[]): Promise<void> {
  // The processes last, but before them what still talks to them.
  for (const close of closers.toReversed()) await close().catch(() => {});
}

function announce(message: CloudMessage, options: WorldOptions): void {
  const { batchId, window, content, isBackfill } = message;
  const seconds = `${((window.end - window.start) / 1000).toFixed(1)} s`;
  if (content.kind === 'void')
    options.onEvent?.(`${batchId}: ${seconds} declared void, ${content.reason}`, 'plain');
  else if (isBackfill) {
    options.onEvent?.(`${batchId}: ${seconds} repaired, ${content.readings.length} readings`, 'good');
  }
}

const plantSpec = (seed: number) => ({
  name: 'plant',
  script: repositoryFile('lab/plant/main.ts'),
  args: ['--seed', String(seed), '--scan-ms', String(timings.scanMs), '--history-s', '600'],
});

const hubSpec = (folder: string) => ({
  name: 'hub',
  script: repositoryFile('lab/hub/main.ts'),
  args: ['--data', join(folder, 'hub-data')],
});

function runtimeSpec(config: string, hub: HubReady, networkPort: number) {
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

function detectorSpec(folder: string, hub: HubReady) {
  const data = join(folder, 'ledger');
  mkdirSync(data, { recursive: true });
  return {
    name: 'detector',
    script: repositoryFile('cloud-lite/main.ts'),
    env: {
      HOLDFAST_EVENTHUB_CONNECTION: hub.eventHubConnectionString,
      HOLDFAST_HUB_CONNECTION: hub.serviceConnectionString,
      HOLDFAST_DATA_FOLDER: data,
      HOLDFAST_HTTP_PORT: '0',
      HOLDFAST_DETECTION_DELAY_MS: String(timings.detectionDelayMs),
      HOLDFAST_SWEEP_INTERVAL_MS: String(timings.sweepMs),
      NODE_EXTRA_CA_CERTS: hub.caFile,
    },
  };
}

/** JSON is YAML too. Returns the file's path. */
function writeConfig(folder: string, plant: PlantReady, devicePort: number): string {
  const sources = plantSources(plant, { host: '127.0.0.1', port: devicePort }).map((source) => {
    const polled = demoStreams.find(({ name }) => name === source.name)?.kind === 'polled';
    return { ...source, pollMs: polled ? timings.polledPollMs : timings.stampedPollMs };
  });
  const file = join(folder, 'holdfast.yaml');
  const config = {
    dataFolder: join(folder, 'runtime-data'),
    sources,
    windows: { ageMs: timings.windowMs, quietMs: timings.windowMs },
    statusPort: 0,
  };
  writeFileSync(file, `${JSON.stringify(config, null, 2)}\n`);
  return file;
}

interface LedgerJson extends Omit<LedgerStream, 'covered' | 'voids' | 'gaps'> {
  readonly covered: readonly (readonly [number, number])[];
  readonly voids: readonly Window[];
  readonly gaps: readonly (readonly [number, number])[];
}

function toLedgerStream(json: LedgerJson): LedgerStream {
  const window = ([start, end]: readonly [number, number]): Window => ({ start, end });
  return { ...json, covered: json.covered.map(window), gaps: json.gaps.map(window) };
}
