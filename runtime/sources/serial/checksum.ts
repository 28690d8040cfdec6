// Verifies a frame's check sum, and locates it, so that it is not taken for a part of the message.
import { type ChecksumKind, type ChecksumName, checksumKind } from './checksum-kinds.ts';

export interface ChecksumConfig {
  readonly kind: ChecksumName;
  /** How it is written: most or least significant byte first, or as digits. */
  readonly form: 'big' | 'little' | 'hex' | 'decimal';
  /** Where it begins; negative counts from the end. Default: it is the last thing in the frame. */
  readonly at?: number | undefined;
  /** What it covers: from here, negative counting from the end; up to `to`. Default: all before it. */
  readonly from: number;
  readonly to?: number | undefined;
}

/** `[from, to)` of the check sum in the frame, or undefined where it is wrong or missing. */
export type ChecksumCheck = (frame: Buffer) => readonly [from: number, to: number] | undefined;

export function compileChecksum(config: ChecksumConfig): ChecksumCheck {
  if (config.kind === 'nmea') return checkNmea;
  const kind = checksumKind(config.kind);
  const width = widthOf(kind, config.form);
  const { at = -width, from, to } = config;
  return (frame) => {
    const start = placeIn(frame, at);
    const first = placeIn(frame, from);
    const end = to === undefined ? start : placeIn(frame, to);
    if (start < 0 || start + width > frame.length || first < 0 || end > frame.length || first > end)
      return undefined;
    const found = read(frame, start, kind, config.form);
    return found === kind.sum(frame.subarray(first, end)) ? [start, start + width] : undefined;
  };
}

/** Characters of a sum as digits: 2 or 4 in hexadecimal, 3 or 5 in decimal. */
function widthOf({ bytes }: ChecksumKind, form: ChecksumConfig['form']): number {
  if (form === 'hex') return 2 * bytes;
  return form === 'decimal' ? 2 * bytes + 1 : bytes;
}

function placeIn(frame: Buffer, at: number): number {
  return at < 0 ? frame.length + at : at;
}

function read(frame: Buffer, at: number, kind: ChecksumKind, form: ChecksumConfig['form']): number {
  const width = widthOf(kind, form);
  if (form === 'hex') return readDigits(frame, at, width, 16);
  if (form === 'decimal') return readDigits(frame, at, width, 10);
  return form === 'big' ? frame.readUIntBE(at, width) : frame.readUIntLE(at, width);
}

/** NaN where one of them is no digit: equal to no sum. */
function readDigits(frame: Buffer, at: number, count: number, base: 10 | 16): number {
  let value = 0;
  for (let place = at; place < at + count; place++) {
    const digit = digitOf(frame[place]!);
    if (digit >= base) return Number.NaN;
    value = value * base + digit;
  }
  return value;
}

function digitOf(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const upper = code & 0xdf;
  return upper >= 0x41 && upper <= 0x46 ? upper - 0x41 + 10 : 99;
}

const star = 0x2a;
const dollar = 0x24;
const bang = 0x21;

/**
 * NMEA 0183: `$...*hh` (or `!...*hh`), the exclusive or of what stands between; `*hh` is the end of the frame. `$` and `*`
 * are reserved (5.1.3): where one stands between, these are two sentences that a lost end has joined.
 */
const checkNmea: ChecksumCheck = (frame) => {
  const at = frame.length - 3;
  if (at < 1 || frame[at] !== star || (frame[0] !== dollar && frame[0] !== bang)) return undefined;
  const content = frame.subarray(1, at);
  if (content.includes(dollar) || content.includes(star)) return undefined;
  const sum = checksumKind('xor').sum(content);
  return readDigits(frame, at + 1, 2, 16) === sum ? [at, frame.length] : undefined;
};
