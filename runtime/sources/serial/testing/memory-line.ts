// An instrument in memory, at the other end of a stream: tests say what it makes of each command, and what it says by
// itself, byte for byte, on a clock of their own.
import { Duplex } from 'node:stream';
import type { Clock } from '../../../../kernel/clock.ts';
import { HoldfastError } from '../../../../kernel/errors.ts';
import type { OpenStream } from '../open-line.ts';

/** Takes what was written to it; may answer by `line.say`, at once or later. */
export type Instrument = (bytes: Buffer, line: MemoryLine) => void;

export class MemoryLine {
  onBytes: Instrument;
  isReachable = true;
  /** What is written is lost: for tests to set, until the next connection. */
  isClosing = false;
  /** Connections that were made so far. */
  opened = 0;
  /** All that was ever written, connection by connection. */
  readonly heard: Buffer[] = [];
  readonly #clock: Clock;
  readonly #streams = new Set<MemoryStream>();

  constructor(clock: Clock, onBytes: Instrument = () => {}) {
    this.#clock = clock;
    this.onBytes = onBytes;
  }

  get connections(): number {
    return this.#streams.size;
  }

  readonly openStream: OpenStream = async (_config, _clock, signal) => {
    signal.throwIfAborted();
    if (!this.isReachable)
      throw new HoldfastError('serial-connect-failed', 'nothing is there', { retryable: true });
    const stream = new MemoryStream((bytes) => {
      this.heard.push(bytes);
      this.onBytes(bytes, this);
    });
    this.#streams.add(stream);
    this.opened += 1;
    this.isClosing = false;
    stream.on('close', () => this.#streams.delete(stream));
    return stream;
  };

  say(bytes: Buffer | string, afterMs = 0): void {
    const chunk = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
    const push = () => {
      for (const stream of this.#streams) if (!stream.destroyed) stream.push(chunk);
    };
    if (afterMs > 0) this.#clock.setTimer(afterMs, push);
    else push();
  }

  /** As a serial server that closes the connection. */
  hangUp(afterMs = 0): void {
    const streams = [...this.#streams];
    this.#clock.setTimer(afterMs, () => {
      for (const stream of streams) if (!stream.destroyed) stream.push(null);
    });
  }

  /** As when the adapter is unplugged. */
  cut(): void {
    for (const stream of this.#streams) stream.destroy(new Error('disconnected'));
  }
}

class MemoryStream extends Duplex {
  readonly #onBytes: (bytes: Buffer) => void;

  constructor(onBytes: (bytes: Buffer) => void) {
    super();
    this.#onBytes = onBytes;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    done();
    this.#onBytes(Buffer.from(chunk));
  }
}
