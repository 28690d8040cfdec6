import assert from 'node:assert/strict';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../kernel/random.ts';
import { type BodySchema, bodySchemas, decodeBody, encodeBody } from './body.ts';
import { maxBodyNodes, maxReadingsPerMessage, maxTagLength, maxValueDepth } from './limits.ts';
import type { Quality, Reading, Value } from './reading.ts';
import { anyIndexKind, anyOneBody } from './testing/arbitraries.ts';

const start = Date.UTC(2026, 10, 21, 22, 20);

function textOf(readings: readonly Reading[], schema: BodySchema): string {
  return Buffer.from(encodeBody('time', readings, { schema, gzip: false }).body).toString();
}

function reading(value: unknown, more: Partial<Reading> = {}): Reading {
  return { index: start, tag: 'a', value: value as Value, quality: 'good', ...more };
}

/** What comes back differs from what went in by -0 alone. */
function withoutNegativeZero(value: Value): Value {
  return JSON.parse(JSON.stringify(value)) as Value;
}

describe.each(bodySchemas)('%s', (schema) => {
  test.each([true, false])('gives back exactly what was encoded, gzip %s', (gzip) => {
    const input = anyIndexKind.chain((kind) => anyOneBody(kind).map((readings) => ({ kind, readings })));
    fc.assert(
      fc.property(input, ({ kind, readings }) => {
        const encoded = encodeBody(kind, readings, { schema, gzip });
        const decoded = decodeBody(encoded.body, { ...encoded, index: kind });
        const expected = readings.map((item) => ({
          ...item,
          index: item.index === 0 ? 0 : item.index,
          value: withoutNegativeZero(item.value),
        }));
        assert.deepStrictEqual(decoded, expected);
      }),
      { numRuns: 1500 },
    );
  });

  test('no reading at all is a body too', () => {
    const encoded = encodeBody('time', [], { schema, gzip: true });
    expect(decodeBody(encoded.body, { ...encoded, index: 'time' })).toEqual([]);
    expect(encoded.contentEncoding).toBe('utf-8');
  });

  test.each([
    ['NaN', Number.NaN],
    ['an infinity', Number.NEGATIVE_INFINITY],
    ['undefined', undefined],
    ['a bigint', 1n],
    ['a function', () => 1],
    ['a symbol', Symbol('x')],
    ['a Date', new Date(0)],
    ['a Map', new Map()],
    ['a Buffer', Buffer.from('x')],
    ['NaN inside an array', [1, [Number.NaN]]],
    ['undefined inside an object', { a: { b: undefined } }],
    ['a hole in an array', new Array(3)],
    ['an object with toJSON', { toJSON: () => 1 }],
    ['an array with toJSON', Object.assign([1], { toJSON: () => 1 })],
    ['too deep a value', nest(maxValueDepth + 1)],
    ['a cycle', cycle()],
  ])('refuses %s, naming the tag and the index', (_, value) => {
    const readings = [reading(1), reading(value, { tag: 'bad one', index: start + 5 })];
    expect(() => encodeBody('time', readings, { schema, gzip: false })).toThrow(
      expect.objectContaining({
        code: 'wire-bad-reading',
        at: 1,
        reading: readings[1],
        message: expect.stringMatching(`"bad one" at index ${start + 5}`),
      }),
    );
  });

  test.each([
    ['an index that is no integer', { index: 1.5 }],
    ['an index beyond all dates', { index: 8.64e15 + 1 }],
    ['a tag that is no text', { tag: 7 as unknown as string }],
    ['an endless tag', { tag: 'x'.repeat(maxTagLength + 1) }],
    ['an unknown quality', { quality: 'fine' as Quality }],
    ['a cause that is not in kebab-case', { quality: 'bad:"; drop' as Quality }],
    ['an endless cause', { quality: `bad:${'x'.repeat(61)}` as Quality }],
  ])('refuses %s', (_, more) => {
    // After a good one with the same index and quality too, which the encoder does not look at twice.
    for (const readings of [[reading(1, more)], [reading(1), reading(1, more)]]) {
      expect(() => encodeBody('time', readings, { schema, gzip: false })).toThrow(
        expect.objectContaining({ code: 'wire-bad-reading', at: readings.length - 1 }),
      );
    }
  });

  test('takes values up to the bounds, and gives them back', () => {
    const readings = [
      reading(nest(maxValueDepth)),
      reading(new Array(100_000).fill(0)),
      reading('\ud800'.repeat(50_000)),
      reading(1, { tag: '\u0000'.repeat(maxTagLength) }),
    ];
    for (const gzip of [true, false]) {
      const encoded = encodeBody('time', readings, { schema, gzip });
      assert.deepStrictEqual(decodeBody(encoded.body, { ...encoded, index: 'time' }), readings);
    }
  });

  test('as many readings as a message may have come back, and not one more is encoded', () => {
    const readings = Array.from({ length: maxReadingsPerMessage }, (_, i) =>
      reading(i % 7, {
        index: start + i,
        tag: `t${i % 3}`,
        quality: i % 2 === 0 ? 'good' : 'bad:alternating',
      }),
    );
    const encoded = encodeBody('time', readings, { schema, gzip: true });
    const decoded = decodeBody(encoded.body, { ...encoded, index: 'time' });
    expect(decoded.length).toBe(readings.length);
    expect(decoded.at(-1)).toEqual(readings.at(-1));
    expect(() => encodeBody('time', [...readings, readings.at(-1)!], { schema, gzip: true })).toThrow(
      expect.objectContaining({ code: 'wire-body-too-large' }),
    );
  });

  test('says so when one body cannot hold the readings', () => {
    const large = reading('x'.repeat(9 * 1024 * 1024));
    expect(() => encodeBody('time', [large, large], { schema, gzip: true })).toThrow(
      expect.objectContaining({ code: 'wire-body-too-large' }),
    );
    const full = reading(new Array(maxBodyNodes - 1).fill(0));
    expect(() => encodeBody('time', [full, full], { schema, gzip: true })).toThrow(
      expect.objectContaining({ code: 'wire-body-too-large' }),
    );
    const encoded = encodeBody('time', [full], { schema, gzip: true });
    expect(decodeBody(encoded.body, { ...encoded, index: 'time' })).toEqual([full]);
  });

  test('readings out of index order are a mistake of the caller', () => {
    const readings = [reading(1, { index: start + 1 }), reading(1)];
    expect(() => encodeBody('time', readings, { schema, gzip: false })).toThrow(
      expect.objectContaining({ code: 'wire-bad-batch' }),
    );
  });

  test('compresses only where that helps', () => {
    const many = Array.from({ length: 500 }, (_, i) => reading(i % 3, { index: start + i }));
    const packed = encodeBody('time', many, { schema, gzip: true });
    expect(packed.contentEncoding).toBe('gzip');
    expect(gunzipSync(packed.body).toString()).toBe(textOf(many, schema));
    expect(encodeBody('time', [], { schema, gzip: true }).contentEncoding).toBe('utf-8');
  });

  test('the same readings always give the same bytes', () => {
    const readings = Array.from({ length: 200 }, (_, i) => reading(i / 7, { index: start + i }));
    const [a, b] = [1, 2].map(() => encodeBody('time', readings, { schema, gzip: true }).body);
    expect(Buffer.compare(a!, b!)).toBe(0);
  });

  test('content encodings are read in any case, and unknown ones refused', () => {
    const { body } = encodeBody('time', [reading(1)], { schema, gzip: false });
    for (const contentEncoding of ['utf-8', 'UTF-8', 'utf8', '', undefined]) {
      expect(decodeBody(body, { schema, contentEncoding, index: 'time' })).toEqual([reading(1)]);
    }
    for (const contentEncoding of ['br', 'gzip, gzip', 'toString']) {
      expect(() => decodeBody(body, { schema, contentEncoding, index: 'time' })).toThrow(
        expect.objectContaining({ code: 'wire-bad-body' }),
      );
    }
  });
});

describe('readings/1', () => {
  test('is an array of {t, tag, v, q} with ISO times, readable as it is', () => {
    const readings = [reading(20.5), reading(null, { tag: 'b', quality: 'bad:timeout' })];
    expect(JSON.parse(textOf(readings, 'readings/1'))).toEqual([
      { t: '2026-11-21T22:20:00.000Z', tag: 'a', v: 20.5, q: 'good' },
      { t: '2026-11-21T22:20:00.000Z', tag: 'b', v: null, q: 'bad:timeout' },
    ]);
  });

  test('sequences have their record number in t', () => {
    const { body } = encodeBody('sequence', [reading(1, { index: 7 })], {
      schema: 'readings/1',
      gzip: false,
    });
    expect(JSON.parse(Buffer.from(body).toString())[0].t).toBe(7);
  });

  test.each([
    ['epoch ms', `[{"t":${start},"tag":"a","v":1,"q":"good"}]`],
    ['epoch ms as text', `[{"t":"${start}","tag":"a","v":1,"q":"good"}]`],
    ['seven fraction digits', '[{"t":"2026-11-21T22:20:00.0000000Z","tag":"a","v":1,"q":"good"}]'],
    ['no quality', `[{"t":${start},"tag":"a","v":1}]`],
    ['unknown members', `[{"t":${start},"tag":"a","v":1,"unit":"bar","__proto__":{"v":2}}]`],
    ['a byte order mark', `\ufeff[{"t":${start},"tag":"a","v":1}]`],
  ])('reads %s', (_, text) => {
    const decoded = decodeBody(Buffer.from(text), {
      schema: 'readings/1',
      contentEncoding: 'utf-8',
      index: 'time',
    });
    expect(decoded).toEqual([reading(1)]);
  });

  test('-0 in a foreign body becomes 0, at any depth', () => {
    const text = '[{"t":-0,"tag":"a","v":[-0,{"b":-0}]},{"t":0,"tag":"a","v":-0}]';
    const decoded = decodeBody(Buffer.from(text), {
      schema: 'readings/1',
      contentEncoding: undefined,
      index: 'time',
    });
    assert.deepStrictEqual(decoded, [reading([0, { b: 0 }], { index: 0 }), reading(0, { index: 0 })]);
  });
});

describe('columns/1', () => {
  const tags = ['temperature', 'pressure', 'state'];
  const poll = (i: number): Reading[] =>
    tags.map((tag, g) => reading(g === 2 ? true : 20 + i / 10 + g, { tag, index: start + i * 1000 }));

  test('polled readings go as one column a tag', () => {
    const document = JSON.parse(textOf([0, 1, 2].flatMap(poll), 'columns/1'));
    expect(document).toEqual({
      n: 9,
      t: [start, 1000, 1000],
      tags,
      cols: [[20, 20.1, 20.2], [21, 21.1, 21.2], { c: true }],
    });
  });

  test('missing readings and bad qualities are stated as runs', () => {
    const readings = [0, 1, 2, 3]
      .flatMap(poll)
      .filter((item) => item.tag !== 'pressure' || item.index !== start + 1000);
    const spoilt = readings.map((item, i) => (i === 3 ? { ...item, quality: 'bad:timeout' as const } : item));
    const document = JSON.parse(textOf(spoilt, 'columns/1'));
    expect(document.qs).toEqual(['good', 'bad:timeout']);
    expect(document.cols[0]).toEqual({ v: [20, 20.1, 20.2, 20.3], q: [0, 1, 1, 1, 0, 2] });
    expect(document.cols[1]).toEqual({ v: [21, 21.2, 21.3], p: [0, 1, 1, 2] });
  });

  test('readings that come one by one go as rows, since naming the tag is shorter', () => {
    const readings = Array.from({ length: 30 }, (_, i) =>
      reading(i, { index: start + i, tag: tags[(i * 7) % 3]! }),
    );
    const document = JSON.parse(textOf(readings, 'columns/1'));
    expect(document.cols).toBeUndefined();
    expect(document.g.length).toBe(30);
    expect(document.t.slice(0, 3)).toEqual([start, 1, 1]);
  });

  test('the order of readings within a position survives', () => {
    const shuffled = [...poll(0), ...poll(1).reverse(), ...poll(2), poll(2)[0]!];
    const encoded = encodeBody('time', shuffled, { schema: 'columns/1', gzip: false });
    expect(decodeBody(encoded.body, { ...encoded, index: 'time' })).toEqual(shuffled);
  });

  test('a text that stays the same is stated once, unless it is long', () => {
    const column = (value: string) => {
      const readings = [0, 1, 2].map((i) => reading(value, { index: start + i }));
      const encoded = encodeBody('time', readings, { schema: 'columns/1', gzip: false });
      expect(decodeBody(encoded.body, { ...encoded, index: 'time' })).toEqual(readings);
      return JSON.parse(Buffer.from(encoded.body).toString()).cols[0];
    };
    expect(column('x'.repeat(256))).toEqual({ c: 'x'.repeat(256) });
    expect(column('x'.repeat(257))).toHaveLength(3);
  });

  test('positions too far apart for one difference do not fit into one body', () => {
    const most = Number.MAX_SAFE_INTEGER;
    const readings = [reading(1, { index: -most }), reading(1, { index: most })];
    expect(() => encodeBody('sequence', readings, { schema: 'columns/1', gzip: false })).toThrow(
      expect.objectContaining({ code: 'wire-body-too-large' }),
    );
  });

  test('1,000 readings of 50 slowly changing tags take at most 3.8 bytes each with gzip', () => {
    const random = seededRandom(42);
    const values = Array.from({ length: 50 }, (_, i) => 20 + i * 37.1);
    const readings = Array.from({ length: 1000 }, (_, i) => {
      const tag = i % 50;
      values[tag] = Number((values[tag]! + (random.next() - 0.5) * 0.2).toFixed(3));
      return reading(values[tag], { tag: `line1/press/tag_${tag}`, index: start + Math.floor(i / 50) * 200 });
    });
    const packed = encodeBody('time', readings, { schema: 'columns/1', gzip: true });
    expect(packed.body.length / readings.length).toBeLessThanOrEqual(3.8);
    const plain = encodeBody('time', readings, { schema: 'columns/1', gzip: false });
    expect(plain.body.length / readings.length).toBeLessThanOrEqual(13.1);
  });
});

function nest(depth: number): Value {
  let value: Value = 1;
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { a: value };
  return value;
}

function cycle(): unknown {
  const loop: unknown[] = [];
  loop.push(loop);
  return loop;
}
