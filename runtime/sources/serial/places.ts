// Compiles the place of a value in a message into a function that finds it. Pure.
import type { Value } from '../../../wire/reading.ts';
import { compileDecoder } from '../codec/decode.ts';
import { type ByteOrder, isNumberType, type NumberType, widthOf } from '../codec/fields.ts';
import type { SourceShape, TagShape } from './config-shapes.ts';
import { toBytes } from './escapes.ts';
import { compilePattern, type Matcher } from './patterns.ts';
import { compileTextDecoder, type TextType, type WhyNoText, whyNoValue } from './text-values.ts';

/** One message, looked into by as many places as there are, but taken apart once. */
export interface Message {
  readonly bytes: Buffer;
  readonly text: string;
  /** What the pattern found; undefined where there is none, or it does not match. */
  readonly groups: Readonly<Record<string, string>> | undefined;
  readonly columns: readonly string[] | undefined;
}

export type Opener = (bytes: Buffer) => Message;

/** Columns that are kept of a message: a hostile one may consist of separators. */
const maxColumns = 1000;

export function compileOpener(fields: SourceShape['fields']): Opener {
  const { pattern = [], separator, encoding } = fields;
  const matchers = (typeof pattern === 'string' ? [pattern] : pattern).map(matcherOf);
  const split = separator === undefined ? undefined : compileSplit(separator);
  return (bytes) => {
    const text = bytes.toString(encoding);
    return { bytes, text, groups: firstMatch(matchers, text), columns: split?.(text) };
  };
}

function matcherOf(pattern: string): Matcher {
  const compiled = compilePattern(pattern);
  if (!compiled.ok) throw new Error(`the pattern ${compiled.problem}`);
  return compiled.match;
}

function firstMatch(
  matchers: readonly Matcher[],
  text: string,
): Readonly<Record<string, string>> | undefined {
  for (const match of matchers) {
    const found = match(text);
    if (found) return found;
  }
  return undefined;
}

export function compileSplit(separator: string): (text: string) => readonly string[] {
  if (separator === 'whitespace') return (text) => text.trim().split(/\s+/, maxColumns);
  const mark = toBytes(separator).toString('latin1');
  return (text) => text.split(mark, maxColumns);
}

/** The parts of a tag or stamp that say where it lies and how it is written. */
export interface Place
  extends Pick<
    TagShape,
    'group' | 'column' | 'from' | 'length' | 'at' | 'type' | 'order' | 'bit' | 'scale' | 'offset'
  > {
  /** The group that is meant where none is named. */
  readonly name: string;
  readonly columns?: readonly number[] | undefined;
  /** Characters of other values of the message. */
  readonly neighbours?: readonly { readonly from: number; readonly length: number }[] | undefined;
  readonly names?: Readonly<Record<string, string>> | undefined;
}

/** The text at a place; undefined where the message has no such place. */
export type TextFinder = (message: Message) => string | undefined;

export function compileText({ group, column, columns, from, length = 1, name }: Place): TextFinder {
  const list = columns ?? (column === undefined ? undefined : [column]);
  if (list) {
    return ({ columns: found = [] }) => {
      const parts = list.map((at) => found[at]);
      return parts.includes(undefined) ? undefined : parts.join(' ');
    };
  }
  if (from !== undefined) {
    return ({ text }) => (text.length >= from + length ? text.slice(from, from + length) : undefined);
  }
  const wanted = group ?? name;
  return ({ groups }) => (groups && Object.hasOwn(groups, wanted) ? groups[wanted] : undefined);
}

export type Found =
  | { readonly kind: 'value'; readonly value: Value }
  /** The message is shorter, or has not so many columns. */
  | { readonly kind: 'missing' }
  /** What is there is no value of its type; `text` is what it is, where it is text. */
  | {
      readonly kind: 'invalid';
      readonly why: WhyNoText | 'not-finite' | 'not-bcd' | 'cut-off';
      readonly text: string;
    };

export type ValueFinder = (message: Message) => Found;

export function compileValue(place: Place, decimal: '.' | ','): ValueFinder {
  return place.at === undefined ? textValue(place, decimal) : binaryValue(place, place.at);
}

const missing: Found = { kind: 'missing' };

function textValue(place: Place, decimal: '.' | ','): ValueFinder {
  const find = compileText(place);
  const { scale, offset: add, names } = place;
  const type = textTypeOf(place);
  const decode = compileTextDecoder({ type, decimal, scale, add, names });
  const isCut = type === 'number' ? compileCut(place, decimal) : undefined;
  return (message) => {
    const text = find(message);
    if (text === undefined) return missing;
    if (isCut?.(message.text)) return { kind: 'invalid', why: 'cut-off', text };
    const value = decode(text);
    return value === undefined
      ? { kind: 'invalid', why: whyNoValue(type, text, decimal), text }
      : { kind: 'value', value };
  };
}

/** As what a text is read. */
export function textTypeOf({ type, names }: Pick<Place, 'type' | 'names'>): TextType {
  return (type ?? (names ? 'string' : 'number')) as TextType;
}

/**
 * Whether the number at certain characters goes on before or behind them: it is wider than its place, and what stands
 * there is a part of it. Not where the neighbour is the place of another value.
 */
function compileCut(
  { from, length = 1, neighbours = [] }: Place,
  decimal: '.' | ',',
): ((text: string) => boolean) | undefined {
  if (from === undefined) return undefined;
  const isOwn = (at: number) =>
    !neighbours.some((place) => at >= place.from && at < place.from + place.length);
  const edges = [from, from + length].filter((at) => at > 0 && isOwn(at === from ? at - 1 : at));
  const goesOn = decimal === '.' ? /^\d(?:\d|\.\d)/ : /^\d(?:\d|,\d)/;
  return (text) => edges.some((at) => goesOn.test(text.slice(at - 1, at + 2)));
}

function binaryValue(place: Place, at: number): ValueFinder {
  const { bytes: size, decode, why } = binaryDecoder(place);
  return ({ bytes }) => {
    if (bytes.length < at + size) return missing;
    const value = decode(bytes.subarray(at, at + size));
    return value === undefined ? { kind: 'invalid', why, text: '' } : { kind: 'value', value };
  };
}

interface BinaryDecoder {
  readonly bytes: number;
  readonly decode: (bytes: Buffer) => Value | undefined;
  readonly why: 'not-finite' | 'not-bcd' | 'not-text';
}

function binaryDecoder(place: Place): BinaryDecoder {
  const { type = 'uint8', bit = 0, length = 1, scale, offset: add, names } = place;
  const why = type.startsWith('bcd') ? 'not-bcd' : 'not-finite';
  if (type === 'string') {
    return { bytes: length, decode: named(readBytesAsText, names), why: 'not-text' };
  }
  if (type === 'bit') {
    return { bytes: 1, decode: named((bytes) => ((bytes[0]! >> bit) & 1) === 1, names), why };
  }
  const order = orderOf(place.order);
  if (isNumberType(type as NumberType)) {
    const number = type as NumberType;
    const decode = compileDecoder({ type: number, order, scale, add, names });
    return { bytes: 2 * widthOf(number), decode: (bytes) => decode(bytes, 0), why };
  }
  // One byte, as the low one of a register.
  const decode = compileDecoder({ type: 'int16', order: 'ABCD', scale, add, names });
  const register = Buffer.alloc(2);
  const isSigned = type === 'int8';
  return {
    bytes: 1,
    why,
    decode: (bytes) => {
      register.writeInt16BE(isSigned ? bytes.readInt8(0) : bytes[0]!, 0);
      return decode(register, 0);
    },
  };
}

/** Up to its first NUL. Undefined where it begins with one and goes on behind, or was never written. */
function readBytesAsText(bytes: Buffer): string | undefined {
  const end = bytes.indexOf(0);
  const isErased = bytes.length > 0 && bytes.every((byte) => byte === 0xff);
  const isSpread = end === 0 && bytes.some((byte) => byte !== 0);
  return isErased || isSpread ? undefined : bytes.toString('latin1', 0, end < 0 ? bytes.length : end);
}

function named(
  decode: (bytes: Buffer) => Value | undefined,
  names: Place['names'],
): (bytes: Buffer) => Value | undefined {
  if (!names) return decode;
  const byValue = new Map(Object.entries(names));
  return (bytes) => {
    const value = decode(bytes);
    if (value === undefined) return undefined;
    const key = String(typeof value === 'boolean' ? Number(value) : value);
    return byValue.get(key) ?? key;
  };
}

function orderOf(order: Place['order']): ByteOrder {
  if (order === undefined || order === 'big') return 'ABCD';
  return order === 'little' ? 'DCBA' : order;
}
