// Modbus TCP framing: a header of seven bytes (transaction, protocol 0, length, unit), then the PDU. TCP
// gives bytes, not frames: a frame may come in pieces, and many may come in one piece.
import { maxPduBytes } from './pdu.ts';

export const mbapBytes = 7;
export const maxFrameBytes = mbapBytes + maxPduBytes;

/** `pdu` is a view of the received bytes: copy it if it has to outlive the call. */
export type OnFrame = (transaction: number, unit: number, pdu: Buffer) => void;

export class MbapReader {
  // At most one incomplete frame: less than maxFrameBytes.
  #pending: Buffer = Buffer.alloc(0);

  /**
   * Hands every complete frame to `onFrame`, in order. False if the bytes are no Modbus TCP: the start
   * of the next frame cannot be found any more, so the connection has to be closed.
   */
  push(chunk: Buffer, onFrame: OnFrame): boolean {
    const bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    let at = 0;
    while (bytes.length - at >= mbapBytes) {
      const length = bytes.readUInt16BE(at + 4);
      // The length counts the unit and the PDU, which has at least its function code.
      if (bytes.readUInt16BE(at + 2) !== 0 || length < 2 || length > 1 + maxPduBytes) return false;
      const end = at + mbapBytes - 1 + length;
      if (end > bytes.length) break;
      onFrame(bytes.readUInt16BE(at), bytes[at + 6]!, bytes.subarray(at + mbapBytes, end));
      at = end;
    }
    // Copied: a view would keep the whole chunk alive.
    this.#pending = at === bytes.length ? Buffer.alloc(0) : Buffer.from(bytes.subarray(at));
    return true;
  }
}

/** Writes the header of a frame whose PDU has `pduBytes` bytes. */
export function writeMbap(
  transaction: number,
  unit: number,
  pduBytes: number,
  out: Buffer,
  at: number,
): void {
  out.writeUInt16BE(transaction, at);
  out.writeUInt16BE(0, at + 2);
  out.writeUInt16BE(pduBytes + 1, at + 4);
  out[at + 6] = unit;
}
