// Modbus RTU's frame (Modbus over Serial Line V1.02, section 2.5.1): unit, PDU, CRC, and silence around it. Silence
// cannot be measured through an operating system or a terminal server, so frames are told apart by what they must be:
// a function, the length that follows from it and from their own bytes, and the CRC. All of them are, also the requests of
// others and the answers to them: what lies inside a longer frame is no frame, though it may have a right CRC. So of the
// lengths that a frame may have, as an answer or as a request, the longest counts; while that is still to come, nothing is
// decided before it is quiet. What begins as the awaited answer does is that, or nothing.
//
// Noise may be the beginning of a longer frame, or the awaited answer itself, damaged. So behind it nothing is taken before
// it is quiet, and then one frame alone: where there are several, as when another master asks and is answered, none is.
//
// Many drivers of two-wire lines leave a byte or two behind each frame as they let go of the line (00, FF), and some units end
// their answers as text (CR LF). That is no noise where nothing else follows it.
import { crc16 } from './crc16.ts';
import type { Framing, OnFrame } from './framing.ts';
import { shown } from './mbap-framing.ts';
import { dataBytes, identificationBytes, identificationCode } from './response-match.ts';

const crcBytes = 2;
/** What may follow a frame, and mean nothing. */
const idleBytes: ReadonlySet<number> = new Set([0x00, 0xff, 0x0d, 0x0a]);
const maxIdle = 4;
/** Unit, a PDU of 253 bytes, CRC; and as much noise around it. */
const maxKept = 512;
/** Of what was dropped, for messages. */
const maxNoise = 32;

export class RtuFraming implements Framing {
  #heard: Buffer = Buffer.alloc(0);
  /** Bytes were dropped, since the request. */
  #isNoisy = false;
  /** The first of them. */
  #noise: Buffer = Buffer.alloc(0);
  /** Until the line is quiet, bytes may belong to a frame that was dropped, or cut by a request of ours. */
  #isUnclear = false;
  /** What was heard begins right behind a frame. */
  #isBehindFrame = false;
  #sent: Buffer = Buffer.alloc(0);
  /** How the usual answer begins; empty where it repeats the request. */
  #awaited: Buffer = Buffer.alloc(0);

  wrap(request: Buffer): Buffer {
    this.#dropIdle();
    this.#isBehindFrame = false;
    this.#isUnclear ||= this.#heard.length > 0;
    this.#heard = Buffer.alloc(0);
    this.#isNoisy = false;
    this.#noise = Buffer.alloc(0);
    const frame = Buffer.allocUnsafe(request.length + crcBytes);
    request.copy(frame);
    frame.writeUInt16LE(crc16(request, 0, request.length), request.length);
    this.#sent = frame;
    const length = dataBytes(request);
    this.#awaited = Buffer.from(length === undefined ? [] : [request[0]!, request[1]!, length]);
    return frame;
  }

  get isAmid(): boolean {
    return this.#isUnclear || this.#heard.length > 0;
  }

  push(chunk: Buffer, onFrame: OnFrame): void {
    this.#heard = this.#heard.length > 0 ? Buffer.concat([this.#heard, chunk]) : chunk;
    while (this.#heard.length > 0 && !this.#isUnclear) {
      // It may be the beginning of another frame, or nothing.
      if (this.#isBehindFrame && isIdle(this.#heard)) break;
      const found = this.#first();
      if (found === 'incomplete') break;
      if (found === undefined) this.#drop(1);
      else this.#take(found, onFrame);
    }
    if (this.#heard.length > maxKept) this.#drop(this.#heard.length - maxKept);
  }

  settle(onFrame: OnFrame, onLost?: OnFrame): void {
    this.#dropIdle();
    // What was not noise so far is taken in its order.
    for (let longest = this.#isUnclear ? undefined : 0; longest !== undefined; ) {
      longest = framesAt(this.#heard, 0).longest;
      if (longest !== undefined) this.#take(longest, onFrame);
    }
    const heard = this.#heard;
    const starts = [...heard.keys()].filter((start) => framesAt(heard, start).longest !== undefined);
    // One that ends where it became quiet, and no other but our request before it, not even within it.
    const ends = starts.map((start) => start + framesAt(heard, start).longest! + crcBytes);
    const isEcho =
      starts.length === 2 && ends[0] === starts[1] && startsWith(heard.subarray(starts[0]), this.#sent);
    const isFound = (starts.length === 1 || isEcho) && isIdle(heard.subarray(ends.at(-1)));
    this.#drop(isFound ? starts[0]! : heard.length);
    if (!isFound)
      for (const [at, start] of starts.entries()) onLost?.(heard.subarray(start, ends[at]! - crcBytes));
    if (isFound)
      for (const [at, start] of starts.entries()) this.#take(ends[at]! - start - crcBytes, onFrame);
    this.#heard = Buffer.alloc(0);
    this.#isUnclear = false;
  }

  flush(onFrame: OnFrame, onLost?: OnFrame): void {
    this.#dropIdle();
    const isUnclear = this.isAmid;
    this.settle(onFrame, onLost);
    this.#isUnclear = isUnclear;
  }

  restart(): void {
    this.#isBehindFrame = false;
    this.#heard = Buffer.alloc(0);
    this.#isNoisy = false;
  }

  forget(): string | undefined {
    this.#dropIdle();
    const isNoise = this.#isNoisy || this.#heard.length > 0;
    const noise = Buffer.concat([this.#noise, this.#heard]);
    this.#isUnclear ||= this.#heard.length > 0;
    this.#heard = Buffer.alloc(0);
    this.#isNoisy = false;
    this.#noise = Buffer.alloc(0);
    return isNoise ? describeNoise(noise) : undefined;
  }

  /** Bytes of unit and PDU of the frame that comes first. */
  #first(): number | 'incomplete' | undefined {
    const heard = this.#heard;
    if (startsWith(heard, this.#awaited)) {
      const length = this.#awaited.length + this.#awaited[2]!;
      if (heard.length < length + crcBytes) return 'incomplete';
      if (isFrame(heard, 0, length)) return length;
    } else if (startsWith(heard, this.#sent)) return this.#sent.length - crcBytes;
    const { longest, isOpen } = framesAt(heard, 0);
    return isOpen ? 'incomplete' : longest;
  }

  #take(length: number, onFrame: OnFrame): void {
    const frame = this.#heard.subarray(0, length);
    this.#heard = this.#heard.subarray(length + crcBytes);
    this.#isBehindFrame = true;
    onFrame(frame);
  }

  #dropIdle(): void {
    if (this.#isBehindFrame && !this.#isUnclear && isIdle(this.#heard)) this.#heard = Buffer.alloc(0);
  }

  #drop(count: number): void {
    if (count === 0) return;
    this.#isNoisy = true;
    const room = maxNoise - this.#noise.length;
    if (room > 0) this.#noise = Buffer.concat([this.#noise, this.#heard.subarray(0, Math.min(count, room))]);
    this.#isUnclear = true;
    this.#isBehindFrame = false;
    this.#heard = this.#heard.subarray(count);
  }
}

/** For people, with what it looks like. */
function describeNoise(noise: Buffer): string {
  return `noise (${shown(noise)})${looksLike(noise)}`;
}

function looksLike(noise: Buffer): string {
  for (let at = 0; at < maxIdle && noise.length >= at + 8; at++) {
    const length = noise.readUInt16BE(at + 4);
    if (noise.readUInt16BE(at + 2) === 0 && length > 2 && length <= noise.length - at - 6)
      return ', which looks like Modbus TCP (type: modbus-tcp)';
  }
  if (/^:[0-9A-F]{6}/.test(noise.toString('latin1'))) return ', which is Modbus ASCII: set the unit to RTU';
  return '';
}

function startsWith(bytes: Buffer, start: Buffer): boolean {
  return start.length > 0 && bytes.length >= start.length && bytes.subarray(0, start.length).equals(start);
}

function isIdle(bytes: Buffer): boolean {
  return bytes.length <= maxIdle && bytes.every((byte) => idleBytes.has(byte));
}

function isFrame(bytes: Buffer, start: number, length: number): boolean {
  const end = start + length;
  return end + crcBytes <= bytes.length && crc16(bytes, start, end) === bytes.readUInt16LE(end);
}

/** The longest frame at `start`, and whether a longer one may still come. */
function framesAt(
  bytes: Buffer,
  start: number,
): { readonly longest: number | undefined; readonly isOpen: boolean } {
  let longest: number | undefined;
  let isOpen = false;
  for (const length of lengthsAt(bytes, start)) {
    if (length === undefined || start + length + crcBytes > bytes.length) isOpen = true;
    else if (length > (longest ?? 0) && isFrame(bytes, start, length)) longest = length;
  }
  return { longest, isOpen };
}

/** The lengths that a frame at `start` may have, as an answer or as a request; undefined where more bytes are needed. */
function lengthsAt(bytes: Buffer, start: number): readonly (number | undefined)[] {
  const code = bytes[start + 1];
  if (code === undefined) return [undefined];
  const by = (at: number, more: number) => {
    const count = bytes[start + at];
    return count === undefined ? undefined : count + more;
  };
  if (code > 0x80) return [3];
  switch (code) {
    case 1:
    case 2:
    case 3:
    case 4:
      return [6, by(2, 3)];
    case 5:
    case 6:
    case 8:
      return [6];
    case 15:
    case 16:
      return [6, by(6, 7)];
    case 7:
      return [2, 3];
    case 17:
      return [2, by(2, 3)];
    case 20:
    case 21:
      return [by(2, 3)];
    case 22:
      return [8];
    case 23:
      return [by(2, 3), by(10, 11)];
    case identificationCode:
      return [5, identificationBytes(bytes.subarray(start))];
    default:
      return [];
  }
}
