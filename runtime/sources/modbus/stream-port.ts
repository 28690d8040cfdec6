// The port that modbus-serial writes to and hears from, over any byte stream and framing. Its own TCP port
// would do for a healthy peer; this one also notices every way in which a connection ends, tells
// garbage from silence, and drops late answers by their full transaction number.
import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { crc16 } from './crc16.ts';
import type { Framing } from './framing.ts';

const crcBytes = 2;

/**
 * Emits `data` with each expected answer, a CRC appended as on a serial line, because modbus-serial checks
 * one whatever the transport. `onLost` is called once, when the stream has ended or sends nonsense.
 */
export class StreamPort extends EventEmitter {
  /** One request is under way at a time: all use the same slot of modbus-serial's table of transactions. */
  readonly _transactionIdWrite = 1;
  readonly _transactionIdRead = 1;
  readonly #stream: Duplex;
  readonly #framing: Framing;
  #isOpen = true;
  #answer: Buffer | undefined;

  constructor(stream: Duplex, framing: Framing, onLost: (cause: unknown) => void) {
    super();
    this.#stream = stream;
    this.#framing = framing;
    let cause: unknown;
    stream.on('data', (chunk: Buffer) => {
      try {
        framing.push(chunk, this.#onAnswer);
      } catch (error) {
        cause = error;
        stream.destroy();
      }
    });
    stream.on('error', (error) => {
      cause ??= error;
    });
    // A peer that closes its half will answer nothing more: devices do not half-close on purpose.
    stream.on('end', () => stream.destroy());
    stream.on('close', () => {
      this.#isOpen = false;
      onLost(cause);
    });
  }

  get isOpen(): boolean {
    return this.#isOpen && !this.#stream.destroyed;
  }

  /** Unit and PDU of the last answer, as they came. */
  get answer(): Buffer | undefined {
    return this.#answer;
  }

  /** Part of modbus-serial's idea of a port: the stream is open already. */
  open(callback: (error?: Error) => void): void {
    callback();
  }

  /** Unit, PDU and CRC, as modbus-serial makes them. */
  write(request: Buffer): void {
    this.#answer = undefined;
    this.#stream.write(this.#framing.wrap(request.subarray(0, -crcBytes)));
  }

  readonly #onAnswer = (answer: Buffer): void => {
    this.#answer = answer;
    const withCrc = Buffer.allocUnsafe(answer.length + crcBytes);
    answer.copy(withCrc);
    withCrc.writeUInt16LE(crc16(answer, 0, answer.length), answer.length);
    this.emit('data', withCrc);
  };
}
