// Encodes a value to the bytes that a device takes: the reverse of decode.ts. Pure.
import type { Value } from '../../../wire/reading.ts';
import { bytePositions } from './byte-order.ts';
import type { Coding } from './decode.ts';
import { isNumberType, type NumberType, widthOf } from './fields.ts';

export type Encoded =
  | { readonly ok: true; readonly bytes: Buffer }
  /** `problem` says what the value would have to be. */
  | { readonly ok: false; readonly problem: string };

/** The registers of a number or a string; for `bool`, one byte: 0 or 1. */
export function encodeValue(coding: Coding, value: Value): Encoded {
  const raw = unname(coding, value);
  if (coding.type === 'bool') return encodeBool(raw);
  if (coding.type === 'string') return encodeString(coding, raw);
  if (!isNumberType(coding.type)) return refuse('a whole register: one bit cannot be written alone');
  return encodeNumber(coding, coding.type, raw);
}

function refuse(expected: string): Encoded {
  return { ok: false, problem: `must be ${expected}` };
}

function unname({ names }: Coding, value: Value): Value {
  if (!names || typeof value !== 'string') return value;
  const entry = Object.entries(names).find(([, name]) => name === value);
  return entry ? Number(entry[0]) : value;
}

function encodeBool(value: Value): Encoded {
  if (value === true || value === 1) return { ok: true, bytes: Buffer.from([1]) };
  if (value === false || value === 0) return { ok: true, bytes: Buffer.from([0]) };
  return refuse('true or false');
}

function encodeString(coding: Coding, value: Value): Encoded {
  const { length = 0, encoding = 'latin1', order, type, perRegister = 2 } = coding;
  if (typeof value !== 'string') return refuse('text');
  const bytes = Buffer.from(value, encoding);
  if (bytes.length > length) return refuse(`at most ${length} bytes of text`);
  if (bytes.toString(encoding) !== value) return refuse(`text that ${encoding} can hold`);
  const padded = Buffer.alloc(2 * widthOf(type, length, perRegister));
  for (const [at, byte] of bytes.entries()) padded[perRegister === 1 ? 2 * at + 1 : at] = byte;
  return { ok: true, bytes: order === 'BADC' || order === 'DCBA' ? padded.swap16() : padded };
}

function encodeNumber(coding: Coding, type: NumberType, value: Value): Encoded {
  const { scale = 1, add = 0, order } = coding;
  const isScaled = scale !== 1 || add !== 0;
  const size = 2 * widthOf(type);
  const bigEndian = Buffer.alloc(size);
  if (type.startsWith('float')) {
    const number = toNumber(value);
    if (number === undefined) return refuse('a finite number');
    const raw = isScaled ? (number - add) / scale : number;
    if (type === 'float32') bigEndian.writeFloatBE(raw);
    else bigEndian.writeDoubleBE(raw);
    const readBack = type === 'float32' ? bigEndian.readFloatBE() : bigEndian.readDoubleBE();
    if (!Number.isFinite(readBack)) return refuse(`within the range of ${type}`);
    return { ok: true, bytes: inOrder(bigEndian, order) };
  }
  const raw = toInteger(value, isScaled, scale, add);
  if (raw === undefined) return refuse('a whole number');
  const [low, high] = rangeOf(type);
  if (raw < low || raw > high)
    return refuse(`from ${scaled(low, scale, add)} to ${scaled(high, scale, add)}`);
  const digits = type.startsWith('bcd') ? raw.toString() : BigInt.asUintN(8 * size, raw).toString(16);
  bigEndian.write(digits.padStart(2 * size, '0'), 'hex');
  return { ok: true, bytes: inOrder(bigEndian, order) };
}

function toNumber(value: Value): number | undefined {
  const number = typeof value === 'number' ? value : Number.NaN;
  return Number.isFinite(number) ? number : undefined;
}

/** Scaled values are rounded to the nearest that the registers can hold; others must be whole. */
function toInteger(value: Value, isScaled: boolean, scale: number, add: number): bigint | undefined {
  if (typeof value === 'string' && /^-?\d{1,20}$/.test(value) && !isScaled) return BigInt(value);
  const number = toNumber(value);
  if (number === undefined) return undefined;
  const raw = isScaled ? Math.round((number - add) / scale) : number;
  return Number.isInteger(raw) ? BigInt(raw) : undefined;
}

function rangeOf(type: NumberType): readonly [bigint, bigint] {
  const registers = BigInt(widthOf(type));
  if (type.startsWith('bcd')) return [0n, 10n ** (4n * registers) - 1n];
  const bits = 16n * registers;
  return type.startsWith('u') ? [0n, 2n ** bits - 1n] : [-(2n ** (bits - 1n)), 2n ** (bits - 1n) - 1n];
}

function scaled(raw: bigint, scale: number, add: number): string {
  return scale === 1 && add === 0 ? raw.toString() : String(Number(raw) * scale + add);
}

function inOrder(bigEndian: Buffer, order: Coding['order']): Buffer {
  const bytes = Buffer.alloc(bigEndian.length);
  for (const [at, from] of bytePositions(bigEndian.length, order).entries()) bytes[from] = bigEndian[at]!;
  return bytes;
}
