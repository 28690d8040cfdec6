// The demo's world: its processes, the cables that can be cut, and the tap.
//
//   equipment ──cables── runtime ──relay── hub ── detector
//                                           └──── tap
import { join } from 'node:path';
import type { Reset } from '../plant/heat.ts';
import type { Account } from './account.ts';
import type { CloudMessage } from './cloud-copy.ts';
import { type CloudTap, startCloudTap } from './cloud-tap.ts';
import { prepareDashboard } from './dashboard.ts';
import { allCables, type Cable, type DemoStream, type Equipment, startEquipment } from './equipment.ts';
import { getJson, getText, postJson } from './http-json.ts';
import type { LedgerStream } from './ledger-check.ts';
import type { DemoEvent } from './live-state.ts';
import { detectorSpec, type HubReady, hubSpec, runtimeSpec, writeConfig } from './parts.ts';
import { createProcesses, type Processes, type ProcessSpec, type Supervised } from './processes.ts';
import { askLedger, askMade, askResets, reckon, ruleStream } from './reckoning.ts';
import { type Relay, startRelay } from './relay.ts';
import type { Cut } from './verdict-account.ts';
import { createVerdictLog, type Received } from './verdict-log.ts';

export interface WorldOptions {
  /** Logs, the spool, the ledger. Must exist and be empty. */
  readonly folder: string;
  readonly seed: number;
  /** Of the gateway. Default: in `folder`. */
  readonly dataFolder?: string;
  /** As `detectorSpec`. */
  readonly databaseUrl?: string;
  /** Added to the detector's environment. */
  readonly detectorEnv?: Readonly<Record<string, string>>;
  /** Something between the gateway's network and this port, which is the hub's. Default: nothing. */
  readonly wayToHub?: (port: number) => Promise<{ readonly port: number; close(): Promise<void> }>;
  readonly onEvent: (text: string, tone: DemoEvent['tone']) => void;
}

export interface HubFacts {
  readonly counts: { readonly accepted: number; readonly lost: number };
  /** Those in force; a fault with a dose is gone once it has hit. */
  readonly faults: Readonly<Record<string, unknown>>;
}

export interface World {
  /** To look at the ledger with a browser, in every life of the detector. */
  readonly dashboardUrl: string;
  /** The status of the runtime that runs now. */
  readonly statusUrl: () => string;
  /** Of the gateway. */
  readonly dataFolder: string;
  readonly network: Relay;
  /** Of all equipment. */
  readonly device: Cable;
  readonly equipment: readonly Equipment[];
  readonly streams: readonly DemoStream[];
  readonly tap: CloudTap;
  readonly processes: readonly Supervised[];
  readonly runtime: Supervised;
  readonly detector: Supervised;
  /** By stream: samples made, or answers given. */
  made(): Promise<ReadonlyMap<string, number>>;
  hubFacts(): Promise<HubFacts>;
  /** The runtime's own status; rejects while it is down. */
  runtimeStatus(): Promise<unknown>;
  /** As Prometheus reads them; rejects while it is down. */
  metrics(of: 'runtime' | 'detector'): Promise<string>;
  /** The detector's ledger; rejects while it is down. */
  ledger(): Promise<readonly LedgerStream[]>;
  /** The hub acknowledges the next messages and loses them. */
  loseNext(count: number): Promise<void>;
  /** The gateway's own way to the cloud, behind the hub of its modules: they go on reaching each other. */
  cutUpstream(isCut: boolean): Promise<void>;
  isUpstreamCut(): boolean;
  /** What the cloud has of the rule's stream. */
  readonly verdicts: Received;
  /** What the machine was told by the rule, as its sensor counts it. */
  resets(): Promise<readonly Reset[]>;
  /** The hub stores the next message and cuts its connection before it says so. */
  cutAmidNext(): Promise<void>;
  stopSampling(): Promise<void>;
  /** The account as of now; `problems` of the caller spoil it. */
  account(problems?: readonly string[]): Promise<Account>;
  /** Stops everything. Idempotent. */
  stop(): Promise<void>;
}

type Close = () => Promise<void>;

/** Resolves when all processes are ready. @throws Error with the end of a log; nothing is left running. */
export async function startWorld(options: WorldOptions): Promise<World> {
  const processes = createProcesses({
    folder: options.folder,
    onEvent: (name, text) => options.onEvent(`${name}: ${text}`, /itself|not/.test(text) ? 'bad' : 'plain'),
  });
  const closers: Close[] = [() => processes.stopAll()];
  try {
    return await build(options, processes, closers);
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

async function build(options: WorldOptions, processes: Processes, closers: Close[]): Promise<World> {
  const { folder, seed, dataFolder = join(folder, 'runtime-data') } = options;
  const hub = processes.supervise(hubSpec(folder));
  const onOpen = (close: Close) => void closers.push(close);
  const say = (text: string) => options.onEvent(text, 'plain');
  const hubStarting = hub.start() as unknown as Promise<HubReady>;
  const preparing = Promise.all([prepareDashboard(), hubStarting]);
  // Its database takes longest to start: it does so beside the equipment.
  const detecting = preparing.then(([dashboard, hubReady]) =>
    startSupervised(processes, detectorSpec(folder, hubReady, dashboard, options)),
  );
  // Awaited below; until then a failure of it is not one that nobody handles.
  detecting.catch(() => {});
  const [equipment, [dashboard, hubReady]] = await Promise.all([
    startEquipment({ folder, seed, processes, hub: hubStarting, onOpen, say }),
    preparing,
  ]);
  const streams = equipment.flatMap((one) => one.streams);

  const network = await openNetwork(options, hubReady.amqpsPort, closers);
  const verdicts = createVerdictLog(ruleStream);
  const tap = startCloudTap({
    connectionString: hubReady.eventHubConnectionString,
    onMessage: (message, arrived) => {
      announce(message, options);
      verdicts.take(message, arrived);
    },
    onError: (error) => options.onEvent(`tap: ${error.message}`, 'bad'),
  });
  closers.push(() => tap.close());

  const sources = equipment.flatMap((one) => one.sources);
  const config = writeConfig(folder, sources, dataFolder);
  const running = startSupervised(processes, runtimeSpec(config, hubReady, network.port));
  const [detector, runtime] = await Promise.all([detecting, running]);

  const hubControl = `http://127.0.0.1:${hubReady.controlPort}`;
  const detectorApi = () => `http://127.0.0.1:${detector.ready()?.httpPort}`;
  // It chooses its port anew at each start.
  const runtimeApi = () => `http://127.0.0.1:${runtime.ready()?.statusPort}`;
  let stopping: Promise<void> | undefined;
  const upstream = upstreamCut((noUpstream) => postJson(`${hubControl}/faults`, { noUpstream }));
  return {
    ...{ dashboardUrl: dashboard.url, statusUrl: runtimeApi },
    dataFolder,
    network,
    device: allCables(equipment),
    equipment,
    streams,
    tap,
    processes: processes.all(),
    runtime,
    detector,
    made: () => askMade(equipment),
    hubFacts: () => getJson<HubFacts>(`${hubControl}/state`),
    runtimeStatus: () => getJson(`${runtimeApi()}/status`),
    metrics: (of) => getText(`${of === 'runtime' ? runtimeApi() : detectorApi()}/metrics`),
    ledger: () => askLedger(detectorApi()),
    loseNext: (next) => postJson(`${hubControl}/faults`, { ackAndLose: { next } }),
    cutAmidNext: () => postJson(`${hubControl}/faults`, { cutOnTelemetry: { next: 1 }, cutAfterStore: true }),
    cutUpstream: upstream.set,
    isUpstreamCut: upstream.isCut,
    verdicts,
    resets: () => askResets(equipment),
    async stopSampling() {
      const controls = new Set(equipment.map(({ control }) => control));
      await Promise.all([...controls].map((control) => postJson(`${control}/stop-sampling`)));
    },
    account: (problems = []) =>
      reckon({ equipment, detectorApi: detectorApi(), tap, problems, verdicts, cut: upstream.last() }),
    stop() {
      stopping ??= closeAll(closers);
      return stopping;
    },
  };
}

function upstreamCut(setFault: (isCut: boolean) => Promise<unknown>) {
  let cut: Cut | undefined;
  return {
    last: () => cut,
    isCut: () => cut?.to === Number.POSITIVE_INFINITY,
    async set(isCut: boolean) {
      const now = Date.now();
      cut = { from: isCut ? now : (cut?.from ?? now), to: isCut ? Number.POSITIVE_INFINITY : now };
      await setFault(isCut);
    },
  };
}

async function startSupervised(processes: Processes, spec: ProcessSpec): Promise<Supervised> {
  const supervised = processes.supervise(spec);
  await supervised.start();
  return supervised;
}

async function openNetwork({ wayToHub }: WorldOptions, port: number, closers: Close[]): Promise<Relay> {
  const way = await wayToHub?.(port);
  if (way !== undefined) closers.push(() => way.close());
  return openRelay('127.0.0.1', way?.port ?? port, closers);
}

async function openRelay(host: string, port: number, closers: Close[]): Promise<Relay> {
  const relay = await startRelay({ target: { host, port } });
  closers.push(() => relay.close());
  return relay;
}

/** In the opposite order of opening; one that fails keeps none of the others from being closed. */
async function closeAll(closers: readonly Close[]): Promise<void> {
  for (const close of closers.toReversed()) await close().catch(() => {});
}

function announce({ batchId, window, content, isBackfill }: CloudMessage, { onEvent }: WorldOptions): void {
  const seconds = `${((window.end - window.start) / 1000).toFixed(1)} s`;
  if (content.kind === 'void') onEvent(`${batchId}: ${seconds} declared void, ${content.reason}`, 'plain');
  else if (content.kind === 'late-void')
    onEvent(`${batchId}: late readings declared void, ${content.reason}`, 'plain');
  else if (content.kind === 'late')
    onEvent(`${batchId}: ${content.readings.length} readings came late`, 'plain');
  else if (isBackfill) {
    onEvent(`${batchId}: ${seconds} repaired, ${content.readings.length} readings`, 'good');
  }
}
