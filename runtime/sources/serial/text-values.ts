// Values that instruments write as text.
import type { Value } from '../../../wire/reading.ts';
import { scaler } from '../modbus/decode.ts';

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
  if (type === 'string') return (text) => text.trimEnd();
  if (type === 'bool') return readBool;
  const read = type === 'hex' ? readHex : (text: string) => readNumber(text, decimal);
  const isScaled = scale !== 1 || add !== 0;
  const apply = scaler(scale);
  return (text) => {
    const raw = read(text);
    if (raw === undefined) return undefined;
    const value = isScaled ? apply(raw) + add : raw;
    // JSON has no negative zero.
    if (value === 0) return 0;
    return Number.isFinite(value) ? value : undefined;
  };
}

// Signs may stand apart from their digits, as scales print them: `+  12.34`.
const dotNumber = /^([+-]?) *(\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,3})?$/;

function readNumber(text: string, decimal: '.' | ','): number | undefined {
  const trimmed = text.trim();
  if (trimmed.length > 100) return undefined;
  const plain = decimal === ',' ? trimmed.replace(',', '.') : trimmed;
  if (!dotNumber.test(plain)) return undefined;
  return Number(plain.replace(/^([+-]) +/, '$1'));
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
