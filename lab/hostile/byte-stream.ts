// The far end of a line in memory: a peer receives what an adapter writes, and the adapter reads what the peer sends.
import { Duplex } from 'node:stream';

export class PeerStream extends Duplex {
  readonly #onBytes: (bytes: Buffer) => void;

  constructor(onBytes: (bytes: Buffer) => void) {
    super();
    this.#onBytes = onBytes;
    this.on('error', () => {});
  }

  /** False where the adapter has let go. */
  say(bytes: Buffer): boolean {
    if (this.destroyed || this.readableEnded) return false;
    // Its own copy: the adapter may keep views of it.
    this.push(Buffer.from(bytes));
    return true;
  }

  /** The peer closes its half. */
  hangUp(): void {
    if (!this.destroyed) this.push(null);
  }

  reset(): void {
    this.destroy(new Error('read ECONNRESET'));
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    done();
    this.#onBytes(Buffer.from(chunk));
  }
}
