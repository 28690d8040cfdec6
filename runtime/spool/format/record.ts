// The envelope of every value in the store:
//
//   byte 0     envelope version, 1
//   byte 1     kind, a letter
//   bytes 2-5  CRC-32 (as in zlib), big-endian, over key, version, kind, payload
//   bytes 6-   payload
//
// LevelDB sums its own blocks, but skips a damaged log record without an error and does not check tables when
// it reads them. The key is part of the sum, so a value that turns up under another key is damage too.
//
// Sealed records have an envelope of their own: sealed-envelope.ts.
import { crc32 } from 'node:zlib';
import { HoldfastError } from '../../../kernel/errors.ts';
import { keyIdOf } from './sealed-envelope.ts';

/** One letter a kind; the payload's form belongs to the kind. docs/FORMAT.md describes each. */
export type RecordKind = 'S' | 'N' | 'J' | 'M' | 'A' | 'I' | 'L' | 'P' | 'Q' | 'X' | 'D' | 'K' | 'T' | 'V';

export const envelopeVersion = 1;
export const envelopeBytes = 6;

/** Seals payloads into values and opens them again. The seam for encryption at rest. */
export interface RecordCodec {
  seal(kind: RecordKind, key: Uint8Array, payload: Uint8Array): Uint8Array;
  /**
   * @throws HoldfastError `spool-record-damaged`, `spool-record-newer`, `spool-record-sealed` when it takes a
   * key that was not given.
   */
  open(kind: RecordKind, key: Uint8Array, value: Uint8Array): Buffer;
  /** Id of the key that seals new records; absent: they are written plain. */
  readonly keyId?: string;
  /** Whether records that were sealed with that key can be opened. Absent: none can. */
  readonly holdsKey?: (keyId: string) => boolean;
}

export const plainCodec: RecordCodec = { seal, open };

function seal(kind: RecordKind, key: Uint8Array, payload: Uint8Array): Uint8Array {
  const value = Buffer.allocUnsafe(envelopeBytes + payload.byteLength);
  value[0] = envelopeVersion;
  value[1] = kind.charCodeAt(0);
  value.set(payload, envelopeBytes);
  value.writeUInt32BE(sum(key, value), 2);
  // Read back at once: memory fails too, and this is the last place where that can be noticed.
  if (crc32(payload, crc32(value.subarray(0, 2), crc32(key))) !== value.readUInt32BE(2)) {
    throw new HoldfastError('spool-memory-damaged', 'a record changed while it was written: failing memory?');
  }
  return value;
}

function open(kind: RecordKind, key: Uint8Array, value: Uint8Array): Buffer {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (bytes.byteLength < envelopeBytes) throw damagedRecord(kind, key, 'cut short');
  const keyId = keyIdOf(bytes);
  if (keyId !== undefined) {
    const text = `record ${name(key)} of kind ${kind}: it is sealed with key ${keyId}, which was not given`;
    throw new HoldfastError('spool-record-sealed', text);
  }
  if (sum(key, bytes) !== bytes.readUInt32BE(2)) throw damagedRecord(kind, key, 'the sum does not match');
  if (bytes[0] !== envelopeVersion) {
    throw new HoldfastError('spool-record-newer', `record ${name(key)} has envelope version ${bytes[0]}`);
  }
  if (bytes[1] !== kind.charCodeAt(0)) throw damagedRecord(kind, key, 'it is of another kind');
  return bytes.subarray(envelopeBytes);
}

function sum(key: Uint8Array, value: Buffer): number {
  return crc32(value.subarray(envelopeBytes), crc32(value.subarray(0, 2), crc32(key)));
}

export function damagedRecord(kind: RecordKind, key: Uint8Array, why: string): HoldfastError {
  return new HoldfastError('spool-record-damaged', `record ${name(key)} of kind ${kind}: ${why}`);
}

function name(key: Uint8Array): string {
  return Buffer.from(key).toString('latin1', 0, 1) + Buffer.from(key).toString('hex', 1);
}

/** Small records that people may want to read are JSON. */
export function sealJson(codec: RecordCodec, kind: RecordKind, key: Uint8Array, value: unknown): Uint8Array {
  return codec.seal(kind, key, Buffer.from(JSON.stringify(value)));
}

/** @throws HoldfastError as `RecordCodec.open`. */
export function openJson(codec: RecordCodec, kind: RecordKind, key: Uint8Array, value: Uint8Array): unknown {
  const payload = codec.open(kind, key, value);
  try {
    return JSON.parse(payload.toString('utf8'));
  } catch (cause) {
    throw new HoldfastError('spool-record-damaged', `record ${name(key)} holds no JSON`, { cause });
  }
}
