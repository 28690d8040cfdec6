// Scalar functions by their names. Null in gives null out, unless a function says otherwise.
import { dateFromParts } from './functions-date.ts';
import { textFunctions } from './functions-text.ts';
import type { ScalarFunction } from './scalar-function.ts';
import {
  type RecordValue,
  RowProblem,
  type StaticType,
  show,
  toDate,
  toNumber,
  toText,
  typeName,
  type Value,
} from './values.ts';

function finite(value: number, what: string): number {
  if (!Number.isFinite(value)) throw new RowProblem(`${what} has no result there`);
  return value === 0 ? 0 : value;
}

function math(
  name: string,
  compute: (x: number) => number,
  type: StaticType | 'first',
): [string, ScalarFunction] {
  const run = (value: Value) => finite(compute(toNumber(value, name)), name);
  return [name, { least: 1, most: 1, type, run }];
}

function part(name: string, of: (date: Date) => number): [string, ScalarFunction] {
  return [name, { least: 1, most: 1, type: 'bigint', run: (value) => of(toDate(value, name)) }];
}

/** Half is rounded away from zero; a negative length rounds before the point. */
function round(value: Value, length: Value): number {
  const number = toNumber(value, 'ROUND');
  const digits = Math.max(-15, Math.min(15, Math.trunc(toNumber(length, 'ROUND'))));
  // By decimal exponents, since 1.005 * 100 is 100.49999999999999.
  const shift = (x: number, by: number) => {
    const [mantissa, exponent = '0'] = String(x).split('e');
    return Number(`${mantissa}e${Number(exponent) + by}`);
  };
  return finite(Math.sign(number) * shift(Math.round(shift(Math.abs(number), digits)), -digits), 'ROUND');
}

function arrayOf(value: Value, what: string): readonly Value[] {
  if (Array.isArray(value)) return value;
  throw new RowProblem(`${what} needs an array, and got ${show(value)} (${typeName(value)})`);
}

function property(record: Value, name: Value): Value {
  const field = toText(name, 'GetRecordPropertyValue');
  if (typeName(record) !== 'record')
    throw new RowProblem(`${show(record)} (${typeName(record)}) is no record`);
  return Object.hasOwn(record as object, field) ? ((record as Record<string, Value>)[field] ?? null) : null;
}

export const scalarFunctions: ReadonlyMap<string, ScalarFunction> = new Map<string, ScalarFunction>([
  math('ABS', Math.abs, 'first'),
  math('CEILING', Math.ceil, 'first'),
  math('FLOOR', Math.floor, 'first'),
  math('EXP', Math.exp, 'float'),
  math('SQRT', Math.sqrt, 'float'),
  math('SQUARE', (x) => x * x, 'float'),
  math('SIGN', Math.sign, 'first'),
  [
    'POWER',
    {
      least: 2,
      most: 2,
      type: 'float',
      run: (base, to) => finite(toNumber(base, 'POWER') ** toNumber(to, 'POWER'), 'POWER'),
    },
  ],
  ['ROUND', { least: 1, most: 2, type: 'first', run: (value, length = 0) => round(value!, length) }],
  ...textFunctions,
  ['GETTYPE', { least: 1, most: 1, type: 'nvarchar(max)', run: (value) => typeName(value!) }],
  part('YEAR', (date) => date.getUTCFullYear()),
  part('MONTH', (date) => date.getUTCMonth() + 1),
  part('DAY', (date) => date.getUTCDate()),
  ['DATETIMEFROMPARTS', { least: 3, most: 7, type: 'datetime', run: dateFromParts }],
  ['JSON_PARSE', { least: 1, most: 1, type: 'any', run: (value) => parsed(value!) }],
  ['GETRECORDPROPERTYVALUE', { least: 2, most: 2, type: 'any', run: (a, b) => property(a!, b!) }],
  ['GETARRAYLENGTH', { least: 1, most: 1, type: 'bigint', run: (a) => arrayOf(a!, 'GetArrayLength').length }],
  [
    'GETARRAYELEMENT',
    {
      least: 2,
      most: 2,
      type: 'any',
      run: (array, index) => arrayOf(array!, 'GetArrayElement')[toNumber(index!, 'GetArrayElement')] ?? null,
    },
  ],
]);

/** NULL where it is no text of a record or an array. */
function parsed(value: Value): Value {
  if (typeof value !== 'string') return null;
  try {
    const json: unknown = JSON.parse(value);
    return typeof json === 'object' ? (json as Value) : null;
  } catch {
    return null;
  }
}

/** For APPLY: the rows that a value becomes. */
export const tableFunctions: ReadonlyMap<string, (value: Value) => readonly RecordValue[]> = new Map([
  ['GETARRAYELEMENTS', elementsOf],
  ['GETRECORDPROPERTIES', propertiesOf],
]);

function elementsOf(value: Value): readonly RecordValue[] {
  return arrayOf(value, 'GetArrayElements').map((one, index) => ({ ArrayIndex: index, ArrayValue: one }));
}

function propertiesOf(value: Value): readonly RecordValue[] {
  if (typeName(value) !== 'record') throw new RowProblem(`${show(value)} (${typeName(value)}) is no record`);
  return Object.entries(value as RecordValue).map(([name, one]) => ({
    PropertyName: name,
    PropertyValue: one ?? null,
  }));
}
