// The port that modbus-serial writes to and reads from, over any byte stream. Its own TCP port suffices for a healthy peer;
// this one also notices every way in which a connection ends. The connection decides (modbus-connection.ts) when written
// bytes are sent, and whether received bytes are an answer.
import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { crc16 } from './crc16.ts';

const crcBytes = 2;

export interface PortListener {
  /** Unit and PDU that modbus-serial asks to be sent. */
  onRequest(request: Buffer): void;
  /** May throw: the stream is then given up, with that as the cause. */
  onBytes(chunk: Buffer): void;
  /** The stream has ended. */
  onLost(cause: unknown): void;
}

export class StreamPort extends EventEmitter {
  /** One request is under way at a time: all use the same slot of modbus-serial's table of transactions. */
  readonly _transactionIdWrite = 1;
  readonly _transactionIdRead = 1;
  readonly #listener: PortListener;
  #stream: Duplex | undefined;

  constructor(listener: PortListener) {
    super();
    this.#listener = listener;
  }

  /** Speaks over `stream` from here on. What the one before it still says is not heard. */
  attach(stream: Duplex): void {
    const old = this.#stream;
    this.#stream = stream;
    old?.destroy();
    let cause: unknown;
    stream.on('data', (chunk: Buffer) => {
      if (this.#stream !== stream) return;
      try {
        this.#listener.onBytes(chunk);
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
      if (this.#stream !== stream) return;
      this.#stream = undefined;
      this.#listener.onLost(cause);
    });
  }

  /** Lets go of the stream, without a word to the listener. */
  detach(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    stream?.destroy();
  }

  get isAttached(): boolean {
    return this.#stream !== undefined;
  }

  /** Part of modbus-serial's idea of a port: whether there is a stream just now is the connection's business. */
  get isOpen(): boolean {
    return true;
  }

  /** Part of modbus-serial's idea of a port: the stream is open already. */
  open(callback: (error?: Error) => void): void {
    callback();
  }

  /** Unit, PDU and CRC, as modbus-serial makes them. */
  write(request: Buffer): void {
    this.#listener.onRequest(Buffer.from(request.subarray(0, -crcBytes)));
  }

  send(bytes: Buffer): void {
    this.#stream?.write(bytes);
  }

  /** Gives modbus-serial the answer, unit and PDU, with a CRC, which it checks whatever the transport. */
  answer(answer: Buffer): void {
    const withCrc = Buffer.allocUnsafe(answer.length + crcBytes);
    answer.copy(withCrc);
    withCrc.writeUInt16LE(crc16(answer, 0, answer.length), answer.length);
    this.emit('data', withCrc);
  }
}
