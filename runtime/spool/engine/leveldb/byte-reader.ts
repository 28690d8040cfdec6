// Reads numbers and byte strings off a buffer, as LevelDB writes them.

/** Thrown for bytes that do not make sense; the caller knows which file they came from. */
export class BadBytesError extends Error {}

export class ByteReader {
  readonly bytes: Buffer;
  at: number;
  readonly end: number;

  constructor(bytes: Buffer, at = 0, end = bytes.byteLength) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get done(): boolean {
    return this.at >= this.end;
  }

  byte(): number {
    if (this.at >= this.end) throw new BadBytesError('cut short');
    return this.bytes[this.at++]!;
  }

  /** Seven bits a byte, lowest first. @throws BadBytesError also for what a double does not hold. */
  varint(): number {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = this.byte();
      value += (byte & 127) * shift;
      if (byte < 128) break;
      if (shift > 2 ** 49) throw new BadBytesError('a number is too long');
    }
    if (!Number.isSafeInteger(value)) throw new BadBytesError('a number is too large');
    return value;
  }

  take(length: number): Buffer {
    if (length > this.end - this.at) throw new BadBytesError('a length reaches beyond the end');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  prefixed(): Buffer {
    return this.take(this.varint());
  }
}
