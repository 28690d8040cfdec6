// Hostile bodies: whatever the bytes are, decoding ends soon, in valid readings or in `wire-bad-body`.
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../kernel/errors.ts';
import { type BodySchema, bodySchemas, decodeBody, encodeBody } from './body.ts';
import { isIndex } from './index-position.ts';
import { maxReadingsPerMessage, maxUnpackedBytes } from './limits.ts';
import { isQuality } from './reading-check.ts';
import { anyOneBody, anything } from './testing/arbitraries.ts';

type Outcome = number | 'refused';

/** Number of readings decoded, each of them checked. */
function tryDecode(body: Uint8Array, schema: string, contentEncoding = 'utf-8'): Outcome {
  try {
    const readings = decodeBody(body, { schema, contentEncoding, index: 'time' });
    if (readings.length > maxReadingsPerMessage) throw new Error('more readings than allowed');
    readings.forEach((reading, at) => {
      const isWhole =
        isIndex('time', reading.index) && typeof reading.tag === 'string' && isQuality(reading.quality);
      const isOrdered = at === 0 || readings[at - 1]!.index <= reading.index;
      if (!isWhole || !isOrdered || reading.value === undefined) throw new Error('not a reading');
      if (Object.keys(reading).join() !== 'index,tag,value,quality') throw new Error('not a reading');
    });
    return readings.length;
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'wire-bad-body') return 'refused';
    throw error;
  }
}

const bombMember = gzipSync(Buffer.alloc(15 * 1024 * 1024, ' '));

const json = (document: unknown) => Buffer.from(JSON.stringify(document) ?? 'undefined');

describe.each(bodySchemas)('%s', (schema) => {
  test('random bytes are refused, in either encoding', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom('utf-8', 'gzip'), (bytes, encoding) => {
        // `[]` is two bytes that chance may find, and a whole body of readings/1.
        expect(['refused', 0]).toContain(tryDecode(bytes, schema, encoding));
      }),
      { numRuns: 10_000 },
    );
  });

  test('every truncation of a body is refused', () => {
    const readings = fc
      .sample(anyOneBody('time'), { seed: 1, numRuns: 40 })
      .filter((list) => list.length > 0);
    for (const list of readings) {
      for (const gzip of [true, false]) {
        const { body, contentEncoding } = encodeBody('time', list, { schema, gzip });
        for (let length = 0; length < body.length; length += 1 + Math.floor(body.length / 150)) {
          expect(tryDecode(body.subarray(0, length), schema, contentEncoding)).toBe('refused');
        }
      }
    }
  });

  test('flipped bits give readings or a refusal', () => {
    fc.assert(
      fc.property(anyOneBody('time'), fc.boolean(), fc.nat(), fc.nat(7), (readings, gzip, place, bit) => {
        const { body, contentEncoding } = encodeBody('time', readings, { schema, gzip });
        const damaged = Uint8Array.from(body);
        damaged[place % damaged.length]! ^= 1 << bit;
        tryDecode(damaged, schema, contentEncoding);
      }),
      { numRuns: 3000 },
    );
  });

  test('any JSON of any shape gives readings or a refusal', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' }), (document) => {
        tryDecode(json(document), schema);
      }),
      { numRuns: 3000 },
    );
  });

  test('a body with any one member replaced by anything gives readings or a refusal', () => {
    let refused = 0;
    fc.assert(
      fc.property(anyOneBody('time'), anything, fc.nat(), (readings, junk, place) => {
        const document = JSON.parse(
          Buffer.from(encodeBody('time', readings, { schema, gzip: false }).body).toString(),
        );
        replaceOne(document, place, junk);
        if (tryDecode(jsonOf(document), schema) === 'refused') refused++;
      }),
      { numRuns: 10_000 },
    );
    expect(refused).toBeGreaterThan(1000);
  });

  test('a gzip bomb is refused before it is unpacked', () => {
    // Several members one after the other: 600 MB unpacked.
    const bomb = Buffer.concat(new Array(40).fill(bombMember));
    const before = process.memoryUsage().rss;
    expect(tryDecode(bomb, schema, 'gzip')).toBe('refused');
    expect(process.memoryUsage().rss - before).toBeLessThan(120 * 1024 * 1024);
    expect(tryDecode(Buffer.concat([bombMember, bombMember]), schema, 'gzip')).toBe('refused');
  });

  test.each([
    ['endless nesting of arrays', '['.repeat(5_000_000)],
    ['endless nesting of objects', '{"a":'.repeat(1_000_000)],
    ['closed nesting just past the bound', `${'['.repeat(40)}${']'.repeat(40)}`],
    ['millions of empty arrays', `[${'[],'.repeat(4_000_000)}[]]`],
    ['millions of empty objects', `[${'{},'.repeat(4_000_000)}{}]`],
    ['millions of numbers', `[${'1,'.repeat(7_000_000)}1]`],
    ['more bytes than the bound', `"${'x'.repeat(maxUnpackedBytes)}"`],
    ['an endless string', `"${'\\"'.repeat(1_000_000)}`],
    ['nothing', ''],
    ['a lone quote', '"'],
    ['a trailing backslash', '["\\'],
    ['text that is no UTF-8', Buffer.from([0x5b, 0x22, 0xff, 0xfe, 0x22, 0x5d])],
    ['two documents', '[][]'],
  ])('%s is refused', (_, text) => {
    expect(tryDecode(Buffer.from(text as string), schema)).toBe('refused');
  });
});

test('prototype names as tags stay names, and reach no prototype', () => {
  for (const schema of bodySchemas) {
    const tags = ['__proto__', 'constructor', 'prototype', 'toString', '__defineGetter__'];
    const readings = tags.map((tag) => ({
      index: 1,
      tag,
      value: { __proto__x: 1 },
      quality: 'good' as const,
    }));
    const encoded = encodeBody('time', readings, { schema, gzip: false });
    expect(decodeBody(encoded.body, { ...encoded, index: 'time' })).toEqual(readings);
  }
  const evil =
    '{"n":1,"t":[1],"tags":["a"],"cols":[[{"__proto__":{"polluted":true}}]],"__proto__":{"polluted":true}}';
  const [reading] = decodeBody(Buffer.from(evil), {
    schema: 'columns/1',
    contentEncoding: 'utf-8',
    index: 'time',
  });
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  expect(Object.getPrototypeOf(reading!.value)).toBe(Object.prototype);
  expect(Object.keys(reading!.value as object)).toEqual(['__proto__']);
});

test('an unknown schema is refused, whatever its name', () => {
  for (const schema of ['', 'columns/2', '__proto__', 'toString', 'readings/1 ']) {
    expect(tryDecode(Buffer.from('[]'), schema as BodySchema)).toBe('refused');
  }
});

test.each([
  ['a count that nothing backs', { n: 100_000, t: [], tags: [], cols: [] }],
  ['a huge count', { n: 1e15, t: [1], tags: ['a'], cols: [[1]] }],
  ['a negative count', { n: -1, t: [], tags: [], cols: [] }],
  ['a fractional count', { n: 0.5, t: [], tags: [], cols: [] }],
  ['no layout', { n: 1, t: [1], tags: ['a'] }],
  ['fewer columns than tags', { n: 1, t: [1], tags: ['a', 'b'], cols: [[1]] }],
  ['more values than positions', { n: 2, t: [1], tags: ['a'], cols: [[1, 2]] }],
  ['fewer readings than n', { n: 2, t: [1, 1], tags: ['a'], cols: [{ v: [1], p: [0, 1] }] }],
  ['more readings than n', { n: 1, t: [1], tags: ['a'], cols: [[1], [1]] }],
  ['positions past the end', { n: 1, t: [1], tags: ['a'], cols: [{ v: [1], p: [1, 1] }] }],
  ['a run of 2^53', { n: 1, t: [1], tags: ['a'], cols: [{ c: 1, p: [0, 2 ** 53] }] }],
  ['a negative run', { n: 1, t: [1, 1], tags: ['a'], cols: [{ v: [1], p: [2, -1] }] }],
  ['an empty run', { n: 1, t: [1], tags: ['a'], cols: [{ v: [1], p: [0, 0, 0, 1] }] }],
  ['an odd list of runs', { n: 1, t: [1], tags: ['a'], cols: [{ v: [1], p: [0] }] }],
  ['a column without values', { n: 1, t: [1], tags: ['a'], cols: [{}] }],
  ['a structure as the constant', { n: 1, t: [1], tags: ['a'], cols: [{ c: [1] }] }],
  ['a long text as the constant', { n: 1, t: [1], tags: ['a'], cols: [{ c: 'x'.repeat(257) }] }],
  ['an endless tag', { n: 1, t: [1], tags: ['x'.repeat(1025)], cols: [[1]] }],
  ['an unknown quality', { n: 1, t: [1], tags: ['a'], qs: ['fine'], cols: [{ v: [1], q: [0, 1] }] }],
  ['a quality number without names', { n: 1, t: [1], tags: ['a'], cols: [{ v: [1], q: [0, 1] }] }],
  [
    'qualities for fewer readings',
    { n: 2, t: [1, 1], tags: ['a'], qs: ['bad'], cols: [{ v: [1, 2], q: [0, 1] }] },
  ],
  ['qualities for more readings', { n: 1, t: [1], tags: ['a'], qs: ['bad'], cols: [{ v: [1], q: [0, 2] }] }],
  ['an empty quality run', { n: 1, t: [1], tags: ['a'], qs: ['bad'], cols: [{ v: [1], q: [0, 0, 0, 1] }] }],
  ['tags that no reading has', { n: 0, t: [], tags: ['a'], cols: [{ v: [], p: [] }] }],
  ['positions that no reading has', { n: 0, t: [1], tags: [], cols: [] }],
  ['time going back', { n: 2, t: [5, -1], tags: ['a'], cols: [[1, 2]] }],
  ['time leaving its range', { n: 2, t: [8.64e15, 1], tags: ['a'], cols: [[1, 2]] }],
  ['a tag number past the tags', { n: 1, t: [1], tags: ['a'], g: [1], v: [1] }],
  ['a negative tag number', { n: 1, t: [1], tags: ['a'], g: [-1], v: [1] }],
  ['rows with too few steps', { n: 2, t: [1], tags: ['a'], g: [0, 0], v: [1, 2] }],
  ['rows with too few values', { n: 2, t: [1, 1], tags: ['a'], g: [0, 0], v: [1] }],
])('columns/1 with %s is refused', (_, document) => {
  expect(tryDecode(json(document), 'columns/1')).toBe('refused');
});

test.each([
  ['no tag', [{ t: 1, v: 1 }]],
  ['no value', [{ t: 1, tag: 'a' }]],
  ['no time', [{ tag: 'a', v: 1 }]],
  ['a time that is none', [{ t: 'soon', tag: 'a', v: 1 }]],
  [
    'time going back',
    [
      { t: 2, tag: 'a', v: 1 },
      { t: 1, tag: 'a', v: 1 },
    ],
  ],
  ['a quality that is none', [{ t: 1, tag: 'a', v: 1, q: null }]],
  ['an element that is no object', [null]],
  ['too many readings', new Array(maxReadingsPerMessage + 1).fill({ t: 1, tag: 'a', v: 1 })],
])('readings/1 with %s is refused', (_, document) => {
  expect(tryDecode(json(document), 'readings/1')).toBe('refused');
});

test('positions and tags of the largest count stay cheap to unfold', () => {
  const n = maxReadingsPerMessage;
  const t = new Array(n).fill(1);
  const tags = new Array(n).fill('a');
  const cols = tags.map((_, i) => ({ c: 1, p: [n - 1 - i, 1] }));
  expect(tryDecode(json({ n, t, tags, cols }), 'columns/1')).toBe(n);
  // Quadratic on purpose: each of many columns claims every position.
  expect(tryDecode(json({ n, t, tags, cols: tags.map(() => ({ c: 1 })) }), 'columns/1')).toBe('refused');
});

/** Replaces the member at `place` (counted over the whole document) by `junk`. */
function replaceOne(document: unknown, place: number, junk: unknown): void {
  const members: [Record<string, unknown>, string][] = [];
  const visit = (node: unknown) => {
    if (typeof node !== 'object' || node === null) return;
    for (const key of Object.keys(node)) {
      members.push([node as Record<string, unknown>, key]);
      visit((node as Record<string, unknown>)[key]);
    }
  };
  visit(document);
  if (members.length === 0) return;
  const [parent, key] = members[place % members.length]!;
  Object.defineProperty(parent, key, { value: junk, enumerable: true, configurable: true, writable: true });
}

/** JSON of anything: what JSON cannot say is left out. */
function jsonOf(document: unknown): Buffer {
  try {
    return json(JSON.parse(JSON.stringify(document, (_, v) => (typeof v === 'bigint' ? String(v) : v))));
  } catch {
    return json(null);
  }
}
