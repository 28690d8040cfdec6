// One connection to one or several Modbus units: the only file that knows modbus-serial, which makes requests and takes
// answers apart.
//
// What it leaves open is closed here: each request has its own timeout (its promise API can hang for ever when a socket
// dies), a broken connection fails the request under way at once, errors say which of the four kinds they are, and a
// frame is an answer only where it is tied to its request (line-units.ts): where it could not be, the unit is first
// proven to be in step, by requests of our own. One request is under way at a time; TurnQueue sees to that.
import type { Duplex } from 'node:stream';
import modbusSerial from 'modbus-serial';
import type { Clock, Timer } from '../../../kernel/clock.ts';
import type { HoldfastError } from '../../../kernel/errors.ts';
import type { Framing } from './framing.ts';
import { modbusLikeness } from './likeness.ts';
import type { Heard, LineUnits } from './line-units.ts';
import {
  closedByUs,
  connectionLost,
  garbage,
  ModbusException,
  outOfStep,
  timedOut,
  tooMany,
} from './modbus-errors.ts';
import { StreamPort } from './stream-port.ts';

export interface ModbusConnectionOptions {
  /** An open connection, which is owned from here on. */
  readonly stream: Duplex;
  readonly framing: Framing;
  /** What is known of the units, which outlives the connection. */
  readonly units: LineUnits;
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
  /** Called right before the request itself is sent, after what has to be known first. What it throws ends it unsent. */
  onSend?(): void;
}

export interface ModbusConnection {
  /**
   * Where the unit has to be proven to be in step first, each request of that has the same timeout.
   * Rejects with `modbus-exception`, `-timeout`, `-garbage`, `-out-of-step`, `-connection-lost` or `-closed`.
   */
  request<T>(request: ModbusRequest<T>): Promise<T>;
  readonly units: LineUnits;
  /** Closes for real, at once. What is under way rejects. Idempotent. */
  close(): void;
  /** Why no request will succeed any more; undefined while open. */
  readonly lost: HoldfastError | undefined;
}

export function openModbusConnection(options: ModbusConnectionOptions): ModbusConnection {
  return new Connection(options);
}

interface Pending {
  readonly timeoutMs: number;
  describe(): string;
  onSend(): void;
  /** What is to be asked, once modbus-serial has made it. */
  wanted: Buffer;
  /** What was sent last: `wanted` itself, or what has to be known before. */
  sent: Buffer;
  phase: 'asking' | 'looking' | 'proving' | 'confirming';
  /** The answer that is being confirmed, and what of the unit had come by then that nobody asked for. */
  answer: Buffer;
  strays: number;
  /** Requests of our own so far. */
  proofs: number;
  timer: Timer | undefined;
  /** Ends the request under way; does nothing when it has ended already. */
  fail(error: unknown): void;
}

/** A frame that noise hides is looked for after so long a silence: longer than adapters and networks hold bytes back. */
const settleMs = 50;
/** Requests of our own before one that was asked for: one for an echo, and as many as may be confused with earlier ones. */
const maxProofs = 8;
/** Until the request is made. */
const nobody = Buffer.alloc(2);

class Connection implements ModbusConnection {
  readonly #options: ModbusConnectionOptions;
  readonly #port: StreamPort;
  readonly #wire: Wire;
  #pending: Pending | undefined;
  #answer: Buffer | undefined;
  #lost: HoldfastError | undefined;
  #settling: Timer | undefined;
  /** On the monotonic clock: no request before. */
  #quietUntil = 0;

  constructor(options: ModbusConnectionOptions) {
    this.#options = options;
    this.#port = new StreamPort(options.stream, {
      onRequest: (request) => this.#onRequest(request),
      onBytes: (chunk) => this.#onBytes(chunk),
      onLost: (cause) => this.#onLost(cause),
    });
    options.units.reopened();
    this.#wire = new modbusSerial.default(this.#port);
    this.#wire.on('error', () => {});
    this.#wire.open();
  }

  get units(): LineUnits {
    return this.#options.units;
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
      const isOver = () => this.#pending !== pending;
      const pending: Pending = {
        timeoutMs: request.timeoutMs,
        describe: () => request.describe(),
        onSend: () => request.onSend?.(),
        wanted: nobody,
        sent: nobody,
        phase: 'asking',
        answer: nobody,
        strays: 0,
        proofs: 0,
        timer: undefined,
        fail: (error) => {
          if (isOver()) return;
          this.#end(pending, this.#options.turnaroundMs);
          reject(error);
        },
      };
      this.#pending = pending;
      // Nothing that goes wrong in here may be thrown into modbus-serial, which would call `next` again.
      const next: Next = (error, result) => {
        if (isOver()) return;
        if (error !== undefined && error !== null) return pending.fail(toError(error, request.describe()));
        try {
          const value = request.take(result, this.#answer);
          this.#end(pending, this.#options.gapMs);
          resolve(value);
        } catch (cause) {
          pending.fail(cause);
        }
      };
      try {
        request.send(this.#wire, next);
      } catch (cause) {
        pending.fail(garbage(`${request.describe()} failed`, cause));
      }
    });
  }

  #end(pending: Pending, waitMs: number | undefined): void {
    this.#pending = undefined;
    this.#stop(pending, waitMs);
  }

  /** Nothing more is waited for, and nothing is sent for a while. */
  #stop(pending: Pending, waitMs = 0): void {
    pending.timer?.cancel();
    this.units.end();
    if (waitMs > 0) this.#quietUntil = this.#options.clock.monotonic() + waitMs;
  }

  #onRequest(request: Buffer): void {
    const pending = this.#pending;
    if (!pending) return;
    pending.wanted = request;
    this.#proceedAfterQuiet(pending);
  }

  #proceedAfterQuiet(pending: Pending): void {
    const { clock } = this.#options;
    const waitMs = this.#quietUntil > 0 ? this.#quietUntil - clock.monotonic() : 0;
    if (waitMs > 0) pending.timer = clock.setTimer(waitMs, () => this.#proceed(pending));
    else this.#proceed(pending);
  }

  /** Sends the request, or first what has to be known to tell its answer from others. */
  #proceed(pending: Pending): void {
    if (this.#pending !== pending) return;
    this.#options.framing.flush(this.#onFrame);
    const { wanted } = pending;
    const step = this.units.next(wanted);
    if (step.kind === 'send') {
      pending.phase = 'asking';
      try {
        pending.onSend();
      } catch (cause) {
        pending.fail(cause);
        return;
      }
      this.#transmit(pending, wanted);
    } else if (step.kind === 'wait' || pending.proofs >= maxProofs) {
      pending.fail(outOfStep(pending.describe(), this.units.silenceMs(wanted[0]!)));
    } else {
      pending.phase = step.shows === 'life' ? 'looking' : 'proving';
      pending.proofs += 1;
      this.#transmit(pending, step.frame);
    }
  }

  #transmit(pending: Pending, request: Buffer): void {
    const { clock, framing } = this.#options;
    pending.timer = clock.setTimer(pending.timeoutMs, () => this.#onTimeout(pending));
    pending.sent = request;
    this.units.begin(request);
    this.#port.send(framing.wrap(request));
  }

  #onTimeout(pending: Pending): void {
    const { units, framing } = this.#options;
    const unit = pending.wanted[0]!;
    units.unanswered(unit, pending.phase === 'proving');
    const heard = framing.forget();
    pending.fail(
      heard === undefined
        ? timedOut(pending.describe(), pending.timeoutMs, units.worstMs(unit))
        : garbage(`${pending.describe()} was answered with ${heard}`),
    );
  }

  #onBytes(chunk: Buffer): void {
    const { clock, framing } = this.#options;
    framing.push(chunk, this.#onFrame);
    this.#settling?.cancel();
    // Also where nothing is waited for: whoever speaks then is to be noticed.
    if (!framing.isAmid) return;
    this.#settling = clock.setTimer(settleMs, () => framing.settle(this.#onFrame));
  }

  readonly #onFrame = (frame: Buffer): void => {
    const heard = this.units.hear(frame);
    const pending = this.#pending;
    if (!pending || heard === 'nothing') return;
    if (heard === 'gave-up') {
      this.units.unanswered(frame[0]!, pending.phase === 'proving');
      pending.fail(new ModbusException(frame[2]!, pending.describe()));
    } else if (pending.phase === 'confirming') {
      this.#onConfirmed(pending, heard);
    } else if (pending.phase !== 'asking') {
      this.#onProof(pending, heard);
    } else if (heard === 'others') {
      const what = 'something that it was not asked for: is the line in use by another master?';
      pending.fail(garbage(`${pending.describe()} was answered with ${what}`));
    } else if (heard !== 'seen') {
      this.#onAnswer(pending, heard.answer);
    }
  };

  #onAnswer(pending: Pending, answer: Buffer): void {
    const confirmation = this.units.confirmationOf(pending.sent);
    if (!confirmation) {
      this.#accept(answer);
      return;
    }
    const { clock, framing, gapMs = 0 } = this.#options;
    pending.phase = 'confirming';
    pending.answer = answer;
    pending.strays = this.units.strays(answer[0]!);
    this.#stop(pending);
    pending.timer = clock.setTimer(gapMs, () => {
      framing.flush(this.#onFrame);
      this.#transmit(pending, confirmation);
    });
  }

  #onConfirmed(pending: Pending, heard: Heard): void {
    const isOne = typeof heard === 'object' && this.units.strays(pending.answer[0]!) === pending.strays;
    if (isOne) this.#accept(pending.answer);
    else pending.fail(tooMany(pending.answer[0]!));
  }

  #accept(answer: Buffer): void {
    this.#answer = answer;
    this.#port.answer(answer);
  }

  #onProof(pending: Pending, heard: Heard): void {
    // A refusal to an earlier proof looks like that to this one: one less of those, so the next proves more.
    const isMore = pending.phase === 'looking' || modbusLikeness.isUnmistakable(pending.sent);
    if (!this.units.isAskable(pending.wanted) && !(isMore && heard !== 'others')) return;
    this.#stop(pending, this.#options.gapMs);
    this.#proceedAfterQuiet(pending);
  }

  #onLost(cause: unknown): void {
    const isGarbage = cause instanceof Error && 'code' in cause && cause.code === 'modbus-garbage';
    this.#fail(isGarbage ? (cause as HoldfastError) : connectionLost(this.#options.peer, cause));
  }

  #fail(error: HoldfastError): void {
    this.#lost ??= error;
    this.#settling?.cancel();
    const pending = this.#pending;
    // Some devices close the connection over a function that they do not know.
    if (pending?.phase === 'proving') this.units.unanswered(pending.wanted[0]!, true);
    pending?.fail(this.#lost);
  }
}

function toError(error: unknown, request: string): HoldfastError {
  const code = (error as { modbusCode?: unknown }).modbusCode;
  if (typeof code === 'number') return new ModbusException(code, request);
  return garbage(`${request} was answered with something else`, error);
}
