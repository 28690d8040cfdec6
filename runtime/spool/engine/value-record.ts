// One record of the value log, and the pointer that the index holds in place of the value.
//
// In a segment: u32 mark "HFV1", u32 sum (CRC-32 over bytes 8-13 and the key), u32 length of the value, u16 length of the
// key, the key, the value. The caller's value has a sum of its own, so this one covers only what finds it. Because the
// key stands in front of it, the index can be rebuilt from the segments alone.
//
// In the index: u8 3, u32 segment, u32 offset, u32 length, u32 sum (CRC-32 over key and bytes 0-12). No value that is
// stored in the index itself begins with 3: the engine's caller sees to that (docs/FORMAT.md, Values).
import { crc32 } from 'node:zlib';

/** Where a value lies in the value log. */
export interface ValuePointer {
  readonly segment: number;
  /** Offset of the record's head. */
  readonly offset: number;
  /** Length of the value, without the head. */
  readonly length: number;
}

export const valueMark = Buffer.from('HFV1', 'latin1');
const headBytes = 14;
const pointerMark = 3;
const pointerBytes = 17;

/** The record's bytes before the value. */
export function encodeValueHead(key: Uint8Array, valueBytes: number): Buffer {
  const head = Buffer.allocUnsafe(headBytes + key.byteLength);
  valueMark.copy(head);
  head.writeUInt32BE(valueBytes, 8);
  head.writeUInt16BE(key.byteLength, 12);
  head.set(key, headBytes);
  head.writeUInt32BE(crc32(head.subarray(8)), 4);
  return head;
}

export const valueHeadBytes = (key: Uint8Array): number => headBytes + key.byteLength;

export interface ValueRecord {
  readonly key: Buffer;
  readonly offset: number;
  readonly length: number;
  /** Shorter than `length` where the segment ends. */
  readonly value: Buffer;
}

/** The record whose head begins at `at`; undefined when no whole head does. */
export function valueRecordAt(segment: Buffer, at: number): ValueRecord | undefined {
  if (at + headBytes > segment.byteLength || segment.compare(valueMark, 0, 4, at, at + 4) !== 0)
    return undefined;
  const keyEnd = at + headBytes + segment.readUInt16BE(at + 12);
  if (keyEnd > segment.byteLength) return undefined;
  if (crc32(segment.subarray(at + 8, keyEnd)) !== segment.readUInt32BE(at + 4)) return undefined;
  const length = segment.readUInt32BE(at + 8);
  const key = segment.subarray(at + headBytes, keyEnd);
  return { key, offset: at, length, value: segment.subarray(keyEnd, keyEnd + length) };
}

/** All records of a segment, those behind damaged bytes too. */
export function* valueRecordsIn(segment: Buffer): Generator<ValueRecord> {
  let at = 0;
  while (at >= 0 && at < segment.byteLength) {
    const record = valueRecordAt(segment, at);
    if (record === undefined) {
      at = segment.indexOf(valueMark, at + 1);
      continue;
    }
    yield record;
    at = record.offset + valueHeadBytes(record.key) + record.length;
  }
}

/** Whether the record is the one that the key's pointer names, with all of its value. */
export function isWhole(
  { key: found, value }: ValueRecord,
  key: Uint8Array,
  { length }: ValuePointer,
): boolean {
  return found.equals(key) && value.byteLength === length;
}

export function encodeValuePointer(key: Uint8Array, pointer: ValuePointer): Buffer {
  const bytes = Buffer.allocUnsafe(pointerBytes);
  bytes[0] = pointerMark;
  bytes.writeUInt32BE(pointer.segment, 1);
  bytes.writeUInt32BE(pointer.offset, 5);
  bytes.writeUInt32BE(pointer.length, 9);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, 13), crc32(key)), 13);
  return bytes;
}

/** Undefined: it is the value itself, or a damaged pointer. */
export function decodeValuePointer(key: Uint8Array, value: Uint8Array): ValuePointer | undefined {
  if (value[0] !== pointerMark || value.byteLength !== pointerBytes) return undefined;
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (crc32(bytes.subarray(0, 13), crc32(key)) !== bytes.readUInt32BE(13)) return undefined;
  return { segment: bytes.readUInt32BE(1), offset: bytes.readUInt32BE(5), length: bytes.readUInt32BE(9) };
}
