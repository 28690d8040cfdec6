// Scalar functions by their names. Null in gives null out, unless a function says otherwise.
import { cast } from './cast.ts';
import { dateFromParts } from './functions-date.ts';
import { likeMatcher } from './like.ts';
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

export interface ScalarFunction {
  /** How many arguments it takes. */
  readonly least: number;
  readonly most: number;
  /** `first`: that of the first argument. */
  readonly type: StaticType | 'first';
  /** Nulls are given to it. */
  readonly takesNulls?: true;
  readonly run: (...args: Value[]) => Value;
}

/** Texts that a function makes, or looks for a pattern in. */
const maxText = 65_536;
/** PATINDEX looks for it at each place. */
const maxPatternPlaces = 4096;

function bounded(text: string, what: string): string {
  if (text.length > maxText) throw new RowProblem(`${what} makes a text above ${maxText} characters`);
  return text;
}

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

function text(name: string, change: (text: string) => string): [string, ScalarFunction] {
  return [name, { least: 1, most: 1, type: 'nvarchar(max)', run: (value) => change(toText(value, name)) }];
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

function substring(value: Value, start: Value, length: Value): string {
  const text = toText(value, 'SUBSTRING');
  const from = Math.trunc(toNumber(start, 'SUBSTRING')) - 1;
  const count = Math.trunc(toNumber(length, 'SUBSTRING'));
  if (count < 0) throw new RowProblem('SUBSTRING needs a length of 0 or more');
  return text.slice(Math.max(0, from), Math.max(0, from + count));
}

/** Blanks at the end do not count, as the reference says. */
function lengthOf(text: string): number {
  let length = text.length;
  while (text[length - 1] === ' ') length--;
  return length;
}

/** Positions begin at 1; 0 is nowhere. */
function charIndex(sought: Value, value: Value, start: Value = 1): number {
  const from = Math.max(0, Math.trunc(toNumber(start, 'CHARINDEX')) - 1);
  return toText(value, 'CHARINDEX').indexOf(toText(sought, 'CHARINDEX'), from) + 1;
}

function patIndex(pattern: Value, value: Value): number {
  const text = toText(value, 'PATINDEX');
  const like = toText(pattern, 'PATINDEX');
  if (!like.startsWith('%')) return likeMatcher(like)(text) ? 1 : 0;
  const matcher = likeMatcher(like.slice(1));
  if (text.length > maxPatternPlaces)
    throw new RowProblem(`PATINDEX takes texts up to ${maxPatternPlaces} characters`);
  for (let at = 0; at <= text.length; at++) if (matcher(text.slice(at))) return at + 1;
  return 0;
}

function concat(...values: Value[]): string {
  const texts = values.map((value) => (value === null ? '' : (cast(value, 'nvarchar(max)') as string)));
  return bounded(texts.join(''), 'CONCAT');
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
  text('LOWER', (value) => value.toLowerCase()),
  text('UPPER', (value) => value.toUpperCase()),
  text('LTRIM', (value) => value.trimStart()),
  text('RTRIM', (value) => value.trimEnd()),
  text('TRIM', (value) => value.trim()),
  ['LEN', { least: 1, most: 1, type: 'bigint', run: (value) => lengthOf(toText(value!, 'LEN')) }],
  ['SUBSTRING', { least: 3, most: 3, type: 'nvarchar(max)', run: (a, b, c) => substring(a!, b!, c!) }],
  ['CHARINDEX', { least: 2, most: 3, type: 'bigint', run: (a, b, c) => charIndex(a!, b!, c) }],
  ['PATINDEX', { least: 2, most: 2, type: 'bigint', run: (a, b) => patIndex(a!, b!) }],
  [
    'REPLACE',
    {
      least: 3,
      most: 3,
      type: 'nvarchar(max)',
      run: (value, sought, by) => {
        const [whole, old, fresh] = [value!, sought!, by!].map((each) => toText(each, 'REPLACE'));
        return old === '' ? whole! : bounded(whole!.split(old!).join(fresh), 'REPLACE');
      },
    },
  ],
  ['CONCAT', { least: 1, most: 64, type: 'nvarchar(max)', takesNulls: true, run: concat }],
  ['GETTYPE', { least: 1, most: 1, type: 'nvarchar(max)', run: (value) => typeName(value!) }],
  part('YEAR', (date) => date.getUTCFullYear()),
  part('MONTH', (date) => date.getUTCMonth() + 1),
  part('DAY', (date) => date.getUTCDate()),
  ['DATETIMEFROMPARTS', { least: 3, most: 7, type: 'datetime', run: dateFromParts }],
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
