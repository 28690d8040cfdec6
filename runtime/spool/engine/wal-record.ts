// One record of the write-ahead log: a batch, as it is written before anything else is done with it, or a checkpoint.
//
//   u32 mark          "HFW1"
//   u32 generation    of the segment's use: segments are used again, and records of an earlier use no longer count
//   u32 length        of the payload
//   u32 sum           CRC-32 over bytes 4-11, bytes 16-23 and the payload
//   u48 sequence      one more than that of the record before
//   u8  flags         1: the writer waited for the disk before it wrote the next record
//   u8  kind          0 batch, 1 checkpoint
//   payload
//
// The mark finds the records behind a damaged one. Sequence and flags decide whether those count: see wal-replay.ts.
import { crc32 } from 'node:zlib';

export const recordHeadBytes = 24;
const mark = 0x48_46_57_31;
const markBytes = Buffer.from('HFW1', 'latin1');
const flagSynced = 1;

export type RecordKind = 'batch' | 'checkpoint';

export interface RecordHead {
  readonly generation: number;
  readonly sequence: number;
  readonly synced: boolean;
  readonly kind: RecordKind;
}

export interface LogRecord extends RecordHead {
  readonly payload: Buffer;
  /** Offset of the payload in its file. */
  readonly offset: number;
}

/** The head that goes before `pieces`, which together are the payload. */
export function encodeHead(head: RecordHead, pieces: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.alloc(recordHeadBytes);
  const length = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
  bytes.writeUInt32BE(mark, 0);
  bytes.writeUInt32BE(head.generation, 4);
  bytes.writeUInt32BE(length, 8);
  bytes.writeUIntBE(head.sequence, 16, 6);
  bytes[22] = head.synced ? flagSynced : 0;
  bytes[23] = head.kind === 'batch' ? 0 : 1;
  bytes.writeUInt32BE(sumOf(bytes, pieces), 12);
  return bytes;
}

function sumOf(head: Buffer, pieces: readonly Uint8Array[]): number {
  let sum = crc32(head.subarray(16, recordHeadBytes), crc32(head.subarray(4, 12)));
  for (const piece of pieces) sum = crc32(piece, sum);
  return sum;
}

/** The record that begins at `at`; undefined when no whole record does. */
export function recordAt(file: Buffer, at: number): LogRecord | undefined {
  if (at + recordHeadBytes > file.byteLength || file.readUInt32BE(at) !== mark) return undefined;
  const head = file.subarray(at, at + recordHeadBytes);
  const from = at + recordHeadBytes;
  const length = head.readUInt32BE(8);
  if (length > file.byteLength - from) return undefined;
  const payload = file.subarray(from, from + length);
  if (sumOf(head, [payload]) !== head.readUInt32BE(12)) return undefined;
  return {
    generation: head.readUInt32BE(4),
    sequence: head.readUIntBE(16, 6),
    synced: (head[22]! & flagSynced) !== 0,
    kind: head[23] === 0 ? 'batch' : 'checkpoint',
    payload,
    offset: from,
  };
}

/** All whole records of a file, those behind damaged bytes and those of earlier uses too. */
export function* recordsIn(file: Buffer): Generator<LogRecord> {
  let at = 0;
  while (at >= 0 && at < file.byteLength) {
    const record = recordAt(file, at);
    if (record === undefined) {
      at = file.indexOf(markBytes, at + 1);
      continue;
    }
    yield record;
    at = record.offset + record.payload.byteLength;
  }
}
