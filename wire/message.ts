// Mini-batches and voids as IoT messages.
import { createHash } from 'node:crypto';
import { HoldfastError } from '../kernel/errors.ts';
import type { BodyOptions } from './body.ts';
import { formatIndex, isIndex } from './index-position.ts';
import { checkLateNumber, formatLateNumber, type LateNumber } from './late.ts';
import { maxMessageBytes, maxParts, maxReadingsPerMessage } from './limits.ts';
import { asBackfillId, lateVoidId, messageId } from './message-id.ts';
import { headerBytes, markReserveBytes, stampReserveBytes } from './message-size.ts';
import type { BackfillMark, LateVoid, MiniBatch, VoidDeclaration, WireMessage } from './mini-batch.ts';
import { batchIdRule, isBatchId, isRequestId, requestIdRule } from './names.ts';
import type { Reading } from './reading.ts';
import { ReadingRefusedError, readingFault, refusedMarker } from './reading-check.ts';
import { type EncodedPart, splitIntoParts } from './split.ts';
import { contains, type IndexKind, isWindow, type Window } from './window.ts';

export { messageBytes } from './message-size.ts';
export {
  type ParsedBatch,
  type ParsedLate,
  type ParsedLateVoid,
  type ParsedMessage,
  type ParsedVoid,
  parseMessage,
} from './parse-message.ts';

export interface MessageOptions extends BodyOptions {
  /** UTC epoch ms. */
  readonly creationTime: number;
  /** Limit for each message with its properties. Default (and most) 262,144; at least 4,096. */
  readonly maxBytes?: number;
  readonly mark?: BackfillMark;
  /** Readings that came after their window had closed, and which late window of the stream this is. */
  readonly late?: LateNumber | undefined;
  /** Not with `late`: the last late number of the stream that was given out before. */
  readonly lateThrough?: LateNumber | undefined;
  /** Not with `late`: where the first window of the stream began. */
  readonly streamStart?: number | undefined;
  /**
   * Called for each reading that cannot be sent (its value is no JSON value, or it is too large for a
   * message); a marker without value and with bad quality takes its place. Without it such a reading throws.
   */
  readonly onRefused?: (reading: Reading, error: ReadingRefusedError) => void;
}

const minMessageBytes = 4096;
const partSetDigits = 16;

/**
 * The messages of one window: one, or several parts. Each is small enough that `markAsBackfill` can be
 * applied to it at any time.
 * @throws ReadingRefusedError `wire-bad-reading` or `wire-reading-too-large` naming the reading, unless
 * `onRefused` is given; HoldfastError `wire-bad-batch` for a batch that breaks the protocol's rules, which
 * is a caller's mistake.
 */
export function encodeMiniBatch(batch: MiniBatch, options: MessageOptions): readonly WireMessage[] {
  checkHeading(batch, options);
  // Once: they may be made when they are asked for.
  const { readings } = batch;
  const parts = encodeParts({ ...batch, readings }, options);
  checkInside(readings, batch.window);
  const n = parts.length;
  const set = n === 1 ? '' : partSetOf(parts);
  return parts.map((part, i) => {
    const message = assemble(batch, part, options, n === 1 ? undefined : { k: i + 1, n, set });
    return options.mark === undefined ? message : markAsBackfill(message, options.mark);
  });
}

/** @throws HoldfastError `wire-bad-batch`. */
export function encodeVoid(
  declaration: VoidDeclaration,
  options: Pick<MessageOptions, 'creationTime' | 'mark' | 'lateThrough' | 'streamStart'>,
): WireMessage {
  checkHeading(declaration, options);
  const id = messageId({ ...declaration, isVoid: true });
  return voidMessage(
    id,
    { ...headingProperties(declaration), ...claimProperties(options) },
    declaration,
    options,
  );
}

/**
 * Declares late windows lost.
 * @throws HoldfastError `wire-bad-batch`.
 */
export function encodeLateVoid(
  declaration: LateVoid,
  options: Pick<MessageOptions, 'creationTime' | 'mark'>,
): WireMessage {
  const { batchId, index, late } = declaration;
  checkStream(batchId, options);
  const { series, first, last } = late;
  checkLateNumber({ series, number: first });
  checkLateNumber({ series, number: last });
  if (last < first) throw badBatch('the last late number comes before the first');
  const properties = {
    batchId,
    ...(index === 'sequence' && { index }),
    isBackfill: 'true',
    isLate: 'true',
    lateNumber: formatLateNumber({ series, number: first }),
    lateThrough: formatLateNumber({ series, number: last }),
  };
  return voidMessage(asBackfillId(lateVoidId(batchId, late)), properties, declaration, options);
}

function voidMessage(
  id: string,
  properties: Readonly<Record<string, string>>,
  { reason }: Pick<VoidDeclaration, 'reason'>,
  { creationTime, mark }: Pick<MessageOptions, 'creationTime' | 'mark'>,
): WireMessage {
  const message: WireMessage = {
    messageId: id,
    properties: { ...properties, count: '0', void: reason },
    contentEncoding: 'utf-8',
    creationTime,
    body: new Uint8Array(0),
  };
  return mark === undefined ? message : markAsBackfill(message, mark);
}

/**
 * The same message as an answer to a backfill request. The body is shared, not copied. A mark that the message had
 * before is replaced.
 * @throws HoldfastError `wire-bad-batch` for a request id that no property can hold.
 */
export function markAsBackfill(message: WireMessage, mark: BackfillMark): WireMessage {
  checkMark(mark);
  const { requestId: _, ...properties } = message.properties;
  return {
    ...message,
    messageId: asBackfillId(message.messageId),
    properties: {
      ...properties,
      isBackfill: 'true',
      ...(mark.requestId === undefined ? {} : { requestId: mark.requestId }),
    },
  };
}

interface Heading {
  readonly batchId: string;
  readonly index: IndexKind;
  readonly window: Window;
}

/**
 * Names this encoding of the window by what is in it. The window may be encoded again, from other readings or cut
 * elsewhere, and parts of two encodings must never pass for one.
 */
function partSetOf(parts: readonly EncodedPart[]): string {
  const sum = createHash('sha256');
  for (const { encoded } of parts) sum.update(`${encoded.body.length} `).update(encoded.body);
  return sum.digest('hex').slice(0, partSetDigits);
}

function encodeParts(batch: MiniBatch, options: MessageOptions): EncodedPart[] {
  const { onRefused } = options;
  const replace = (reading: Reading, error: ReadingRefusedError): Reading => {
    onRefused?.(reading, error);
    return refusedMarker(reading, error);
  };
  const splitOptions = {
    ...options,
    kind: batch.index,
    maxBodyBytes: bodyRoom(batch, options),
    replaceTooLarge: onRefused === undefined ? undefined : replace,
  };
  try {
    return splitIntoParts(batch.readings, splitOptions);
  } catch (error) {
    const isRefused = error instanceof ReadingRefusedError && error.code === 'wire-bad-reading';
    if (!isRefused || onRefused === undefined) throw error;
    return splitIntoParts(withoutFaults(batch, replace), splitOptions);
  }
}

/** Only once a reading was refused: readings are checked by the encoder itself, in the same pass. */
function withoutFaults(
  batch: MiniBatch,
  replace: (reading: Reading, error: ReadingRefusedError) => Reading,
): readonly Reading[] {
  return batch.readings.map((reading, at) => {
    const fault = readingFault(batch.index, reading);
    if (fault === undefined) return reading;
    return replace(reading, new ReadingRefusedError('wire-bad-reading', fault, reading, at));
  });
}

/** What is left for a body beside the longest properties that a part can have, now and when marked later. */
function bodyRoom(heading: Heading, options: MessageOptions): number {
  const { maxBytes = maxMessageBytes } = options;
  if (!(maxBytes >= minMessageBytes && maxBytes <= maxMessageBytes))
    throw badBatch(`maxBytes is ${maxBytes}`);
  const longest = assemble(
    heading,
    {
      count: maxReadingsPerMessage,
      encoded: { body: new Uint8Array(0), contentEncoding: 'utf-8', schema: 'readings/1' },
    },
    options,
    { k: maxParts, n: maxParts, set: 'f'.repeat(partSetDigits) },
  );
  return maxBytes - headerBytes(longest) - markReserveBytes - stampReserveBytes;
}

function assemble(
  heading: Heading,
  { count, encoded }: EncodedPart,
  options: MessageOptions,
  part: { readonly k: number; readonly n: number; readonly set: string } | undefined,
): WireMessage {
  const { creationTime, late } = options;
  const id = messageId({
    batchId: heading.batchId,
    window: heading.window,
    ...(part && { part }),
    late: late && { number: late, body: encoded.body },
  });
  return {
    messageId: late === undefined ? id : asBackfillId(id),
    properties: {
      ...headingProperties(heading),
      count: String(count),
      ...(part && { part: `${part.k}/${part.n}`, partSet: part.set }),
      ...(late === undefined
        ? claimProperties(options)
        : { isBackfill: 'true', isLate: 'true', lateNumber: formatLateNumber(late) }),
      schema: encoded.schema,
    },
    contentEncoding: encoded.contentEncoding,
    creationTime,
    body: encoded.body,
  };
}

function headingProperties({ batchId, index, window }: Heading): Record<string, string> {
  return {
    batchId,
    startWindow: formatIndex(index, window.start),
    endWindow: formatIndex(index, window.end),
    ...(index === 'sequence' && { index }),
  };
}

/** What each message that claims its window says of its stream. */
function claimProperties({
  lateThrough,
  streamStart,
}: Pick<MessageOptions, 'lateThrough' | 'streamStart'>): Record<string, string> {
  return {
    ...(streamStart !== undefined && { streamStart: String(streamStart) }),
    ...(lateThrough !== undefined && { lateThrough: formatLateNumber(lateThrough) }),
  };
}

function checkHeading(
  heading: Heading,
  options: Pick<MessageOptions, 'creationTime' | 'mark' | 'late' | 'lateThrough' | 'streamStart'>,
): void {
  checkStream(heading.batchId, options);
  if (!isWindow(heading.window)) throw badBatch('the window is not start < end in safe integers');
  if (options.late !== undefined) checkLateNumber(options.late);
  if (options.lateThrough !== undefined) checkLateNumber(options.lateThrough);
  if (options.streamStart !== undefined && !isIndex(heading.index, options.streamStart))
    throw badBatch('the start of the stream is no index position');
}

function checkStream(batchId: string, options: Pick<MessageOptions, 'creationTime' | 'mark'>): void {
  if (!isBatchId(batchId)) throw badBatch(`the stream id is not ${batchIdRule}`);
  if (!Number.isSafeInteger(options.creationTime)) throw badBatch('the creation time is no integer');
  if (options.mark !== undefined) checkMark(options.mark);
}

function checkMark({ requestId }: BackfillMark): void {
  if (requestId !== undefined && !isRequestId(requestId))
    throw badBatch(`the request id is not ${requestIdRule}`);
}

/** The first and the last reading stand for all: the encoder has checked their order. */
function checkInside(readings: readonly Reading[], window: Window): void {
  const [first, last] = [readings[0], readings.at(-1)];
  if (first === undefined || last === undefined) return;
  if (!contains(window, first.index) || !contains(window, last.index)) {
    throw badBatch(
      `readings from ${first.index} to ${last.index} lie outside [${window.start}, ${window.end})`,
    );
  }
}

function badBatch(problem: string): HoldfastError {
  return new HoldfastError('wire-bad-batch', `not a sendable mini-batch: ${problem}`);
}
