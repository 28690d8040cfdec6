// Every adapter, and the equipment that it is set against.
import type { MakeEquipment } from './equipment.ts';
import { panelEquipment } from './modbus/panel-equipment.ts';
import { recorderEquipment, type Transport } from './modbus/recorder-equipment.ts';
import { senderEquipment } from './module-input/sender-equipment.ts';
import { opcuaEquipment } from './opcua/opcua-equipment.ts';
import { serialEquipment } from './serial/serial-equipment.ts';

const modbus = (transport: Transport): MakeEquipment => {
  return (parts) =>
    parts.dice.chance(0.4) ? panelEquipment(transport, parts) : recorderEquipment(transport, parts);
};

export const adapters = {
  'modbus-tcp': modbus('modbus-tcp'),
  'modbus-rtu-tcp': modbus('modbus-rtu-tcp'),
  'modbus-rtu': modbus('modbus-rtu'),
  serial: serialEquipment,
  opcua: opcuaEquipment,
  'module-input': senderEquipment,
} satisfies Record<string, MakeEquipment>;

export type AdapterName = keyof typeof adapters;
export const adapterNames = Object.keys(adapters) as AdapterName[];
