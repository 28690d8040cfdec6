// Requests to Modbus units over one connection: the only file that knows modbus-serial.
//
// What modbus-serial leaves open is closed here: each request has its own timeout (its promise API can hang
// for ever when a socket dies), a broken connection fails the request under way at once, the answer is
// checked to be as long as what was asked, and errors say which of the four kinds they are. One request is
// under way at a time; TurnQueue sees to that.
import type { Duplex } from 'node:stream';
import modbusSerial from 'modbus-serial';
import type { Clock, Timer } from '../../../kernel/clock.ts';
import type { HoldfastError } from '../../../kernel/errors.ts';
import type { BitTable, RegisterTable } from './fields.ts';
import type { Framing } from './framing.ts';
import { closedByUs, connectionLost, garbage, ModbusException, timedOut } from './modbus-errors.ts';
import { StreamPort } from './stream-port.ts';

/**
 * Each method resolves with the data bytes of the answer, exactly as many as were asked for, or rejects with
 * `modbus-exception`, `modbus-timeout`, `modbus-garbage` or `modbus-connection-lost`.
 */
export interface ModbusClient {
  /** Functions 3 and 4, up to 125 registers: two bytes each, most significant first. */
  readRegisters(unit: number, table: RegisterTable, address: number, count: number): Promise<Buffer>;
  /** Functions 1 and 2, up to 2000 bits: eight a byte, the lowest address in the lowest bit. */
  readBits(unit: number, table: BitTable, address: number, count: number): Promise<Buffer>;
  /** Function 20, up to 121 registers of one file. */
  readFileRecord(unit: number, file: number, record: number, count: number): Promise<Buffer>;
  /** Closes for real, at once. What is under way rejects. Idempotent. */
  close(): void;
  /** Why no request will succeed any more; undefined while open. */
  readonly lost: HoldfastError | undefined;
}

export interface ModbusClientOptions {
  /** An open connection, which the client owns from here on. */
  readonly stream: Duplex;
  readonly framing: Framing;
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Names the peer in messages. */
  readonly peer: string;
}

/** Registers that fit into one answer of function 20. */
export const maxFileRegisters = 121;

export function createModbusClient(options: ModbusClientOptions): ModbusClient {
  return new Client(options);
}

interface Answered {
  readonly buffer?: Buffer;
}

type Next = (error: unknown, answer?: Answered) => void;

interface Pending {
  settle(error: unknown, bytes?: Buffer): void;
}

const fileReference = 6;

class Client implements ModbusClient {
  readonly #options: ModbusClientOptions;
  readonly #port: StreamPort;
  readonly #modbus: InstanceType<typeof modbusSerial.default>;
  #pending: Pending | undefined;
  #lost: HoldfastError | undefined;

  constructor(options: ModbusClientOptions) {
    this.#options = options;
    this.#port = new StreamPort(options.stream, options.framing, (cause) => this.#onLost(cause));
    this.#modbus = new modbusSerial.default(this.#port);
    this.#modbus.on('error', () => {});
    this.#modbus.open();
  }

  get lost(): HoldfastError | undefined {
    return this.#lost;
  }

  readRegisters(unit: number, table: RegisterTable, address: number, count: number): Promise<Buffer> {
    const modbus = this.#modbus;
    return this.#request(
      (next) =>
        table === 'holding'
          ? modbus.writeFC3(unit, address, count, next)
          : modbus.writeFC4(unit, address, count, next),
      () => `reading ${count} ${table} registers from ${address} of unit ${unit}`,
      (answer) => exactly(answer.buffer, 2 * count),
    );
  }

  readBits(unit: number, table: BitTable, address: number, count: number): Promise<Buffer> {
    const modbus = this.#modbus;
    return this.#request(
      (next) =>
        table === 'coil'
          ? modbus.writeFC1(unit, address, count, next)
          : modbus.writeFC2(unit, address, count, next),
      () => `reading ${count} ${table} bits from ${address} of unit ${unit}`,
      (answer) => exactly(answer.buffer, Math.ceil(count / 8)),
    );
  }

  readFileRecord(unit: number, file: number, record: number, count: number): Promise<Buffer> {
    // modbus-serial's own function 20 always asks for 100 registers; its way to send any function does not.
    const body = [7, fileReference, file >> 8, file & 255, record >> 8, record & 255, 0, count];
    return this.#request(
      (next) => this.#modbus.writeCustomFC(unit, 20, body, next),
      () => `reading ${count} registers from record ${record} of file ${file} of unit ${unit}`,
      () => parseFileRecord(this.#port.answer, count),
    );
  }

  close(): void {
    this.#fail(closedByUs());
    this.#options.stream.destroy();
  }

  #request(
    send: (next: Next) => void,
    describe: () => string,
    take: (answer: Answered) => Buffer,
  ): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (this.#lost) return reject(this.#lost);
      if (this.#pending) return reject(new Error('a request is under way: take a turn first'));
      const { clock, timeoutMs, framing } = this.#options;
      let timer: Timer | undefined;
      const pending: Pending = {
        settle: (error, bytes) => {
          if (this.#pending !== pending) return;
          this.#pending = undefined;
          timer?.cancel();
          if (bytes) resolve(bytes);
          else reject(error);
        },
      };
      this.#pending = pending;
      timer = clock.setTimer(timeoutMs, () => {
        framing.forget();
        pending.settle(timedOut(describe(), timeoutMs));
      });
      // Nothing that goes wrong in here may be thrown into modbus-serial, which would call `next` again.
      const next: Next = (error, answer) => {
        if (error !== undefined && error !== null) return pending.settle(toError(error, describe()));
        try {
          pending.settle(undefined, take(answer ?? {}));
        } catch (cause) {
          pending.settle(cause);
        }
      };
      try {
        send(next);
      } catch (cause) {
        pending.settle(garbage(`${describe()} failed`, cause));
      }
    });
  }

  #onLost(cause: unknown): void {
    const isGarbage = cause instanceof Error && 'code' in cause && cause.code === 'modbus-garbage';
    this.#fail(isGarbage ? (cause as HoldfastError) : connectionLost(this.#options.peer, cause));
  }

  #fail(error: HoldfastError): void {
    this.#lost ??= error;
    this.#pending?.settle(this.#lost);
  }
}

function toError(error: unknown, request: string): HoldfastError {
  const code = (error as { modbusCode?: unknown }).modbusCode;
  if (typeof code === 'number') return new ModbusException(code, request);
  return garbage(`${request} was answered with something else`, error);
}

function exactly(bytes: Buffer | undefined, length: number): Buffer {
  if (bytes?.length === length) return bytes;
  throw garbage(`the answer has ${bytes?.length ?? 0} bytes of data where ${length} were expected`);
}

/** Unit, 20, bytes that follow, then one group: bytes that follow, reference type, data. */
function parseFileRecord(answer: Buffer | undefined, count: number): Buffer {
  const dataBytes = 2 * count;
  const isWhole =
    answer !== undefined &&
    answer.length === 5 + dataBytes &&
    answer[2] === dataBytes + 2 &&
    answer[3] === dataBytes + 1 &&
    answer[4] === fileReference;
  if (!isWhole) throw garbage(`the answer is not one file record of ${count} registers`);
  return answer.subarray(5);
}
