// Message properties, as the detector reads them: ours, and those of the published sample
// (Azure-Samples/iot-reliable-edge-relay) in both of its forms, so that its relays can be watched unchanged.
import { HoldfastError } from '../kernel/errors.ts';
import { type ContentEncoding, parseContentEncoding } from './body.ts';
import { type FieldError, FieldReader } from './fields.ts';
import { tryParseIndex } from './index-position.ts';
import { type LateNumber, type LateNumbers, lateNumberRule, lateNumbers, parseLateNumber } from './late.ts';
import { maxParts, maxReadingsPerMessage } from './limits.ts';
import { type VoidReason, voidReasons } from './mini-batch.ts';
import { batchIdRule, isBatchId, isRequestId, requestIdRule } from './names.ts';
import type { IndexKind, Window } from './window.ts';

interface ParsedCommon {
  readonly batchId: string;
  readonly index: IndexKind;
  readonly isBackfill: boolean;
  readonly requestId?: string;
  readonly messageId?: string;
}

interface ParsedClaim extends ParsedCommon {
  readonly window: Window;
  /** How many late windows the stream has had when this was made. */
  readonly lateThrough?: LateNumber;
  /** Where the first window of the stream began: whoever knows nothing from there on has missed it. */
  readonly streamStart?: number;
}

interface ParsedContent {
  /** Absent in messages of the published sample. */
  readonly count?: number;
  /** `k` of `n`, from 1. Absent when the window is one message. */
  readonly part?: { readonly k: number; readonly n: number };
  /** Names the encoding that the part is of. */
  readonly partSet?: string;
  /** Absent in messages of the published sample: their body is anything. May be newer than what we know. */
  readonly schema?: string;
  readonly contentEncoding: ContentEncoding;
}

/** All readings of its window. */
export interface ParsedBatch extends ParsedClaim, ParsedContent {
  readonly kind: 'batch';
}

export interface ParsedVoid extends ParsedClaim {
  readonly kind: 'void';
  readonly reason: VoidReason;
}

/** Readings that came late: they lie in `window`, and nothing is said of what else does. */
export interface ParsedLate extends ParsedCommon, ParsedContent {
  readonly kind: 'late';
  readonly window: Window;
  readonly late: LateNumber;
}

/** These late windows are lost. */
export interface ParsedLateVoid extends ParsedCommon {
  readonly kind: 'late-void';
  readonly late: LateNumbers;
  readonly reason: VoidReason;
}

export type ParsedMessage = ParsedBatch | ParsedVoid | ParsedLate | ParsedLateVoid;

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
const partSetForm = /^[A-Za-z0-9]{1,64}$/;
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
  const isLate = fields.optional(['isLate'], readFlag, 'neither true nor false') ?? false;
  const message = isLate ? readLate(fields, common, reason, batch) : readClaim(fields, common, reason, batch);
  if (fields.errors.length > 0) throw new BadMessageError(fields.errors);
  return message;
}

function readClaim(
  fields: FieldReader,
  common: ParsedCommon,
  reason: VoidReason | undefined,
  batch: ParsedContent,
): ParsedBatch | ParsedVoid {
  const { index } = common;
  const through = fields.optional(['lateThrough'], readThrough, lateNumberRule);
  const streamStart = fields.optional(
    ['streamStart'],
    (value) => tryParseIndex(index, value),
    `no ${index} index`,
  );
  const claim = {
    ...common,
    window: readWindow(fields, index),
    ...(streamStart !== undefined && { streamStart }),
    ...(through !== undefined && through !== 'none' && { lateThrough: through }),
  };
  return reason === undefined ? { kind: 'batch', ...claim, ...batch } : { kind: 'void', ...claim, reason };
}

function readLate(
  fields: FieldReader,
  common: ParsedCommon,
  reason: VoidReason | undefined,
  batch: ParsedContent,
): ParsedLate | ParsedLateVoid {
  const late = fields.required(['lateNumber'], parseLateNumber, lateNumberRule) ?? { series: '', number: 1 };
  if (reason === undefined) {
    return { kind: 'late', ...common, window: readWindow(fields, common.index), late, ...batch };
  }
  const last = fields.optional(['lateThrough'], parseLateNumber, lateNumberRule);
  const numbers = lateNumbers(late, last ?? late);
  if (numbers === undefined && fields.errors.length === 0)
    fields.report('lateThrough', 'before lateNumber, or of another series');
  const { series, number } = late;
  return { kind: 'late-void', ...common, late: numbers ?? { series, first: number, last: number }, reason };
}

/** 0 is how one may say that there was none yet. */
function readThrough(value: unknown): LateNumber | 'none' | undefined {
  return value === 0 || value === '0' ? 'none' : parseLateNumber(value);
}

function readCommon(fields: FieldReader, system: SystemProperties): ParsedCommon {
  const index = fields.optional(['index'], readIndexKind, 'neither time nor sequence') ?? 'time';
  const requestId = fields.optional(['requestId'], readRequestId, `not ${requestIdRule}`);
  const { messageId } = system;
  return {
    batchId: fields.required(streamNames(fields), readBatchId, `not ${batchIdRule}`) ?? '',
    index,
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
  const partSet = fields.optional(['partSet'], readPartSet, 'not 1-64 of A-Z a-z 0-9');
  const schema = fields.optional(['schema'], readSchema, `not 1-${maxSchemaLength} characters of text`);
  const contentEncoding = parseContentEncoding(system.contentEncoding);
  // What the sample's bodies are in is nobody's business; ours must be readable.
  if (contentEncoding === undefined && schema !== undefined) {
    fields.report('contentEncoding', 'neither utf-8 nor gzip');
  }
  return {
    ...(count !== undefined && { count }),
    ...(part !== undefined && { part }),
    ...(part !== undefined && partSet !== undefined && { partSet }),
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

function readPartSet(value: unknown): string | undefined {
  return typeof value === 'string' && partSetForm.test(value) ? value : undefined;
}

function readSchema(value: unknown): string | undefined {
  return typeof value === 'string' && value.length >= 1 && value.length <= maxSchemaLength
    ? value
    : undefined;
}
