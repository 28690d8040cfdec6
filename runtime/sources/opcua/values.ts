// Values of OPC UA's types as JSON values. Pure. 64-bit integers that JSON cannot hold are decimal text, bytes are
// base64, times are ISO 8601 in UTC; structures become objects with their fields' names. What JSON cannot say of a part
// (a NaN in a structure) is null there, and is told; the other parts stay. What is null on the server is null.
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
  readonly fault?: DecodeFault;
}

/** `dimensions`: the elements are all here, but the matrix's shape does not fit them. */
export type DecodeFault =
  | 'not-finite'
  | 'unknown-structure'
  | 'no-value'
  | 'undecodable'
  | 'too-deep'
  | 'dimensions';

/** As wire/ has it, less what holds a value; deeper is cut off. */
const maxDepth = 30;
/** OPC 10000-6, 5.2.2.5: 0 on the wire, and what is as early, stands for "no time". */
const noTime = Date.UTC(1601, 0, 1);
/** The same: what is as late stands for "no end", which OPC 10000-6, 5.4.2.6 writes so. */
const latestTime = Date.UTC(9999, 11, 31, 23, 59, 59);
const latestTimeText = '9999-12-31T23:59:59Z';

export function decode(variant: WireVariant | null | undefined): Decoded {
  return decodeAt(variant, 1);
}

function decodeAt(variant: WireVariant | null | undefined, depth: number): Decoded {
  if (!variant) return none;
  const { dataType, arrayType, value } = variant;
  // Most values by far.
  if (arrayType === 0 && dataType >= 2 && dataType <= 11 && typeof value === 'number') return number(value);
  if (value === null || value === undefined) return isNullable(variant) ? { value: null } : none;
  const faults: Faults = {};
  try {
    const decoded = arrayType === 0 ? element(value, dataType, faults, depth) : list(variant, faults, depth);
    return faults.first === undefined ? { value: decoded } : { value: decoded, fault: faults.first };
  } catch {
    return { value: null, fault: 'undecodable' };
  }
}

const none: Decoded = { value: null, fault: 'no-value' };

/** A null text, list or structure is a value, as the server has it; a null number is none. */
function isNullable({ dataType, arrayType }: WireVariant): boolean {
  if (dataType === 0) return false;
  return arrayType !== 0 || (dataType > dataTypes.Double && dataType !== dataTypes.StatusCode);
}

interface Faults {
  first?: DecodeFault;
}

/** Has no value of its own any more. */
function lost(faults: Faults, why: DecodeFault): null {
  faults.first ??= why;
  return null;
}

function number(value: number): Decoded {
  if (!Number.isFinite(value)) return { value: null, fault: 'not-finite' };
  // JSON has no -0.
  return { value: value === 0 ? 0 : value };
}

function list({ value, dataType, arrayType, dimensions }: WireVariant, faults: Faults, depth: number): Value {
  if (!Array.isArray(value) && !ArrayBuffer.isView(value)) return lost(faults, 'undecodable');
  const elements = value as unknown as ArrayLike<unknown>;
  const all = Array.from(elements, (each) => element(each, dataType, faults, depth + 1));
  return arrayType === 2 ? shape(all, dimensions ?? [], faults) : all;
}

function element(value: unknown, dataType: number, faults: Faults, depth: number): Value {
  if (value === null || value === undefined) return null;
  switch (dataType) {
    case dataTypes.Int64:
      return wholeNumber(value, true, faults);
    case dataTypes.UInt64:
      return wholeNumber(value, false, faults);
    case dataTypes.ExtensionObject:
      return typeof value === 'object' ? structure(value, faults, depth) : lost(faults, 'undecodable');
    default:
      return plain(value, faults, depth);
  }
}

/** By what it is in JavaScript: enough for all but 64-bit integers. */
function plain(value: unknown, faults: Faults, depth: number): Value {
  switch (typeof value) {
    case 'number':
      if (Number.isFinite(value)) return value === 0 ? 0 : value;
      return lost(faults, 'not-finite');
    case 'boolean':
    case 'string':
      return value;
    case 'bigint':
      return fit(value);
    case 'object':
      return value === null ? null : object(value, faults, depth);
    default:
      return lost(faults, 'undecodable');
  }
}

function object(value: object, faults: Faults, depth: number): Value {
  if (depth > maxDepth) return lost(faults, 'too-deep');
  if (value instanceof Date) return time(value, faults);
  if (Buffer.isBuffer(value)) return value.toString('base64');
  if (Array.isArray(value) || ArrayBuffer.isView(value))
    return Array.from(value as ArrayLike<unknown>, (each) => element(each, 0, faults, depth + 1));
  switch (value.constructor?.name) {
    case 'LocalizedText': {
      const { text } = value as { text?: unknown };
      return typeof text === 'string' ? text : null;
    }
    case 'QualifiedName': {
      const { name } = value as { name?: unknown };
      return typeof name === 'string' ? String(value) : null;
    }
    case 'NodeId':
    case 'ExpandedNodeId':
      return String(value);
    case 'DataValue':
      return dataValue(value as WireDataValue, faults, depth);
    case 'Variant': {
      const inner = decodeAt(value as WireVariant, depth);
      if (inner.fault !== undefined && inner.fault !== 'no-value') faults.first ??= inner.fault;
      return inner.value;
    }
    default:
      return isStatus(value) ? statusText(value) : structure(value, faults, depth);
  }
}

interface WireDataValue {
  readonly value?: WireVariant | null;
  readonly statusCode?: { readonly name: string; readonly value: number };
  readonly sourceTimestamp?: Date | null;
  readonly serverTimestamp?: Date | null;
}

/** A value with a status and times of its own, inside of another: without them a bad one would pass for good. */
function dataValue(inner: WireDataValue, faults: Faults, depth: number): Value {
  const { value, statusCode, sourceTimestamp, serverTimestamp } = inner;
  const decoded = decodeAt(value, depth + 1);
  if (decoded.fault !== undefined && decoded.fault !== 'no-value') faults.first ??= decoded.fault;
  return {
    value: decoded.value,
    ...(statusCode && statusCode.value !== 0 && { status: statusText(statusCode) }),
    ...(sourceTimestamp && { sourceTimestamp: time(sourceTimestamp, faults) }),
    ...(serverTimestamp && { serverTimestamp: time(serverTimestamp, faults) }),
  };
}

function isStatus(value: object): value is { name: string; value: number } {
  const { name, value: code } = value as { name?: unknown; value?: unknown };
  return typeof name === 'string' && typeof code === 'number' && 'isGoodish' in value;
}

/** `BadSensorFailure`; with its number where it has flags, or no name that we know. */
function statusText({ name, value }: { readonly name: string; readonly value: number }): string {
  const plainName = name.replace(/[#|].*$/s, '').trim();
  const isKnown = /^(?:Good|Bad|Uncertain)/.test(plainName);
  const code = `0x${(value >>> 0).toString(16).padStart(8, '0')}`;
  if (!isKnown) return code;
  return (value & 0xffff) === 0 ? plainName : `${plainName} (${code})`;
}

interface Field {
  readonly name: string;
  readonly fieldType?: string;
  readonly isArray?: boolean;
}

interface Schema {
  readonly fields?: readonly Field[];
  getBaseSchema?(): Schema | null | undefined;
}

function structure(value: object, faults: Faults, depth: number): Value {
  if (depth > maxDepth) return lost(faults, 'too-deep');
  // The server does not say what is in it.
  if (value.constructor?.name === 'OpaqueStructure') return lost(faults, 'unknown-structure');
  const fields = fieldsOf((value as { schema?: Schema }).schema);
  const found: Record<string, Value> = {};
  for (const [name, inner] of Object.entries(value)) {
    // A field that is optional and absent, or what the library keeps beside the fields.
    if (inner === undefined || typeof inner === 'function' || name.startsWith('$') || name === 'schema')
      continue;
    found[name] = field(inner, fields.get(name), faults, depth + 1);
  }
  return found;
}

/** Its own, and those of the types that it is derived from. */
function fieldsOf(own: Schema | undefined): ReadonlyMap<string, Field> {
  const fields = new Map<string, Field>();
  let schema: Schema | null | undefined = own;
  for (let depth = 0; schema && depth < maxDepth; depth++) {
    for (const each of schema.fields ?? []) if (!fields.has(each.name)) fields.set(each.name, each);
    schema = schema.getBaseSchema?.();
  }
  return fields;
}

function field(value: unknown, known: Field | undefined, faults: Faults, depth: number): Value {
  const { fieldType = '', isArray = false } = known ?? {};
  const isLong = fieldType === 'Int64' || fieldType === 'UInt64';
  if (!isLong) return plain(value, faults, depth);
  const one = (each: unknown) =>
    each === null || each === undefined ? null : wholeNumber(each, fieldType === 'Int64', faults);
  return isArray && Array.isArray(value) ? value.map(one) : one(value);
}

/** `[high, low]`, 32 bits each. */
function wholeNumber(value: unknown, isSigned: boolean, faults: Faults): Value {
  if (typeof value === 'number') return Number.isFinite(value) ? value : lost(faults, 'not-finite');
  if (typeof value === 'bigint') return fit(value);
  if (!Array.isArray(value) || value.length !== 2 || !value.every(Number.isInteger))
    return lost(faults, 'undecodable');
  const [high, low] = [Number(value[0]) >>> 0, Number(value[1]) >>> 0];
  if (high < 0x20_0000) return high * 0x1_0000_0000 + low;
  const all = (BigInt(high) << 32n) | BigInt(low);
  return fit(isSigned ? BigInt.asIntN(64, all) : all);
}

function fit(value: bigint): Value {
  const plainNumber = Number(value);
  return Number.isSafeInteger(plainNumber) ? plainNumber : value.toString();
}

function time(value: Date, faults: Faults): Value {
  const at = value.getTime();
  if (Number.isNaN(at)) return lost(faults, 'undecodable');
  if (at <= noTime) return null;
  return at >= latestTime ? latestTimeText : value.toISOString();
}

/** Row by row: OPC 10000-6, 5.2.2.16. Dimensions that do not fit leave the list flat, and are told. */
function shape(all: Value[], dimensions: readonly number[], faults: Faults): Value {
  const size = dimensions.reduce((product, each) => product * each, 1);
  if (dimensions.length < 2 || size !== all.length || dimensions.length > 8) {
    faults.first ??= 'dimensions';
    return all;
  }
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
