// LevelDB's log format, which its write-ahead logs and its MANIFEST share (leveldb/doc/log_format.md):
// blocks of 32 KB, each a row of fragments with a sum; a record is one fragment or several.
import { maskedCrc32c } from './crc32c.ts';

const blockBytes = 32 * 1024;
const headBytes = 7;
const full = 1;
const first = 2;
// 3 continues a record.
const last = 4;

/** Bytes of a file that cannot be used. */
export interface BadStretch {
  readonly offset: number;
  readonly length: number;
  readonly reason: string;
}

export interface LogContents {
  readonly records: readonly Buffer[];
  /** Stretches with whole records behind them: damage. */
  readonly bad: readonly BadStretch[];
  /** What follows the last whole record: a power cut in the middle of a write leaves this too. */
  readonly tornTail?: BadStretch;
}

export function readLog(file: Buffer): LogContents {
  const records: Buffer[] = [];
  const bad: BadStretch[] = [];
  let parts: Buffer[] | undefined;
  let begunAt = 0;
  // A stretch counts as damage only once something whole follows it.
  let open: BadStretch | undefined;
  const spoil = (offset: number, end: number, reason: string) => {
    open = open ? { ...open, length: end - open.offset } : { offset, length: end - offset, reason };
  };
  const keep = (record: Buffer) => {
    if (open !== undefined) bad.push(open);
    open = undefined;
    records.push(record);
  };
  for (let at = 0; at < file.byteLength; ) {
    const blockEnd = Math.min(file.byteLength, (Math.floor(at / blockBytes) + 1) * blockBytes);
    if (blockEnd - at < headBytes) {
      at = blockEnd;
      continue;
    }
    const fragment = readFragment(file, at, blockEnd);
    if ('reason' in fragment) {
      // Lengths cannot be trusted any more: the next block is the next place to begin.
      spoil(parts === undefined ? at : begunAt, blockEnd, fragment.reason);
      parts = undefined;
      at = blockEnd;
      continue;
    }
    const { type, data, end } = fragment;
    if (type === full || type === first) {
      if (parts !== undefined) spoil(begunAt, at, 'a record without its end');
      parts = undefined;
    }
    if (type === full) keep(data);
    else if (type === first) {
      parts = [data];
      begunAt = at;
    } else if (parts === undefined) spoil(at, end, 'a record without its beginning');
    else {
      parts.push(data);
      if (type === last) {
        keep(Buffer.concat(parts));
        parts = undefined;
      }
    }
    at = end;
  }
  if (parts !== undefined) spoil(begunAt, file.byteLength, 'a record without its end');
  return { records, bad, ...(open === undefined ? {} : { tornTail: open }) };
}

function readFragment(file: Buffer, at: number, blockEnd: number) {
  const length = file.readUInt16LE(at + 4);
  const type = file[at + 6]!;
  if (type === 0 && length === 0) return { reason: 'never written: zeros' };
  const end = at + headBytes + length;
  if (end > blockEnd) return { reason: 'a length reaches beyond its block or the end of the file' };
  if (maskedCrc32c(file, at + 6, end) !== file.readUInt32LE(at)) return { reason: 'the sum does not match' };
  if (type < full || type > last) return { reason: `unknown fragment type ${type}` };
  return { type, data: file.subarray(at + headBytes, end), end };
}
