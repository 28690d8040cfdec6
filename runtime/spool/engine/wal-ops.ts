// The payload of a batch's record in the write-ahead log: its operations, one after the other.
//
//   u8 form, u16 length of the key, key, then by form:
//   1 put           u32 length, value
//   2 del           nothing
//   3 put-pointer   u32 segment, u32 offset, u32 length: the value was on the disk, there, before this record
//   4 put-pointer   the same, then the value: a replay writes it there once more
import type { BatchOp } from './store.ts';
import type { ValuePointer } from './value-record.ts';

export type LogOp =
  | BatchOp
  | {
      readonly type: 'put-pointer';
      readonly key: Uint8Array;
      readonly pointer: ValuePointer;
      /** Present: the value log may not have it on the disk yet. */
      readonly value?: Uint8Array;
    };

/** Pieces of the payload, in order: of each operation its head, then its value where it carries one. */
export function encodeOps(ops: readonly LogOp[]): readonly Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (const op of ops) {
    if (op.type === 'put') {
      pieces.push(opHead(1, op.key, 4, (bytes, at) => bytes.writeUInt32BE(op.value.byteLength, at)));
      pieces.push(op.value);
    } else if (op.type === 'del') {
      pieces.push(opHead(2, op.key, 0, () => {}));
    } else {
      const { segment, offset, length } = op.pointer;
      const write = (bytes: Buffer, at: number) => {
        bytes.writeUInt32BE(segment, at);
        bytes.writeUInt32BE(offset, at + 4);
        bytes.writeUInt32BE(length, at + 8);
      };
      pieces.push(opHead(op.value === undefined ? 3 : 4, op.key, 12, write));
      if (op.value !== undefined) pieces.push(op.value);
    }
  }
  return pieces;
}

function opHead(
  form: number,
  key: Uint8Array,
  more: number,
  write: (bytes: Buffer, at: number) => void,
): Buffer {
  const bytes = Buffer.allocUnsafe(3 + key.byteLength + more);
  bytes[0] = form;
  bytes.writeUInt16BE(key.byteLength, 1);
  bytes.set(key, 3);
  write(bytes, 3 + key.byteLength);
  return bytes;
}

export interface DecodedOp {
  readonly op: LogOp;
  /** Where the value begins in the payload; 0 where there is none. */
  readonly valueAt: number;
}

/** Keys and values are views of `payload`. Its sum was right, so what does not parse is a newer form: the list ends there. */
export function* decodeOps(payload: Buffer): Generator<DecodedOp> {
  let at = 0;
  while (at + 3 <= payload.byteLength) {
    const keyEnd = at + 3 + payload.readUInt16BE(at + 1);
    const decoded = decodeOp(payload, payload[at]!, payload.subarray(at + 3, keyEnd), keyEnd);
    if (decoded === undefined || decoded.end > payload.byteLength) return;
    yield decoded;
    at = decoded.end;
  }
}

function decodeOp(
  payload: Buffer,
  form: number,
  key: Buffer,
  keyEnd: number,
): (DecodedOp & { end: number }) | undefined {
  const has = (bytes: number) => keyEnd + bytes <= payload.byteLength;
  if (form === 1 && has(4)) {
    const valueAt = keyEnd + 4;
    const end = valueAt + payload.readUInt32BE(keyEnd);
    return { op: { type: 'put', key, value: payload.subarray(valueAt, end) }, valueAt, end };
  }
  if (form === 2 && has(0)) return { op: { type: 'del', key }, valueAt: 0, end: keyEnd };
  if ((form === 3 || form === 4) && has(12)) {
    const pointer = {
      segment: payload.readUInt32BE(keyEnd),
      offset: payload.readUInt32BE(keyEnd + 4),
      length: payload.readUInt32BE(keyEnd + 8),
    };
    const valueAt = keyEnd + 12;
    if (form === 3) return { op: { type: 'put-pointer', key, pointer }, valueAt: 0, end: valueAt };
    const end = valueAt + pointer.length;
    return { op: { type: 'put-pointer', key, pointer, value: payload.subarray(valueAt, end) }, valueAt, end };
  }
  return undefined;
}
