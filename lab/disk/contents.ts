// The contents of a simulated file: a growing byte buffer.
export class Contents {
  #bytes = Buffer.alloc(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  read(offset: number, length: number): Buffer {
    return this.#bytes.subarray(Math.min(offset, this.#length), Math.min(offset + length, this.#length));
  }

  write(offset: number, bytes: Uint8Array): void {
    const end = offset + bytes.byteLength;
    this.#reserve(end);
    this.#bytes.set(bytes, offset);
    this.#length = Math.max(this.#length, end);
  }

  /** Shorter, or longer by zeros. */
  resize(length: number): void {
    this.#reserve(length);
    if (length < this.#length) this.#bytes.fill(0, length, this.#length);
    this.#length = length;
  }

  copy(): Contents {
    const copy = new Contents();
    copy.write(0, this.read(0, this.#length));
    return copy;
  }

  #reserve(length: number): void {
    if (length <= this.#bytes.byteLength) return;
    const larger = Buffer.alloc(Math.max(length, this.#bytes.byteLength * 2, 4096));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}
