// Modbus RTU framing as a unit on the bus sees it: unit, PDU, CRC. Frames carry no length: the bus says where
// one ends by falling silent. What comes over a terminal server or a pseudo terminal keeps no such timing, so
// a request of a known function is taken as soon as it is whole, and silence is needed only to give up.
import { hasValidCrc } from './crc.ts';

/** Unit, PDU and CRC. */
export const maxRtuBytes = 256;

/** `pdu` is a view that is valid during the call. */
export type OnRtuFrame = (unit: number, pdu: Buffer) => void;

export class RtuReader {
  readonly #bytes = Buffer.alloc(maxRtuBytes);
  #length = 0;
  /** Nothing is understood any more until the bus falls silent, as with a real unit. */
  #isLost = false;

  /** Hands every whole request to `onFrame`, in order. */
  push(chunk: Buffer, onFrame: OnRtuFrame): void {
    for (let at = 0; at < chunk.length && !this.#isLost; ) {
      const copied = chunk.copy(this.#bytes, this.#length, at);
      at += copied;
      this.#length += copied;
      this.#takeFrames(onFrame);
      if (this.#length === maxRtuBytes) this.#isLost = true;
    }
  }

  /** The bus was silent: what is there is a whole frame, or nothing. */
  silence(onFrame: OnRtuFrame): void {
    if (!this.#isLost && hasValidCrc(this.#bytes, this.#length)) {
      onFrame(this.#bytes[0]!, this.#bytes.subarray(1, this.#length - 2));
    }
    this.#length = 0;
    this.#isLost = false;
  }

  #takeFrames(onFrame: OnRtuFrame): void {
    for (;;) {
      const end = requestLength(this.#bytes, this.#length);
      if (end === undefined || end > this.#length) return;
      if (!hasValidCrc(this.#bytes, end)) {
        this.#isLost = true;
        return;
      }
      onFrame(this.#bytes[0]!, this.#bytes.subarray(1, end - 2));
      this.#bytes.copy(this.#bytes, 0, end, this.#length);
      this.#length -= end;
    }
  }
}

/** Bytes of the request that begins here, with unit and CRC; undefined while that cannot be told. */
function requestLength(bytes: Buffer, length: number): number | undefined {
  const counted = (at: number) => (length > at ? at + 1 + bytes[at]! + 2 : undefined);
  if (length < 2) return undefined;
  switch (bytes[1]) {
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
      return 8;
    case 15:
    case 16:
      return counted(6);
    case 20:
      return counted(2);
    case 22:
      return 10;
    case 23:
      return counted(10);
    default:
      return undefined;
  }
}
