// The journal of open windows: its records, and what recovery makes of them.
//
// A record says "stream S, open window starting at `start`: readings ..., and with them everything in
// [from, end) is here". Each names the range that it adds, so recovery does not have to trust that
// none is missing: a medium that loses a record is not always found out, and a window joined across the
// missing record would claim readings that are gone. Records that do not touch become separate windows,
// with the hole between them; readings beyond what was stated become windows of exactly their positions.
//
// What a missing record may have held. Its readings lie at or beyond the `end` of the one before it, since windows
// send what comes for positions that they claim already on its own; so all up to there stands. And they lie below the
// `readTo` of the one after it, which may be beyond that record's `from`: only from there on all is known again.
import { constants as zlib, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { HoldfastError } from '../../../kernel/errors.ts';
import { decodeBody, encodeBody } from '../../../wire/body.ts';
import { exactWindows } from '../../../wire/exact-windows.ts';
import { maxUnpackedBytes } from '../../../wire/limits.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { IndexKind, Window } from '../../../wire/window.ts';

export interface JournalRecord {
  /** Start of the open window that the record belongs to. */
  readonly start: number;
  /** Observation is complete in `[from, end)`, given this record and, below `from`, the ones before it. */
  readonly from: number;
  readonly end: number;
  /** The readings of all earlier records of this open window lie below. */
  readonly readTo: number;
  /** May hold readings at or beyond `end`: seen, but not known to be complete there. */
  readonly readings: readonly Reading[];
}

const formAt = 24;
const readToAt = 25;
const headBytes = 33;
/** Bit of the form: readings follow. */
const hasReadings = 1;
const maxReadings = 20_000;
const zstdParams = { [zlib.ZSTD_c_compressionLevel]: 1 };

/**
 * The payloads for what one commit adds: one as a rule, several when the readings are too many for one body.
 * All but the last add no range, so that a crash or damage between them claims nothing.
 */
export function encodeJournal(index: IndexKind, record: JournalRecord): readonly Uint8Array[] {
  const readings = inOrder(record.readings);
  const chunks: Uint8Array[] = [];
  for (let at = 0; at === 0 || at < readings.length; at += maxReadings) {
    const last = at + maxReadings >= readings.length;
    const end = last ? record.end : record.from;
    const part = { ...record, end, readings: readings.slice(at, at + maxReadings) };
    chunks.push(...encodeSplit(index, { ...part, readTo: readTo(record.readTo, readings.slice(0, at)) }));
  }
  return chunks;
}

function inOrder(readings: readonly Reading[]): readonly Reading[] {
  const isInOrder = readings.every(({ index }, at) => at === 0 || readings[at - 1]!.index <= index);
  return isInOrder ? readings : readings.toSorted((a, b) => a.index - b.index);
}

/** Below which index all readings are, `of` being those that come after all below `before`, in order. */
export function readTo(before: number, of: readonly Reading[]): number {
  return of.reduce((to, { index }) => Math.max(to, index + 1), before);
}

// Arrays and objects may be too much for one body at any count of readings.
function encodeSplit(index: IndexKind, record: JournalRecord): readonly Uint8Array[] {
  const { readings } = record;
  try {
    return [encodeRecord(index, record)];
  } catch (error) {
    const splits = error instanceof HoldfastError && error.code === 'wire-body-too-large';
    if (!splits || readings.length < 2) throw error;
    const half = readings.length >>> 1;
    const [first, second] = [readings.slice(0, half), readings.slice(half)];
    return [
      ...encodeSplit(index, { ...record, end: record.from, readings: first }),
      ...encodeSplit(index, { ...record, readTo: readTo(record.readTo, first), readings: second }),
    ];
  }
}

/** f64 start, f64 from, f64 end, u8 form, f64 readTo, then the readings as `columns/1` JSON in zstd, if any. */
function encodeRecord(index: IndexKind, record: JournalRecord): Uint8Array {
  const packed = record.readings.length === 0 ? new Uint8Array(0) : pack(index, record.readings);
  const payload = Buffer.allocUnsafe(headBytes + packed.byteLength);
  payload.writeDoubleBE(record.start, 0);
  payload.writeDoubleBE(record.from, 8);
  payload.writeDoubleBE(record.end, 16);
  payload[formAt] = packed.byteLength === 0 ? 0 : hasReadings;
  payload.writeDoubleBE(record.readTo, readToAt);
  payload.set(packed, headBytes);
  return payload;
}

function pack(index: IndexKind, readings: readonly Reading[]): Uint8Array {
  const { body } = encodeBody(index, readings, { schema: 'columns/1', gzip: false });
  // One chunk holds it. By default that takes 16 KiB, many times what a poll does.
  const chunkSize = Math.max(zlib.Z_MIN_CHUNK, body.byteLength);
  return zstdCompressSync(body, { params: zstdParams, chunkSize });
}

/** @throws HoldfastError `spool-record-damaged`. */
export function decodeJournal(index: IndexKind, payload: Buffer): JournalRecord {
  try {
    const form = payload.readUInt8(formAt);
    const packed = payload.subarray(headBytes);
    const body =
      (form & hasReadings) === 0
        ? undefined
        : zstdDecompressSync(packed, { maxOutputLength: maxUnpackedBytes });
    return {
      start: payload.readDoubleBE(0),
      from: payload.readDoubleBE(8),
      end: payload.readDoubleBE(16),
      readTo: payload.readDoubleBE(readToAt),
      readings:
        body === undefined
          ? []
          : decodeBody(body, { schema: 'columns/1', contentEncoding: undefined, index }),
    };
  } catch (cause) {
    throw new HoldfastError('spool-record-damaged', 'a journal record does not unpack', { cause });
  }
}

export interface RecoveredWindow {
  readonly window: Window;
  readonly readings: readonly Reading[];
  /** Stands for positions beyond what observation was stated to reach: sent marked, like late readings. */
  readonly late: boolean;
}

/**
 * The windows that a stream's journal gives back, in order, none overlapping another that is not `late`.
 * `records` in the order of writing; `undefined` stands for one that was damaged.
 */
export function recoverWindows(records: readonly (JournalRecord | undefined)[]): readonly RecoveredWindow[] {
  const windows: RecoveredWindow[] = [];
  let run: JournalRecord[] = [];
  const finish = () => {
    if (run.length > 0) windows.push(...closeRun(run));
    run = [];
  };
  for (const record of records) {
    const last = run.at(-1);
    if (
      record === undefined ||
      last === undefined ||
      last.start !== record.start ||
      last.end !== record.from
    ) {
      finish();
    }
    if (record !== undefined) run.push(record);
  }
  finish();
  return windows;
}

function closeRun(run: readonly JournalRecord[]): readonly RecoveredWindow[] {
  const { from, readTo: lostTo } = run[0]!;
  const window = { start: Math.max(from, lostTo), end: run.at(-1)!.end };
  const readings = run.flatMap((record) => record.readings).sort((a, b) => a.index - b.index);
  const inside = readings.filter((reading) => reading.index >= window.start && reading.index < window.end);
  const outside = readings.filter((reading) => reading.index < window.start || reading.index >= window.end);
  const windows: RecoveredWindow[] = [];
  if (window.end > window.start) windows.push({ window, readings: inside, late: false });
  return [...windows, ...exactWindows(outside).map((exact) => ({ ...exact, late: true }))];
}
