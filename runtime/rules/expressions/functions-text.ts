// Functions of texts. Positions begin at 1. Null in gives null out, unless a function says otherwise.
import { cast } from './cast.ts';
import { likeMatcher } from './like.ts';
import { bounded, type ScalarFunction } from './scalar-function.ts';
import { RowProblem, toNumber, toText, type Value } from './values.ts';

/** PATINDEX looks for it at each place. */
const maxPatternPlaces = 4096;

function text(name: string, change: (text: string) => string): [string, ScalarFunction] {
  return [name, { least: 1, most: 1, type: 'nvarchar(max)', run: (value) => change(toText(value, name)) }];
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

/** @throws RowProblem where it is negative */
function lengthArgument(value: Value, what: string): number {
  const length = Math.trunc(toNumber(value, what));
  if (length < 0) throw new RowProblem(`${what} needs a length of 0 or more`);
  return length;
}

/** Leaves out nulls, and the separators between them. */
function concatWithSeparator(separator: Value, ...values: Value[]): string {
  const texts = values.filter((value) => value !== null).map((value) => cast(value, 'nvarchar(max)'));
  return bounded(texts.join(separator === null ? '' : toText(separator, 'CONCAT_WS')), 'CONCAT_WS');
}

/** Null where `count` is negative. */
function repeated(value: Value, count: Value, what: string): string | null {
  const [text, times] = [toText(value, what), Math.trunc(toNumber(count, what))];
  if (times < 0) return null;
  return bounded(text.length * times > maxRepeated ? tooLong : text.repeat(times), what);
}
/** Not made to be measured. */
const maxRepeated = 65_536;
const tooLong = ' '.repeat(maxRepeated + 1);

function stuff(value: Value, start: Value, length: Value, inserted: Value): string {
  const text = toText(value, 'STUFF');
  const from = Math.max(0, Math.trunc(toNumber(start, 'STUFF')) - 1);
  const count = lengthArgument(length, 'STUFF');
  if (from >= text.length) return '';
  return bounded(text.slice(0, from) + toText(inserted, 'STUFF') + text.slice(from + count), 'STUFF');
}

/** Each character at once: none is replaced twice. */
function translate(value: Value, from: Value, to: Value): string {
  const [old, fresh] = [[...toText(from, 'TRANSLATE')], [...toText(to, 'TRANSLATE')]];
  if (old.length !== fresh.length) throw new RowProblem('TRANSLATE needs as many characters as it replaces');
  return [...toText(value, 'TRANSLATE')]
    .map((character) => fresh[old.indexOf(character)] ?? character)
    .join('');
}

function characterOf(value: Value): string | null {
  const code = Math.trunc(toNumber(value, 'NCHAR'));
  return code >= 0 && code <= 0x10ffff ? String.fromCodePoint(code) : null;
}

function of(
  name: string,
  count: number,
  run: ScalarFunction['run'],
  type: ScalarFunction['type'] = 'nvarchar(max)',
): [string, ScalarFunction] {
  return [name, { least: count, most: count, type, run }];
}

export const textFunctions: readonly (readonly [string, ScalarFunction])[] = [
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
  ['CONCAT_WS', { least: 2, most: 64, type: 'nvarchar(max)', takesNulls: true, run: concatWithSeparator }],
  of('LEFT', 2, (value, length) => toText(value!, 'LEFT').slice(0, lengthArgument(length!, 'LEFT'))),
  of('RIGHT', 2, (value, length) => {
    const [text, count] = [toText(value!, 'RIGHT'), lengthArgument(length!, 'RIGHT')];
    return text.slice(Math.max(0, text.length - count));
  }),
  of('REPLICATE', 2, (value, count) => repeated(value!, count!, 'REPLICATE')),
  of('SPACE', 1, (count) => repeated(' ', count!, 'SPACE')),
  of('REVERSE', 1, (value) => [...toText(value!, 'REVERSE')].reverse().join('')),
  of('STUFF', 4, (value, start, length, by) => stuff(value!, start!, length!, by!)),
  of('TRANSLATE', 3, (value, from, to) => translate(value!, from!, to!)),
  of('UNICODE', 1, (value) => toText(value!, 'UNICODE').codePointAt(0) ?? null, 'bigint'),
  of('NCHAR', 1, (value) => characterOf(value!)),
];
