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
  const { seed = 1, host = '127.0.0.1', scanMs = 200, prefillS = 0, historyS = 600 } = options;
  const clock = options.clock ?? systemClock;
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
  let faults: OpcuaFaults = noOpcuaFaults;
  const truths = new Map(
    opcuaUnits.map(({ id }) => [id as number, new Truth({ seed, unit: id, stepMs: scanMs })]),
  );
  const numbers = new Map<number, number>();
  const random = seededRandom(seed);
  spoilHistory(handle, () => faults);
  limitOperations(handle.server, () => faults);
  const relay = await startRelay({
    host,
    port: options.port ?? 0,
    maxConnections: 64,
    serverPort: () => handle.port,
    faults: () => faults,
    random,
  });
  const scan = (timestampMs: number) => {
    for (const { id } of opcuaUnits) {
      const { off, status } = faults.units[id] ?? {};
      if (off) continue;
      const number = (numbers.get(id) ?? 0) + 1;
      numbers.set(id, number);
      truths.get(id)!.add(number, timestampMs);
      handle.show(id, number, timestampMs, status);
    }
  };
  const prefillSlots = Math.floor((prefillS * 1000) / scanMs);
  const schedule = startScanSchedule({ clock, periodMs: scanMs, prefillSlots }, scan);
  let isSampling = true;
  let control: Server | undefined;
  const stop = async () => {
    schedule.stop();
    control?.closeAllConnections();
    await new Promise<void>((resolve) => (control ? control.close(() => resolve()) : resolve()));
    await relay.unplug();
    await handle.stop();
    if (options.folder === undefined) await rm(folder, { recursive: true, force: true });
  };
  const truthOf = (unit: number) => {
    const found = truths.get(unit);
    if (!found) throw new RangeError(`there is no unit ${unit}; there are ${[...truths.keys()].join(', ')}`);
    return found;
  };
  const units = Object.fromEntries(
    opcuaUnits.map(({ id, name, hasHistory }) => [
      id,
      { name, hasHistory, capacity: hasHistory ? capacity : 0 },
    ]),
  );
  const plant: Omit<OpcuaPlant, 'info'> = {
    handle,
    folder,
    state: () => ({
      isSampling,
      isListening: relay.isListening,
      connections: relay.connections,
      sessions: handle.sessions().length,
      faults,
      units: Object.fromEntries(
        opcuaUnits.map(({ id }) => [
          id,
          { ...units[id], samples: numbers.get(id) ?? 0, forgotten: truthOf(id).forgotten },
        ]),
      ),
    }),
    faults: () => faults,
    async setFaults(given) {
      const patch = opcuaFaultsPatchSchema.parse(given);
      faults = mergeOpcuaFaults(faults, patch);
      limitQueues(handle, faults);
      limitHistory(handle, faults.historyRecords ?? capacity);
      actOnce(handle, patch);
      await (faults.unreachable ? relay.unplug() : relay.plug());
      return faults;
    },
    truth: (unit, query) => truthOf(unit).samples(query),
    shown: () => {
      throw new RangeError('each value has its own time: ask /truth');
    },
    dropConnections: () => relay.dropConnections(),
    eraseLog: () => limitHistory(handle, 0),
    stepClock: () => {
      throw new RangeError("the server's clock is this machine's");
    },
    stopSampling() {
      isSampling = false;
      schedule.stop();
    },
    stop,
  };
  try {
    control = await startControl(plant as ControlledPlant, options.controlPort ?? 0);
  } catch (error) {
    await stop();
    throw error;
  }
  const info = {
    host,
    port: relay.port,
    endpoint: `opc.tcp://${host}:${relay.port}`,
    controlPort: controlPortOf(control),
    seed,
    scanMs,
    namespaceUri,
    user,
    units,
  };
  return { ...plant, info };
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
