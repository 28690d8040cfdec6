// The first bytes of each segment of both logs: which store it belongs to. Segments of another store have right sums, names that fit and
// sequences that may go on from ours, so nothing else tells them apart.
//
//   u32 mark   "HFS1"
//   u32 sum    CRC-32 over the identity
//   identity   36 bytes of ASCII, a UUID
import { crc32 } from 'node:zlib';

const mark = Buffer.from('HFS1', 'latin1');
const identityBytes = 36;
export const segmentHeadBytes = 8 + identityBytes;

export const isIdentity = (text: string): boolean => /^[\x21-\x7e]{36}$/.test(text);

/** Empty for a store without an identity. */
export function encodeSegmentHead(identity: string | undefined): Buffer {
  if (identity === undefined) return Buffer.alloc(0);
  const head = Buffer.alloc(segmentHeadBytes);
  mark.copy(head);
  head.write(identity, 8, 'latin1');
  head.writeUInt32BE(crc32(head.subarray(8)), 4);
  return head;
}

/** `segment`: its first bytes. Undefined where it names no store, or its head is damaged. */
export function segmentIdentity(segment: Uint8Array): string | undefined {
  const head = Buffer.from(
    segment.buffer,
    segment.byteOffset,
    Math.min(segment.byteLength, segmentHeadBytes),
  );
  if (head.byteLength < segmentHeadBytes || head.compare(mark, 0, 4, 0, 4) !== 0) return undefined;
  if (crc32(head.subarray(8)) !== head.readUInt32BE(4)) return undefined;
  const identity = head.toString('latin1', 8);
  return isIdentity(identity) ? identity : undefined;
}

/** The store that most segments name. */
export function mostNamed(identities: Iterable<string>): string | undefined {
  const counts = [...Map.groupBy(identities, (each) => each)].map(
    ([each, all]) => [each, all.length] as const,
  );
  return counts.toSorted(([, a], [, b]) => b - a)[0]?.[0];
}
