// Values by which a device says that it has none: 0xFFFF, 0x8000, a NaN. They are what stands in the registers, before
// `scale` and `offset`. Pure.
import type { Quality } from '../../../wire/reading.ts';
import { toBigEndian } from '../codec/byte-order.ts';
import { type ByteOrder, integerTypes, type ValueType, widthOf } from '../codec/fields.ts';

/** `sunspec`; or values and ranges (`30000..32767`), with the quality `bad:invalid` or one of their own. */
export type Invalid = 'sunspec' | readonly (number | string)[] | Readonly<Record<string, string>>;

export interface InvalidCoding {
  readonly type: ValueType;
  readonly order: ByteOrder;
  readonly length?: number | undefined;
  readonly invalid?: Invalid | undefined;
}

/** The quality of the value at byte `start`, where it is none; undefined where it may be one. */
export type InvalidCheck = (bytes: Buffer, start: number) => Quality | undefined;

interface Rule {
  readonly from: bigint | number;
  readonly to: bigint | number;
  readonly quality: Quality;
}

type RuleResult =
  | { readonly ok: true; readonly rule: Rule }
  | { readonly ok: false; readonly problem: string };

/** What SunSpec information models mean by "not implemented", for the point types that registers hold. */
const sunSpec: Partial<Readonly<Record<ValueType, bigint>>> = {
  int16: 0x8000n,
  uint16: 0xffffn,
  bit: 0xffffn,
  int32: 0x8000_0000n,
  uint32: 0xffff_ffffn,
  int64: 0x8000_0000_0000_0000n,
  uint64: 0xffff_ffff_ffff_ffffn,
};
const notImplemented: Quality = 'bad:not-implemented';

export function compileInvalid(coding: InvalidCoding): InvalidCheck | undefined {
  const { type, order, length, invalid } = coding;
  if (invalid === undefined) return undefined;
  const size = 2 * widthOf(type, length);
  if (type === 'string') return (bytes, start) => (isBlank(bytes, start, size) ? notImplemented : undefined);
  const rules = entriesOf(invalid).flatMap(([text, word]) => {
    const result = parseRule(type, text, word);
    return result.ok ? [result.rule] : [];
  });
  const bigEndian = toBigEndian(size, order);
  const read = readerOf(type, size);
  const isSunSpec = asksForSunSpec(invalid);
  return (bytes, start) => {
    const raw = read(bigEndian(bytes, start), 0);
    if (Number.isNaN(raw)) return isSunSpec ? notImplemented : undefined;
    return rules.find(({ from, to }) => raw >= from && raw <= to)?.quality;
  };
}

/** The problem of a tag's `invalid`; undefined where it has none. */
export function invalidProblem(type: ValueType, invalid: Invalid): string | undefined {
  if (type === 'bool') return 'is only for registers; remove it';
  if (type === 'string')
    return asksForSunSpec(invalid) ? undefined : 'must be sunspec for text: an empty one is then no value';
  for (const [text, word] of entriesOf(invalid)) {
    const result = parseRule(type, text, word);
    if (!result.ok) return result.problem;
  }
  return undefined;
}

function asksForSunSpec(invalid: Invalid): boolean {
  return invalid === 'sunspec' || (Array.isArray(invalid) && invalid.includes('sunspec'));
}

/** Value or range as text, and the word of its quality. */
function entriesOf(invalid: Invalid): readonly (readonly [string, string])[] {
  if (invalid === 'sunspec') return [['sunspec', '']];
  if (Array.isArray(invalid)) return invalid.map((each) => [String(each), 'invalid']);
  return Object.entries(invalid as Readonly<Record<string, string>>);
}

function parseRule(type: ValueType, text: string, word: string): RuleResult {
  if (text === 'sunspec') {
    const value = sunSpec[type];
    // A NaN needs no rule: it never passes for a number.
    return value === undefined
      ? { ok: true, rule: { from: 1, to: 0, quality: notImplemented } }
      : { ok: true, rule: ruleOf(type, value, value, notImplemented) };
  }
  const [first = '', last = first] = text.split('..').map((part) => part.trim());
  const [from, to] = [parseValue(type, first), parseValue(type, last)];
  if (from === undefined || to === undefined || text.split('..').length > 2) {
    return {
      ok: false,
      problem: `'${text}' is no value of ${type} as its registers hold it, nor a range of them: write 0xFFFF, 32767 or 30000..32767`,
    };
  }
  const rule = ruleOf(type, from, to, `bad:${word}`);
  return rule.from <= rule.to
    ? { ok: true, rule }
    : { ok: false, problem: `'${text}' is upside down: the lower end comes first` };
}

function ruleOf(type: ValueType, from: bigint | number, to: bigint | number, quality: Quality): Rule {
  return { from: signed(type, from), to: signed(type, to), quality };
}

/** 0x8000 means the bits, in a signed register as well. */
function signed(type: ValueType, value: bigint | number): bigint | number {
  if (typeof value !== 'bigint' || !type.startsWith('int')) return value;
  return BigInt.asIntN(16 * widthOf(type), value);
}

function parseValue(type: ValueType, text: string): bigint | number | undefined {
  if (!isInteger(type)) {
    const value = text === '' ? Number.NaN : Number(text);
    return Number.isFinite(value) ? value : undefined;
  }
  if (!/^(?:-?\d{1,20}|0[xX][0-9a-fA-F]{1,16})$/.test(text)) return undefined;
  const value = BigInt(text);
  const bits = BigInt(16 * widthOf(type));
  const low = type.startsWith('int') ? -(2n ** (bits - 1n)) : 0n;
  return value >= low && value < 2n ** bits ? value : undefined;
}

function isInteger(type: ValueType): boolean {
  return type === 'bit' || (integerTypes as readonly ValueType[]).includes(type);
}

type RawReader = (bytes: Buffer, start: number) => bigint | number;

/** Small integers as numbers, which compare with BigInt as they should. */
function readerOf(type: ValueType, size: number): RawReader {
  if (type === 'float32') return (bytes, start) => bytes.readFloatBE(start);
  if (type === 'float64') return (bytes, start) => bytes.readDoubleBE(start);
  if (type.startsWith('bcd')) return (bytes, start) => Number(bytes.toString('hex', start, start + size));
  const isSigned = type.startsWith('int');
  if (size === 8)
    return (bytes, start) => (isSigned ? bytes.readBigInt64BE(start) : bytes.readBigUInt64BE(start));
  return (bytes, start) => (isSigned ? bytes.readIntBE(start, size) : bytes.readUIntBE(start, size));
}

function isBlank(bytes: Buffer, start: number, size: number): boolean {
  return bytes.subarray(start, start + size).every((byte) => byte === 0);
}
