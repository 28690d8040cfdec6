import { describe, expect, it } from 'vitest';
import { randomInt, seededRandom } from '../../../kernel/random.ts';
import type { Value } from '../../../wire/reading.ts';
import { readingFault } from '../../../wire/reading-check.ts';
import { contentOf } from './content.ts';
import type { WireVariant } from './opcua-session.ts';
import { causeOf, hasOverflow, qualityOf } from './quality.ts';
import { dataTypes, decode, typeName } from './values.ts';
import { toVariant } from './write-value.ts';

const statusCode = (name: string, value: number) => ({ name, value, isGoodish: () => true });
const scalar = (dataType: number, value: unknown) => ({ dataType, arrayType: 0, value });
const list = (dataType: number, value: unknown) => ({ dataType, arrayType: 1, value });

class LocalizedText {
  readonly text = 'warm';
}
class OpaqueStructure {}
class Limits {
  readonly low = -1;
  readonly high = Number.NaN;
  readonly count = [0, 7];
  readonly when = new Date(0);
  readonly inner = { names: ['a', 'b'] };
  get schema() {
    return { fields: [{ name: 'count', fieldType: 'UInt64' }] };
  }
}

describe('values', () => {
  it.each([
    ['a Double', scalar(dataTypes.Double, 1.5), 1.5],
    ['minus zero', scalar(dataTypes.Double, -0), 0],
    ['a Boolean', scalar(dataTypes.Boolean, true), true],
    ['a String', scalar(dataTypes.String, 'x'), 'x'],
    ['a small Int64', scalar(dataTypes.Int64, [0, 5]), 5],
    ['a negative Int64', scalar(dataTypes.Int64, [0xffff_ffff, 0xffff_fffb]), -5],
    ['an Int64 that JSON cannot hold', scalar(dataTypes.Int64, [0x20_0000, 1]), '9007199254740993'],
    ['the largest UInt64', scalar(dataTypes.UInt64, [0xffff_ffff, 0xffff_ffff]), '18446744073709551615'],
    ['a DateTime', scalar(dataTypes.DateTime, new Date(0)), '1970-01-01T00:00:00.000Z'],
    ['a ByteString', scalar(dataTypes.ByteString, Buffer.from([1, 255])), 'Af8='],
    ['a LocalizedText', scalar(dataTypes.LocalizedText, new LocalizedText()), 'warm'],
    ['an array of Float', list(dataTypes.Float, new Float32Array([1, 0.5])), [1, 0.5]],
    [
      'an array of Int64',
      list(dataTypes.Int64, [
        [0, 1],
        [0, 2],
      ]),
      [1, 2],
    ],
    ['bytes', list(dataTypes.Byte, Buffer.from([1, 2])), [1, 2]],
    [
      'a matrix',
      { dataType: dataTypes.Int32, arrayType: 2, value: [1, 2, 3, 4, 5, 6], dimensions: [2, 3] },
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
    ],
    [
      'a variant in a variant',
      list(dataTypes.Variant, [{ constructor: { name: 'Variant' }, ...scalar(dataTypes.Int16, 3) }]),
      [3],
    ],
  ] as const)('%s', (_name, variant, expected) => {
    expect(decode(variant as Parameters<typeof decode>[0])).toEqual({ value: expected });
  });

  it('structures become objects, by the types of their fields', () => {
    const expected = {
      low: -1,
      high: null,
      count: 7,
      when: '1970-01-01T00:00:00.000Z',
      inner: { names: ['a', 'b'] },
    };
    expect(decode(scalar(dataTypes.ExtensionObject, new Limits()))).toEqual({
      value: expected,
      fault: 'not-finite',
    });
    expect(decode(list(dataTypes.ExtensionObject, [new Limits()])).value).toEqual([expected]);
  });

  it('what cannot be known has no value, and a reason', () => {
    expect(decode(scalar(dataTypes.Double, Number.POSITIVE_INFINITY))).toEqual({
      value: null,
      fault: 'not-finite',
    });
    expect(decode(scalar(dataTypes.ExtensionObject, new OpaqueStructure()))).toEqual({
      value: null,
      fault: 'unknown-structure',
    });
    expect(decode(scalar(0, null))).toEqual({ value: null, fault: 'no-value' });
    expect(decode(undefined)).toEqual({ value: null, fault: 'no-value' });
    expect(decode(scalar(dataTypes.Double, null))).toEqual({ value: null, fault: 'no-value' });
    expect(decode(list(dataTypes.Double, 5))).toEqual({ value: null, fault: 'undecodable' });
    expect(decode(scalar(dataTypes.Int64, [1]))).toEqual({ value: null, fault: 'undecodable' });
    expect(decode(scalar(dataTypes.Int64, Number.NaN))).toEqual({ value: null, fault: 'not-finite' });
    expect(decode(scalar(dataTypes.DateTime, new Date(Number.NaN)))).toEqual({
      value: null,
      fault: 'undecodable',
    });
  });

  it.each([
    ['a null String', scalar(dataTypes.String, null), null],
    ['an empty String', scalar(dataTypes.String, ''), ''],
    ['a null ByteString', scalar(dataTypes.ByteString, null), null],
    ['a null XmlElement', scalar(dataTypes.XmlElement, null), null],
    ['a null structure', scalar(dataTypes.ExtensionObject, null), null],
    ['a null array of Double', list(dataTypes.Double, null), null],
    ['a list with a null String', list(dataTypes.String, ['a', null]), ['a', null]],
    ['the DateTime 0', scalar(dataTypes.DateTime, new Date(Date.UTC(1601, 0, 1))), null],
    ['the last DateTime', scalar(dataTypes.DateTime, new Date(910692730085477)), '9999-12-31T23:59:59Z'],
    ['a StatusCode', scalar(dataTypes.StatusCode, statusCode('BadTimeout', 0x800a_0000)), 'BadTimeout'],
    [
      'a StatusCode with flags',
      scalar(dataTypes.StatusCode, statusCode('Good#Overflow', 0x480)),
      'Good (0x00000480)',
    ],
  ] as const)('%s is what the server holds, and good', (_name, variant, expected) => {
    expect(
      contentOf({
        value: variant as WireVariant,
        statusCode: { value: 0, name: 'Good' },
        sourceTimestamp: null,
        serverTimestamp: null,
      }),
    ).toEqual({ value: expected, quality: 'good' });
  });

  it('of which a part is lost keep the rest, and are not good', () => {
    const contentIn = (variant: WireVariant, status = { value: 0, name: 'Good' }) =>
      contentOf({ value: variant, statusCode: status, sourceTimestamp: null, serverTimestamp: null });
    const sensor = { value: 0x808c_0000, name: 'BadSensorFailure' };
    const range = scalar(dataTypes.ExtensionObject, { low: 12.5, high: Number.NaN });
    expect(contentIn(range)).toEqual({ value: { low: 12.5, high: null }, quality: 'uncertain:not-finite' });
    expect(contentIn(range, sensor)).toEqual({
      value: { low: 12.5, high: null },
      quality: 'bad:sensor-failure',
    });
    expect(contentIn(list(dataTypes.Double, [1, Number.POSITIVE_INFINITY]))).toEqual({
      value: [1, null],
      quality: 'uncertain:not-finite',
    });
    expect(contentIn(scalar(dataTypes.Double, Number.NaN))).toEqual({
      value: null,
      quality: 'bad:not-finite',
    });
    expect(contentIn(scalar(dataTypes.Double, Number.NaN), sensor).quality).toBe('bad:sensor-failure');
    const matrix = { dataType: dataTypes.Int32, arrayType: 2, value: [1, 2, 3], dimensions: [2, 2] };
    expect(contentIn(matrix)).toEqual({ value: [1, 2, 3], quality: 'uncertain:dimensions' });
    let deep: unknown = 7;
    for (let depth = 0; depth < 40; depth++) deep = [deep];
    expect(contentIn(scalar(dataTypes.ExtensionObject, { deep })).quality).toBe('uncertain:too-deep');
  });

  it('inside of others keep their status, their times and the types of the fields that they inherit', () => {
    class DataValue {
      readonly value = scalar(dataTypes.Double, 3);
      readonly statusCode = statusCode('BadSensorFailure', 0x808c_0000);
      readonly sourceTimestamp = new Date(0);
    }
    expect(decode(list(dataTypes.DataValue, [new DataValue()]))).toEqual({
      value: [{ value: 3, status: 'BadSensorFailure', sourceTimestamp: '1970-01-01T00:00:00.000Z' }],
    });
    class Derived {
      readonly total = [0, 5];
      readonly own = 1;
      readonly absent = undefined;
      get schema() {
        return {
          fields: [{ name: 'own', fieldType: 'Int32' }],
          getBaseSchema: () => ({ fields: [{ name: 'total', fieldType: 'Int64' }] }),
        };
      }
    }
    expect(decode(scalar(dataTypes.ExtensionObject, new Derived()))).toEqual({ value: { total: 5, own: 1 } });
  });

  it('are JSON values whatever a server sends (10,000 random variants)', () => {
    const random = seededRandom(5);
    const any = (depth: number): unknown => {
      const kind = randomInt(random, depth > 4 ? 9 : 13);
      if (kind === 0) return null;
      if (kind === 1) return randomInt(random, 2 ** 31) - 2 ** 30;
      if (kind === 2) return [Number.NaN, Number.NEGATIVE_INFINITY, -0][randomInt(random, 3)];
      if (kind === 3) return 'x'.repeat(randomInt(random, 5));
      if (kind === 4) return undefined;
      if (kind === 5) return new Date([0, Number.NaN, 8.64e15][randomInt(random, 3)]!);
      if (kind === 6) return BigInt(randomInt(random, 2 ** 31)) ** 3n;
      if (kind === 7) return Buffer.from([randomInt(random, 256)]);
      if (kind === 8) return () => 1;
      if (kind === 9) return [any(depth + 1), any(depth + 1)];
      if (kind === 10) return { a: any(depth + 1), value: any(depth + 1), name: any(depth + 1) };
      if (kind === 11) return new Limits();
      return Object.assign(Object.create({ constructor: { name: 'Variant' } }), {
        dataType: randomInt(random, 26),
        arrayType: 0,
        value: any(depth + 1),
      });
    };
    for (let at = 0; at < 10_000; at++) {
      const variant = {
        dataType: randomInt(random, 30),
        arrayType: randomInt(random, 3),
        value: any(0),
        dimensions: [2, 1],
      };
      const { value } = decode(variant);
      expect(
        readingFault('time', { index: 0, tag: 't', value, quality: 'good' }),
        `variant ${at}`,
      ).toBeUndefined();
      expect(typeName(variant)).toBeTypeOf('string');
    }
  });
});

describe('status codes', () => {
  it.each([
    [0, 'Good', 'good'],
    [0x0096_0000, 'GoodLocalOverride', 'good'],
    [0x0480, 'Good#Overflow', 'good'],
    [0x8000_0000, 'Bad', 'bad'],
    [0x808c_0000, 'BadSensorFailure', 'bad:sensor-failure'],
    [0x8034_0000, 'BadNodeIdUnknown', 'bad:node-id-unknown'],
    [0x4090_0000, 'UncertainLastUsableValue', 'uncertain:last-usable-value'],
    [0x4094_0480, 'UncertainEngineeringUnitsExceeded#Overflow', 'uncertain:engineering-units-exceeded'],
    [0x8abc_0000, '', 'bad:status-8abc0000'],
  ])('%i is %s: %s', (value, name, quality) => {
    expect(qualityOf({ value, name })).toBe(quality);
  });

  it('knows an overflow by its bits', () => {
    expect(hasOverflow({ value: 0x480, name: '' })).toBe(true);
    expect(hasOverflow({ value: 0x80, name: '' })).toBe(false);
    expect(hasOverflow({ value: 0x400, name: '' })).toBe(false);
    expect(causeOf('BadTcpMessageTypeInvalid')).toBe('tcp-message-type-invalid');
  });
});

describe('a value to write', () => {
  const like = (dataType: number) => ({ dataType, arrayType: 0, value: null });

  it.each([
    [dataTypes.Int16, -5, -5],
    [dataTypes.Int64, '-5', [0xffff_ffff, 0xffff_fffb]],
    [dataTypes.UInt64, '18446744073709551615', [0xffff_ffff, 0xffff_ffff]],
    [dataTypes.Boolean, 1, true],
    [dataTypes.Float, '2.5', 2.5],
    [dataTypes.DateTime, '2026-01-31T12:00:00Z', new Date('2026-01-31T12:00:00Z')],
  ] as const)('of type %i: %s', (dataType, value, expected) => {
    expect(toVariant('t', value, like(dataType)).value).toEqual(expected);
  });

  it.each([
    [dataTypes.Byte, 256],
    [dataTypes.UInt16, -1],
    [dataTypes.Int32, 1.5],
    [dataTypes.Double, ''],
    [dataTypes.Double, null],
    [dataTypes.Boolean, 'true'],
    [dataTypes.String, 5],
    [dataTypes.ByteString, '*'],
    [dataTypes.ExtensionObject, {}],
  ] as [number, Value][])('of type %i is not %s', (dataType, value) => {
    expect(() => toVariant('tag 7', value, like(dataType))).toThrow(/tag 7/);
  });

  it('keeps the shape that the node has', () => {
    const matrix = { dataType: dataTypes.Int32, arrayType: 2, value: [1, 2, 3, 4], dimensions: [2, 2] };
    expect(
      toVariant(
        't',
        [
          [5, 6],
          [7, 8],
        ],
        matrix,
      ),
    ).toEqual({ ...matrix, value: [5, 6, 7, 8] });
    expect(() => toVariant('t', [[5], [7]], matrix)).toThrow(/4 elements/);
    expect(() => toVariant('t', 5, list(dataTypes.Int32, [1]))).toThrow(/a list/);
  });
});
