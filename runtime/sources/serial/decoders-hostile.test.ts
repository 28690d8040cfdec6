// Whatever a message says: 10,000 byte strings for each kind of field, time and template neither crash nor hang, and
// what comes out is a value that a reading may have, or no value.
import { describe, expect, it } from 'vitest';
import { type Random, randomInt, seededRandom } from '../../../kernel/random.ts';
import { serialSourceSchema } from './config.ts';
import { unescapeBytes } from './escapes.ts';
import { binaryTypes, orders } from './field-shapes.ts';
import { dumpMessages, liveMessages } from './message-reader.ts';
import { compileTimeFormat } from './time-format.ts';

const strings = 10_000;
const telling = '0123456789+-.,;: eE$*ABCDEF\r\n\t\0\\<STX>{from}2026-11-22T10:00:00Z\xff\xfe\x80aaaa'.split(
  '',
);

function randomText(random: Random, most = 80): string {
  const isTelling = random.next() < 0.7;
  return Array.from({ length: randomInt(random, most) }, () =>
    isTelling ? telling[randomInt(random, telling.length)]! : String.fromCharCode(randomInt(random, 256)),
  ).join('');
}

/** A sound message with a few bytes changed, left out or put in: pure noise never comes as far. */
function almost(message: string, random: Random): string {
  const bytes = [...message];
  for (let changes = randomInt(random, 4); changes > 0; changes--) {
    const other = telling[randomInt(random, telling.length)]!;
    bytes.splice(
      randomInt(random, bytes.length),
      randomInt(random, 2),
      ...(random.next() < 0.7 ? [other] : []),
    );
  }
  return bytes.join('');
}

/** Of the layouts that noise would never fit. */
const sound: Readonly<Record<string, string>> = {
  'named groups': '123;2026-11-22 10:00:00;12.5;1F',
  columns: '$12.5,77,2026-11-22,10:00:00Z,ON',
};

const parse = (more: object) =>
  serialSourceSchema.parse({ name: 'x', type: 'serial', path: '/dev/x', ...more });

const binaryTags = binaryTypes.flatMap((type) =>
  orders.map((order) => ({
    name: `${type} ${order}`,
    at: 1,
    type,
    ...(type === 'bit' ? { bit: 3 } : { order }),
    ...(type === 'string' && { length: 7 }),
  })),
);

const layouts: Readonly<Record<string, object>> = {
  'named groups': {
    fields: {
      pattern: [
        '^(?<number>\\d+)[;,](?<timestamp>[^;,]*)[;,](?<a>[^;,]*)(?:[;,](?<b>.*))?$',
        '(?<a>(a+)+)(?<b>(\\d*)*)$',
      ],
    },
    stamp: { number: { last: 99_999 }, timestamp: { format: 'YYYY-MM-DD HH:mm:ss' } },
    tags: [{ name: 'a' }, { name: 'b', type: 'hex' }, { name: 'c', group: 'a', type: 'string' }],
  },
  columns: {
    fields: { separator: ',', encoding: 'utf8' },
    stamp: { number: { column: 1 }, timestamp: { columns: [2, 3], format: 'iso' } },
    tags: [
      { name: 'a', column: 0, invalid: { OVER: 'over-range' } },
      { name: 'b', column: 4, type: 'bool', startsWith: '$' },
      { name: 'c', column: 2, names: { 1: 'on' }, scale: 0.1 },
    ],
  },
  'columns between blanks': {
    fields: { separator: 'whitespace', decimal: ',' },
    tags: [{ name: 'a', column: 0 }],
  },
  characters: {
    tags: [
      { name: 'a', from: 3, length: 5 },
      { name: 'b', from: 0, length: 2, type: 'hex', scale: 1e300, offset: 1e308 },
    ],
  },
  bytes: { tags: binaryTags },
  'bytes with a stamp': {
    stamp: {
      number: { at: 0, type: 'uint32', order: 'little' },
      timestamp: { at: 4, type: 'uint64', unit: 'ns' },
    },
    tags: [{ name: 'a', at: 12, type: 'float64' }],
  },
};

describe('10,000 random messages', () => {
  for (const [name, layout] of Object.entries(layouts)) {
    it(`by ${name}: each is a record, or none`, () => {
      const config = parse(layout);
      const readers = [liveMessages(config), dumpMessages(config)];
      const random = seededRandom(name.length);
      let records = 0;
      for (let turn = 0; turn < strings; turn++) {
        const text = random.next() < 0.5 ? sound[name] : undefined;
        const bytes = Buffer.from(text ? almost(text, random) : randomText(random), 'latin1');
        const message = readers[turn % 2]!.look(bytes);
        if (message.kind !== 'record') continue;
        records += 1;
        const { values, number, timestamp } = message.record;
        const isSound =
          values.every(({ value, quality }) => isJson(value) && (value !== null) === (quality === 'good')) &&
          (number === undefined || Number.isSafeInteger(number)) &&
          (timestamp === undefined || (Number.isSafeInteger(timestamp) && timestamp > 0));
        if (!isSound) expect.fail(`${bytes.toString('hex')}: ${JSON.stringify(message)}`);
      }
      expect(records).toBeGreaterThan(100);
    });
  }

  it('as times of every format, and as escapes', () => {
    const random = seededRandom(5);
    const formats = ['iso', 'unix-s', 'unix-ms', 'DD.MM.YY HH:mm:ss', 'YYYYMMDDHHmmssSSS'].map((text) => {
      const compiled = compileTimeFormat(text, 330);
      if (!compiled.ok) throw new Error(compiled.problem);
      return compiled.format;
    });
    for (let turn = 0; turn < strings; turn++) {
      const text = randomText(random, 30);
      for (const format of formats) {
        const time = format.parse(text);
        if (time !== undefined && !(Number.isSafeInteger(time) && time > 0)) expect.fail(text);
        if (time !== undefined) expect(typeof format.format(time)).toBe('string');
      }
      const escaped = unescapeBytes(text);
      if (escaped.ok && escaped.bytes.length > text.length) expect.fail(text);
      compileTimeFormat(text, 0);
    }
  });
});

function isJson(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0);
  return value === null || typeof value === 'string' || typeof value === 'boolean';
}
