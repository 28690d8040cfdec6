// The bytes of a value, most significant first, whatever order a device keeps them in. Pure.
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

/** Gives the value's `size` bytes from byte `start` on in order; they hold until the next call. */
export function straightBytes(size: number, order: ByteOrder): (bytes: Buffer, start: number) => Buffer {
  const positions = bytePositions(size, order);
  if (positions.every((from, to) => from === to)) {
    return (bytes, start) => bytes.subarray(start, start + size);
  }
  const straight = Buffer.alloc(size);
  return (bytes, start) => {
    for (let at = 0; at < size; at++) straight[at] = bytes[start + positions[at]!]!;
    return straight;
  };
}
