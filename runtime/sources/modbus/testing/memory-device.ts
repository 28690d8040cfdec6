// A Modbus peer in memory, at the other end of a stream: tests say what each request is answered with,
// byte for byte if need be, on a clock of their own.
import { Duplex } from 'node:stream';
import type { Clock } from '../../../../kernel/clock.ts';
import { HoldfastError } from '../../../../kernel/errors.ts';
import { crc16 } from '../crc16.ts';
import { createModbusLinks, type ModbusLinks } from '../link.ts';
import type { OpenStream } from '../open-stream.ts';

export interface DeviceRequest {
  readonly transaction: number;
  readonly unit: number;
  readonly pdu: Buffer;
}

/** A PDU; bytes to put on the wire as they are; nothing; or one of these later. */
export type DeviceAnswer =
  | { readonly pdu: Buffer; readonly thenClose?: true }
  | { readonly raw: Buffer }
  | { readonly afterMs: number; readonly answer: DeviceAnswer }
  | 'silence'
  | 'close';

export type Answerer = (request: DeviceRequest) => DeviceAnswer;

export type WireFormat = 'mbap' | 'rtu';

export class MemoryDevice {
  answer: Answerer;
  isReachable = true;
  readonly requests: DeviceRequest[] = [];
  /** Connections that were made so far. */
  opened = 0;
  readonly #clock: Clock;
  readonly #streams = new Set<DeviceStream>();

  readonly #wire: WireFormat;

  constructor(clock: Clock, answer: Answerer, wire: WireFormat = 'mbap') {
    this.#clock = clock;
    this.answer = answer;
    this.#wire = wire;
  }

  get connections(): number {
    return this.#streams.size;
  }

  readonly openStream: OpenStream = async (_config, _clock, signal) => {
    signal.throwIfAborted();
    return this.open();
  };

  /** What sources need to find this device whatever their configuration says. */
  links(): ModbusLinks {
    return createModbusLinks({ clock: this.#clock, openStream: this.openStream });
  }

  open(): Duplex {
    if (!this.isReachable) {
      throw new HoldfastError('modbus-connect-failed', 'nothing listens there', { retryable: true });
    }
    const stream = new DeviceStream(this.#wire, (request) => {
      this.requests.push(request);
      this.#send(stream, request, this.answer(request));
    });
    this.#streams.add(stream);
    this.opened += 1;
    stream.on('close', () => this.#streams.delete(stream));
    return stream;
  }

  /** `pdu` as this device would put it on the wire. */
  frame(request: DeviceRequest, pdu: Buffer): Buffer {
    return this.#wire === 'mbap' ? frame(request, pdu) : rtuFrame(request.unit, pdu);
  }

  /** Puts `bytes` on the wire, to whoever listens. */
  say(bytes: Buffer): void {
    for (const stream of this.#streams) stream.push(bytes);
  }

  /** Resets every connection. */
  cut(): void {
    for (const stream of this.#streams) stream.destroy(new Error('read ECONNRESET'));
  }

  #send(stream: DeviceStream, request: DeviceRequest, answer: DeviceAnswer): void {
    if (answer === 'silence') return;
    if (answer === 'close') stream.push(null);
    else if ('afterMs' in answer) {
      this.#clock.setTimer(answer.afterMs, () => this.#send(stream, request, answer.answer));
    } else if (!stream.destroyed) {
      stream.push('raw' in answer ? answer.raw : this.frame(request, answer.pdu));
      if ('thenClose' in answer) stream.push(null);
    }
  }
}

export function frame({ transaction, unit }: DeviceRequest, pdu: Buffer): Buffer {
  const header = Buffer.alloc(7);
  header.writeUInt16BE(transaction, 0);
  header.writeUInt16BE(pdu.length + 1, 4);
  header[6] = unit;
  return Buffer.concat([header, pdu]);
}

export function rtuFrame(unit: number, pdu: Buffer): Buffer {
  const bytes = Buffer.concat([Buffer.from([unit]), pdu, Buffer.alloc(2)]);
  bytes.writeUInt16LE(crc16(bytes, 0, bytes.length - 2), bytes.length - 2);
  return bytes;
}

export function exceptionPdu(functionCode: number, exception: number): Buffer {
  return Buffer.from([functionCode | 0x80, exception]);
}

class DeviceStream extends Duplex {
  readonly #onRequest: (request: DeviceRequest) => void;

  readonly #wire: WireFormat;

  constructor(wire: WireFormat, onRequest: (request: DeviceRequest) => void) {
    super();
    this.#wire = wire;
    this.#onRequest = onRequest;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    done();
    if (this.#wire === 'rtu') {
      this.#onRequest({ transaction: 0, unit: chunk[0]!, pdu: Buffer.from(chunk.subarray(1, -2)) });
      return;
    }
    const transaction = chunk.readUInt16BE(0);
    const pdu = chunk.subarray(7, 6 + chunk.readUInt16BE(4));
    this.#onRequest({ transaction, unit: chunk[6]!, pdu: Buffer.from(pdu) });
  }
}
