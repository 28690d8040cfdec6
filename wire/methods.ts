// Payloads of the module's direct methods: ours, and those of the published sample
// (Azure-Samples/iot-reliable-edge-relay), whose first form sends {StartWindow, EndWindow, BatchId, Created}
// and whose second form sends {DeviceID, BackfillStartTime, BackfillEndTime, CreatedAt} with epoch ms as text.
import { createHash } from 'node:crypto';
import { asRecord, type FieldError, FieldReader } from './fields.ts';
import { tryParseIndex } from './index-position.ts';
import { type LateNumbers, lateNumberRule, lateNumbers, parseLateNumber } from './late.ts';
import { batchIdRule, isBatchId, isRequestId, requestIdRule } from './names.ts';
import type { Value } from './reading.ts';
import type { IndexKind, Window } from './window.ts';

export type { FieldError } from './fields.ts';

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly errors: readonly FieldError[] };

interface AnyRequest {
  readonly requestId: string;
  readonly batchId: string;
  /**
   * True when the payload had no request id (the published sample's have none) and one was derived from its
   * content. Asking again for the same range may then give the same id: a finished job should run again.
   */
  readonly derivedId: boolean;
}

/** Asks for a range of the stream. */
export interface WindowsRequest extends AnyRequest {
  readonly kind: 'windows';
  /** As given: only the stream's index kind tells how to read them. See `resolveRange`. */
  readonly startWindow: string;
  readonly endWindow: string;
}

/** Asks for late windows of the stream. */
export interface LateRequest extends AnyRequest {
  readonly kind: 'late';
  readonly late: LateNumbers;
}

export type BackfillRequest = WindowsRequest | LateRequest;

/** The method names that the module answers to: ours first, then the published sample's. */
export const methodNames = {
  backfill: ['backfill', 'BackfillMethod'],
  getBackfill: ['getBackfill'],
  cancelBackfill: ['cancelBackfill'],
  status: ['status'],
  bundle: ['bundle'],
  forget: ['forget'],
  skip: ['skip', 'SkipMessageMethod'],
  write: ['write'],
} as const;

const maxSkipCount = 10_000;
const startNames = ['startWindow', 'StartWindow', 'dataWindowStart', 'BackfillStartTime'];
const endNames = ['endWindow', 'EndWindow', 'dataWindowEnd', 'BackfillEndTime'];
const requestIdNames = ['requestId', 'RequestId'];
const batchIdNames = ['batchId', 'BatchId'];
const anyIndexRule = 'neither ISO 8601 UTC, nor epoch milliseconds, nor a record number';

/** Never throws. Unknown fields are ignored: those who ask by the published sample's forms may send more. */
export function parseBackfillRequest(payload: unknown): Parsed<BackfillRequest> {
  return readFields(payload, (fields) => {
    const batchId = fields.required([...batchIdNames, 'DeviceID'], readBatchId, `not ${batchIdRule}`) ?? '';
    const given = fields.optional(requestIdNames, readRequestId, `not ${requestIdRule}`);
    const created = fields.optional(['Created', 'CreatedAt'], readText, 'no text') ?? '';
    const asked = fields.has('lateNumber') ? readLateAsk(fields) : readWindowsAsk(fields);
    const content = asked.kind === 'late' ? Object.values(asked.late) : [asked.startWindow, asked.endWindow];
    const requestId = given ?? deriveRequestId([batchId, ...content.map(String), created]);
    return { requestId, batchId, ...asked, derivedId: given === undefined };
  });
}

function readWindowsAsk(fields: FieldReader): Pick<WindowsRequest, 'kind' | 'startWindow' | 'endWindow'> {
  const startWindow = fields.required(startNames, readBound, anyIndexRule) ?? '';
  const endWindow = fields.required(endNames, readBound, anyIndexRule) ?? '';
  if (fields.errors.length === 0 && !isAnyRange(startWindow, endWindow)) {
    fields.report('endWindow', 'not after startWindow');
  }
  return { kind: 'windows', startWindow, endWindow };
}

function readLateAsk(fields: FieldReader): Pick<LateRequest, 'kind' | 'late'> {
  const first = fields.required(['lateNumber'], parseLateNumber, lateNumberRule) ?? { series: '', number: 1 };
  const last = fields.optional(['lateThrough'], parseLateNumber, lateNumberRule) ?? first;
  const late = lateNumbers(first, last);
  if (late === undefined && fields.errors.length === 0)
    fields.report('lateThrough', 'before lateNumber, or of another series');
  return { kind: 'late', late: late ?? { series: '', first: 1, last: 1 } };
}

/**
 * The range that a request means in a stream of that kind. What is finer than a millisecond is rounded
 * outwards, so that the answer covers all that was asked for. Never throws.
 */
export function resolveRange(
  { startWindow, endWindow }: Pick<WindowsRequest, 'startWindow' | 'endWindow'>,
  kind: IndexKind,
): Parsed<Window> {
  return readFields({ startWindow, endWindow }, (fields) => {
    const rule =
      kind === 'time'
        ? 'no time; this stream is ordered by time'
        : 'no record number; this stream is ordered by record numbers';
    const start = fields.required(['startWindow'], (text) => tryParseIndex(kind, text, 'down'), rule) ?? 0;
    const end = fields.required(['endWindow'], (text) => tryParseIndex(kind, text, 'up'), rule) ?? 0;
    if (fields.errors.length === 0 && start >= end) fields.report('endWindow', 'not after startWindow');
    return { start, end };
  });
}

/**
 * For `getBackfill` and `cancelBackfill`. `declareVoid` (default false) is what the caller of cancelBackfill
 * sets to have the rest of the range declared void. Never throws.
 */
export function parseRequestId(payload: unknown): Parsed<{ requestId: string; declareVoid: boolean }> {
  return readFields(payload, (fields) => {
    fields.only([...requestIdNames, 'declareVoid']);
    const requestId = fields.required(requestIdNames, readRequestId, `not ${requestIdRule}`) ?? '';
    const declareVoid = fields.optional(['declareVoid'], readBoolean, 'neither true nor false') ?? false;
    return { requestId, declareVoid };
  });
}

/**
 * `batchId` is absent only in the published sample's form, which has no payload at all: the next window of
 * every stream. `count` is 1 by default. Never throws.
 */
export function parseSkip(payload: unknown): Parsed<{ batchId?: string; count: number }> {
  if (isEmpty(payload)) return { ok: true, value: { count: 1 } };
  return readFields(payload, (fields) => {
    fields.only([...batchIdNames, 'count', 'Count']);
    const batchId = fields.required(batchIdNames, readBatchId, `not ${batchIdRule}`) ?? '';
    const count =
      fields.optional(['count', 'Count'], readSkipCount, `no integer from 1 to ${maxSkipCount}`) ?? 1;
    return { batchId, count };
  });
}

export interface WriteRequest {
  readonly source: string;
  readonly tag: string;
  readonly value: Value;
  /** What the equipment must hold now. */
  readonly expected?: Value | undefined;
  /** UTC epoch ms: not written later. */
  readonly deadline?: number | undefined;
}

/** `null` is no value to write, nor one to expect: what would lift a condition is an error, not a condition less. Never throws. */
export function parseWrite(payload: unknown): Parsed<WriteRequest> {
  return readFields(payload, (fields) => {
    fields.only(['source', 'tag', 'value', 'expected', 'deadline']);
    fields.notNull(['expected', 'deadline']);
    const rule = 'no text of 1 to 128 characters';
    const source = fields.required(['source'], readName, rule) ?? '';
    const tag = fields.required(['tag'], readName, rule) ?? '';
    const value = fields.required(['value'], (given) => given as Value, 'no value') ?? null;
    const expected = fields.optional(['expected'], (given) => given as Value, 'no value');
    const time = (given: unknown) => tryParseIndex('time', given, 'down');
    const deadline = fields.optional(['deadline'], time, 'no ISO 8601 UTC time');
    return { source, tag, value, expected, deadline };
  });
}

function readName(value: unknown): string | undefined {
  return typeof value === 'string' && value.length >= 1 && value.length <= 128 ? value : undefined;
}

/** For `forget`: of one source, or of all where there is no `batchId`. Never throws. */
export function parseForget(payload: unknown): Parsed<{ batchId?: string }> {
  if (isEmpty(payload)) return { ok: true, value: {} };
  return readFields(payload, (fields) => {
    fields.only(batchIdNames);
    return { batchId: fields.required(batchIdNames, readBatchId, `not ${batchIdRule}`) ?? '' };
  });
}

function readFields<T>(payload: unknown, read: (fields: FieldReader) => T): Parsed<T> {
  const record = asRecord(payload);
  if (record === undefined) return { ok: false, errors: [{ field: 'payload', problem: 'no JSON object' }] };
  const fields = new FieldReader(record);
  const value = read(fields);
  return fields.errors.length === 0 ? { ok: true, value } : { ok: false, errors: fields.errors };
}

function isEmpty(payload: unknown): boolean {
  if (payload === undefined || payload === null || payload === '') return true;
  const record = asRecord(payload);
  return record !== undefined && Object.keys(record).length === 0;
}

/** Kept as text until the stream's index kind is known. */
function readBound(value: unknown): string | undefined {
  const isIndexOfAnyKind =
    tryParseIndex('time', value) !== undefined || tryParseIndex('sequence', value) !== undefined;
  return isIndexOfAnyKind && typeof value !== 'object' ? String(value) : undefined;
}

/** False when the range is empty or backwards whatever the kind of the stream. */
function isAnyRange(startWindow: string, endWindow: string): boolean {
  return (
    resolveRange({ startWindow, endWindow }, 'time').ok ||
    resolveRange({ startWindow, endWindow }, 'sequence').ok
  );
}

function deriveRequestId(content: readonly string[]): string {
  return `derived-${createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 32)}`;
}

function readBatchId(value: unknown): string | undefined {
  return isBatchId(value) ? value : undefined;
}

function readRequestId(value: unknown): string | undefined {
  return isRequestId(value) ? value : undefined;
}

function readText(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? String(value).slice(0, 64) : undefined;
}

function readBoolean(value: unknown): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined;
}

function readSkipCount(value: unknown): number | undefined {
  const isCount = Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= maxSkipCount;
  return isCount ? (value as number) : undefined;
}
