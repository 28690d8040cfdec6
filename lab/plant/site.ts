// The `sources` part of a holdfast configuration that reads this plant, as data that YAML can carry.

import type { PlantInfo } from './plant.ts';
import {
  firstFile,
  labelLength,
  levelScale,
  logDescriptor,
  recordRegisters,
  registersPerFile,
  ringBase,
  sampleBlock,
  statusBits,
} from './register-map.ts';

export interface SiteOptions {
  /** Time between polls. Default 200. */
  readonly pollMs?: number;
  /** Default 1000. */
  readonly timeoutMs?: number;
  /** Where the plant is reached, when not directly (a relay between). */
  readonly host?: string;
  readonly port?: number;
}

/** Sources `press`, `boiler` and `meter`: the plant's three units. */
export function plantSources(plant: Pick<PlantInfo, 'host' | 'port' | 'units'>, options: SiteOptions = {}) {
  const common = {
    type: 'modbus-tcp' as const,
    host: options.host ?? plant.host,
    port: options.port ?? plant.port,
    pollMs: options.pollMs ?? 200,
    timeoutMs: options.timeoutMs ?? 1000,
  };
  const capacity = (unit: number) => plant.units[unit]?.capacity ?? 0;
  return [
    {
      ...common,
      name: 'press',
      unit: 1,
      stamp,
      tags: sampleTags('holding'),
      history: { kind: 'ring' as const, ...descriptor, capacity: capacity(1), base: ringBase },
    },
    {
      ...common,
      name: 'boiler',
      unit: 2,
      stamp,
      tags: sampleTags('holding'),
      history: {
        kind: 'file-records' as const,
        ...descriptor,
        capacity: capacity(2),
        firstFile,
        registersPerFile,
      },
    },
    { ...common, name: 'meter', unit: 3, tags: sampleTags('input') },
  ];
}

export interface BusSiteOptions {
  /** Default 200. */
  readonly pollMs?: number;
  /** Default 500. */
  readonly timeoutMs?: number;
  /** Over TCP although there is a serial port, or where the bus is reached when not directly. */
  readonly tcp?: { readonly host: string; readonly port: number };
}

/** Sources `mixer` and `scale`: the two units on the plant's serial bus, which take turns. */
export function busSources(
  plant: Pick<PlantInfo, 'host' | 'units' | 'serial'>,
  options: BusSiteOptions = {},
) {
  const { pollMs = 200, timeoutMs = 500 } = options;
  const { path, port = 0 } = plant.serial ?? {};
  const line =
    path === undefined || options.tcp
      ? { type: 'modbus-rtu-tcp' as const, host: plant.host, port, ...options.tcp }
      : { type: 'modbus-rtu' as const, path, parity: 'none' as const };
  const common = { ...line, pollMs, timeoutMs };
  const capacity = plant.units[11]?.capacity ?? 0;
  return [
    {
      ...common,
      name: 'mixer',
      unit: 11,
      stamp,
      tags: sampleTags('holding'),
      history: { kind: 'ring' as const, ...descriptor, capacity, base: ringBase },
    },
    { ...common, name: 'scale', unit: 12, tags: sampleTags('input') },
  ];
}

const stamp = {
  timestamp: { address: sampleBlock.timestamp, type: 'uint64', unit: 'ms' },
  number: { address: sampleBlock.number, type: 'uint32' },
} as const;

const descriptor = {
  newest: { address: logDescriptor.newest, type: 'uint32' },
  oldest: { address: logDescriptor.oldest, type: 'uint32' },
  recordRegisters,
  firstRecord: 1,
} as const;

function sampleTags(table: 'holding' | 'input') {
  return [
    { name: 'temperature', table, address: sampleBlock.temperature, type: 'float32' },
    { name: 'pressure', table, address: sampleBlock.pressure, type: 'float32' },
    { name: 'flow', table, address: sampleBlock.flow, type: 'uint32' },
    { name: 'energy', table, address: sampleBlock.energy, type: 'float64' },
    { name: 'status', table, address: sampleBlock.status, type: 'uint16' },
    { name: 'running', table, address: sampleBlock.status, type: 'bit', bit: statusBits.running },
    { name: 'alarm', table, address: sampleBlock.status, type: 'bit', bit: statusBits.alarm },
    { name: 'door', table, address: sampleBlock.status, type: 'bit', bit: statusBits.door },
    { name: 'level', table, address: sampleBlock.level, type: 'int16', scale: levelScale },
    { name: 'label', table, address: sampleBlock.label, type: 'string', length: labelLength },
  ] as const;
}
