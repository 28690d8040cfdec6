import { defineAdapter } from '../adapter.ts';
import { limitsOf } from '../settings.ts';
import { opcuaSourceSchema } from './config.ts';
import { discoverOpcua } from './discover.ts';
import { loadOfOpcua } from './load.ts';
import { createOpcuaSource } from './opcua-source.ts';
import { opcuaTexts } from './texts.ts';

export const opcuaAdapter = defineAdapter({
  name: 'opcua',
  page: 'docs/OPCUA.md',
  texts: opcuaTexts,
  memoryMb: 34,
  schemas: [opcuaSourceSchema],
  create:
    ({ clock, metrics, folder, random }) =>
    (settings, parts) =>
      createOpcuaSource(settings, { clock, metrics, folder, uuid: () => random.uuid(), ...parts }),
  load: loadOfOpcua,
  discover: discoverOpcua,
  // A value that stays the same is not sent.
  pace: ({ keepAliveMs }) => ({ everyMs: keepAliveMs, setting: 'keepAliveMs' }),
  writable: ({ tags }) => limitsOf(tags, ({ writable }) => writable),
});
