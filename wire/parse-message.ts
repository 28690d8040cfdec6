// Message properties, as the detector reads them: ours, and those of the published sample
// (Azure-Samples/iot-reliable-edge-relay) in both of its forms, so that its relays can be watched unchanged.
import { HoldfastError } from '../kernel/errors.ts';
import { type ContentEncoding, parseContentEncoding } from './body.ts';
import { type FieldError, FieldReader } from './fields.ts';
import { tryParseIndex } from './index-position.ts';
import { maxParts, maxReadingsPerMessage } from './limits.ts';
import { type VoidReason, voidReasons } from './mini-batch.ts';
import { batchIdRule, isBatchId, isRequestId, requestIdRule } from './names.ts';
import type { IndexKind, Window } from './window.ts';

interface ParsedCommon {
  readonly batchId: string;
  readonly index: IndexKind;
  readonly window: Window;
  readonly isBackfill: boolean;
  readonly requestId?: string;
  readonly messageId?: string;
}

export interface ParsedBatch extends ParsedCommon {
  readonly kind: 'batch';
  /** Absent in messages of the published sample. */
  readonly count?: number;
  /** `k` of `n`, from 1. Absent when the window is one message. */
  readonly part?: { readonly k: number; readonly n: number };
  /** Absent in messages of the published sample: their body is anything. May be newer than what we know. */
  readonly schema?: string;
  readonly contentEncoding: ContentEncoding;
}

export interface ParsedVoid extends ParsedCommon {
  readonly kind: 'void';
  readonly reason: VoidReason;
}

export type ParsedMessage = ParsedBatch | ParsedVoid;

export interface SystemProperties {
  readonly messageId?: unknown;
  readonly contentType?: unknown;
  readonly contentEncoding?: unknown;
}

/** A message that is not ours, or is damaged. `problems` has one entry for each bad property. */
export class BadMessageError extends HoldfastError {
  readonly problems: readonly FieldError[];

  constructor(problems: readonly FieldError[]) {
    const list = problems.map(({ field, problem }) => `${field} (${problem})`).join(', ');
    super('wire-bad-message', `not a mini-batch message: ${list}`);
    this.problems = problems;
  }
}

const maxSchemaLength = 64;
const partForm = /^(\d{1,5})\/(\d{1,5})$/;
const countForm = /^\d{1,7}$/;

/**
 * Reads application properties (values as AMQP gives them: text, numbers, booleans, dates) and system
 * properties. Our names win over aliases; unknown properties are ignored.
 * @throws BadMessageError `wire-bad-message`.
 */
export function parseMessage(
  properties: Readonly<Record<string, unknown>>,
  system: SystemProperties,
): ParsedMessage {
  const fields = new FieldReader(properties);
  const common = readCommon(fields, system);
  const reason = fields.optional(['void'], readReason, `none of ${voidReasons.join(', ')}`);
  const batch = readBatch(fields, system);
  if (fields.errors.length > 0) throw new BadMessageError(fields.errors);
  if (reason !== undefined) return { kind: 'void', ...common, reason };
  return { kind: 'batch', ...common, ...batch };
}

function readCommon(fields: FieldReader, system: SystemProperties): ParsedCommon {
  const index = fields.optional(['index'], readIndexKind, 'neither time nor sequence') ?? 'time';
  const requestId = fields.optional(['requestId'], readRequestId, `not ${requestIdRule}`);
  const { messageId } = system;
  return {
    batchId: fields.required(streamNames(fields), readBatchId, `not ${batchIdRule}`) ?? '',
    index,
    window: readWindow(fields, index),
    isBackfill: fields.optional(['isBackfill', 'IsBackfill'], readFlag, 'neither true nor false') ?? false,
    ...(requestId !== undefined && { requestId }),
    ...(typeof messageId === 'string' && { messageId }),
  };
}

function readWindow(fields: FieldReader, index: IndexKind): Window {
  const read = (value: unknown) => tryParseIndex(index, value);
  const start = fields.required(['startWindow', 'dataWindowStart', 'StartWindow'], read, `no ${index} index`);
  const end = fields.required(['endWindow', 'dataWindowEnd', 'EndWindow'], read, `no ${index} index`);
  if (start !== undefined && end !== undefined && start >= end)
    fields.report('endWindow', 'not after startWindow');
  return { start: start ?? 0, end: end ?? 0 };
}

/**
 * The sample's second form puts a new GUID into `batchId` for every message and names the stream in
 * `deviceID`; taken at its word, no two of its windows would ever meet. `firstTsInBatch` tells it apart.
 */
function streamNames(fields: FieldReader): readonly string[] {
  const isSecondForm = fields.has('deviceID') && fields.has('firstTsInBatch') && !fields.has('schema');
  return isSecondForm ? ['deviceID'] : ['batchId', 'BatchId'];
}

function readBatch(fields: FieldReader, system: SystemProperties) {
  const count = fields.optional(['count'], readCount, `no integer from 0 to ${maxReadingsPerMessage}`);
  const part = fields.optional(['part'], readPart, `not k/n with 1 <= k <= n <= ${maxParts}`);
  const schema = fields.optional(['schema'], readSchema, `not 1-${maxSchemaLength} characters of text`);
  const contentEncoding = parseContentEncoding(system.contentEncoding);
  // What the sample's bodies are in is nobody's business; ours must be readable.
  if (contentEncoding === undefined && schema !== undefined) {
    fields.report('contentEncoding', 'neither utf-8 nor gzip');
  }
  return {
    ...(count !== undefined && { count }),
    ...(part !== undefined && { part }),
    ...(schema !== undefined && { schema }),
    contentEncoding: contentEncoding ?? 'utf-8',
  } as const;
}

// The readers: undefined means "not acceptable", and FieldReader reports it.

function readIndexKind(value: unknown): IndexKind | undefined {
  return value === 'time' || value === 'sequence' ? value : undefined;
}

function readBatchId(value: unknown): string | undefined {
  return isBatchId(value) ? value : undefined;
}

function readRequestId(value: unknown): string | undefined {
  return isRequestId(value) ? value : undefined;
}

function readReason(value: unknown): VoidReason | undefined {
  return voidReasons.find((reason) => reason === value);
}

function readFlag(value: unknown): boolean | undefined {
  const flag = typeof value === 'string' ? value.toLowerCase() : value;
  if (flag === 'true' || flag === true) return true;
  return flag === 'false' || flag === false ? false : undefined;
}

function readCount(value: unknown): number | undefined {
  const count = typeof value === 'string' && countForm.test(value) ? Number(value) : value;
  const isCount = Number.isSafeInteger(count) && (count as number) >= 0;
  return isCount && (count as number) <= maxReadingsPerMessage ? (count as number) : undefined;
}

function readPart(value: unknown): { k: number; n: number } | undefined {
  const match = typeof value === 'string' ? partForm.exec(value) : null;
  const [k, n] = [Number(match?.[1]), Number(match?.[2])];
  return k >= 1 && k <= n && n <= maxParts ? { k, n } : undefined;
}

function readSchema(value: unknown): string | undefined {
  return typeof value === 'string' && value.length >= 1 && value.length <= maxSchemaLength
    ? value
    : undefined;
}
