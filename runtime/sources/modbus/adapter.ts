import { defineAdapter } from '../adapter.ts';
import { modbusRtuSourceSchema, modbusRtuTcpSourceSchema, modbusTcpSourceSchema } from './config.ts';
import { discoverModbus } from './discover.ts';
import { createModbusLinks } from './link.ts';
import { loadOfModbus } from './load.ts';
import { createModbusSource } from './modbus-source.ts';
import { modbusTexts } from './texts.ts';
import { writableTags } from './writer.ts';

export const modbusAdapter = defineAdapter({
  name: 'modbus',
  page: 'docs/MODBUS.md',
  texts: modbusTexts,
  memoryMb: 5,
  schemas: [modbusTcpSourceSchema, modbusRtuTcpSourceSchema, modbusRtuSourceSchema],
  create({ clock, metrics }) {
    const links = createModbusLinks({ clock });
    return (settings, parts) => createModbusSource(settings, { clock, metrics, links, ...parts });
  },
  load: loadOfModbus,
  discover: discoverModbus(),
  // Each poll of any of its tags goes on.
  pace: ({ pollMs, tags }) => ({
    everyMs: tags.length === 0 ? pollMs : Math.min(...tags.map((tag) => tag.pollMs ?? pollMs)),
    setting: 'pollMs',
  }),
  isNumbered: ({ index }) => index === 'sequence',
  writable: writableTags,
  exclusive(settings) {
    if (settings.type !== 'modbus-rtu') return [];
    const hint = 'Modbus units may share a port, other instruments have one of their own';
    return [{ setting: 'path', name: settings.path, sharedBy: 'modbus', hint }];
  },
});
