// Modbus TCP's frame (Messaging on TCP/IP Implementation Guide V1.0b, section 3.1): transaction, protocol (0),
// length, then unit and PDU. The transaction's number is repeated by the answer: no number is used again while the request
// that had it may still be answered.
//
// Some devices do not repeat it. Where the site says so, every frame may be an answer, as on a serial line.
import type { Framing, OnFrame } from './framing.ts';
import { garbage } from './modbus-errors.ts';

const headerBytes = 6;
/** Unit, function and at least one byte. */
const minLength = 3;
/** Unit and a PDU of 253 bytes. */
const maxLength = 254;
const none = -1;
/** Numbers of unanswered requests that are kept; the oldest is free again after so many others. */
const maxUnanswered = 1024;

export class MbapFraming implements Framing {
  readonly #hasIds: boolean;
  #transaction = 0;
  #expected = none;
  readonly #unanswered = new Set<number>();
  #rest: Buffer | undefined;
  #stray = 0;
  /** Numbers that came instead of the expected one, since the request. */
  #others: number[] = [];

  constructor({ hasIds = true }: { readonly hasIds?: boolean } = {}) {
    this.#hasIds = hasIds;
  }

  /** Frames that were dropped, since they carried the number of another request. */
  get stray(): number {
    return this.#stray;
  }

  wrap(request: Buffer): Buffer {
    do this.#transaction = (this.#transaction + 1) & 0xffff;
    while (this.#unanswered.has(this.#transaction));
    this.#expected = this.#transaction;
    this.#others = [];
    const frame = Buffer.allocUnsafe(headerBytes + request.length);
    frame.writeUInt16BE(this.#transaction, 0);
    frame.writeUInt16BE(0, 2);
    frame.writeUInt16BE(request.length, 4);
    request.copy(frame, headerBytes);
    return frame;
  }

  push(chunk: Buffer, onFrame: OnFrame): void {
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
      if (this.#isTied(frame.readUInt16BE(0))) onFrame(frame.subarray(headerBytes, end));
    }
    // Bounded: less than one frame.
    this.#rest = bytes.length > 0 ? bytes : undefined;
  }

  /** Frames say how long they are, so nothing hides behind others. */
  get isAmid(): boolean {
    return false;
  }

  settle(): void {}

  flush(): void {}

  forget(): string | undefined {
    if (this.#expected !== none) this.#keep(this.#expected);
    this.#expected = none;
    const [other] = this.#others;
    this.#others = [];
    if (other === undefined) return undefined;
    return other === 0
      ? 'an answer without the number of its request (0): where this device repeats none, set transactionIds: ignored'
      : `an answer with the number of another request (${other})`;
  }

  #isTied(transaction: number): boolean {
    if (!this.#hasIds) return true;
    if (transaction === this.#expected) {
      this.#expected = none;
      return true;
    }
    this.#unanswered.delete(transaction);
    this.#stray += 1;
    if (this.#expected !== none && this.#others.length < 1) this.#others.push(transaction);
    return false;
  }

  #keep(transaction: number): void {
    this.#unanswered.add(transaction);
    if (this.#unanswered.size <= maxUnanswered) return;
    const [oldest] = this.#unanswered;
    this.#unanswered.delete(oldest!);
  }
}
