// Message bodies: readings in, bytes out, and back. Pure; the formats are specified in docs/WIRE.md.
// Whatever `encodeBody` makes `decodeBody` takes: both hold the same bounds.
import { constants, gunzipSync, gzipSync } from 'node:zlib';
import { HoldfastError } from '../kernel/errors.ts';
import { readColumns } from './columns-decoder.ts';
import { writeColumns } from './columns-encoder.ts';
import { parseBoundedJson } from './json.ts';
import { maxUnpackedBytes } from './limits.ts';
import type { Reading } from './reading.ts';
import { readReadings, writeReadings } from './readings-codec.ts';
import type { IndexKind } from './window.ts';

/** Body formats, named as the message property `schema` names them. */
export type BodySchema = 'readings/1' | 'columns/1';
export const bodySchemas: readonly BodySchema[] = ['readings/1', 'columns/1'];
export type ContentEncoding = 'utf-8' | 'gzip';

export interface BodyOptions {
  readonly schema: BodySchema;
  /** Compress where that makes the body smaller. */
  readonly gzip: boolean;
}

export interface EncodedBody {
  readonly body: Uint8Array;
  readonly contentEncoding: ContentEncoding;
  readonly schema: BodySchema;
}

export interface BodyFacts {
  readonly schema: string;
  /** As the message's system property says; undefined means `utf-8`. */
  readonly contentEncoding: string | undefined;
  readonly index: IndexKind;
}

/**
 * Level 1: higher levels gain a few percent and cost several times the CPU of the encoding itself. Chunks of half the text, which
 * nearly all bodies fit into: by default each takes 16 KiB, as long as it is kept.
 */
const gzipOptions = (bytes: number) => ({
  level: constants.Z_BEST_SPEED,
  chunkSize: Math.max(constants.Z_MIN_CHUNK, bytes >> 1),
});

/**
 * Encodes readings, which must be in index order.
 * @throws ReadingRefusedError naming the reading that is no JSON value or has no proper index or quality;
 * HoldfastError `wire-body-too-large` when one body cannot hold them all, whatever the message limit;
 * `wire-bad-batch` when they are out of order.
 */
export function encodeBody(kind: IndexKind, readings: readonly Reading[], options: BodyOptions): EncodedBody {
  const text = writeBounded(kind, readings, options.schema);
  const plain = Buffer.from(text, 'utf8');
  if (plain.length > maxUnpackedBytes) throw tooLarge(`${plain.length} bytes before compression`);
  if (options.gzip) {
    const packed = gzipSync(plain, gzipOptions(plain.length));
    if (packed.length < plain.length) {
      return { body: packed, contentEncoding: 'gzip', schema: options.schema };
    }
  }
  return { body: plain, contentEncoding: 'utf-8', schema: options.schema };
}

/**
 * Decodes a body, bounded in bytes, readings and depth before memory is spent on it.
 * @throws HoldfastError `wire-bad-body` for whatever is not a body of that schema, and nothing else.
 */
export function decodeBody(body: Uint8Array, facts: BodyFacts): Reading[] {
  const encoding = parseContentEncoding(facts.contentEncoding);
  if (encoding === undefined) throw badBody(`unknown content encoding`);
  const read = facts.schema === 'columns/1' ? readColumns : readReadings;
  if (!(bodySchemas as readonly string[]).includes(facts.schema)) throw badBody('unknown schema');
  return read(facts.index, parseBoundedJson(encoding === 'gzip' ? unpack(body) : body));
}

/** As senders write it, in any case; undefined for what we do not know. */
export function parseContentEncoding(text: unknown): ContentEncoding | undefined {
  if (text === undefined || text === null || text === '') return 'utf-8';
  const name = typeof text === 'string' ? text.toLowerCase() : '';
  if (name === 'utf-8' || name === 'utf8') return 'utf-8';
  return name === 'gzip' ? 'gzip' : undefined;
}

function writeBounded(kind: IndexKind, readings: readonly Reading[], schema: BodySchema): string {
  try {
    return schema === 'columns/1' ? writeColumns(kind, readings) : writeReadings(kind, readings);
  } catch (error) {
    // Past V8's longest string: far past our limit too.
    if (error instanceof RangeError) throw tooLarge('longer than a string can be', error);
    throw error;
  }
}

function unpack(body: Uint8Array): Uint8Array {
  try {
    return gunzipSync(body, { maxOutputLength: maxUnpackedBytes });
  } catch (error) {
    throw badBody('not gzip, truncated, or too large when unpacked', error);
  }
}

function tooLarge(problem: string, cause?: unknown): HoldfastError {
  return new HoldfastError('wire-body-too-large', `these readings do not fit into one body: ${problem}`, {
    cause,
  });
}

function badBody(problem: string, cause?: unknown): HoldfastError {
  return new HoldfastError('wire-bad-body', `bad message body: ${problem}`, { cause });
}
