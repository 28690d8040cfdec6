// Buffers the bytes of a line until they form messages. Bounded: it keeps at most one frame and the rest of the last chunk.
// Whatever comes in, every byte is either part of a returned frame or counted as garbage, and the next sound message is
// found again.
import type { ChecksumCheck } from './checksum.ts';
import type { FrameScanner, GarbageKind } from './frame-scanner.ts';

export interface FrameListener {
  /** The message alone: without start, end, and without the check sum where that stands at its edge. */
  onFrame(content: Buffer): void;
  onGarbage(garbage: Buffer, why: GarbageKind): void;
}

export interface Framing {
  readonly scanner: FrameScanner;
  readonly checksum: ChecksumCheck | undefined;
}

export interface FrameReaderOptions extends Framing {
  readonly listener: FrameListener;
}

/** Much more than a line brings between two looks at it; a hostile peer's chunk is taken in parts. */
const maxChunkBytes = 65_536;

export class FrameReader {
  readonly #options: FrameReaderOptions;
  #kept: Buffer = Buffer.alloc(0);
  #isLost: boolean;

  /** `isLost`: the line was opened just now, perhaps amid a message. */
  constructor(options: FrameReaderOptions, isLost: boolean) {
    this.#options = options;
    this.#isLost = isLost;
  }

  /** A message was begun and is not whole yet. */
  get isAmid(): boolean {
    return this.#kept.length > 0 || this.#isLost;
  }

  get keptBytes(): number {
    return this.#kept.length;
  }

  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; at += maxChunkBytes) {
      const part = chunk.subarray(at, at + maxChunkBytes);
      this.#scan(this.#kept.length > 0 ? Buffer.concat([this.#kept, part]) : part, false);
    }
  }

  get gapMs(): number {
    return this.#options.scanner.gapMs;
  }

  /** The line has been silent for `gapMs`. */
  silent(): void {
    this.#scan(this.#kept, true);
    if (this.#kept.length === 0) this.#isLost = false;
  }

  /** Drops what is kept: what comes next begins at the edge of a message. */
  restart(): void {
    if (this.#kept.length > 0) this.#options.listener.onGarbage(this.#kept, 'cut');
    this.#kept = Buffer.alloc(0);
    this.#isLost = false;
  }

  /** Another reader used the line meanwhile: the next bytes may be any part of a message. */
  lose(): void {
    this.restart();
    this.#isLost = true;
  }

  #scan(bytes: Buffer, isSilent: boolean): void {
    const { scanner, listener } = this.#options;
    // Before the listener is called, for it may restart this reader, or throw.
    this.#kept = Buffer.alloc(0);
    let rest = bytes;
    // Each step uses at least one byte, or ends the loop.
    for (;;) {
      const found = scanner.next(rest, this.#isLost, isSilent);
      if (found.kind === 'more' || found.used === 0) break;
      const frame = (found.kind === 'frame' && found.bytes) || rest;
      rest = rest.subarray(found.used);
      if (found.kind === 'garbage') {
        this.#isLost = found.isLost;
        listener.onGarbage(frame.subarray(0, found.used), found.why);
        continue;
      }
      this.#isLost = false;
      const content = this.#contentOf(frame.subarray(found.from, found.to), found);
      if (content.length > 0) listener.onFrame(content);
    }
    // A copy: what is kept would otherwise hold the whole chunk in memory.
    this.#kept = rest.length === 0 ? Buffer.alloc(0) : Buffer.from(rest);
  }

  #contentOf(frame: Buffer, found: { from: number; contentFrom: number; contentTo: number }): Buffer {
    let from = found.contentFrom - found.from;
    let to = found.contentTo - found.from;
    const sum = this.#options.checksum?.(frame);
    if (sum && sum[0] <= from && sum[1] > from) from = sum[1];
    if (sum && sum[1] >= to && sum[0] < to) to = sum[0];
    return frame.subarray(from, Math.max(from, to));
  }
}
