// CAST, TRY_CAST and GetType.
import {
  dateText,
  parseDate,
  plain,
  RowProblem,
  type StaticType,
  show,
  typeName,
  type Value,
} from './values.ts';

/** Types by the names that a query gives them. */
export const castTypes: ReadonlyMap<string, StaticType> = new Map([
  ['bigint', 'bigint'],
  ['int', 'bigint'],
  ['float', 'float'],
  ['nvarchar', 'nvarchar(max)'],
  ['varchar', 'nvarchar(max)'],
  ['datetime', 'datetime'],
  ['bit', 'bit'],
  ['record', 'record'],
  ['array', 'array'],
]);

/** @throws RowProblem where it cannot be done; null stays null */
export function cast(value: Value, type: StaticType): Value {
  if (value === null) return null;
  const result = tryCast(value, type);
  if (result === null)
    throw new RowProblem(`${show(value)} (${typeName(value)}) is no ${type}: TRY_CAST gives NULL then`);
  return result;
}

/** Null where it cannot be done. */
export function tryCast(value: Value, type: StaticType): Value {
  if (value === null) return null;
  if (type === 'bigint') return toBigint(value);
  if (type === 'float') return toFloat(value);
  if (type === 'nvarchar(max)') return toCharacters(value);
  if (type === 'bit') return toBit(value);
  if (type === 'datetime')
    return value instanceof Date ? value : typeof value === 'string' ? (parseDate(value) ?? null) : null;
  return typeName(value) === type ? value : null;
}

const decimal = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*$/i;

/** Beyond, it is no bigint. */
const bigintEnd = 2 ** 63;

function toBigint(value: Value): number | null {
  if (typeof value === 'boolean') return value ? 1 : 0;
  const isWhole = typeof value === 'string' && /^\s*[+-]?\d+\s*$/.test(value);
  if (typeof value !== 'number' && !isWhole) return null;
  const number = Math.trunc(Number(value));
  return number >= -bigintEnd && number < bigintEnd ? noMinusZero(number) : null;
}

export function toFloat(value: Value): number | null {
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'number') return value;
  if (typeof value === 'string' && decimal.test(value)) {
    const number = Number(value);
    return Number.isFinite(number) ? number : null;
  }
  return null;
}

function toCharacters(value: Value): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (value instanceof Date) return dateText(value);
  return typeof value === 'number' ? String(value) : JSON.stringify(plain(value));
}

function toBit(value: Value): boolean | null {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') return value !== 0;
  if (typeof value !== 'string') return null;
  if (/^\s*(?:true|1)\s*$/i.test(value)) return true;
  return /^\s*(?:false|0)\s*$/i.test(value) ? false : null;
}

/** JSON text and equality know one zero. */
function noMinusZero(value: number): number {
  return value === 0 ? 0 : value;
}
