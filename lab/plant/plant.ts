// The plant: three units behind one Modbus TCP port, two more on a serial bus where one is asked for, one
// scan timer, a control port. Composition only.
import type { Server } from 'node:http';
import { type Clock, systemClock } from '../../kernel/clock.ts';
import { type ControlledPlant, controlPortOf, startControl } from './control.ts';
import { Device, type DeviceUnit } from './device.ts';
import type { Faults, FaultsPatch } from './faults.ts';
import { startModbusServer } from './modbus-server.ts';
import type { PluggableListener } from './pluggable-listener.ts';
import type { LogKind } from './register-map.ts';
import { startScanSchedule } from './scan-schedule.ts';
import { type SerialBus, type SerialBusOptions, startSerialBus } from './serial-bus.ts';
import { ShownLog } from './shown-log.ts';
import { Truth } from './truth.ts';
import { PlantUnit } from './unit.ts';

export interface PlantOptions {
  /** Default 1. Same seed, same values by record number. */
  readonly seed?: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Modbus TCP port; 0, the default, takes a free one. */
  readonly port?: number;
  /** HTTP port on loopback; 0, the default, takes a free one. */
  readonly controlPort?: number;
  /** Time between samples. Default 200. */
  readonly scanMs?: number;
  /** How far the event logs reach back, seconds; cut to what their kind can address. Default 600. */
  readonly historyS?: number;
  /** Samples made before the start, as if the equipment had been on for so long, seconds. Default 0. */
  readonly prefillS?: number;
  /** Default 64; 1 for equipment that serves one client only. */
  readonly maxConnections?: number;
  /** Entries of the meter's shown log. Default 200,000. */
  readonly shownLimit?: number;
  /** Adds units 11 and 12 on a serial bus, Modbus RTU. Absent: there is no bus. */
  readonly serial?: SerialBusOptions;
  /** For tests. */
  readonly clock?: Clock;
}

export interface UnitInfo {
  readonly name: string;
  readonly log: LogKind;
  /** Records that the event log holds; 0 without one. */
  readonly capacity: number;
}

/** What the ready line says. */
export interface PlantInfo {
  readonly host: string;
  readonly port: number;
  readonly controlPort: number;
  readonly seed: number;
  readonly scanMs: number;
  /** RTU over TCP on this port; `path` is the serial port, where one was asked for. */
  readonly serial?: { readonly port: number; readonly path?: string };
  readonly units: Readonly<Record<string, UnitInfo>>;
}

export interface Plant extends ControlledPlant {
  readonly info: PlantInfo;
  readonly host: string;
  readonly port: number;
  readonly controlPort: number;
  faults(): Faults;
  /** Resolves once it is in force. Unreachable: nothing connects any more. */
  setFaults(patch: FaultsPatch): Promise<Faults>;
  /** Releases ports and timers. */
  stop(): Promise<void>;
}

const unitKinds = [
  { id: 1, name: 'press', log: 'ring' },
  { id: 2, name: 'boiler', log: 'file-records' },
  { id: 3, name: 'meter', log: 'none' },
] as const;

const serialUnitKinds = [
  { id: 11, name: 'mixer', log: 'ring' },
  { id: 12, name: 'scale', log: 'none' },
] as const;

export async function startPlant(options: PlantOptions = {}): Promise<Plant> {
  const { seed = 1, host = '127.0.0.1', scanMs = 200, prefillS = 0 } = options;
  const clock = options.clock ?? systemClock;
  const device = new Device(buildUnits(options, seed, scanMs), seed, () => clock.now());
  const server = await startModbusServer(device, {
    host,
    port: options.port ?? 0,
    maxConnections: options.maxConnections ?? 64,
  });
  // Sampling begins once the port is there, and before anyone is told of it: the first answer is a sample.
  const prefillSlots = Math.floor((prefillS * 1000) / scanMs);
  const schedule = startScanSchedule({ clock, periodMs: scanMs, prefillSlots }, (at) => device.scan(at));
  let bus: SerialBus | undefined;
  const release = async () => {
    schedule.stop();
    await Promise.all([server.unplug(), bus?.unplug()]);
  };
  try {
    bus = options.serial && (await startSerialBus(device, host, options.serial));
    const controlled = controlledPlant({ device, server, bus, schedule });
    const control = await startControl(controlled, options.controlPort ?? 0);
    const units = Object.fromEntries([...device.units].map(([id, entry]) => [id, infoOf(entry)]));
    const ports = { host, port: server.port, controlPort: controlPortOf(control) };
    const serial = bus && { serial: bus.info };
    return {
      ...controlled,
      ...ports,
      info: { ...ports, seed, scanMs, ...serial, units },
      async stop() {
        await Promise.all([release(), stopControl(control)]);
      },
    };
  } catch (error) {
    await release();
    throw error;
  }
}

function buildUnits(options: PlantOptions, seed: number, scanMs: number): Map<number, DeviceUnit> {
  const capacity = Math.max(1, Math.ceil(((options.historyS ?? 600) * 1000) / scanMs));
  const limit = options.shownLimit ?? 200_000;
  const kinds = options.serial ? [...unitKinds, ...serialUnitKinds] : unitKinds;
  return new Map(
    kinds.map(({ id, name, log }) => [
      id,
      {
        isOnBus: serialUnitKinds.some((kind) => kind.id === id),
        unit: new PlantUnit({ id, name, seed, log, capacity }),
        truth: new Truth({ seed, unit: id, stepMs: scanMs }),
        shown: log === 'none' ? new ShownLog({ seed, unit: id, limit }) : undefined,
        clockOffsetMs: 0,
        counts: { requests: 0, answers: 0, exceptions: 0, spoiled: 0, ignored: 0 },
      },
    ]),
  );
}

interface Parts {
  readonly device: Device;
  readonly server: PluggableListener;
  readonly bus: SerialBus | undefined;
  readonly schedule: { stop(): void };
}

type Controlled = Omit<Plant, 'info' | 'host' | 'port' | 'controlPort' | 'stop'>;

function controlledPlant({ device, server, bus, schedule }: Parts): Controlled {
  let isSampling = true;
  // One after the other: unplug and plug at the same time would race for the port.
  let plugging: Promise<void> = Promise.resolve();
  const find = (unit: number) => {
    const entry = device.units.get(unit);
    if (!entry)
      throw new RangeError(`there is no unit ${unit}; there are ${[...device.units.keys()].join(', ')}`);
    return entry;
  };
  return {
    state: () => ({
      isSampling,
      isListening: server.isListening,
      connections: server.connections,
      accepted: server.accepted,
      faults: device.faults,
      units: Object.fromEntries([...device.units].map(([id, entry]) => [id, stateOf(entry)])),
    }),
    faults: () => device.faults,
    async setFaults(patch) {
      const faults = device.setFaults(patch);
      const { unreachable, serialUnplugged } = faults;
      plugging = plugging
        .catch(() => {})
        .then(() => (unreachable ? server.unplug() : server.plug()))
        .then(() => (serialUnplugged ? bus?.unplug() : bus?.plug()));
      await plugging;
      return faults;
    },
    truth: (unit, query) => find(unit).truth.samples(query),
    shown: (unit, from, to) => {
      const { shown } = find(unit);
      if (!shown) throw new RangeError(`unit ${unit} stamps its own samples: ask /truth`);
      return shown.entries(from, to);
    },
    dropConnections: () => server.dropConnections(),
    eraseLog(unit) {
      const entry = find(unit);
      if (!entry.unit.log) throw new RangeError(`unit ${unit} has no event log`);
      entry.unit.log.erase();
      entry.unit.refreshDescriptor();
    },
    stepClock(stepMs, unit) {
      const entries = unit === undefined ? [...device.units.values()] : [find(unit)];
      for (const entry of entries) entry.clockOffsetMs += stepMs;
    },
    stopSampling() {
      isSampling = false;
      schedule.stop();
    },
  };
}

function infoOf({ unit }: DeviceUnit): UnitInfo {
  return { name: unit.name, log: unit.logKind, capacity: unit.log?.capacity ?? 0 };
}

function stateOf(entry: DeviceUnit): object {
  return {
    ...infoOf(entry),
    samples: entry.unit.number,
    ...entry.unit.range,
    clockOffsetMs: entry.clockOffsetMs,
    ...entry.counts,
    forgotten: entry.truth.forgotten + (entry.shown?.forgotten ?? 0),
  };
}

function stopControl(control: Server): Promise<void> {
  control.closeAllConnections();
  return new Promise((resolve) => control.close(() => resolve()));
}
