// A value to write in the type that the node has. Pure.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Value } from '../../../wire/reading.ts';
import type { WireVariant } from './opcua-session.ts';
import { dataTypes } from './values.ts';

const ranges: Readonly<Record<number, readonly [bigint, bigint]>> = {
  [dataTypes.SByte]: [-0x80n, 0x7fn],
  [dataTypes.Byte]: [0n, 0xffn],
  [dataTypes.Int16]: [-0x8000n, 0x7fffn],
  [dataTypes.UInt16]: [0n, 0xffffn],
  [dataTypes.Int32]: [-0x8000_0000n, 0x7fff_ffffn],
  [dataTypes.UInt32]: [0n, 0xffff_ffffn],
  [dataTypes.Int64]: [-(2n ** 63n), 2n ** 63n - 1n],
  [dataTypes.UInt64]: [0n, 2n ** 64n - 1n],
};

/**
 * `like`: what the node holds now: its type and shape are kept.
 * @throws HoldfastError `opcua-bad-value` that says what the node takes
 */
export function toVariant(tag: string, value: Value, like: WireVariant): WireVariant {
  const { dataType, arrayType } = like;
  if (arrayType === 0) return { dataType, arrayType, value: convert(tag, value, dataType) };
  if (!Array.isArray(value)) throw refuse(tag, `a list: the node holds one of ${nameOf(dataType)}`);
  const { dimensions } = like;
  const flat = arrayType === 2 ? value.flat(8) : value;
  const size = dimensions?.reduce((product, each) => product * each, 1);
  if (arrayType === 2 && size !== flat.length)
    throw refuse(tag, `${size} elements, in rows as the node holds them`);
  return { ...like, value: flat.map((each: Value) => convert(tag, each, dataType)) };
}

function convert(tag: string, value: Value, dataType: number): unknown {
  const range = ranges[dataType];
  if (range) return whole(tag, value, dataType, range);
  switch (dataType) {
    case dataTypes.Boolean:
      if (typeof value === 'boolean') return value;
      if (value === 0 || value === 1) return value === 1;
      throw refuse(tag, 'true or false');
    case dataTypes.Float:
    case dataTypes.Double: {
      const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
      if (typeof number === 'number' && Number.isFinite(number)) return number;
      throw refuse(tag, 'a number');
    }
    case dataTypes.String:
    case dataTypes.XmlElement:
      if (typeof value === 'string') return value;
      throw refuse(tag, 'text');
    case dataTypes.LocalizedText:
      if (typeof value === 'string') return { text: value };
      throw refuse(tag, 'text');
    case dataTypes.DateTime: {
      const time = typeof value === 'string' || typeof value === 'number' ? new Date(value) : undefined;
      if (time && !Number.isNaN(time.getTime())) return time;
      throw refuse(tag, 'a time such as "2026-01-31T12:00:00Z"');
    }
    case dataTypes.ByteString:
      if (typeof value === 'string' && /^[A-Za-z0-9+/]*={0,2}$/.test(value))
        return Buffer.from(value, 'base64');
      throw refuse(tag, 'bytes as base64');
    case dataTypes.Guid:
      if (typeof value === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value))
        return value;
      throw refuse(tag, 'a GUID');
    default:
      throw new HoldfastError(
        'opcua-bad-value',
        `tag '${tag}' cannot be written: its type ${nameOf(dataType)} is not supported`,
      );
  }
}

function whole(
  tag: string,
  value: Value,
  dataType: number,
  [least, most]: readonly [bigint, bigint],
): unknown {
  const wanted = `a whole number from ${least} to ${most}`;
  const isWhole =
    typeof value === 'number'
      ? Number.isSafeInteger(value)
      : typeof value === 'string' && /^-?\d{1,20}$/.test(value);
  if (!isWhole) throw refuse(tag, wanted);
  const number = BigInt(value as number | string);
  if (number < least || number > most) throw refuse(tag, wanted);
  if (dataType !== dataTypes.Int64 && dataType !== dataTypes.UInt64) return Number(number);
  const bits = BigInt.asUintN(64, number);
  return [Number(bits >> 32n), Number(bits & 0xffff_ffffn)];
}

function nameOf(dataType: number): string {
  return Object.entries(dataTypes).find(([, number]) => number === dataType)?.[0] ?? `type ${dataType}`;
}

function refuse(tag: string, wanted: string): HoldfastError {
  return new HoldfastError('opcua-bad-value', `tag '${tag}' takes ${wanted}`);
}
