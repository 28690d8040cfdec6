// Decodes the bytes that a device sent to values. Pure: a coding is compiled once into a function of bytes.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Value } from '../../../wire/reading.ts';
import { isBigEndian, toBigEndian } from './byte-order.ts';
import {
  type ByteOrder,
  isNumberType,
  type NumberType,
  type TimeUnit,
  type ValueType,
  widthOf,
} from './fields.ts';

export interface Coding {
  readonly type: ValueType;
  readonly order: ByteOrder;
  /** For type `bit`: 0 (least significant) to 15. */
  readonly bit?: number | undefined;
  /** For type `string`: characters. */
  readonly length?: number | undefined;
  readonly encoding?: 'latin1' | 'utf8' | undefined;
  /** Characters of a string that one register holds: two, or one in its lower byte. */
  readonly perRegister?: 1 | 2 | undefined;
  /** value = raw * scale + add. */
  readonly scale?: number | undefined;
  readonly add?: number | undefined;
  /** Names for values, by the number that they name (0 and 1 for bits); after scaling. */
  readonly names?: Readonly<Record<string, string>> | undefined;
}

/**
 * Decodes the value that starts at register `at` of `bytes` (for `bool`: at bit `at`). `undefined` where the
 * bytes are no value of their type, as `invalidReason` says. Integers beyond 2^53, which JSON's numbers cannot hold,
 * become decimal strings, unless they are scaled.
 * @throws HoldfastError `modbus-garbage` where `bytes` is too short.
 */
export type Decoder = (bytes: Buffer, at: number) => Value | undefined;

export function compileDecoder(coding: Coding): Decoder {
  return named(compileUnnamed(coding), coding.names);
}

/** Why bytes may be no value of their type, as it goes into a quality. */
export function invalidReason(type: ValueType): 'not-bcd' | 'not-finite' | 'not-text' {
  if (type === 'string') return 'not-text';
  return type.startsWith('bcd') ? 'not-bcd' : 'not-finite';
}

function compileUnnamed(coding: Coding): Decoder {
  if (coding.type === 'bool') return decodeBool;
  const size = 2 * widthOf(coding.type, coding.length, coding.perRegister);
  const decode = compileRegisters(coding, size);
  return (bytes, at) => {
    if (2 * at + size > bytes.length) throw tooShort(2 * at + size, bytes.length);
    return decode(bytes, 2 * at);
  };
}

/** A value without a name becomes its number as text, so that all values of a tag are of one type. */
function named(decode: Decoder, names: Coding['names']): Decoder {
  if (names === undefined) return decode;
  const byValue = new Map(Object.entries(names));
  return (bytes, at) => {
    const value = decode(bytes, at);
    if (value === undefined) return undefined;
    const key = String(typeof value === 'boolean' ? Number(value) : value);
    return byValue.get(key) ?? key;
  };
}

type ByteDecoder = (bytes: Buffer, start: number) => Value | undefined;

function compileRegisters(coding: Coding, size: number): ByteDecoder {
  const { type, order } = coding;
  if (type === 'string') return compileString(coding, size);
  if (type === 'bit') {
    const read = inOrder(readers.uint16, 2, order);
    const mask = 1 << (coding.bit ?? 0);
    return (bytes, start) => ((read(bytes, start) as number) & mask) !== 0;
  }
  if (!isNumberType(type)) throw new Error(`no decoder for ${type}`);
  return scaled(inOrder(readers[type], size, order), coding.scale, coding.add);
}

function decodeBool(bytes: Buffer, at: number): boolean {
  const byte = bytes[at >> 3];
  if (byte === undefined) throw tooShort((at >> 3) + 1, bytes.length);
  return ((byte >> (at & 7)) & 1) === 1;
}

type NumberReader = (bytes: Buffer, start: number) => number | string;

const high = 2 ** 32;

const readers: Readonly<Record<NumberType, NumberReader>> = {
  int16: (bytes, start) => bytes.readInt16BE(start),
  uint16: (bytes, start) => bytes.readUInt16BE(start),
  int32: (bytes, start) => bytes.readInt32BE(start),
  uint32: (bytes, start) => bytes.readUInt32BE(start),
  // The sum is exact below 2^53, and above it rounds to no safe integer: no BigInt on the common path.
  int64(bytes, start) {
    const value = bytes.readInt32BE(start) * high + bytes.readUInt32BE(start + 4);
    return Number.isSafeInteger(value) ? value : bytes.readBigInt64BE(start).toString();
  },
  uint64(bytes, start) {
    const value = bytes.readUInt32BE(start) * high + bytes.readUInt32BE(start + 4);
    return Number.isSafeInteger(value) ? value : bytes.readBigUInt64BE(start).toString();
  },
  float32: (bytes, start) => bytes.readFloatBE(start),
  float64: (bytes, start) => bytes.readDoubleBE(start),
  bcd16: (bytes, start) => readBcd(bytes, start, 2),
  bcd32: (bytes, start) => readBcd(bytes, start, 4),
};

/** NaN where a digit is none: that, too, is no finite number. */
function readBcd(bytes: Buffer, start: number, size: number): number {
  let value = 0;
  for (let at = start; at < start + size; at++) {
    const [tens, units] = [bytes[at]! >> 4, bytes[at]! & 15];
    if (tens > 9 || units > 9) return Number.NaN;
    value = value * 100 + tens * 10 + units;
  }
  return value;
}

function inOrder(read: NumberReader, size: number, order: ByteOrder): NumberReader {
  if (isBigEndian(size, order)) return read;
  const bigEndian = toBigEndian(size, order);
  return (bytes, start) => read(bigEndian(bytes, start), 0);
}

function scaled(read: NumberReader, scale = 1, add = 0): ByteDecoder {
  if (scale === 1 && add === 0) {
    return (bytes, start) => {
      const raw = read(bytes, start);
      return typeof raw === 'string' ? raw : finite(raw);
    };
  }
  const apply = scaler(scale);
  return (bytes, start) => finite(apply(Number(read(bytes, start))) + add);
}

/**
 * Scaling by 0.1 is meant in decimal: 3 * 0.1 is 0.30000000000000004, 3 / 10 is 0.3. So where the scale is
 * the reciprocal of a whole number, we divide by that number.
 */
export function scaler(scale: number): (raw: number) => number {
  const divisor = Math.round(1 / scale);
  if (Math.abs(scale) < 1 && Number.isSafeInteger(divisor) && 1 / divisor === scale)
    return (raw) => raw / divisor;
  return (raw) => raw * scale;
}

function finite(value: number): number | undefined {
  // JSON has no negative zero: `-0` would come back as another value than the one that was sent.
  if (value === 0) return 0;
  return Number.isFinite(value) ? value : undefined;
}

function compileString(coding: Coding, size: number): ByteDecoder {
  const { length = 0, encoding = 'latin1', order, perRegister = 2 } = coding;
  const swapped = order === 'BADC' || order === 'DCBA';
  const decode = encoding === 'utf8' ? decodeUtf8 : (text: Buffer) => text.toString('latin1');
  return (bytes, start) => {
    let text = bytes.subarray(start, start + size);
    if (swapped) text = Buffer.from(text).swap16();
    if (perRegister === 1) text = Buffer.from(text.filter((_, at) => at % 2 === 1));
    else if (isSpread(text)) return undefined;
    const end = text.indexOf(0);
    return decode(text.subarray(0, Math.min(length, end < 0 ? text.length : end)));
  };
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Undefined where the bytes are no UTF-8: a replacement character is nothing that the device showed. */
function decodeUtf8(text: Buffer): string | undefined {
  try {
    return utf8.decode(text);
  } catch {
    return undefined;
  }
}

/** The bytes look like text of one character a register, which an end at the first NUL would cut to one character, or none. */
function isSpread(text: Buffer): boolean {
  const used = [0, 0] as [number, number];
  for (const [at, byte] of text.entries()) if (byte !== 0) used[at % 2 === 0 ? 0 : 1] += 1;
  const [first, second] = used;
  return first === 0 ? second > 0 : second === 0 && first > 1;
}

/** The latest time that ISO 8601 text with four digits for the year can hold. */
const maxEpochMs = 253_402_300_799_999;

/**
 * Epoch milliseconds of a timestamp as a device keeps it, rounded down. `undefined` where it is no time that a
 * running clock shows: zero, negative, or beyond the year 9999.
 */
export function toEpochMs(raw: Value | undefined, unit: TimeUnit): number | undefined {
  const ms = typeof raw === 'number' ? Math.floor(fromNumber(raw, unit)) : fromText(raw, unit);
  return ms !== undefined && ms > 0 && ms <= maxEpochMs ? ms : undefined;
}

function fromNumber(raw: number, unit: TimeUnit): number {
  if (unit === 's') return raw * 1000;
  if (unit === 'ms') return raw;
  return unit === 'us' ? raw / 1000 : raw / 1_000_000;
}

/** Integers beyond 2^53 come as text: nanoseconds do. */
function fromText(raw: Value | undefined, unit: TimeUnit): number | undefined {
  if (typeof raw !== 'string') return undefined;
  if (unit === 'us') return Number(BigInt(raw) / 1000n);
  if (unit === 'ns') return Number(BigInt(raw) / 1_000_000n);
  return undefined;
}

function tooShort(needed: number, got: number): HoldfastError {
  return new HoldfastError(
    'modbus-garbage',
    `the answer has ${got} bytes where at least ${needed} were expected`,
    {
      retryable: true,
    },
  );
}
