// The key spaces of the store. One letter, then big-endian numbers, so that bytewise order is numeric
// order. docs/FORMAT.md lists them; a change here is a new format version.
import type { LateNumber } from '../../../wire/late.ts';
import type { Window } from '../../../wire/window.ts';

export type KeySpace =
  /** `m` + name: the spool's own state. */
  | 'm'
  /** `s` + batchId: one stream. */
  | 's'
  /** `n` + stream u32: which stream has that number. A second copy: everything else names streams by number. */
  | 'n'
  /** `j` + stream u32 + sequence u48: the journal of open windows. */
  | 'j'
  /** `r` + id u48: one encoded message. */
  | 'r'
  /** `a` + id u48 of a window's first message: all windows in the order in which they were stored. */
  | 'a'
  /** `i` + stream u32 + size class u8 + start i64 + id u48: finds messages by stream and range. */
  | 'i'
  /** `l` + stream u32 + series u32 + number u48 + id u48: finds late windows by their number. */
  | 'l'
  /** `u` + id u48: message `id` waits to be sent (live and backlog). */
  | 'u'
  /** `b` + sequence u48: a message waits in the backfill lane. */
  | 'b'
  /** `q` + id u48 + sequence u48: message `id` has that entry in the backfill lane. */
  | 'q'
  /** `x` + id u48: the hub refused message `id` for good. */
  | 'x'
  /** `d` + number u48: a damaged record, quarantined. */
  | 'd'
  /** `k` + name: a setting. */
  | 'k'
  /** `t` + requestId: a backfill job. */
  | 't'
  /** `v` + sequence u48: readings that wait for the wall clock to come right. */
  | 'v';

export const maxId = 2 ** 48 - 1;
export const stateKey = Buffer.from('mstate');
/** Which spool this is, and how often it was started. */
export const folderKey = Buffer.from('mfolder');

export function textKey(space: 'm' | 's' | 'k' | 't', name: string): Buffer {
  return Buffer.from(space + name, 'utf8');
}

export function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset + 1, key.byteLength - 1).toString('utf8');
}

export function idKey(space: 'r' | 'u' | 'b' | 'x' | 'd' | 'a' | 'v', id: number): Buffer {
  const key = Buffer.allocUnsafe(7);
  key[0] = space.charCodeAt(0);
  key.writeUIntBE(id, 1, 6);
  return key;
}

export function idOf(key: Uint8Array): number {
  return view(key).readUIntBE(1, 6);
}

export function journalKey(stream: number, sequence: number): Buffer {
  const key = Buffer.allocUnsafe(11);
  key[0] = 0x6a;
  key.writeUInt32BE(stream, 1);
  key.writeUIntBE(sequence, 5, 6);
  return key;
}

export function streamKey(stream: number): Buffer {
  const key = Buffer.allocUnsafe(5);
  key[0] = 0x6e;
  key.writeUInt32BE(stream, 1);
  return key;
}

export function streamNumberOf(key: Uint8Array): number {
  return view(key).readUInt32BE(1);
}

export function journalKeyOf(key: Uint8Array): { stream: number; sequence: number } {
  const bytes = view(key);
  return { stream: bytes.readUInt32BE(1), sequence: bytes.readUIntBE(5, 6) };
}

export function queuedKey(id: number, sequence: number): Buffer {
  const key = Buffer.allocUnsafe(13);
  key[0] = 0x71;
  key.writeUIntBE(id, 1, 6);
  key.writeUIntBE(sequence, 7, 6);
  return key;
}

export function indexKey(stream: number, sizeClass: number, start: number, id: number): Buffer {
  const key = Buffer.allocUnsafe(20);
  key[0] = 0x69;
  key.writeUInt32BE(stream, 1);
  key[5] = sizeClass;
  writeInt64(key, 6, start);
  key.writeUIntBE(id, 14, 6);
  return key;
}

/** Start of a class's entries. */
export function indexClassKey(stream: number, sizeClass: number): Buffer {
  return indexKey(stream, sizeClass, 0, 0).subarray(0, 6);
}

export function indexKeyOf(key: Uint8Array): {
  stream: number;
  sizeClass: number;
  start: number;
  id: number;
} {
  const bytes = view(key);
  return {
    stream: bytes.readUInt32BE(1),
    sizeClass: bytes.readUInt8(5),
    start: readInt64(bytes, 6),
    id: bytes.readUIntBE(14, 6),
  };
}

/** `number` 0 with `id` 0 begins the series. */
export function lateKey(stream: number, late: LateNumber, id: number): Buffer {
  const key = Buffer.allocUnsafe(21);
  key[0] = 0x6c;
  key.writeUInt32BE(stream, 1);
  key.writeUInt32BE(Number.parseInt(late.series, 16), 5);
  key.writeUIntBE(late.number, 9, 6);
  key.writeUIntBE(id, 15, 6);
  return key;
}

export function lateKeyOf(key: Uint8Array): { number: number; id: number } {
  const bytes = view(key);
  return { number: bytes.readUIntBE(9, 6), id: bytes.readUIntBE(15, 6) };
}

/** The size class of the longest possible window. */
export const maxSizeClass = 53;

/**
 * Windows of class `c` are shorter than `2^(c+1)`. A search for what overlaps a range looks, per class that
 * the stream uses, no further back than that: so one long window never makes every search long.
 */
export function sizeClassOf(window: Window): number {
  return Math.floor(Math.log2(window.end - window.start));
}

export function spaceBounds(space: KeySpace): { gte: Buffer; lt: Buffer } {
  const code = space.charCodeAt(0);
  return { gte: Buffer.of(code), lt: Buffer.of(code + 1) };
}

// Sign and magnitude would order negative numbers backwards; an offset of 2^63 orders all. The two halves
// are split by hand because a double does not hold the sum.
function writeInt64(target: Buffer, at: number, value: number): void {
  const high = Math.floor(value / 2 ** 32);
  target.writeUInt32BE(high + 2 ** 31, at);
  target.writeUInt32BE(value - high * 2 ** 32, at + 4);
}

function readInt64(source: Buffer, at: number): number {
  return (source.readUInt32BE(at) - 2 ** 31) * 2 ** 32 + source.readUInt32BE(at + 4);
}

function view(key: Uint8Array): Buffer {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength);
}
