// The demo's equipment: what is measured, how it is reached, and how its cable is cut. Each kind keeps its own ground
// truth.
import { join } from 'node:path';
import type { LoggerInfo } from '../plant/logger.ts';
import { loggerSource } from '../plant/logger-site.ts';
import type { OpcuaPlantInfo } from '../plant/opcua-plant.ts';
import { opcuaSources } from '../plant/opcua-site.ts';
import type { SensorInfo } from '../plant/sensor-module.ts';
import { sensorControl, sensorOutput, sensorSource } from '../plant/sensor-site.ts';
import { busSources, plantSources } from '../plant/site.ts';
import { findProgram } from './find-program.ts';
import { type Habits, modbusHabits } from './habits.ts';
import { postJson } from './http-json.ts';
import {
  type HubReady,
  loggerSpec,
  opcuaSpec,
  type PlantReady,
  plantSpec,
  sensorSpec,
  timings,
} from './parts.ts';
import type { Processes } from './processes.ts';
import { type RelayMode, startRelay } from './relay.ts';

/** A stream of the demo: its source in the configuration, its unit in the equipment. */
export interface DemoStream {
  readonly name: string;
  readonly unit: number;
  /** `polled`: no time stamp of its own. */
  readonly kind: 'stamped' | 'polled';
  /** It can be asked again for what it made. */
  readonly remembers: boolean;
}

export interface Cable {
  mode(): { readonly kind: RelayMode['kind'] };
  set(mode: { readonly kind: 'up' | 'cut' }): Promise<void>;
}

export interface Equipment {
  /** For people. */
  readonly title: string;
  /** Address of the control port that tells its truth. */
  readonly control: string;
  readonly streams: readonly DemoStream[];
  /** Entries of the runtime's configuration. */
  readonly sources: readonly object[];
  readonly cable: Cable;
  readonly habits?: Habits;
}

export interface EquipmentOptions {
  /** For ports that are files, and certificates. */
  readonly folder: string;
  readonly seed: number;
  readonly processes: Processes;
  /** Ready once it runs: another module hands over what it measures there. */
  readonly hub: Promise<HubReady>;
  /** Registers what is to be closed in the end. */
  readonly onOpen: (close: () => Promise<void>) => void;
  readonly say: (text: string) => void;
}

/** Starts all that this machine can carry. What it cannot is said and left out. */
export async function startEquipment(options: EquipmentOptions): Promise<readonly Equipment[]> {
  const kinds = await Promise.all([
    startPlants(options),
    startLogger(options),
    startOpcua(options),
    startSensor(options),
  ]);
  return kinds.flat();
}

const host = '127.0.0.1';
const controlOf = (ready: { readonly controlPort: number }) => `http://${host}:${ready.controlPort}`;

/** Three units behind a Modbus TCP port and, where there is socat, two on a serial bus. */
async function startPlants(options: EquipmentOptions): Promise<readonly Equipment[]> {
  const { processes, seed, folder, say } = options;
  const hasBus = findProgram('socat') !== undefined;
  if (!hasBus) say('no socat here: the demo goes without the units on a serial bus');
  const plant = processes.supervise(plantSpec(seed, hasBus ? join(folder, 'serial-bus') : undefined));
  const ready = (await plant.start()) as unknown as PlantReady;
  const tcp = await modbusTcp(ready, options);
  return hasBus ? [tcp, modbusBus(ready)] : [tcp];
}

async function modbusTcp(ready: PlantReady, options: EquipmentOptions): Promise<Equipment> {
  const cable = await openRelay(ready, options);
  const streams: readonly DemoStream[] = [
    { name: 'press', unit: 1, kind: 'stamped', remembers: true },
    { name: 'boiler', unit: 2, kind: 'stamped', remembers: true },
    { name: 'meter', unit: 3, kind: 'polled', remembers: false },
  ];
  return {
    title: 'Modbus TCP',
    control: controlOf(ready),
    streams,
    sources: atPace(plantSources(ready, { host, port: cable.port }), streams),
    cable,
    habits: modbusHabits(controlOf(ready)),
  };
}

function modbusBus(ready: PlantReady): Equipment {
  const control = controlOf(ready);
  const streams: readonly DemoStream[] = [
    { name: 'mixer', unit: 11, kind: 'stamped', remembers: true },
    { name: 'scale', unit: 12, kind: 'polled', remembers: false },
  ];
  return {
    title: 'Modbus RTU on a serial bus',
    control,
    streams,
    sources: atPace(busSources(ready), streams),
    // The USB adapter of the serial port: pulled, the port itself is gone.
    cable: faultCable(control, 'serialUnplugged'),
  };
}

/** An instrument behind a serial server: it prints its records over TCP, and dumps its memory by command. */
async function startLogger(options: EquipmentOptions): Promise<readonly Equipment[]> {
  const logger = options.processes.supervise(loggerSpec(options.seed));
  const ready = (await logger.start()) as unknown as LoggerInfo;
  const cable = await openRelay(ready, options);
  const { unit } = ready;
  return [
    {
      title: 'serial logger',
      control: controlOf(ready),
      streams: [{ name: 'logger', unit, kind: 'stamped', remembers: true }],
      sources: [loggerSource(ready, { host, port: cable.port })],
      cable,
    },
  ];
}

/** An OPC UA server with history for one of its two units. */
async function startOpcua(options: EquipmentOptions): Promise<readonly Equipment[]> {
  const server = options.processes.supervise(opcuaSpec(options.seed, options.folder));
  const ready = (await server.start()) as unknown as OpcuaPlantInfo;
  const cable = await openRelay(ready, options);
  const streams = Object.entries(ready.units).map(
    ([unit, { name, hasHistory }]): DemoStream => ({
      name,
      unit: Number(unit),
      kind: 'stamped',
      remembers: hasHistory,
    }),
  );
  return [
    {
      title: 'OPC UA server',
      control: controlOf(ready),
      streams,
      // A server on a busy machine publishes late now and then.
      sources: opcuaSources(ready, { endpoint: `opc.tcp://${host}:${cable.port}`, latenessMs: 2500 }),
      cable,
    },
  ];
}

/** Another module on the same device: its output is routed to an input of ours, and what our rule sends back to an input of it. */
async function startSensor({ processes, seed, hub }: EquipmentOptions): Promise<readonly Equipment[]> {
  const hubReady = await hub;
  const { IOTEDGE_DEVICEID: deviceId, IOTEDGE_MODULEID: to } = hubReady.edgeEnvironment;
  // First: what has no route goes to the cloud as it is.
  for (const route of [
    { deviceId, from: 'sensor', output: sensorOutput, to, input: sensorOutput },
    { deviceId, from: to, output: sensorControl, to: 'sensor', input: sensorControl },
  ])
    await postJson(`http://${host}:${hubReady.controlPort}/route`, route);
  const sensor = processes.supervise(sensorSpec(seed, hubReady));
  const ready = (await sensor.start()) as unknown as SensorInfo;
  return [
    {
      title: 'another module',
      control: controlOf(ready),
      streams: [{ name: 'sensor', unit: ready.unit, kind: 'stamped', remembers: false }],
      sources: [sensorSource(10 * timings.scanMs)],
      cable: faultCable(controlOf(ready), 'unplugged'),
    },
  ];
}

const atPace = (sources: readonly { readonly name: string }[], streams: readonly DemoStream[]) =>
  sources.map((source) => {
    const isPolled = streams.find(({ name }) => name === source.name)?.kind === 'polled';
    return { ...source, pollMs: isPolled ? timings.polledPollMs : timings.stampedPollMs };
  });

async function openRelay(target: { host: string; port: number }, { onOpen }: EquipmentOptions) {
  const relay = await startRelay({ target: { host: target.host, port: target.port } });
  onOpen(() => relay.close());
  return relay;
}

/** A cable that the equipment itself has a hand on. */
function faultCable(control: string, fault: 'serialUnplugged' | 'unplugged'): Cable {
  let mode: { readonly kind: 'up' | 'cut' } = { kind: 'up' };
  return {
    mode: () => mode,
    async set(next) {
      await postJson(`${control}/faults`, { [fault]: next.kind === 'cut' });
      mode = next;
    },
  };
}

/** All cables in one hand: cut as long as one is. */
export function allCables(equipment: readonly Equipment[]): Cable {
  const cables = equipment.map(({ cable }) => cable);
  return {
    mode: () => cables.find((cable) => cable.mode().kind !== 'up')?.mode() ?? { kind: 'up' },
    async set(mode) {
      await Promise.all(cables.map((cable) => cable.set(mode)));
    },
  };
}
