// Modbus TCP's frame (Messaging on TCP/IP Implementation Guide V1.0b, section 3.1): transaction, protocol (0),
// length, then unit and PDU. Transactions count through all 16 bits, so an answer to a request that was
// given up can only be mistaken for another's after 65,536 further requests.
import type { Framing } from './framing.ts';
import { garbage } from './modbus-errors.ts';

const headerBytes = 6;
/** Unit, function and at least one byte. */
const minLength = 3;
/** Unit and a PDU of 253 bytes. */
const maxLength = 254;
const none = -1;

export class MbapFraming implements Framing {
  #transaction = 0;
  #expected = none;
  #rest: Buffer | undefined;
  #stray = 0;

  get stray(): number {
    return this.#stray;
  }

  wrap(request: Buffer): Buffer {
    this.#transaction = (this.#transaction + 1) & 0xffff;
    this.#expected = this.#transaction;
    const frame = Buffer.allocUnsafe(headerBytes + request.length);
    frame.writeUInt16BE(this.#transaction, 0);
    frame.writeUInt16BE(0, 2);
    frame.writeUInt16BE(request.length, 4);
    request.copy(frame, headerBytes);
    return frame;
  }

  push(chunk: Buffer, onAnswer: (answer: Buffer) => void): void {
    let bytes = this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk;
    while (bytes.length >= headerBytes) {
      const length = bytes.readUInt16BE(4);
      // Whatever follows a header that cannot be one has no beginning that could be found again.
      if (bytes.readUInt16BE(2) !== 0 || length < minLength || length > maxLength)
        throw garbage('what came is not a Modbus TCP frame: does another protocol live at this port?');
      const end = headerBytes + length;
      if (bytes.length < end) break;
      const frame = bytes;
      bytes = bytes.subarray(end);
      if (frame.readUInt16BE(0) === this.#expected) {
        this.#expected = none;
        onAnswer(frame.subarray(headerBytes, end));
      } else {
        this.#stray += 1;
      }
    }
    // Bounded: less than one frame.
    this.#rest = bytes.length > 0 ? bytes : undefined;
  }

  forget(): boolean {
    this.#expected = none;
    // Frames are told apart here, so what else was heard were answers to others.
    return false;
  }
}
