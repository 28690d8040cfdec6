import { defineAdapter } from '../adapter.ts';
import { limitsOf } from '../settings.ts';
import { serialSourceSchema } from './config.ts';
import { loadOfSerial } from './load.ts';
import { createSerialSource } from './serial-source.ts';
import { isNumbered } from './stream-order.ts';
import { serialTexts } from './texts.ts';

export const serialAdapter = defineAdapter({
  name: 'serial',
  page: 'docs/SERIAL.md',
  texts: serialTexts,
  memoryMb: 5,
  schemas: [serialSourceSchema],
  create:
    ({ clock, metrics }) =>
    (settings, parts) =>
      createSerialSource(settings, { clock, metrics, ...parts }),
  load: loadOfSerial,
  writable: ({ tags }) => limitsOf(tags, ({ write }) => write !== undefined),
  isNumbered,
  pace({ poll, expectEveryMs }) {
    if (poll) return { everyMs: poll.everyMs, setting: 'poll.everyMs' };
    return expectEveryMs === undefined ? undefined : { everyMs: expectEveryMs, setting: 'expectEveryMs' };
  },
  exclusive({ path }) {
    const hint = 'one instrument a port; ask it for several things with several commands';
    return path === undefined ? [] : [{ setting: 'path', name: path, hint }];
  },
});
