// readings/1: an array of {"t", "tag", "v", "q"}, for consumers that read it without a decoder.
import { HoldfastError } from '../kernel/errors.ts';
import { formatIndex, parseIndex } from './index-position.ts';
import { maxReadingsPerMessage, maxTagLength } from './limits.ts';
import type { Reading, Value } from './reading.ts';
import { isQuality } from './reading-check.ts';
import { ReadingGuard } from './reading-guard.ts';
import { cleanValue } from './value.ts';
import type { IndexKind } from './window.ts';

/** @throws HoldfastError as `encodeBody` does. */
export function writeReadings(kind: IndexKind, readings: readonly Reading[]): string {
  const guard = new ReadingGuard(kind, readings.length);
  const quotedTags = new Map<string, string>();
  const items: string[] = [];
  let lastIndex = Number.NaN;
  let position = '';
  for (let at = 0; at < readings.length; at++) {
    const reading = readings[at]!;
    guard.admit(reading, at);
    if (reading.index !== lastIndex) {
      lastIndex = reading.index;
      position = quoteIndex(kind, lastIndex);
    }
    let tag = quotedTags.get(reading.tag);
    if (tag === undefined) {
      tag = JSON.stringify(reading.tag);
      quotedTags.set(reading.tag, tag);
    }
    items.push(
      `{"t":${position},"tag":${tag},"v":${JSON.stringify(reading.value)},"q":"${reading.quality}"}`,
    );
  }
  return `[${items.join(',\n')}]`;
}

/** `t` may be ISO text or an integer; `q` may be missing and is `good` then. */
export function readReadings(kind: IndexKind, parsed: unknown): Reading[] {
  if (!Array.isArray(parsed)) throw badBody('readings/1 is an array');
  if (parsed.length > maxReadingsPerMessage) throw badBody('too many readings');
  const positions = new PositionReader(kind);
  return parsed.map((item: unknown, at) => readReading(positions, item, at));
}

function readReading(positions: PositionReader, item: unknown, at: number): Reading {
  if (typeof item !== 'object' || item === null) throw badBody(`element ${at} is no object`);
  const { t, tag, v, q } = item as Record<string, unknown>;
  if (typeof tag !== 'string' || tag.length > maxTagLength) throw badBody(`"tag" of element ${at} is no tag`);
  if (v === undefined) throw badBody(`element ${at} has no "v"`);
  const quality = q === undefined ? 'good' : q;
  if (!isQuality(quality)) throw badBody(`"q" of element ${at} is no quality`);
  return { index: positions.read(t, at), tag, value: cleanValue(v as Value), quality };
}

/** Readings of one poll share their `t`: parsing it once is most of the decoding time saved. */
class PositionReader {
  readonly #kind: IndexKind;
  #lastText: unknown;
  #last = Number.NEGATIVE_INFINITY;

  constructor(kind: IndexKind) {
    this.#kind = kind;
  }

  read(text: unknown, at: number): number {
    if (text === this.#lastText && text !== undefined) return this.#last;
    const index = parsePosition(this.#kind, text, at);
    if (index < this.#last) throw badBody(`element ${at} is out of index order`);
    this.#lastText = text;
    this.#last = index;
    return index;
  }
}

function parsePosition(kind: IndexKind, text: unknown, at: number): number {
  try {
    return parseIndex(kind, text);
  } catch (cause) {
    throw badBody(`"t" of element ${at} is no ${kind} index`, cause);
  }
}

function quoteIndex(kind: IndexKind, index: number): string {
  const text = formatIndex(kind, index);
  return kind === 'time' ? `"${text}"` : text;
}

function badBody(problem: string, cause?: unknown): HoldfastError {
  return new HoldfastError('wire-bad-body', `bad message body: ${problem}`, { cause });
}
