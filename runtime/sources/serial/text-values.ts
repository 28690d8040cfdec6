// Values that instruments write as text.
import type { Value } from '../../../wire/reading.ts';
import { scaler } from '../codec/decode.ts';

export const textTypes = ['number', 'hex', 'bool', 'string'] as const;
export type TextType = (typeof textTypes)[number];

export interface TextCoding {
  readonly type: TextType;
  /** The decimal mark. */
  readonly decimal?: '.' | ',' | undefined;
  /** value = raw * scale + add. */
  readonly scale?: number | undefined;
  readonly add?: number | undefined;
  /** Names for values: by the number, or by the text. */
  readonly names?: Readonly<Record<string, string>> | undefined;
}

/** Undefined where the text is no value of its type. */
export type TextDecoder = (text: string) => Value | undefined;

export function compileTextDecoder(coding: TextCoding): TextDecoder {
  const decode = unnamed(coding);
  const { names } = coding;
  if (names === undefined) return decode;
  const byText = new Map(Object.entries(names));
  return (text) => {
    // `1`, `1.0` and `01` name the same; a text names itself.
    const value = decode(text);
    const key = value === undefined ? undefined : String(typeof value === 'boolean' ? Number(value) : value);
    return byText.get(text.trim()) ?? (key === undefined ? undefined : (byText.get(key) ?? key));
  };
}

function unnamed({ type, decimal = '.', scale = 1, add = 0 }: TextCoding): TextDecoder {
  if (type === 'string') return readText;
  if (type === 'bool') return readBool;
  const read = rawReader(type, decimal);
  const isScaled = scale !== 1 || add !== 0;
  const apply = scaler(scale);
  return (text) => {
    const raw = read(text);
    if (raw === undefined || isScpiMark(raw)) return undefined;
    // A whole number that JSON's numbers cannot hold, with all of its digits.
    if (!isScaled && !Number.isSafeInteger(raw) && isWhole.test(text.trim())) return wholeText(text);
    const value = isScaled ? apply(raw) + add : raw;
    // JSON has no negative zero.
    if (value === 0) return 0;
    return Number.isFinite(value) ? value : undefined;
  };
}

/** The number as it is written, before it is scaled; undefined where it is none. */
export function rawReader(type: 'number' | 'hex', decimal: '.' | ','): (text: string) => number | undefined {
  return type === 'hex' ? readHex : (text) => readNumber(text, decimal);
}

/** Why a text is no value of its type, as it goes into a quality. */
export function whyNoValue(type: TextType, text: string, decimal: '.' | ','): WhyNoText {
  if (type === 'string') return 'not-text';
  const raw = type === 'number' ? readNumber(text, decimal) : undefined;
  return raw !== undefined && Math.abs(raw) === scpiOverflow ? 'over-range' : 'not-a-number';
}

export type WhyNoText = 'not-text' | 'not-a-number' | 'over-range';

/** What instruments that speak SCPI write for an overload and for no number (SCPI-1999, 7.2.1). */
const scpiOverflow = 9.9e37;
const scpiNoNumber = 9.91e37;

function isScpiMark(raw: number): boolean {
  return Math.abs(raw) === scpiOverflow || raw === scpiNoNumber;
}

/** Padding ends a text; a NUL amid it, or a byte that is no character, shows that it was none. */
function readText(text: string): string | undefined {
  const plain = text.replace(/[\0\s]+$/, '');
  return /[\0\uFFFD]/.test(plain) ? undefined : plain;
}

// Signs may stand apart from their digits, as scales print them: `+  12.34`.
const dotNumber = /^([+-]?) *(\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,3})?$/;
const isWhole = /^[+-]? *\d+$/;

function readNumber(text: string, decimal: '.' | ','): number | undefined {
  const trimmed = text.trim();
  // Where the decimal mark is a comma, a dot is no mark: 1.234 means twelve hundred and thirty-four.
  if (trimmed.length > 100 || (decimal === ',' && trimmed.includes('.'))) return undefined;
  const plain = decimal === ',' ? trimmed.replace(',', '.') : trimmed;
  if (!dotNumber.test(plain)) return undefined;
  return Number(plain.replace(/^([+-]) +/, '$1'));
}

function wholeText(text: string): string {
  return BigInt(text.replace(/[+ ]/g, '').trim()).toString();
}

function readHex(text: string): number | undefined {
  const digits = /^(?:0[xX])?([0-9a-fA-F]{1,13})[hH]?$/.exec(text.trim())?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits, 16);
}

const yes = new Set(['1', 'on', 'true', 'yes', 'y', 't', 'high', 'closed']);
const no = new Set(['0', 'off', 'false', 'no', 'n', 'f', 'low', 'open']);

function readBool(text: string): boolean | undefined {
  const word = text.trim().toLowerCase();
  if (yes.has(word)) return true;
  return no.has(word) ? false : undefined;
}
