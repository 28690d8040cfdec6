// Recognises how an instrument shows that it has no value: a word, a number that no measurement gives, bits. Pure.
//
// A mark is compared with what the message shows, before `scale` and `offset`: as text, and, where the tag is a number,
// as a number, for `9999` is shown as `9999.0` or `+09999` as well.
import { toBytes } from './escapes.ts';
import { compileText, compileValue, type Message, type Place, textTypeOf } from './places.ts';
import { rawReader } from './text-values.ts';

export interface MarkedPlace extends Place {
  readonly invalid?: Readonly<Record<string, string>> | undefined;
}

/** The word for what a message shows at the place; undefined where that may be a value. */
export type InvalidCheck = (message: Message) => string | undefined;

interface NumberMark {
  readonly from: number | bigint;
  readonly to: number | bigint;
  readonly word: string;
}

export function compileInvalid(place: MarkedPlace, decimal: '.' | ','): InvalidCheck | undefined {
  const marks = Object.entries(place.invalid ?? {});
  if (marks.length === 0) return undefined;
  return place.at === undefined ? inText(place, decimal, marks) : inBytes(place, marks);
}

/** What is wrong with the marks of a value in bytes; undefined where nothing is. */
export function invalidProblem({ type, invalid }: MarkedPlace): string | undefined {
  if (type === 'string' || invalid === undefined) return undefined;
  if (type === 'bit') return 'is not for single bits: each of both is a value';
  const wrong = Object.keys(invalid).find((text) => rangeOf(text, readerOf({ type })) === undefined);
  return wrong === undefined
    ? undefined
    : `'${wrong}' is no value in bytes, nor a range of them: write 0xFFFF, 32767 or 30000..32767`;
}

function inText(place: Place, decimal: '.' | ',', marks: readonly [string, string][]): InvalidCheck {
  const find = compileText(place);
  const words = new Map(marks);
  const type = textTypeOf(place);
  const read = type === 'number' || type === 'hex' ? rawReader(type, decimal) : undefined;
  const numbers = read ? numberMarks(marks, read) : [];
  return (message) => {
    const text = (find(message) ?? '').trim();
    const word = words.get(text);
    if (word !== undefined || !read) return word;
    const raw = read(text);
    return raw === undefined ? undefined : wordOf(numbers, raw);
  };
}

function inBytes(place: MarkedPlace, marks: readonly [string, string][]): InvalidCheck {
  // What stands there, whatever it means.
  const { scale: _s, offset: _o, names: _n, ...plain } = place;
  const find = compileValue(plain, '.');
  const words = new Map(marks.map(([text, word]) => [toBytes(text).toString('latin1'), word]));
  const numbers = numberMarks(marks, readerOf(place));
  return (message) => {
    const found = find(message);
    if (found.kind !== 'value') return undefined;
    const { value } = found;
    if (place.type === 'string') return words.get(String(value).trim());
    // Whole numbers beyond 2^53 are text.
    return wordOf(numbers, typeof value === 'string' ? BigInt(value) : Number(value));
  };
}

type MarkReader = (text: string) => number | bigint | undefined;

/** Hexadecimal means the bits as they are, in a signed number as well. */
function readerOf({ type }: Pick<Place, 'type'>): MarkReader {
  const signedBits = /^int(\d+)$/.exec(type ?? '')?.[1];
  return (text) => {
    if (/^0x[0-9a-f]{1,16}$/i.test(text)) {
      const bits = BigInt(text);
      return signedBits === undefined ? bits : BigInt.asIntN(Number(signedBits), bits);
    }
    if (/^-?\d{1,20}$/.test(text)) return BigInt(text);
    const value = text === '' ? Number.NaN : Number(text);
    return Number.isFinite(value) ? value : undefined;
  };
}

/** Numbers, and ranges as `30000..32767`. */
function numberMarks(marks: readonly [string, string][], read: MarkReader): readonly NumberMark[] {
  return marks.flatMap(([text, word]) => {
    const range = rangeOf(text, read);
    return range ? [{ ...range, word }] : [];
  });
}

function rangeOf(text: string, read: MarkReader): Omit<NumberMark, 'word'> | undefined {
  const ends = text.split('..').map((end) => read(end.trim()));
  const [from, to = from] = ends;
  return from === undefined || to === undefined || ends.length > 2 || from > to ? undefined : { from, to };
}

function wordOf(marks: readonly NumberMark[], raw: number | bigint): string | undefined {
  return marks.find(({ from, to }) => raw >= from && raw <= to)?.word;
}
