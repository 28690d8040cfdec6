// An OPC UA server that keeps the plant's truth: units whose samples it shows and, for one, remembers, behind a
// relay that can be unplugged, with the same control port as the rest of the plant. Composition only.

import { mkdtemp, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '../../kernel/clock.ts';
import { seededRandom } from '../../kernel/random.ts';
import { type ControlledPlant, controlPortOf, startControl } from './control.ts';
import {
  mergeOpcuaFaults,
  noOpcuaFaults,
  type OpcuaFaults,
  type OpcuaFaultsPatch,
  opcuaFaultsPatchSchema,
} from './opcua-faults.ts';
import { spoilHistory } from './opcua-history-faults.ts';
import { limitOperations } from './opcua-operation-faults.ts';
import { startRelay } from './opcua-relay.ts';
import { namespaceUri, type OpcuaServerHandle, startOpcuaServer } from './opcua-server.ts';
import { startScanSchedule } from './scan-schedule.ts';
import { Truth } from './truth.ts';

export interface OpcuaPlantOptions {
  /** Default 1. */
  readonly seed?: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** 0, the default, takes a free one. */
  readonly port?: number;
  /** HTTP port on loopback; 0, the default, takes a free one. */
  readonly controlPort?: number;
  /** Time between samples. Default 200. */
  readonly scanMs?: number;
  /** How far history reaches back, seconds. Default 600. */
  readonly historyS?: number;
  /** Samples made before the start, seconds. Default 0. */
  readonly prefillS?: number;
  /** Keeps certificates; by default a passing one. Give the same again to start faster. */
  readonly folder?: string;
  /** Default true: any client's certificate will do. */
  readonly acceptClients?: boolean;
  /** As the server states them. Default: none. */
  readonly limits?: {
    readonly nodesPerRead?: number;
    readonly itemsPerCall?: number;
    readonly nodesPerHistoryRead?: number;
  };
  /** For tests. */
  readonly clock?: Clock;
}

export interface OpcuaPlantInfo {
  readonly host: string;
  readonly port: number;
  /** `opc.tcp://host:port`, through the relay. */
  readonly endpoint: string;
  readonly controlPort: number;
  readonly seed: number;
  readonly scanMs: number;
  readonly namespaceUri: string;
  readonly user: { readonly name: string; readonly password: string };
  readonly units: Readonly<
    Record<string, { readonly name: string; readonly hasHistory: boolean; readonly capacity: number }>
  >;
}

export interface OpcuaPlant extends Omit<ControlledPlant, 'faults' | 'setFaults'> {
  readonly info: OpcuaPlantInfo;
  readonly handle: OpcuaServerHandle;
  /** Where the server's certificates are. */
  readonly folder: string;
  faults(): OpcuaFaults;
  setFaults(patch: OpcuaFaultsPatch): Promise<OpcuaFaults>;
  stop(): Promise<void>;
}

/** Numbers as `/truth?unit=` takes them. */
export const opcuaUnits = [
  { id: 21, name: 'kiln', hasHistory: true },
  { id: 22, name: 'tank', hasHistory: false },
] as const;

export async function startOpcuaPlant(options: OpcuaPlantOptions = {}): Promise<OpcuaPlant> {
  const { seed = 1, host = '127.0.0.1', scanMs = 200, historyS = 600 } = options;
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'holdfast-opcua-plant-')));
  const capacity = Math.max(2, Math.ceil((historyS * 1000) / scanMs));
  const user = { name: 'operator', password: 'kiln-1200' };
  const { nodesPerRead = 0, itemsPerCall = 0, nodesPerHistoryRead = 0 } = options.limits ?? {};
  const handle = await startOpcuaServer({
    host,
    port: 0,
    seed,
    folder,
    units: opcuaUnits,
    capacity,
    acceptClients: options.acceptClients ?? true,
    user,
    limits: { nodesPerRead, itemsPerCall, nodesPerHistoryRead },
  });
  const relay = await startRelay({
    host,
    port: options.port ?? 0,
    maxConnections: 64,
    serverPort: () => handle.port,
    faults: () => plant.faults(),
    random: seededRandom(seed),
  });
  const plant = new ControlledServer({ ...options, seed, scanMs, folder }, handle, relay, capacity);
  const { control, stop } = await plant.listen(options.controlPort ?? 0, options.folder === undefined);
  const info = {
    host,
    port: relay.port,
    endpoint: `opc.tcp://${host}:${relay.port}`,
    controlPort: controlPortOf(control),
    seed,
    scanMs,
    namespaceUri,
    user,
    units: plant.units,
  };
  return Object.assign(plant, { info, stop });
}

type PlantSettings = OpcuaPlantOptions & Required<Pick<OpcuaPlantOptions, 'seed' | 'scanMs' | 'folder'>>;

class ControlledServer implements Omit<OpcuaPlant, 'info' | 'stop'> {
  readonly handle: OpcuaServerHandle;
  readonly folder: string;
  readonly units: OpcuaPlantInfo['units'];
  readonly #relay: Awaited<ReturnType<typeof startRelay>>;
  readonly #capacity: number;
  readonly #truths: ReadonlyMap<number, Truth>;
  readonly #numbers = new Map<number, number>();
  readonly #schedule: ReturnType<typeof startScanSchedule>;
  #faults: OpcuaFaults = noOpcuaFaults;
  #isSampling = true;

  constructor(
    settings: PlantSettings,
    handle: OpcuaServerHandle,
    relay: Awaited<ReturnType<typeof startRelay>>,
    capacity: number,
  ) {
    const { seed, scanMs, folder, prefillS = 0, clock = systemClock } = settings;
    this.handle = handle;
    this.folder = folder;
    this.#relay = relay;
    this.#capacity = capacity;
    this.#truths = new Map(
      opcuaUnits.map(({ id }) => [id as number, new Truth({ seed, unit: id, stepMs: scanMs })]),
    );
    this.units = Object.fromEntries(
      opcuaUnits.map(({ id, name, hasHistory }) => [
        id,
        { name, hasHistory, capacity: hasHistory ? capacity : 0 },
      ]),
    );
    spoilHistory(handle, () => this.#faults);
    limitOperations(handle.server, () => this.#faults);
    const prefillSlots = Math.floor((prefillS * 1000) / scanMs);
    this.#schedule = startScanSchedule({ clock, periodMs: scanMs, prefillSlots }, (at) => this.#scan(at));
  }

  /** Serves the control port. Where that fails, nothing is left running. */
  async listen(port: number, removesFolder: boolean) {
    let control: Server | undefined;
    const stop = async () => {
      this.#schedule.stop();
      control?.closeAllConnections();
      await new Promise<void>((resolve) => (control ? control.close(() => resolve()) : resolve()));
      await this.#relay.unplug();
      await this.handle.stop();
      if (removesFolder) await rm(this.folder, { recursive: true, force: true });
    };
    try {
      control = await startControl(this as unknown as ControlledPlant, port);
    } catch (error) {
      await stop();
      throw error;
    }
    return { control, stop };
  }

  state() {
    return {
      isSampling: this.#isSampling,
      isListening: this.#relay.isListening,
      connections: this.#relay.connections,
      sessions: this.handle.sessions().length,
      faults: this.#faults,
      units: Object.fromEntries(
        opcuaUnits.map(({ id }) => [
          id,
          {
            ...this.units[id],
            samples: this.#numbers.get(id) ?? 0,
            forgotten: this.#truthOf(id).forgotten,
          },
        ]),
      ),
    };
  }

  faults(): OpcuaFaults {
    return this.#faults;
  }

  async setFaults(given: OpcuaFaultsPatch): Promise<OpcuaFaults> {
    const patch = opcuaFaultsPatchSchema.parse(given);
    this.#faults = mergeOpcuaFaults(this.#faults, patch);
    limitQueues(this.handle, this.#faults);
    limitHistory(this.handle, this.#faults.historyRecords ?? this.#capacity);
    actOnce(this.handle, patch);
    await (this.#faults.unreachable ? this.#relay.unplug() : this.#relay.plug());
    return this.#faults;
  }

  truth(unit: number, query: Parameters<Truth['samples']>[0]) {
    return this.#truthOf(unit).samples(query);
  }

  shown(): never {
    throw new RangeError('each value has its own time: ask /truth');
  }

  dropConnections() {
    return this.#relay.dropConnections();
  }

  eraseLog(): void {
    limitHistory(this.handle, 0);
  }

  stepClock(): never {
    throw new RangeError("the server's clock is this machine's");
  }

  stopSampling(): void {
    this.#isSampling = false;
    this.#schedule.stop();
  }

  #scan(timestampMs: number): void {
    for (const { id } of opcuaUnits) {
      const { off, status } = this.#faults.units[id] ?? {};
      if (off) continue;
      const number = (this.#numbers.get(id) ?? 0) + 1;
      this.#numbers.set(id, number);
      this.#truths.get(id)!.add(number, timestampMs);
      this.handle.show(id, number, timestampMs, status);
    }
  }

  #truthOf(unit: number): Truth {
    const found = this.#truths.get(unit);
    if (!found)
      throw new RangeError(
        `there is no unit ${unit}; there are ${opcuaUnits.map(({ id }) => id).join(', ')}`,
      );
    return found;
  }
}

interface Historian {
  _maxOnlineValues: number;
  _timeline: { length: number; shift(): unknown };
}

/** Older samples are gone for good; new ones are kept as far as `records` allows. */
function limitHistory(handle: OpcuaServerHandle, records: number): void {
  for (const variables of handle.variables.values()) {
    for (const variable of variables.values()) {
      const historian = (variable as unknown as { varHistorian?: Historian }).varHistorian;
      if (!historian) continue;
      if (records > 0) historian._maxOnlineValues = records;
      while (historian._timeline.length > records) historian._timeline.shift();
    }
  }
}

interface Item {
  queueSize: number;
}

function limitQueues(handle: OpcuaServerHandle, { queueSize }: OpcuaFaults): void {
  if (queueSize === null) return;
  for (const session of handle.sessions()) {
    for (const subscription of session.publishEngine.subscriptions) {
      const { monitoredItems } = subscription as unknown as { monitoredItems: Map<number, Item> };
      for (const item of monitoredItems.values()) item.queueSize = Math.min(item.queueSize, queueSize);
    }
  }
}

function actOnce(handle: OpcuaServerHandle, patch: OpcuaFaultsPatch): void {
  for (const session of handle.sessions()) {
    if (patch.dropPoints) session.continuationPointManager.clear();
    if (patch.dropSubscriptions) {
      for (const { id } of [...session.publishEngine.subscriptions]) session.deleteSubscription(id);
    }
    if (patch.dropSessions) handle.server.engine.closeSession(session.authenticationToken, true, 'Forcing');
  }
}
