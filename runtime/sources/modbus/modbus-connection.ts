// One connection to one or several Modbus units: the only file that knows modbus-serial.
//
// What modbus-serial leaves open is closed here: each request has its own timeout (its promise API can hang
// for ever when a socket dies), a broken connection fails the request under way at once, and errors say which
// of the four kinds they are. One request is under way at a time; TurnQueue sees to that.
import type { Duplex } from 'node:stream';
import modbusSerial from 'modbus-serial';
import type { Clock, Timer } from '../../../kernel/clock.ts';
import type { HoldfastError } from '../../../kernel/errors.ts';
import type { Framing } from './framing.ts';
import { closedByUs, connectionLost, garbage, ModbusException, timedOut } from './modbus-errors.ts';
import { StreamPort } from './stream-port.ts';

export interface ModbusConnectionOptions {
  /** An open connection, which is owned from here on. */
  readonly stream: Duplex;
  readonly framing: Framing;
  readonly clock: Clock;
  /** Names the peer in messages. */
  readonly peer: string;
  /** Silence that a serial bus needs between an answer and the next request. Default 0. */
  readonly gapMs?: number;
  /** The same after a request that got no good answer: what is still under way must not meet the next one. Default 0. */
  readonly turnaroundMs?: number;
}

/** How modbus-serial is asked: its methods take unit, address and so on, and this callback. */
export type Wire = InstanceType<typeof modbusSerial.default>;
// biome-ignore lint/suspicious/noExplicitAny: its type differs from method to method.
export type Next = (error: unknown, result?: any) => void;

export interface ModbusRequest<T> {
  send(wire: Wire, next: Next): void;
  /** For messages: "reading 2 holding registers from 40 of unit 7". */
  describe(): string;
  /** What modbus-serial made of the answer, and the answer itself (unit and PDU). May throw `modbus-garbage`. */
  take(result: unknown, answer: Buffer | undefined): T;
  readonly timeoutMs: number;
}

export interface ModbusConnection {
  /** Rejects with `modbus-exception`, `-timeout`, `-garbage`, `-connection-lost` or `-closed`. */
  request<T>(request: ModbusRequest<T>): Promise<T>;
  /** Closes for real, at once. What is under way rejects. Idempotent. */
  close(): void;
  /** Why no request will succeed any more; undefined while open. */
  readonly lost: HoldfastError | undefined;
}

export function openModbusConnection(options: ModbusConnectionOptions): ModbusConnection {
  return new Connection(options);
}

interface Pending {
  /** Ends the request under way; does nothing when it has ended already. */
  fail(error: unknown): void;
}

class Connection implements ModbusConnection {
  readonly #options: ModbusConnectionOptions;
  readonly #port: StreamPort;
  readonly #wire: Wire;
  #pending: Pending | undefined;
  #lost: HoldfastError | undefined;
  /** On the monotonic clock: no request before. */
  #quietUntil = 0;

  constructor(options: ModbusConnectionOptions) {
    this.#options = options;
    this.#port = new StreamPort(options.stream, options.framing, (cause) => this.#onLost(cause));
    this.#wire = new modbusSerial.default(this.#port);
    this.#wire.on('error', () => {});
    this.#wire.open();
  }

  get lost(): HoldfastError | undefined {
    return this.#lost;
  }

  close(): void {
    this.#fail(closedByUs());
    this.#options.stream.destroy();
  }

  request<T>(request: ModbusRequest<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#lost) return reject(this.#lost);
      if (this.#pending) return reject(new Error('a request is under way: take a turn first'));
      const { clock, framing } = this.#options;
      let timer: Timer | undefined;
      const isOver = () => this.#pending !== pending;
      const end = (waitMs: number | undefined) => {
        this.#pending = undefined;
        timer?.cancel();
        if (waitMs) this.#quietUntil = clock.monotonic() + waitMs;
      };
      const pending: Pending = {
        fail: (error) => {
          if (isOver()) return;
          end(this.#options.turnaroundMs);
          reject(error);
        },
      };
      this.#pending = pending;
      // Nothing that goes wrong in here may be thrown into modbus-serial, which would call `next` again.
      const next: Next = (error, result) => {
        if (isOver()) return;
        if (error !== undefined && error !== null) return pending.fail(toError(error, request.describe()));
        try {
          const value = request.take(result, this.#port.answer);
          end(this.#options.gapMs);
          resolve(value);
        } catch (cause) {
          pending.fail(cause);
        }
      };
      const send = () => {
        if (isOver()) return;
        timer = clock.setTimer(request.timeoutMs, () => {
          const heard = framing.forget();
          pending.fail(
            heard
              ? garbage(`${request.describe()} was answered with noise`)
              : timedOut(request.describe(), request.timeoutMs),
          );
        });
        try {
          request.send(this.#wire, next);
        } catch (cause) {
          pending.fail(garbage(`${request.describe()} failed`, cause));
        }
      };
      const waitMs = this.#quietUntil > 0 ? this.#quietUntil - clock.monotonic() : 0;
      if (waitMs > 0) timer = clock.setTimer(waitMs, send);
      else send();
    });
  }

  #onLost(cause: unknown): void {
    const isGarbage = cause instanceof Error && 'code' in cause && cause.code === 'modbus-garbage';
    this.#fail(isGarbage ? (cause as HoldfastError) : connectionLost(this.#options.peer, cause));
  }

  #fail(error: HoldfastError): void {
    this.#lost ??= error;
    this.#pending?.fail(this.#lost);
  }
}

function toError(error: unknown, request: string): HoldfastError {
  const code = (error as { modbusCode?: unknown }).modbusCode;
  if (typeof code === 'number') return new ModbusException(code, request);
  return garbage(`${request} was answered with something else`, error);
}
