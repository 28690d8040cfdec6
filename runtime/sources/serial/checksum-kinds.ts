// The check sums that instruments use, by name. Pure functions of bytes.
import { crc16Kinds, crc16Of } from './crc16.ts';

/** `bytes` counts the sum's width. */
export interface ChecksumKind {
  readonly bytes: 1 | 2;
  sum(bytes: Uint8Array): number;
}

function add(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes) sum = (sum + byte) & 0xffff;
  return sum;
}

function exclusiveOr(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes) sum ^= byte;
  return sum;
}

const simple = {
  /** All bytes added, modulo 256. */
  sum8: { bytes: 1, sum: (bytes: Uint8Array) => add(bytes) & 0xff },
  /** The one's complement of sum8. */
  'sum8-inverted': { bytes: 1, sum: (bytes: Uint8Array) => ~add(bytes) & 0xff },
  /** All bytes added, modulo 65536. */
  sum16: { bytes: 2, sum: add },
  /** Exclusive or of all bytes: also called BCC, or LRC by ISO 1155. */
  xor: { bytes: 1, sum: exclusiveOr },
  /** The two's complement of sum8, as Modbus ASCII has it (Modbus over Serial Line V1.02, 2.5.2.2). */
  lrc: { bytes: 1, sum: (bytes: Uint8Array) => -add(bytes) & 0xff },
} as const satisfies Record<string, ChecksumKind>;

export const checksumNames = ['sum8', 'sum8-inverted', 'sum16', 'xor', 'lrc', ...crc16Kinds, 'nmea'] as const;
export type ChecksumName = (typeof checksumNames)[number];

export function checksumKind(name: Exclude<ChecksumName, 'nmea'>): ChecksumKind {
  if (name in simple) return simple[name as keyof typeof simple];
  return { bytes: 2, sum: crc16Of(name as (typeof crc16Kinds)[number]) };
}
