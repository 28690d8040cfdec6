// Parts: the readings of one window over several bodies, each within the limit. Cuts fall between index
// positions, so that a consumer sees each position whole; only a position that no message can hold is cut
// itself. Deterministic: the same readings and limit give the same parts.
import { HoldfastError } from '../kernel/errors.ts';
import { type BodyOptions, type EncodedBody, encodeBody } from './body.ts';
import { maxParts, maxReadingsPerMessage } from './limits.ts';
import type { Reading } from './reading.ts';
import { inspectValue, ReadingRefusedError } from './reading-check.ts';
import type { IndexKind } from './window.ts';

export interface EncodedPart {
  readonly count: number;
  readonly encoded: EncodedBody;
}

export interface SplitOptions extends BodyOptions {
  readonly kind: IndexKind;
  readonly maxBodyBytes: number;
  /** Called instead of throwing for a reading that no message can hold; returns what takes its place. */
  readonly replaceTooLarge?: ((reading: Reading, error: ReadingRefusedError) => Reading) | undefined;
}

// Parts come out a little uneven after compression: aiming lower spares most second cuts.
const fillTarget = 0.95;

/** @throws HoldfastError as `encodeBody` does; ReadingRefusedError `wire-reading-too-large`. */
export function splitIntoParts(readings: readonly Reading[], options: SplitOptions): EncodedPart[] {
  const whole = tryEncode(readings, options);
  if (fits(whole, options)) return [{ count: readings.length, encoded: whole }];
  const sendable = withoutTooLarge(readings, options);
  const parts =
    sendable === readings ? cutAndEncode(readings, whole, options) : encodeParts(sendable, options);
  if (parts.length > maxParts) {
    throw new HoldfastError(
      'wire-body-too-large',
      `a window of ${parts.length} parts, the limit is ${maxParts}`,
    );
  }
  return parts;
}

function encodeParts(readings: readonly Reading[], options: SplitOptions): EncodedPart[] {
  const encoded = tryEncode(readings, options);
  if (fits(encoded, options)) return [{ count: readings.length, encoded }];
  return cutAndEncode(readings, encoded, options);
}

function cutAndEncode(
  readings: readonly Reading[],
  encoded: EncodedBody | undefined,
  options: SplitOptions,
): EncodedPart[] {
  if (readings.length === 1) throw tooLarge(readings[0]!, 0, options);
  const byBytes = encoded === undefined ? 2 : encoded.body.length / (options.maxBodyBytes * fillTarget);
  const byCount = readings.length / maxReadingsPerMessage;
  const pieces = Math.max(2, Math.ceil(byBytes), Math.ceil(byCount));
  return cut(readings, pieces).flatMap((piece) => encodeParts(piece, options));
}

function fits(encoded: EncodedBody | undefined, options: SplitOptions): encoded is EncodedBody {
  return encoded !== undefined && encoded.body.length <= options.maxBodyBytes;
}

/** undefined: more than any one body can hold. */
function tryEncode(readings: readonly Reading[], options: SplitOptions): EncodedBody | undefined {
  if (readings.length > maxReadingsPerMessage) return undefined;
  try {
    return encodeBody(options.kind, readings, options);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'wire-body-too-large') return undefined;
    throw error;
  }
}

/** About `pieces` (at least two) pieces of about equal count, cut between index positions where there are any. */
function cut(readings: readonly Reading[], pieces: number): (readonly Reading[])[] {
  const isOnePosition = readings[0]!.index === readings[readings.length - 1]!.index;
  const result: (readonly Reading[])[] = [];
  let from = 0;
  for (let piece = 1; piece < pieces; piece++) {
    const target = Math.round((piece * readings.length) / pieces);
    const at = isOnePosition ? target : nearestBoundary(readings, target);
    if (at <= from || at >= readings.length) continue;
    result.push(readings.slice(from, at));
    from = at;
  }
  result.push(readings.slice(from));
  return result;
}

/** The place nearest to `target` where a new index position begins. There is one. */
function nearestBoundary(readings: readonly Reading[], target: number): number {
  for (let distance = 0; ; distance++) {
    for (const at of [target - distance, target + distance]) {
      if (at > 0 && at < readings.length && readings[at]!.index !== readings[at - 1]!.index) return at;
    }
  }
}

/** Replaces each reading that does not fit into a message by itself; the same list when all do. */
function withoutTooLarge(readings: readonly Reading[], options: SplitOptions): readonly Reading[] {
  let result: Reading[] | undefined;
  readings.forEach((reading, at) => {
    if (!mayBeTooLarge(reading, options) || fits(tryEncode([reading], options), options)) return;
    const error = tooLarge(reading, at, options);
    if (options.replaceTooLarge === undefined) throw error;
    result ??= [...readings];
    result[at] = options.replaceTooLarge(reading, error);
  });
  return result ?? readings;
}

/** Cheap, and never wrong when it says no: encoding each reading by itself would cost far too much. */
function mayBeTooLarge(reading: Reading, options: SplitOptions): boolean {
  const facts = inspectValue(reading.value);
  // Refused for another reason, by the encoder.
  if (facts.fault !== undefined) return false;
  // JSON writes a UTF-16 unit in at most 6 bytes, a number in at most 25; the rest is what a body adds.
  const mostBytes = 6 * (reading.tag.length + facts.characters) + 32 * facts.nodes + 256;
  return mostBytes > options.maxBodyBytes;
}

function tooLarge(reading: Reading, at: number, options: SplitOptions): ReadingRefusedError {
  const problem = `larger than a message can hold (${options.maxBodyBytes} bytes)`;
  return new ReadingRefusedError('wire-reading-too-large', problem, reading, at);
}
