// LevelDB's log format, which its write-ahead logs and its MANIFEST share (leveldb/doc/log_format.md):
// blocks of 32 KB, each a row of fragments with a sum; a record is one fragment or several.
import { maskedCrc32c } from './crc32c.ts';

const blockBytes = 32 * 1024;
const headBytes = 7;
const full = 1;
const first = 2;
// 3 continues a record.
const last = 4;
// In damaged bytes each offset may look like a fragment: so many times the file's bytes are summed in search of one.
const searchedTimes = 16;

/** Bytes of a file that cannot be used. */
export interface BadStretch {
  readonly offset: number;
  readonly length: number;
  readonly reason: string;
}

export interface LogContents {
  readonly records: readonly Buffer[];
  /** Stretches with whole records behind them, or whose sums are wrong: damage. */
  readonly bad: readonly BadStretch[];
  /** The file ends within a record, or in zeros: a power cut during a write leaves this. */
  readonly tornTail?: BadStretch;
}

/**
 * After damage LevelDB passes over the rest of the block, or of the file if a length points beyond its end: the
 * length may be what is wrong. Here the next fragment is looked for byte by byte; its sum says that it is one. The search
 * is bounded; beyond that the rest of a block is passed over here too.
 */
export function readLog(file: Buffer): LogContents {
  const reader = new LogReader(file.byteLength * searchedTimes);
  for (let at = 0; at < file.byteLength; ) {
    const blockEnd = Math.min(file.byteLength, (Math.floor(at / blockBytes) + 1) * blockBytes);
    at = blockEnd - at < headBytes ? reader.skipTrailer(file, at, blockEnd) : reader.take(file, at, blockEnd);
  }
  return reader.finish(file.byteLength);
}

class LogReader {
  readonly #search: { bytesLeft: number };
  readonly #records: Buffer[] = [];
  readonly #bad: BadStretch[] = [];
  // Fragments of the record that is being put together.
  #parts: Buffer[] = [];
  #begunAt = 0;
  // Not yet known to be damage: something whole may follow.
  #open: (BadStretch & { readonly isWrong: boolean }) | undefined;

  /** `searchBytes`: as many are summed in search of fragments behind damage. */
  constructor(searchBytes: number) {
    this.#search = { bytesLeft: searchBytes };
  }

  /** Returns where to go on. */
  take(file: Buffer, at: number, blockEnd: number): number {
    const fragment = readFragment(file, at, blockEnd);
    if ('reason' in fragment) {
      const next = findFragment(file, at + 1, blockEnd, this.#search);
      this.#spoil(at, next, fragment.reason, fragment.isWrong);
      return next;
    }
    const { type, data, end } = fragment;
    const begins = type === full || type === first;
    if (begins && this.#parts.length > 0) this.#spoil(at, at, 'a record without its end', false);
    if (!begins && this.#parts.length === 0) this.#spoil(at, end, 'a record without its beginning', false);
    else {
      if (begins) this.#begunAt = at;
      this.#parts.push(data);
      if (type === full || type === last) this.#keep();
    }
    return end;
  }

  /** Less than a fragment's head at the end of a block is filled with zeros; at the end of the file it is a tear. */
  skipTrailer(file: Buffer, at: number, end: number): number {
    if (end === file.byteLength && end % blockBytes !== 0)
      this.#spoil(at, end, 'it ends within a record', false);
    return end;
  }

  finish(end: number): LogContents {
    if (this.#parts.length > 0) this.#spoil(end, end, 'it ends within a record', false);
    const { isWrong, ...stretch } = this.#open ?? { isWrong: false, offset: 0, length: 0, reason: '' };
    if (isWrong) this.#bad.push(stretch);
    const isTorn = this.#open !== undefined && !isWrong;
    return { records: this.#records, bad: this.#bad, ...(isTorn ? { tornTail: stretch } : {}) };
  }

  #keep(): void {
    if (this.#open !== undefined) {
      const { offset, length, reason } = this.#open;
      this.#bad.push({ offset, length, reason });
    }
    this.#open = undefined;
    this.#records.push(this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts));
    this.#parts = [];
  }

  /** A record whose fragment is damaged is lost as a whole. */
  #spoil(at: number, end: number, reason: string, isWrong: boolean): void {
    const offset = this.#open?.offset ?? (this.#parts.length > 0 ? this.#begunAt : at);
    const wrong = isWrong || (this.#open?.isWrong ?? false);
    const why = this.#open !== undefined && !(isWrong && !this.#open.isWrong) ? this.#open.reason : reason;
    this.#open = { offset, length: end - offset, reason: why, isWrong: wrong };
    this.#parts = [];
  }
}

type Fragment =
  | { readonly type: number; readonly data: Buffer; readonly end: number }
  | { readonly reason: string; readonly isWrong: boolean };

function readFragment(file: Buffer, at: number, blockEnd: number): Fragment {
  const length = file.readUInt16LE(at + 4);
  const type = file[at + 6]!;
  if (type === 0 && length === 0) return { reason: 'never written: zeros', isWrong: false };
  const end = at + headBytes + length;
  if (end > blockEnd) {
    const isTorn = blockEnd === file.byteLength;
    return {
      reason: isTorn ? 'it ends within a record' : 'a length reaches beyond its block',
      isWrong: !isTorn,
    };
  }
  if (maskedCrc32c(file, at + 6, end) !== file.readUInt32LE(at)) {
    return { reason: 'the sum does not match', isWrong: true };
  }
  if (type < full || type > last) return { reason: `unknown fragment type ${type}`, isWrong: true };
  return { type, data: file.subarray(at + headBytes, end), end };
}

/** Where the next whole fragment begins, else the end of the block. Few offsets get as far as a sum. */
function findFragment(file: Buffer, from: number, blockEnd: number, search: { bytesLeft: number }): number {
  for (let at = from; at + headBytes <= blockEnd && search.bytesLeft > 0; at++) {
    const type = file[at + 6]!;
    const length = file.readUInt16LE(at + 4);
    if (type < full || type > last || at + headBytes + length > blockEnd) continue;
    search.bytesLeft -= headBytes + length;
    if (!('reason' in readFragment(file, at, blockEnd))) return at;
  }
  return blockEnd;
}
