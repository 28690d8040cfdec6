// The values of expressions, and how they compare: JSON's values, and dates with their time (`datetime`). A row's missing
// field is null. Numbers are doubles: a bigint is a whole one, exact to 2^53.
import type { RuleJson } from '../engine-api.ts';

export type Value = null | boolean | number | string | Date | readonly Value[] | RecordValue;
export interface RecordValue {
  readonly [field: string]: Value;
}

/** What is known of a value before there is one. */
export type StaticType =
  | 'any'
  | 'bigint'
  | 'float'
  | 'nvarchar(max)'
  | 'datetime'
  | 'bit'
  | 'record'
  | 'array';

/** This row cannot be computed. It is left out and counted; the rule goes on. */
export class RowProblem extends Error {}

export function typeName(value: Value): string {
  if (value === null) return 'NULL';
  if (typeof value === 'boolean') return 'bit';
  if (typeof value === 'number') return Number.isInteger(value) ? 'bigint' : 'float';
  if (typeof value === 'string') return 'nvarchar(max)';
  if (value instanceof Date) return 'datetime';
  return Array.isArray(value) ? 'array' : 'record';
}

/** Bits are numbers, 1 and 0. @throws RowProblem */
export function toNumber(value: Value, what: string): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  throw new RowProblem(`${what} needs a number, and got ${show(value)} (${typeName(value)})`);
}

/** @throws RowProblem */
export function toText(value: Value, what: string): string {
  if (typeof value === 'string') return value;
  throw new RowProblem(`${what} needs a text, and got ${show(value)} (${typeName(value)}): use CAST`);
}

/** Dates, and texts that are dates. @throws RowProblem */
export function toDate(value: Value, what: string): Date {
  if (value instanceof Date) return value;
  const date = typeof value === 'string' ? parseDate(value) : undefined;
  if (date !== undefined) return date;
  throw new RowProblem(`${what} needs a date and time, and got ${show(value)} (${typeName(value)})`);
}

const isoDate =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?)?$/i;

/**
 * ISO 8601; without a zone it is UTC. Parts of a millisecond are cut off, or rounded up to a whole one. `undefined` where it is no
 * date.
 */
export function parseDate(text: string, rest: 'cut' | 'up' = 'cut'): Date | undefined {
  const parts = isoDate.exec(text.trim());
  if (parts === null) return undefined;
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', zone = 'Z'] = parts;
  const ms = fraction.slice(0, 3).padEnd(3, '0');
  const date = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}.${ms}Z`);
  // February 30th becomes March 2nd elsewhere.
  if (Number.isNaN(date.getTime()) || date.getUTCDate() !== Number(day)) return undefined;
  if (rest === 'up' && /[1-9]/.test(fraction.slice(3))) date.setTime(date.getTime() + 1);
  if (/^z$/i.test(zone)) return date;
  const [, sign, hours, minutes = '0'] = /^([+-])(\d\d):?(\d\d)?$/.exec(zone)!;
  const offset = (Number(hours) * 60 + Number(minutes)) * (sign === '-' ? -60_000 : 60_000);
  return new Date(date.getTime() - offset);
}

/** As Stream Analytics writes it: seven digits of a second. */
export function dateText(date: Date): string {
  return `${date.toISOString().slice(0, -1)}0000Z`;
}

/**
 * Less than, equal to, or more than 0. Numbers with bits; texts by code units; dates also with texts that are dates.
 * @throws RowProblem where the two do not compare
 */
export function compare(a: Value, b: Value): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0;
  if (isNumeric(a) && isNumeric(b)) return Number(a) - Number(b);
  if (a instanceof Date || b instanceof Date)
    return toDate(a, 'the comparison').getTime() - toDate(b, 'the comparison').getTime();
  throw new RowProblem(
    `${show(a)} (${typeName(a)}) and ${show(b)} (${typeName(b)}) do not compare: use CAST`,
  );
}

/** For MIN, MAX and ORDER BY, an order of all values: null first; of two that do not compare, by their types. */
export function order(a: Value, b: Value): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (a instanceof Date && b instanceof Date) return a.getTime() - b.getTime();
  const rankOfA = typeRank(a);
  const rankOfB = typeRank(b);
  if (rankOfA !== rankOfB) return rankOfA - rankOfB;
  if (rankOfA === 0) return 0;
  if (rankOfA < 4) return compare(a, b);
  const [textOfA, textOfB] = [keyOf(a), keyOf(b)];
  return textOfA < textOfB ? -1 : textOfA > textOfB ? 1 : 0;
}

function typeRank(value: Value): number {
  if (value === null) return 0;
  if (typeof value === 'number' || typeof value === 'boolean') return 1;
  if (typeof value === 'string') return 2;
  return value instanceof Date ? 3 : 4;
}

function isNumeric(value: Value): boolean {
  return typeof value === 'number' || typeof value === 'boolean';
}

/** One text for each value: the same for equal ones, never the same for others. */
export function keyOf(value: Value): string {
  return JSON.stringify(plain(value));
}

/** JSON of a value: dates as texts, records and arrays copied, what no JSON holds as null, -0 as 0. */
export function plain(value: Value): RuleJson {
  if (typeof value === 'number') return Number.isFinite(value) ? value || 0 : null;
  if (value === null || typeof value !== 'object') return value as RuleJson;
  if (value instanceof Date) return dateText(value);
  if (Array.isArray(value)) return value.map(plain);
  const copy: Record<string, RuleJson> = {};
  for (const [field, part] of Object.entries(value))
    if (part !== undefined) setField(copy, field, plain(part));
  return copy;
}

/** `__proto__` is a field like any other. */
export function setField<Part>(record: Record<string, Part>, field: string, value: Part): void {
  if (field === '__proto__')
    Object.defineProperty(record, field, { value, enumerable: true, writable: true, configurable: true });
  else record[field] = value;
}

/** For messages. */
export function show(value: Value): string {
  const text = typeof value === 'string' ? `'${value}'` : (JSON.stringify(plain(value)) ?? 'null');
  return text.length > 60 ? `${text.slice(0, 60)}..` : text;
}

/** What a value occupies, roughly, in bytes. Bounded in what it looks at. */
export function sizeOf(value: Value, depth = 0): number {
  if (typeof value === 'string') return 24 + value.length * 2;
  if (value === null || typeof value !== 'object' || value instanceof Date) return 16;
  if (depth > 8) return 64;
  let size = 32;
  if (Array.isArray(value)) for (const part of value) size += 8 + sizeOf(part, depth + 1);
  else for (const field in value) size += 16 + sizeOf((value as RecordValue)[field]!, depth + 1);
  return size;
}
