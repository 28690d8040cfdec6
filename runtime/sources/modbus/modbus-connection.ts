// One connection to one or several Modbus units: the only file that knows modbus-serial, which makes requests and takes
// answers apart.
//
// What it leaves open is closed here: each request has its own timeout (its promise API can hang for ever when a socket
// dies), a broken connection fails the request under way at once, errors say which of the four kinds they are, and a
// frame is an answer only where it is tied to its request (line-units.ts): where it could not be, the unit is first
// proven to be in step, by requests of our own. One request is under way at a time; TurnQueue sees to that.
import type { Duplex } from 'node:stream';
import modbusSerial from 'modbus-serial';
import type { Timer } from '../../../kernel/clock.ts';
import { HoldfastError } from '../../../kernel/errors.ts';
import { PeerHabits, StreamLife } from '../line/peer-habits.ts';
import type { ModbusConnectionOptions } from './connection-options.ts';
import type { Heard } from './line-steps.ts';
import type { LineUnits } from './line-units.ts';
import {
  closedByUs,
  connectionLost,
  garbage,
  ModbusException,
  outOfStep,
  toError,
  tooMany,
  UnprovenError,
  unanswered,
} from './modbus-errors.ts';
import type { RequestBy } from './modbus-request.ts';
import { noteUnfit, type Pending, pendingFor } from './pending-request.ts';
import { isRead, misfit, modbusMatch, strange } from './response-match.ts';
import { StreamPort } from './stream-port.ts';

/** How modbus-serial is asked: its methods take unit, address and so on, and this callback. */
export type Wire = InstanceType<typeof modbusSerial.default>;
// biome-ignore lint/suspicious/noExplicitAny: its type differs from method to method.
export type Next = (error: unknown, result?: any) => void;
export type ModbusRequest<T> = RequestBy<Wire, Next, T>;

export interface ModbusConnection {
  /**
   * Where the unit has to be proven to be in step first, each request of that has the same timeout.
   * Rejects with `modbus-exception`, `-timeout`, `-garbage`, `-out-of-step`, `-connection-lost` or `-closed`.
   */
  request<T>(request: ModbusRequest<T>): Promise<T>;
  readonly units: LineUnits;
  /**
   * Nothing was heard yet, and it was opened so lately that what was asked may have been lost: many a device is deaf at
   * first. Worth asking again before the connection is given up.
   */
  readonly isDeaf: boolean;
  /** Time that was waited so far behind opening it again, since its peer is deaf at first, ms. */
  readonly waitedMs: number;
  /** Closes for real, at once. What is under way rejects. Idempotent. */
  close(): void;
  /** Why no request will succeed any more; undefined while open. */
  readonly lost: HoldfastError | undefined;
}

export function openModbusConnection(options: ModbusConnectionOptions): ModbusConnection {
  return new Connection(options);
}

/** A frame that noise hides is looked for after so long a silence: longer than adapters and networks hold bytes back. */
const settleMs = 50;
/** Requests of our own before one that was asked for: one for an echo, and as many as may be confused with earlier ones. */
const maxProofs = 8;

class Connection implements ModbusConnection {
  readonly #options: ModbusConnectionOptions;
  readonly #port: StreamPort;
  readonly #wire: Wire;
  readonly #habits: PeerHabits;
  readonly #closing = new AbortController();
  #pending: Pending | undefined;
  #answer: Buffer | undefined;
  #lost: HoldfastError | undefined;
  #settling: Timer | undefined;
  #waitedMs = 0;
  /** On the monotonic clock: no request before. */
  #quietUntil = 0;
  /** The stream of this moment. */
  readonly #life: StreamLife;

  constructor(options: ModbusConnectionOptions) {
    this.#options = options;
    this.#habits = options.habits ?? new PeerHabits();
    this.#life = new StreamLife(options.clock, this.#habits);
    this.#port = new StreamPort({
      onRequest: (request) => this.#onRequest(request),
      onBytes: (chunk) => this.#onBytes(chunk),
      onLost: (cause) => this.#onLost(cause),
    });
    this.#attach(options.stream);
    this.#wire = new modbusSerial.default(this.#port);
    this.#wire.on('error', () => {});
    this.#wire.open();
  }

  get isDeaf(): boolean {
    return this.#lost === undefined && this.#life.isDeaf;
  }

  get waitedMs(): number {
    return this.#waitedMs;
  }

  get units(): LineUnits {
    return this.#options.units;
  }

  get lost(): HoldfastError | undefined {
    return this.#lost;
  }

  close(): void {
    this.#fail(closedByUs());
    this.#closing.abort(this.#lost);
    this.#port.detach();
  }

  request<T>(request: ModbusRequest<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#lost) return reject(this.#lost);
      if (this.#pending) return reject(new Error('a request is under way: take a turn first'));
      const isOver = () => this.#pending !== pending;
      const pending = pendingFor(request, (error) => {
        if (isOver()) return;
        if (pending.phase === 'confirming') this.units.unconfirmed(pending.wanted[0]!);
        this.#end(pending, this.#options.turnaroundMs);
        reject(error);
      });
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
    pending.phase = 'waiting';
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

  /** Sends the request, or first a probe without which its answer could not be told from others. */
  #proceed(pending: Pending): void {
    if (this.#pending !== pending) return;
    const { wanted } = pending;
    if (this.#isSpent()) {
      if (pending.proofs === 0 || !this.#closesBehindProofs) return void this.#reopen(pending);
      return void pending.fail(this.#outOfStep(pending, wanted[0]!));
    }
    this.#options.framing.flush(this.#onFrame, this.#onLostFrame);
    const step = this.units.next(wanted);
    if (step.kind === 'send') {
      pending.phase = 'asking';
      try {
        pending.onSend();
      } catch (cause) {
        return void pending.fail(cause);
      }
      this.#transmit(pending, wanted);
    } else if (step.kind === 'wait' || pending.proofs >= maxProofs) {
      pending.fail(this.#outOfStep(pending, wanted[0]!));
    } else {
      pending.phase = step.shows === 'life' ? 'looking' : 'proving';
      pending.proofs += 1;
      this.#transmit(pending, step.frame);
    }
  }

  /** What would prove the unit to be in step gets no answer on the same connection. */
  get #closesBehindProofs(): boolean {
    return this.units.isLine && this.#habits.learned.closesAfterAnswer === true;
  }

  #outOfStep(pending: Pending, unit: number): HoldfastError {
    const { worstMs, silenceMs } = this.units.timesOf(unit);
    return outOfStep(pending.describe(), silenceMs, this.#closesBehindProofs, worstMs === 0);
  }

  #transmit(pending: Pending, request: Buffer): void {
    const { clock, framing } = this.#options;
    pending.timer = clock.setTimer(pending.timeoutMs, () => this.#onTimeout(pending));
    pending.sent = request;
    this.#life.asked();
    this.units.begin(request);
    this.#port.send(framing.wrap(request));
  }

  #onTimeout(pending: Pending): void {
    const { units, framing } = this.#options;
    const unit = pending.wanted[0]!;
    units.unanswered(unit, pending.phase === 'proving');
    this.#life.unanswered(unit);
    // That nothing at all came showed it.
    if (pending.phase === 'proving' && units.isAskable(pending.wanted)) return void this.#goOn(pending);
    // What could not be made out may have been the answer.
    const noise = framing.forget();
    const heard = noise ?? (pending.unfit && misfit(pending.unfit, pending.sent, this.#options.advice));
    const request = pending.describe();
    const error =
      heard === undefined
        ? unanswered(request, pending, {
            line: this.#options.advice?.line ?? 'none',
            life: this.#life,
            hasEcho: units.hasEcho,
            ofUnit: units.timesOf(unit),
          })
        : garbage(`${request} was answered with ${heard}`);
    const isOfUnit = pending.phase === 'asking' || pending.phase === 'looking';
    const isClear = isOfUnit && (units.hasIds || (!pending.isSeen && noise === undefined));
    pending.fail(isClear ? error : new UnprovenError(error));
  }

  #onBytes(chunk: Buffer): void {
    const { clock, framing } = this.#options;
    framing.push(chunk, this.#onFrame);
    this.#settling?.cancel();
    // Also where nothing is waited for: whoever speaks then is to be noticed.
    if (!framing.isAmid) return;
    this.#settling = clock.setTimer(settleMs, () => framing.settle(this.#onFrame, this.#onLostFrame));
  }

  readonly #onFrame = (frame: Buffer): void => {
    const heard = this.units.hear(frame);
    const pending = this.#pending;
    if (heard !== 'nothing') this.#life.answered(frame[0]!);
    if (!pending) return;
    if (heard === 'nothing' || heard === 'others') noteUnfit(pending, frame);
    // It carries the number of the request, so no other answer will come.
    if (pending.unfit && this.units.hasIds) {
      const what = misfit(frame, pending.sent, this.#options.advice);
      pending.fail(garbage(`${pending.describe()} was answered with ${what}`));
    }
    if (heard === 'nothing') return;
    if (heard === 'seen' || modbusMatch.fits(frame, pending.sent)) pending.isSeen = true;
    if (heard === 'gave-up') {
      this.units.unanswered(frame[0]!, pending.phase === 'proving');
      pending.fail(new ModbusException(frame[2]!, pending.describe(), pending.phase === 'proving'));
    } else if (pending.phase === 'confirming') {
      this.#onConfirmed(pending, heard);
    } else if (pending.phase !== 'asking') {
      this.#onProof(pending, heard);
    } else if (heard === 'others') {
      // The answer may be there, or come yet.
      const what = strange(frame, pending.sent, this.#options.advice);
      pending.fail(new UnprovenError(garbage(`${pending.describe()} was answered with ${what}`)));
    } else if (heard !== 'seen') {
      this.#onAnswer(pending, heard.answer);
    }
  };

  readonly #onLostFrame = (frame: Buffer): void => this.units.overhear(frame);

  #onAnswer(pending: Pending, answer: Buffer): void {
    const confirmation = this.units.confirmationOf(pending.sent);
    if (!confirmation) return void this.#accept(answer);
    const { clock, framing, gapMs = 0 } = this.#options;
    this.#stop(pending);
    pending.phase = 'confirming';
    if (confirmation === 'none') {
      pending.fail(this.#outOfStep(pending, answer[0]!));
      return;
    }
    pending.answer = answer;
    pending.strays = this.units.strays(answer[0]!);
    pending.timer = clock.setTimer(gapMs, () => {
      framing.flush(this.#onFrame, this.#onLostFrame);
      this.#transmit(pending, confirmation);
    });
  }

  #onConfirmed(pending: Pending, heard: Heard): void {
    const isOne = typeof heard === 'object' && this.units.strays(pending.answer[0]!) === pending.strays;
    if (isOne) this.#accept(pending.answer);
    else pending.fail(new UnprovenError(tooMany(pending.answer[0]!)));
  }

  #accept(answer: Buffer): void {
    this.#answer = answer;
    this.#port.answer(answer);
  }

  #onProof(pending: Pending, heard: Heard): void {
    // A refusal to an earlier proof looks like that to this one: one less of those, so the next proves more.
    const isMore =
      pending.phase === 'looking' || typeof heard === 'object' || modbusMatch.isUnmistakable(pending.sent);
    if (!this.units.isAskable(pending.wanted) && !(isMore && heard !== 'others')) return;
    this.#goOn(pending);
  }

  #goOn(pending: Pending): void {
    this.#stop(pending, this.#options.gapMs);
    this.#proceedAfterQuiet(pending);
  }

  #onLost(cause: unknown): void {
    if (cause instanceof HoldfastError && cause.code === 'modbus-garbage') this.#fail(cause);
    else this.#onClosed(cause);
  }

  #onClosed(cause: unknown): void {
    const { peer, reopen } = this.#options;
    // A peer that answers nothing before it closes is not asked for ever.
    const pending = this.#pending?.phase === 'waiting' ? undefined : this.#pending;
    // Some close over a function that they do not know: that says nothing of other answers.
    if (pending?.phase !== 'proving') this.#life.closed();
    const unheard = this.#life.hasAnswered || !pending ? undefined : this.#options.advice?.line;
    const lost = connectionLost(peer, cause, this.#closesBehindProofs, unheard);
    // On a line nothing would tie an answer on another connection to what was asked on this one, but for silence.
    const isLost = !reopen || !this.#life.hasAnswered || (pending && this.units.isLine);
    if (isLost) this.#fail(lost);
    else if (pending) this.#askAgain(pending, lost);
  }

  /** `pending` was sent, and the peer closed before it answered. */
  #askAgain(pending: Pending, lost: HoldfastError): void {
    // Whether a write was carried out is not known, so it is not sent twice.
    if (!isRead(pending.sent)) return void pending.fail(lost);
    if (pending.phase === 'proving') this.units.unanswered(pending.wanted[0]!, true);
    this.#stop(pending, this.#options.gapMs);
    this.#options.framing.forget();
    pending.phase = 'waiting';
    this.#proceedAfterQuiet(pending);
  }

  /** Nothing more can be asked on the stream of this moment. */
  #isSpent(): boolean {
    if (!this.#port.isAttached) return true;
    return this.#life.isSpent && this.#options.reopen !== undefined && !this.units.isLine;
  }

  async #reopen(pending: Pending): Promise<void> {
    this.#port.detach();
    try {
      const stream = await this.#options.reopen!(this.#closing.signal);
      if (this.#lost) return void stream.destroy();
      this.#attach(stream);
    } catch (error) {
      return this.#fail(connectionLost(this.#options.peer, error));
    }
    if (this.#pending === pending) this.#proceedAfterQuiet(pending);
  }

  #attach(stream: Duplex): void {
    const { clock, units, framing, connectDelayMs } = this.#options;
    framing.restart();
    const isAgain = this.#life.begin();
    units.reopened(isAgain);
    const delayMs = connectDelayMs ?? this.#habits.learned.connectDelayMs ?? 0;
    if (isAgain) this.#waitedMs += delayMs;
    if (delayMs > 0) this.#quietUntil = Math.max(this.#quietUntil, clock.monotonic() + delayMs);
    this.#port.attach(stream);
  }

  #fail(error: HoldfastError): void {
    this.#lost ??= error;
    this.#settling?.cancel();
    const pending = this.#pending;
    // Some devices close the connection over a function that they do not know, having answered others.
    if (pending?.phase === 'proving' && this.#life.hasAnswered)
      this.units.unanswered(pending.wanted[0]!, true);
    pending?.fail(this.#lost);
  }
}
