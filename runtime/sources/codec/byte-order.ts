// Byte and register order: brings the bytes of a value into big-endian order (most significant first). Pure.
import type { ByteOrder } from './fields.ts';

/** Source positions of the bytes, most significant first, of a value of `size` bytes in `order`. */
export function bytePositions(size: number, order: ByteOrder): readonly number[] {
  const positions = Array.from({ length: size }, (_, at) => at);
  const registersReversed = order === 'CDAB' || order === 'DCBA';
  const bytesSwapped = order === 'BADC' || order === 'DCBA';
  return positions.map((at) => {
    const register = at >> 1;
    const from = registersReversed ? size / 2 - 1 - register : register;
    return 2 * from + (bytesSwapped ? 1 - (at & 1) : at & 1);
  });
}

/** They are in big-endian order as they are. */
export function isBigEndian(size: number, order: ByteOrder): boolean {
  return bytePositions(size, order).every((from, to) => from === to);
}

/** Returns the value's `size` bytes from byte `start` on, most significant first; valid until the next call. */
export function toBigEndian(size: number, order: ByteOrder): (bytes: Buffer, start: number) => Buffer {
  if (isBigEndian(size, order)) return (bytes, start) => bytes.subarray(start, start + size);
  const positions = bytePositions(size, order);
  const bigEndian = Buffer.alloc(size);
  return (bytes, start) => {
    for (let at = 0; at < size; at++) bigEndian[at] = bytes[start + positions[at]!]!;
    return bigEndian;
  };
}
