// Modbus TCP's frame (Messaging on TCP/IP Implementation Guide V1.0b, section 3.1): transaction, protocol (0),
// length, then unit and PDU. The transaction's number is repeated by the answer: no number is used again while the request
// that had it may still be answered, also over connections that were made anew.
//
// Some devices do not repeat it, or fill in another unit or a wrong length. Where the site says so, that field counts for
// nothing: without the number every frame may be an answer, as on a serial line; the unit is taken as the one that was
// asked; the length follows from the PDU.
import type { Framing, OnFrame } from './framing.ts';
import { garbage } from './modbus-errors.ts';
import { frameBytes } from './response-match.ts';

const headerBytes = 6;
/** Unit, function and at least one byte. */
const minLength = 3;
/** Unit and a PDU of 253 bytes. */
const maxLength = 254;
const none = -1;
/** Numbers of unanswered requests that are kept; the oldest is free again after so many others. */
const maxUnanswered = 1024;

export interface MbapOptions {
  /** Answers repeat the number of their request. Default true. */
  readonly hasIds?: boolean;
  /** Answers repeat the unit. Default true. */
  readonly hasUnits?: boolean;
  /** The header says how long the frame is. Default true. */
  readonly hasLength?: boolean;
  /** The number before the first: a device that answers with the same one always is not right by chance then. Default 0. */
  readonly before?: number;
}

export class MbapFraming implements Framing {
  readonly #hasIds: boolean;
  readonly #hasUnits: boolean;
  readonly #hasLength: boolean;
  #transaction: number;
  #expected = none;
  #unit = 0;
  #requests = 0;
  readonly #unanswered = new Set<number>();
  #rest: Buffer | undefined;
  #stray = 0;
  /** Numbers that came instead of the expected one, since the request. */
  #others: number[] = [];
  /** An answer came to what had been asked before the request. */
  #wasLate = false;

  constructor({ hasIds = true, hasUnits = true, hasLength = true, before = 0 }: MbapOptions = {}) {
    this.#hasIds = hasIds;
    this.#hasUnits = hasUnits;
    this.#hasLength = hasLength;
    this.#transaction = before & 0xffff;
  }

  /** Frames that were dropped, since they carried the number of another request. */
  get stray(): number {
    return this.#stray;
  }

  wrap(request: Buffer): Buffer {
    do this.#transaction = (this.#transaction + 1) & 0xffff;
    while (this.#unanswered.has(this.#transaction));
    this.#expected = this.#transaction;
    this.#unit = request[0]!;
    this.#requests += 1;
    this.#others = [];
    this.#wasLate = false;
    // What follows a frame that is shorter than its header says is no beginning of another.
    if (!this.#hasLength) this.#rest = undefined;
    const frame = Buffer.allocUnsafe(headerBytes + request.length);
    frame.writeUInt16BE(this.#transaction, 0);
    frame.writeUInt16BE(0, 2);
    frame.writeUInt16BE(request.length, 4);
    request.copy(frame, headerBytes);
    return frame;
  }

  push(chunk: Buffer, onFrame: OnFrame): void {
    let bytes = this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk;
    const requests = this.#requests;
    let isBehind = false;
    while (bytes.length >= headerBytes) {
      const said = bytes.readUInt16BE(4);
      // Whatever follows a header that cannot be one has no beginning that could be found again.
      const isLength = said >= minLength && said <= maxLength;
      if (bytes.readUInt16BE(2) !== 0 || (this.#hasLength && !isLength))
        throw garbage(
          this.#strayBytes(bytes, isBehind) ??
            this.#oddHeader(bytes) ??
            `what came is no Modbus TCP frame (${shown(bytes)}): does another protocol live at this port, or RTU frames (type: modbus-rtu-tcp)?`,
        );
      const own = frameBytes(bytes.subarray(headerBytes));
      if (this.#hasLength && own !== undefined && said < own && bytes.length === headerBytes + own)
        throw garbage(`the peer sent ${miscounted(own, said)}`);
      const length = this.#hasLength ? said : own;
      if (length === undefined || bytes.length < headerBytes + length) break;
      const end = headerBytes + length;
      const frame = bytes;
      bytes = bytes.subarray(end);
      isBehind = true;
      if (this.#isTied(frame.readUInt16BE(0))) onFrame(this.#ofUnit(frame.subarray(headerBytes, end)));
    }
    // Where a frame led to the next request at once, what follows it is no beginning of that one's answer.
    const isOver = !this.#hasLength && this.#requests !== requests;
    // Bounded: less than one frame.
    this.#rest = bytes.length > 0 && !isOver ? bytes : undefined;
  }

  /** Frames say how long they are, so nothing hides behind others. */
  get isAmid(): boolean {
    return false;
  }

  settle(): void {}

  flush(): void {}

  restart(): void {
    this.#rest = undefined;
  }

  forget(): string | undefined {
    if (this.#expected !== none) this.#keep(this.#expected);
    this.#expected = none;
    const [other] = this.#others;
    const wasLate = this.#wasLate;
    this.#others = [];
    this.#wasLate = false;
    if (other !== undefined) {
      return other === 0
        ? 'an answer without the number of its request (0): where this device repeats none, set transactionId: ignore'
        : `an answer with the number of another request (${other}): where this device always answers with that one, set transactionId: ignore`;
    }
    if (wasLate)
      return 'the answer to an earlier request: it answers late; set timeoutMs above what it takes';
    return this.#forgetRest();
  }

  /** Bytes behind an answer, or an answer to what was asked behind a few bytes: the answer before was longer than its header says. */
  #strayBytes(bytes: Buffer, isBehind: boolean): string | undefined {
    const more = (count: number) =>
      `behind an answer came ${count} bytes more than its header says: the device miscounts; set frameLength: ignore`;
    for (let at = 1; at <= maxStray && bytes.length >= at + headerBytes; at++)
      if (bytes.readUInt16BE(at) === this.#expected && bytes.readUInt16BE(at + 2) === 0) return more(at);
    return isBehind ? more(bytes.length) : undefined;
  }

  /** A frame with the number and the unit of the request, whose header is wrong otherwise. */
  #oddHeader(bytes: Buffer): string | undefined {
    if (bytes.readUInt16BE(0) !== this.#expected || bytes[headerBytes] !== this.#unit) return undefined;
    const [protocol, said] = [bytes.readUInt16BE(2), bytes.readUInt16BE(4)];
    if (protocol !== 0)
      return `an answer came whose header names protocol ${protocol}, where Modbus TCP has 0`;
    return `the peer sent ${miscounted(bytes.length - headerBytes, said)}`;
  }

  /** The beginning of a frame is left over, and the rest of it did not come in time. */
  #forgetRest(): string | undefined {
    const rest = this.#rest;
    if (rest === undefined || rest.length < headerBytes) return undefined;
    const [came, said] = [rest.length - headerBytes, rest.readUInt16BE(4)];
    if (frameBytes(rest.subarray(headerBytes)) !== came)
      return `an answer of ${came} bytes, where its header says ${said} (${shown(rest)})`;
    // It is whole in itself: nothing more of it will come.
    this.#rest = undefined;
    return miscounted(came, said);
  }

  #ofUnit(frame: Buffer): Buffer {
    if (this.#hasUnits || frame[0] === this.#unit) return frame;
    const own = Buffer.from(frame);
    own[0] = this.#unit;
    return own;
  }

  #isTied(transaction: number): boolean {
    if (!this.#hasIds) return true;
    if (transaction === this.#expected) {
      this.#expected = none;
      return true;
    }
    const isLate = this.#unanswered.delete(transaction);
    this.#stray += 1;
    this.#wasLate ||= isLate;
    if (this.#expected !== none && !isLate && this.#others.length < 1) this.#others.push(transaction);
    return false;
  }

  #keep(transaction: number): void {
    this.#unanswered.add(transaction);
    if (this.#unanswered.size <= maxUnanswered) return;
    const [oldest] = this.#unanswered;
    this.#unanswered.delete(oldest!);
  }
}

function miscounted(came: number, said: number): string {
  return `an answer of ${came} bytes, where its header says ${said}: the device miscounts; set frameLength: ignore`;
}

const maxShown = 16;
/** A check sum that does not belong there, or padding. */
const maxStray = 8;

/** For people: the first bytes. */
export function shown(bytes: Buffer): string {
  const more = bytes.length > maxShown ? ' ...' : '';
  return `${bytes
    .subarray(0, maxShown)
    .toString('hex')
    .replace(/..(?=.)/g, '$& ')}${more}`;
}
