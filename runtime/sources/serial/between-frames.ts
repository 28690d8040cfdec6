// Judges the bytes between messages. They may be a damaged message, so they are a hole in observation, unless the site says
// otherwise: bytes without meaning (`between`: idle NULs, a CR LF after a check sum), and lines of no interest (`ignore`).
// They are judged as a whole, once the next message comes or the line is silent, since bytes come in any pieces.
import type { SerialSourceConfig } from './config.ts';
import { toBytes } from './escapes.ts';
import { beginsWith, hidesRecord, type MessageReader } from './message-reader.ts';

/** More than this is no keep-alive. */
const maxBytes = 4096;
const [lf, cr] = [10, 13];

export class BetweenFrames {
  readonly #ignored: readonly Buffer[];
  readonly #meansNothing: ReadonlySet<number>;
  readonly #read: MessageReader;
  readonly #isChecked: boolean;
  #bytes: Buffer = Buffer.alloc(0);

  constructor({ ignore, between, checksum }: SerialSourceConfig, read: MessageReader) {
    this.#ignored = ignore.map(toBytes);
    this.#meansNothing = new Set(between === undefined ? [] : toBytes(between));
    this.#read = read;
    this.#isChecked = checksum !== undefined;
  }

  /** Something came that was not judged yet. */
  get isPending(): boolean {
    return this.#bytes.length > 0;
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  /** False where it is known already to be more than the site knows of. */
  add(bytes: Buffer): boolean {
    if (this.#ignored.length === 0 && this.#meansNothing.size === 0) return false;
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    if (this.#bytes.length <= maxBytes) return true;
    this.#bytes = Buffer.alloc(0);
    return false;
  }

  /** The bytes between messages are complete: false where they may have been a message. */
  settle(): boolean {
    const bytes = this.#bytes;
    this.#bytes = Buffer.alloc(0);
    return this.#linesOf(bytes).every((line) => this.#isIgnored(line));
  }

  #isIgnored(line: Buffer): boolean {
    if (!this.#ignored.some((prefix) => beginsWith(line, prefix))) return false;
    return this.#isChecked || !hidesRecord(this.#read, line);
  }

  #linesOf(bytes: Buffer): readonly Buffer[] {
    const lines: Buffer[] = [];
    let from = 0;
    for (let at = 0; at <= bytes.length; at++) {
      const byte = bytes[at];
      // The ends of lines that are ignored are a part of them.
      const isEnd = byte === lf || byte === cr;
      if (byte !== undefined && !this.#meansNothing.has(byte) && !(isEnd && this.#ignored.length > 0))
        continue;
      if (at > from) lines.push(bytes.subarray(from, at));
      from = at + 1;
    }
    return lines;
  }
}
