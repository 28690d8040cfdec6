// Modbus RTU's frame (Modbus over Serial Line V1.02, section 2.5.1): unit, PDU, CRC, and silence around it. Silence
// cannot be measured through an operating system or a terminal server, so an answer is recognised by what it
// must be: the unit and function asked for, the length that follows from its own bytes, and the CRC.
// Noise before it is skipped.
import { crc16 } from './crc16.ts';
import type { Framing } from './framing.ts';

const crcBytes = 2;
/** Unit, a PDU of 253 bytes, CRC; and as much noise around it. */
const maxKept = 512;

export class RtuFraming implements Framing {
  #expected: { readonly unit: number; readonly code: number } | undefined;
  #heard: Buffer = Buffer.alloc(0);
  #stray = 0;

  get stray(): number {
    return this.#stray;
  }

  wrap(request: Buffer): Buffer {
    this.#expected = { unit: request[0]!, code: request[1]! };
    this.#heard = Buffer.alloc(0);
    const frame = Buffer.allocUnsafe(request.length + crcBytes);
    request.copy(frame);
    frame.writeUInt16LE(crc16(request, 0, request.length), request.length);
    return frame;
  }

  push(chunk: Buffer, onAnswer: (answer: Buffer) => void): void {
    const expected = this.#expected;
    if (!expected) {
      this.#stray += 1;
      return;
    }
    const heard = this.#heard.length > 0 ? Buffer.concat([this.#heard, chunk]) : chunk;
    const answer = findAnswer(heard, expected.unit, expected.code);
    if (answer) {
      this.#expected = undefined;
      this.#heard = Buffer.alloc(0);
      onAnswer(answer);
      return;
    }
    this.#heard = heard.length > maxKept ? heard.subarray(-maxKept) : heard;
  }

  forget(): boolean {
    this.#expected = undefined;
    const isNoise = this.#heard.length > 0;
    this.#heard = Buffer.alloc(0);
    return isNoise;
  }
}

/** Unit and PDU of the first whole answer in `bytes`; undefined while there is none. */
function findAnswer(bytes: Buffer, unit: number, code: number): Buffer | undefined {
  for (let start = bytes.indexOf(unit); start >= 0; start = bytes.indexOf(unit, start + 1)) {
    const found = bytes[start + 1];
    if (found !== code && found !== (code | 0x80)) continue;
    const length = answerLength(bytes, start, found);
    if (length === undefined || start + length + crcBytes > bytes.length) continue;
    const end = start + length;
    if (crc16(bytes, start, end) === bytes.readUInt16LE(end)) return bytes.subarray(start, end);
  }
  return undefined;
}

/** Bytes of unit and PDU of an answer that starts at `start`; undefined where that is not to be known yet. */
function answerLength(bytes: Buffer, start: number, code: number): number | undefined {
  if (code > 0x80) return 3;
  switch (code) {
    case 5:
    case 6:
    case 15:
    case 16:
      return 6;
    default: {
      const count = bytes[start + 2];
      return count === undefined ? undefined : 3 + count;
    }
  }
}
