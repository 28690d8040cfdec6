// Values of OPC UA's types as JSON values. Pure. 64-bit integers that JSON cannot hold are decimal text, bytes are
// base64, times are ISO 8601 in UTC; structures become objects with their fields' names.
import type { Value } from '../../../wire/reading.ts';
import type { WireVariant } from './opcua-session.ts';

/** OPC 10000-6, table 1. */
export const dataTypes = {
  Boolean: 1,
  SByte: 2,
  Byte: 3,
  Int16: 4,
  UInt16: 5,
  Int32: 6,
  UInt32: 7,
  Int64: 8,
  UInt64: 9,
  Float: 10,
  Double: 11,
  String: 12,
  DateTime: 13,
  Guid: 14,
  ByteString: 15,
  XmlElement: 16,
  NodeId: 17,
  ExpandedNodeId: 18,
  StatusCode: 19,
  QualifiedName: 20,
  LocalizedText: 21,
  ExtensionObject: 22,
  DataValue: 23,
  Variant: 24,
} as const;

export interface Decoded {
  readonly value: Value;
  /** Why it is not, or not wholly, what the server holds; a cause as in a quality. */
  readonly fault?: 'not-finite' | 'unknown-structure' | 'no-value' | 'undecodable';
}

/** As wire/ has it; deeper is cut off. */
const maxDepth = 30;

export function decode(variant: WireVariant | null | undefined): Decoded {
  if (!variant || variant.value === null || variant.value === undefined) return none;
  const { dataType, arrayType, value } = variant;
  // Most values by far.
  if (arrayType === 0 && dataType >= 2 && dataType <= 11 && typeof value === 'number') return number(value);
  const faults: Faults = {};
  try {
    if (arrayType === 0) {
      const decoded = element(value, dataType, faults, 1);
      return faults.first === undefined ? { value: decoded } : { value: null, fault: faults.first };
    }
    const all = Array.from(value as ArrayLike<unknown>, (each) => element(each, dataType, faults, 2));
    const shaped = arrayType === 2 ? shape(all, variant.dimensions ?? []) : all;
    return faults.first === undefined ? { value: shaped } : { value: shaped, fault: faults.first };
  } catch {
    return { value: null, fault: 'undecodable' };
  }
}

const none: Decoded = { value: null, fault: 'no-value' };

interface Faults {
  first?: NonNullable<Decoded['fault']>;
}

function number(value: number): Decoded {
  if (!Number.isFinite(value)) return { value: null, fault: 'not-finite' };
  // JSON has no -0.
  return { value: value === 0 ? 0 : value };
}

function element(value: unknown, dataType: number, faults: Faults, depth: number): Value {
  if (value === null || value === undefined) return null;
  switch (dataType) {
    case dataTypes.Int64:
      return wholeNumber(value, true);
    case dataTypes.UInt64:
      return wholeNumber(value, false);
    case dataTypes.ExtensionObject:
      return structure(value as object, faults, depth);
    default:
      return plain(value, faults, depth);
  }
}

/** By what it is in JavaScript: enough for all but 64-bit integers. */
function plain(value: unknown, faults: Faults, depth: number): Value {
  switch (typeof value) {
    case 'number':
      if (Number.isFinite(value)) return value === 0 ? 0 : value;
      faults.first ??= 'not-finite';
      return null;
    case 'boolean':
    case 'string':
      return value;
    case 'bigint':
      return fit(value);
    case 'object':
      return value === null ? null : object(value, faults, depth);
    default:
      return null;
  }
}

function object(value: object, faults: Faults, depth: number): Value {
  if (depth > maxDepth) return null;
  if (value instanceof Date) return time(value);
  if (Buffer.isBuffer(value)) return value.toString('base64');
  if (Array.isArray(value) || ArrayBuffer.isView(value))
    return Array.from(value as ArrayLike<unknown>, (each) => plain(each, faults, depth + 1));
  switch (value.constructor?.name) {
    case 'LocalizedText':
      return String((value as { text?: unknown }).text ?? '');
    case 'QualifiedName':
    case 'NodeId':
    case 'ExpandedNodeId':
      return String(value);
    case 'DataValue':
      return object((value as { value?: object }).value ?? Object.create(null), faults, depth + 1);
    case 'Variant': {
      const inner = decode(value as WireVariant);
      if (inner.fault !== undefined && inner.fault !== 'no-value') faults.first ??= inner.fault;
      return inner.value;
    }
    default:
      if (isStatus(value)) return value.name.replace(/#.*$/s, '');
      return structure(value, faults, depth);
  }
}

function isStatus(value: object): value is { name: string; value: number } {
  const { name, value: code } = value as { name?: unknown; value?: unknown };
  return typeof name === 'string' && typeof code === 'number' && 'isGoodish' in value;
}

interface Schema {
  readonly fields?: readonly {
    readonly name: string;
    readonly fieldType?: string;
    readonly isArray?: boolean;
  }[];
}

function structure(value: object, faults: Faults, depth: number): Value {
  if (depth > maxDepth) return null;
  if (value.constructor?.name === 'OpaqueStructure') {
    // The server does not say what is in it.
    faults.first ??= 'unknown-structure';
    return null;
  }
  const fields = new Map((value as { schema?: Schema }).schema?.fields?.map((field) => [field.name, field]));
  const found: Record<string, Value> = {};
  for (const [name, inner] of Object.entries(value)) {
    if (typeof inner === 'function' || name.startsWith('$') || name === 'schema') continue;
    const field = fields.get(name);
    const isLong = field?.fieldType === 'Int64' || field?.fieldType === 'UInt64';
    if (isLong && !field.isArray) found[name] = wholeNumber(inner, field.fieldType === 'Int64');
    else if (isLong && Array.isArray(inner))
      found[name] = inner.map((each) => wholeNumber(each, field.fieldType === 'Int64'));
    else found[name] = plain(inner, faults, depth + 1);
  }
  return found;
}

/** `[high, low]`, 32 bits each. */
function wholeNumber(value: unknown, isSigned: boolean): Value {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value === 'bigint') return fit(value);
  if (!Array.isArray(value) || value.length < 2) return null;
  const [high, low] = [Number(value[0]) >>> 0, Number(value[1]) >>> 0];
  if (high < 0x20_0000) return high * 0x1_0000_0000 + low;
  const all = (BigInt(high) << 32n) | BigInt(low);
  return fit(isSigned ? BigInt.asIntN(64, all) : all);
}

function fit(value: bigint): Value {
  const plainNumber = Number(value);
  return Number.isSafeInteger(plainNumber) ? plainNumber : value.toString();
}

function time(value: Date): Value {
  return Number.isNaN(value.getTime()) ? null : value.toISOString();
}

/** Row by row: OPC 10000-6, 5.2.2.16. Dimensions that do not fit leave the list flat. */
function shape(all: Value[], dimensions: readonly number[]): Value {
  const size = dimensions.reduce((product, each) => product * each, 1);
  if (dimensions.length < 2 || size !== all.length || dimensions.length > 8) return all;
  let rows: Value[] = all;
  for (const length of dimensions.slice(1).reverse()) {
    const next: Value[] = [];
    for (let at = 0; at < rows.length; at += length) next.push(rows.slice(at, at + length));
    rows = next;
  }
  return rows;
}

/** `Double`, `Double[3]`. */
export function typeName(variant: WireVariant | null | undefined): string {
  if (!variant) return 'no value';
  const name = Object.entries(dataTypes).find(([, number]) => number === variant.dataType)?.[0] ?? 'no value';
  if (variant.arrayType === 0) return name;
  const { length } = (variant.value ?? []) as ArrayLike<unknown>;
  return `${name}[${variant.dimensions?.length ? variant.dimensions.join('x') : length}]`;
}
