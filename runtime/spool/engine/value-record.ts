// One value among the bodies, and what stands in the index in its place.
//
// In a file of bodies: u32 mark "HFB1", u32 sum (CRC-32 over bytes 8-13 and the key), u32 length of the value, u16
// length of the key, the key, the value. The value has a sum of its own (record.ts), so this one covers only what
// finds it. With the key in front the index can be made anew from the files alone.
//
// In the index: u8 3, u32 file, u32 offset, u32 length, u32 sum (CRC-32 over key and bytes 0-12). Envelopes of values
// begin with 1 or 2, so a value that stands in the index itself, as in format 1, is told by its first byte.
import { crc32 } from 'node:zlib';
import type { Place } from './wal-ops.ts';

export const bodyMark = Buffer.from('HFB1', 'latin1');
const headBytes = 14;
const placeMark = 3;
const placeBytes = 17;

/** What goes before the value. */
export function encodeBodyHead(key: Uint8Array, valueBytes: number): Buffer {
  const head = Buffer.allocUnsafe(headBytes + key.byteLength);
  bodyMark.copy(head);
  head.writeUInt32BE(valueBytes, 8);
  head.writeUInt16BE(key.byteLength, 12);
  head.set(key, headBytes);
  head.writeUInt32BE(crc32(head.subarray(8)), 4);
  return head;
}

export const bodyHeadBytes = (key: Uint8Array): number => headBytes + key.byteLength;

export interface BodyAt {
  readonly key: Buffer;
  readonly offset: number;
  readonly length: number;
  /** Cut short where the file is. */
  readonly value: Buffer;
}

/** The value whose head begins at `at`; undefined when no whole head does. */
export function bodyAt(file: Buffer, at: number): BodyAt | undefined {
  if (at + headBytes > file.byteLength || file.compare(bodyMark, 0, 4, at, at + 4) !== 0) return undefined;
  const keyEnd = at + headBytes + file.readUInt16BE(at + 12);
  if (keyEnd > file.byteLength) return undefined;
  if (crc32(file.subarray(at + 8, keyEnd)) !== file.readUInt32BE(at + 4)) return undefined;
  const length = file.readUInt32BE(at + 8);
  const key = file.subarray(at + headBytes, keyEnd);
  return { key, offset: at, length, value: file.subarray(keyEnd, keyEnd + length) };
}

/** All that a file of bodies holds, past damaged stretches too. */
export function* bodiesIn(file: Buffer): Generator<BodyAt> {
  let at = 0;
  while (at >= 0 && at < file.byteLength) {
    const body = bodyAt(file, at);
    if (body === undefined) {
      at = file.indexOf(bodyMark, at + 1);
      continue;
    }
    yield body;
    at = body.offset + bodyHeadBytes(body.key) + body.length;
  }
}

export function encodePlace(key: Uint8Array, place: Place): Buffer {
  const bytes = Buffer.allocUnsafe(placeBytes);
  bytes[0] = placeMark;
  bytes.writeUInt32BE(place.file, 1);
  bytes.writeUInt32BE(place.offset, 5);
  bytes.writeUInt32BE(place.length, 9);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, 13), crc32(key)), 13);
  return bytes;
}

/** Undefined: the value stands here itself, or is damaged. */
export function decodePlace(key: Uint8Array, value: Uint8Array): Place | undefined {
  if (value[0] !== placeMark || value.byteLength !== placeBytes) return undefined;
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (crc32(bytes.subarray(0, 13), crc32(key)) !== bytes.readUInt32BE(13)) return undefined;
  return { file: bytes.readUInt32BE(1), offset: bytes.readUInt32BE(5), length: bytes.readUInt32BE(9) };
}
