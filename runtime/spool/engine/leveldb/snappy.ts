// Unpacks Snappy blocks (google/snappy, format_description.txt): LevelDB packs its table blocks with it.
import { BadBytesError, ByteReader } from './byte-reader.ts';

// Tables are cut into blocks of 4 KB or one value; this is far beyond any value that the spool writes.
const maxBytes = 64 * 1024 * 1024;

/** @throws BadBytesError for whatever is not a whole Snappy block. */
export function unpackSnappy(packed: Buffer): Buffer {
  const reader = new ByteReader(packed);
  const length = reader.varint();
  if (length > maxBytes) throw new BadBytesError('a packed block claims to be too large');
  const out = Buffer.allocUnsafe(length);
  let at = 0;
  while (!reader.done) {
    const tag = reader.byte();
    at = (tag & 3) === 0 ? copyLiteral(reader, tag, out, at) : copyEarlier(reader, tag, out, at);
  }
  if (at !== length) throw new BadBytesError('a packed block is shorter than it says');
  return out;
}

function copyLiteral(reader: ByteReader, tag: number, out: Buffer, at: number): number {
  const code = tag >>> 2;
  const length = (code < 60 ? code : littleEndian(reader, code - 59)) + 1;
  if (length > out.byteLength - at) throw new BadBytesError('a packed block is longer than it says');
  out.set(reader.take(length), at);
  return at + length;
}

function copyEarlier(reader: ByteReader, tag: number, out: Buffer, at: number): number {
  const short = (tag & 3) === 1;
  const length = short ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
  const offset = short ? (tag >>> 5) * 256 + reader.byte() : littleEndian(reader, (tag & 3) === 2 ? 2 : 4);
  if (offset === 0 || offset > at) throw new BadBytesError('a packed block refers to before its beginning');
  if (length > out.byteLength - at) throw new BadBytesError('a packed block is longer than it says');
  // Byte by byte: the copy may overlap itself, which repeats a pattern.
  for (let n = 0; n < length; n++) out[at + n] = out[at + n - offset]!;
  return at + length;
}

function littleEndian(reader: ByteReader, bytes: number): number {
  let value = 0;
  for (let n = 0, scale = 1; n < bytes; n++, scale *= 256) value += reader.byte() * scale;
  return value;
}
