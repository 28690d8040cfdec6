// Which adapter reads which type of source. The module and `holdfast probe` build their sources here. A heavy driver
// library is imported by its adapter when a session begins, so that a site pays only for what it uses.
import { join } from 'node:path';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { Metrics } from '../kernel/metrics.ts';
import type { Random } from '../kernel/random.ts';
import type { SourceConfig } from './config/schema.ts';
import type { ModbusSourceConfig } from './sources/modbus/config.ts';
import { createModbusLinks } from './sources/modbus/link.ts';
import { createModbusSource } from './sources/modbus/modbus-source.ts';
import type { ModuleInputConfig } from './sources/module-input/config.ts';
import type { Inputs } from './sources/module-input/inputs.ts';
import { createModuleInputSource } from './sources/module-input/module-input-source.ts';
import type { OpcuaSourceConfig } from './sources/opcua/config.ts';
import { createOpcuaSource } from './sources/opcua/opcua-source.ts';
import type { SerialSourceConfig } from './sources/serial/config.ts';
import { createSerialSource } from './sources/serial/serial-source.ts';
import type { Source } from './sources/source.ts';
import type { StreamStart } from './windows/window-store.ts';

export interface AdapterParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  /** Messages of other modules. */
  readonly inputs: Inputs;
  /** For what an adapter keeps: each in a folder of its own, by the name of its kind. */
  readonly dataFolder: string;
}

export interface SourceParts {
  /** What readings are stamped with that the equipment does not stamp. */
  readonly stampClock: Clock;
  /** Bound to the source's name. */
  readonly log: Log;
  /** What is known of a source's stream from before. Asked when a session begins. */
  readonly start?: () => StreamStart | undefined;
}

export type MakeSource = (settings: SourceConfig, parts: SourceParts) => Source;

type SourceType = SourceConfig['type'];
type Adapters = {
  readonly [T in SourceType]: (settings: Extract<SourceConfig, { type: T }>, parts: SourceParts) => Source;
};

/** One for all sources of a process: what they share (lines, connections) they find through it. */
export function createAdapters({ clock, random, metrics, inputs, dataFolder }: AdapterParts): MakeSource {
  const links = createModbusLinks({ clock });
  const modbus = (settings: ModbusSourceConfig, parts: SourceParts) =>
    createModbusSource(settings, { clock, metrics, links, ...parts });
  const serial = (settings: SerialSourceConfig, parts: SourceParts) =>
    createSerialSource(settings, { clock, metrics, ...parts });
  const moduleInput = (settings: ModuleInputConfig, parts: SourceParts) =>
    createModuleInputSource(settings, { clock, metrics, inputs, ...parts });
  const opcua = (settings: OpcuaSourceConfig, parts: SourceParts) =>
    createOpcuaSource(settings, {
      clock,
      metrics,
      folder: join(dataFolder, 'opcua'),
      uuid: () => random.uuid(),
      ...parts,
    });
  const adapters: Adapters = {
    'modbus-tcp': modbus,
    'modbus-rtu-tcp': modbus,
    'modbus-rtu': modbus,
    serial,
    opcua,
    'module-input': moduleInput,
  };
  return (settings, parts) => {
    const make = adapters[settings.type] as (settings: SourceConfig, parts: SourceParts) => Source;
    return make(settings, parts);
  };
}
