// columns/1, decoding. Every count is checked against the number of readings, and that against its limit, before anything
// is expanded: a body yields at most `maxReadingsPerMessage` readings.
import { HoldfastError } from '../kernel/errors.ts';
import { isIndex } from './index-position.ts';
import { maxConstantLength, maxReadingsPerMessage, maxTagLength } from './limits.ts';
import type { Quality, Reading, Value } from './reading.ts';
import { isQuality } from './reading-check.ts';
import { cleanValue } from './value.ts';
import type { IndexKind } from './window.ts';

type Members = Record<string, unknown>;

/** @throws HoldfastError `wire-bad-body`. */
export function readColumns(kind: IndexKind, parsed: unknown): Reading[] {
  const body = membersOf(parsed, 'columns/1');
  const count = readCount(body.n);
  const tags = readTags(body.tags, count);
  const indexes = readIndexes(kind, body.t, count);
  const qualityNames = readQualityNames(body.qs);
  if (body.cols !== undefined) return readColumnLayout(body.cols, { count, tags, indexes, qualityNames });
  return readRowLayout(body, { count, tags, indexes, qualityNames });
}

interface Heading {
  readonly count: number;
  readonly tags: readonly string[];
  readonly indexes: readonly number[];
  readonly qualityNames: readonly Quality[];
}

function readRowLayout(body: Members, { count, tags, indexes, qualityNames }: Heading): Reading[] {
  const numbers = listOf(body.g, count, 'g');
  const values = listOf(body.v, count, 'v');
  if (indexes.length !== count) throw badBody('"t" has not one element for each reading');
  const qualities = new QualityReader(body.q, count, qualityNames);
  return numbers.map((number, at) => {
    const tag = isNumberBelow(number, tags.length) ? tags[number]! : undefined;
    if (tag === undefined) throw badBody(`"g" names no tag at ${at}`);
    return { index: indexes[at]!, tag, value: cleanValue(values[at] as Value), quality: qualities.next() };
  });
}

/**
 * Columns are read one after the other, but readings come out position by position: a counting sort
 * over the positions, so that time and memory stay proportional to the readings.
 */
function readColumnLayout(cols: unknown, heading: Heading): Reading[] {
  const { count, tags, indexes } = heading;
  const columns = listOf(cols, tags.length, 'cols').map((column) => readColumn(column, indexes));
  const places = new Uint32Array(indexes.length + 1);
  let total = 0;
  for (const column of columns) {
    total += column.count;
    if (total > count) throw badBody('the columns have more readings than "n" says');
    forEachPosition(column, (position) => places[position + 1]!++);
  }
  if (total !== count) throw badBody('the columns have fewer readings than "n" says');
  for (let i = 1; i < places.length; i++) places[i]! += places[i - 1]!;
  const readings = new Array<Reading>(count);
  columns.forEach((column, number) => {
    const tag = tags[number]!;
    const qualities = new QualityReader(column.q, column.count, heading.qualityNames);
    let taken = 0;
    forEachPosition(column, (position) => {
      const value = column.values === undefined ? column.constant : cleanValue(column.values[taken++]!);
      readings[places[position]!++] = { index: indexes[position]!, tag, value, quality: qualities.next() };
    });
  });
  return readings;
}

interface Column {
  readonly count: number;
  readonly values: readonly Value[] | undefined;
  readonly constant: Value;
  /** [skip, take, ...] */
  readonly presence: readonly number[];
  readonly q: unknown;
}

function readColumn(column: unknown, indexes: readonly number[]): Column {
  const { v, c, p, q } = Array.isArray(column) ? { v: column } : membersOf(column, 'a column');
  const presence = p === undefined ? [0, indexes.length] : readPresence(p, indexes.length);
  const count = presence.reduce((sum, run, i) => (i % 2 === 1 ? sum + run : sum), 0);
  if (v !== undefined) {
    return { count, values: listOf(v, count, 'v') as Value[], constant: null, presence, q };
  }
  return { count, values: undefined, constant: readConstant(c), presence, q };
}

function readConstant(c: unknown): Value {
  const isShort = typeof c === 'string' && c.length <= maxConstantLength;
  // Only scalars, and short ones: a megabyte repeated for each reading would unfold without bound.
  if (c === null || typeof c === 'boolean' || typeof c === 'number' || isShort) return cleanValue(c as Value);
  throw badBody('a column has neither "v" nor a scalar "c"');
}

function readPresence(p: unknown, positions: number): readonly number[] {
  if (!Array.isArray(p) || p.length % 2 !== 0) throw badBody('"p" is not a list of pairs');
  let position = 0;
  p.forEach((run: unknown, i) => {
    const least = i === 0 ? 0 : 1;
    if (!isNumberBelow(run, positions - position + 1) || run < least) throw badBody('"p" has a bad run');
    position += run;
  });
  return p as number[];
}

function forEachPosition({ presence }: Column, visit: (position: number) => void): void {
  let position = 0;
  for (let i = 0; i < presence.length; i += 2) {
    position += presence[i]!;
    for (const end = position + presence[i + 1]!; position < end; position++) visit(position);
  }
}

/** Gives the qualities of `count` readings one by one. */
class QualityReader {
  readonly #runs: readonly number[];
  readonly #names: readonly Quality[];
  #run = 0;
  #left: number;

  constructor(q: unknown, count: number, names: readonly Quality[]) {
    this.#names = q === undefined ? ['good'] : names;
    this.#runs = q === undefined ? [0, count] : readQualityRuns(q, count, names);
    this.#left = this.#runs[1] ?? 0;
  }

  next(): Quality {
    if (this.#left === 0) {
      this.#run += 2;
      this.#left = this.#runs[this.#run + 1]!;
    }
    this.#left--;
    return this.#names[this.#runs[this.#run]!]!;
  }
}

function readQualityRuns(q: unknown, count: number, names: readonly Quality[]): readonly number[] {
  if (!Array.isArray(q) || q.length % 2 !== 0) throw badBody('"q" is not a list of pairs');
  let total = 0;
  q.forEach((number: unknown, i) => {
    const isName = i % 2 === 0;
    if (!isNumberBelow(number, isName ? names.length : count - total + 1)) throw badBody('"q" has a bad run');
    if (isName) return;
    if (number === 0) throw badBody('"q" has an empty run');
    total += number;
  });
  if (total !== count) throw badBody('"q" does not cover the readings');
  return q as number[];
}

function readQualityNames(qs: unknown): readonly Quality[] {
  if (qs === undefined) return [];
  if (!Array.isArray(qs) || !qs.every(isQuality)) throw badBody('"qs" is not a list of qualities');
  return qs;
}

function readCount(n: unknown): number {
  if (!isNumberBelow(n, maxReadingsPerMessage + 1)) throw badBody('"n" is no reading count, or too large');
  return n;
}

function readTags(tags: unknown, count: number): readonly string[] {
  if (!Array.isArray(tags) || tags.length > count) throw badBody('"tags" is no list of used tags');
  const isTag = (tag: unknown) => typeof tag === 'string' && tag.length <= maxTagLength;
  if (!tags.every(isTag)) throw badBody(`"tags" has a tag that is no text or longer than ${maxTagLength}`);
  return tags as string[];
}

function readIndexes(kind: IndexKind, t: unknown, count: number): readonly number[] {
  if (!Array.isArray(t) || t.length > count) throw badBody('"t" is no list of steps');
  let index = 0;
  return t.map((step: unknown, at) => {
    if (!Number.isSafeInteger(step) || (at > 0 && (step as number) < 0))
      throw badBody(`"t" is wrong at ${at}`);
    index += step as number;
    if (!isIndex(kind, index)) throw badBody(`"t" leaves the range of a ${kind} index at ${at}`);
    // The first step may be -0.
    return index === 0 ? 0 : index;
  });
}

function listOf(list: unknown, length: number, name: string): readonly unknown[] {
  if (!Array.isArray(list) || list.length !== length) throw badBody(`"${name}" is not a list of ${length}`);
  return list;
}

function isNumberBelow(candidate: unknown, bound: number): candidate is number {
  return Number.isSafeInteger(candidate) && (candidate as number) >= 0 && (candidate as number) < bound;
}

function membersOf(candidate: unknown, what: string): Members {
  if (typeof candidate !== 'object' || candidate === null || Array.isArray(candidate)) {
    throw badBody(`${what} is no object`);
  }
  return candidate as Members;
}

function badBody(problem: string): HoldfastError {
  return new HoldfastError('wire-bad-body', `bad message body: ${problem}`);
}
