// Index positions as text: what message properties, request payloads and readings/1 bodies carry.
import { HoldfastError } from '../kernel/errors.ts';

/**
 * What orders a stream: `time` is UTC epoch milliseconds, `sequence` is the source's own record number.
 * Both are integers within +-(2^53 - 1): JSON numbers, and so JavaScript's, hold no more.
 */
export type IndexKind = 'time' | 'sequence';

// The range of ECMAScript dates (ECMA-262, 21.4.1.1). Narrower than the safe integers.
const maxTimeMs = 8_640_000_000_000_000;
// Longer text is not an index; the bound keeps hostile text out of the patterns below.
const maxTextLength = 40;
const decimal = /^-?\d{1,16}$/;
const iso =
  /^(\d{4}|[+-]\d{6})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(Z|z|[+-]\d\d:?\d\d)?$/;

/** Rounding of what is finer than a millisecond: `down` by default, `up` for the end of an asked range. */
export type Rounding = 'down' | 'up';

/** True when `value` can be an index position of that kind: an integer that formats and parses back. */
export function isIndex(kind: IndexKind, value: unknown): value is number {
  return Number.isSafeInteger(value) && (kind === 'sequence' || Math.abs(value as number) <= maxTimeMs);
}

/**
 * ISO 8601 UTC with milliseconds for `time`, a decimal integer for `sequence`.
 * @throws HoldfastError `wire-bad-index` for what is no index position.
 */
export function formatIndex(kind: IndexKind, value: number): string {
  if (!isIndex(kind, value)) throw badIndex(kind, value);
  return kind === 'time' ? new Date(value).toISOString() : String(value);
}

/**
 * Reads an index position. `sequence`: a decimal integer. `time`: ISO 8601 (any number of fraction digits up
 * to nine, .NET writes seven; any offset; without one it is UTC, as .NET writes dates of unspecified kind),
 * or UTC epoch milliseconds, or a Date. Numbers may be given as numbers or as text.
 * @throws HoldfastError `wire-bad-index`.
 */
export function parseIndex(kind: IndexKind, text: unknown, rounding: Rounding = 'down'): number {
  const value = tryParseIndex(kind, text, rounding);
  if (value === undefined) throw badIndex(kind, text);
  return value;
}

/** The same, with undefined for what is no index position. */
export function tryParseIndex(
  kind: IndexKind,
  text: unknown,
  rounding: Rounding = 'down',
): number | undefined {
  const value = readIndex(kind, text, rounding);
  if (!isIndex(kind, value)) return undefined;
  // -0 would differ from 0 under Object.is.
  return value === 0 ? 0 : value;
}

function readIndex(kind: IndexKind, text: unknown, rounding: Rounding): number {
  if (typeof text === 'number') return text;
  if (typeof text === 'bigint') return Number(text);
  if (text instanceof Date) return kind === 'time' ? text.getTime() : Number.NaN;
  if (typeof text !== 'string' || text.length > maxTextLength) return Number.NaN;
  const trimmed = text.trim();
  if (decimal.test(trimmed)) return Number(trimmed);
  return kind === 'time' ? parseIso(trimmed, rounding) : Number.NaN;
}

function parseIso(text: string, rounding: Rounding): number {
  const match = iso.exec(text);
  if (match === null) return Number.NaN;
  const [, year, month, day, hour, minute, second = '00', fraction = '', zone = 'Z'] = match;
  const offset = zone.length === 5 ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone.toUpperCase();
  const milliseconds = fraction.padEnd(3, '0').slice(0, 3);
  const whole = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${milliseconds}${offset}`);
  // Date.parse takes 30 February for 1 March: a date that does not exist must not move a window silently.
  if (Number(day) > daysIn(Number(year), Number(month))) return Number.NaN;
  const finer = /[1-9]/.test(fraction.slice(3));
  return rounding === 'up' && finer ? whole + 1 : whole;
}

function daysIn(year: number, month: number): number {
  return new Date(Date.UTC(2000 + (((year % 400) + 400) % 400), month, 0)).getUTCDate();
}

function badIndex(kind: IndexKind, value: unknown): HoldfastError {
  const wanted =
    kind === 'time' ? 'ISO 8601 UTC (2026-11-21T22:20:00.000Z) or epoch milliseconds' : 'a decimal integer';
  const given = typeof value === 'string' ? JSON.stringify(value.slice(0, maxTextLength)) : typeof value;
  return new HoldfastError('wire-bad-index', `not an index position: ${given}; wanted ${wanted}`);
}
