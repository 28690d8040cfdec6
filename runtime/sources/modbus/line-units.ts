// The units of one line, or behind one connection: what each was asked, which frames are their answers, and what has to be
// asked first where an answer could not be told from another (line/exchange.ts).
//
// How a unit is proven to be in step. First it is seen whether it is there, by what is wanted, whatever it says to that.
// Then, going on from what it answered last:
// - loopback: function 8 with a number of its own. Devices without it answer with an exception, which proves as much,
//   since nothing else is asked by that function. Behind a reconnected line it is the only proof, but for silence.
// - a read of one more, then of one less: an answer of another length than those that may still come.
// - silence, for units that never answered a loopback: nothing is sent until it has lasted.
// All of that shows that nothing else will come. That a unit answers each read with its own answer, and not for ever with that
// of the read before, takes a read that is told by its length (step-proof.ts); values are believed behind that alone.
//
// Some adapters of two-wire lines hear what they send. An echo is the request itself, which no read is ever answered with,
// so the first read on a line shows whether there is one; only then can the answers that repeat their request be told
// from it.
import { type Exchange, Exchanges } from '../line/exchange.ts';
import type { Heard, LineStep, LineUnitsOptions } from './line-steps.ts';
import {
  dataBytes,
  firstRegister,
  isGatewayException,
  isRepeated,
  loopback,
  mayBeRequest,
  modbusMatch,
  resized,
} from './response-match.ts';
import { StepProof } from './step-proof.ts';

/** The loopback more than once, since silence, which comes last, proves least. */
const proofs = ['loopback', 'longer', 'loopback', 'shorter', 'loopback', 'silence'] as const;

interface Unit {
  readonly exchanges: Exchanges<Buffer, Buffer>;
  readonly steps: StepProof;
  /** `exchanges.doubts` when it was looked at last. */
  doubts: number;
  /** Position in `proofs` of the one to try next: the one that was answered last, or the one after it. */
  proof: number;
  /** The unit has answered a loopback once, so it will again: silence is then no proof. */
  hasLoopback: boolean;
  /** Times that silence proved it. */
  silences: number;
  /** The unit has answered since its last unanswered request. */
  isAlive: boolean;
  /** When it answered last, monotonic ms. */
  aliveAt: number;
  /** The loopback's number: unchanged until another request was sent, or it was answered. */
  nonce: number;
  /** Typical time to an answer. */
  usualMs: number;
  /** Times that an answer was to be confirmed. */
  confirmations: number;
}

interface Pending {
  readonly exchange: Exchange<Buffer, Buffer>;
  /** Its answer is told by its length from those of the reads before. */
  readonly isTelling: boolean;
  /** Frames of the unit came. */
  isHeard: boolean;
  isEchoed: boolean;
}

/** How long the frames that belong to an answer may lag behind it, beside twice the usual time. */
const quietMs = 20;
const maxQuietMs = 250;
/** A unit that answers no loopback is asked for one again after so many silences. */
const silencesATrial = 10;

export class LineUnits {
  readonly #options: LineUnitsOptions;
  readonly #units = new Map<number, Unit>();
  #pending: Pending | undefined;
  /** The last request, of whichever unit. */
  #sent: Buffer | undefined;
  /** A read that is, or is about to be, sent to show that the unit is in step. */
  #stepRead: Buffer | undefined;
  /** On each line one kind of adapter. */
  #echo: 'unknown' | 'heard' | 'none';
  #nonce: number;

  constructor(options: LineUnitsOptions) {
    this.#options = options;
    this.#echo = options.isLine ? 'unknown' : 'none';
    this.#nonce = Math.floor(options.clock.now()) & 0xffff;
  }

  /**
   * The line was opened anew: who used it meanwhile, and what is still under way on it, nobody knows. `isAtOnce`: since the
   * peer closed it behind an answer; on a connection of our own the unit is as it was.
   */
  reopened(isAtOnce = false): void {
    this.#pending = undefined;
    if (this.#options.isLine) this.#echo = 'unknown';
    for (const unit of this.#units.values()) {
      if (this.#options.isLine || !isAtOnce) {
        unit.isAlive = false;
        // By its number an answer is told from those to what others asked; a gateway may still give it one of ours.
        if (!this.#options.hasIds || unit.exchanges.isOwing) unit.steps.doubt();
      }
      if (this.#options.isLine) unit.exchanges.suspectOthers();
    }
  }

  /** The next step towards sending `request`. */
  next(request: Buffer): LineStep {
    const unit = this.#unit(request[0]!);
    const { exchanges } = unit;
    if (exchanges.isFull && !exchanges.proveBySilence()) return { kind: 'wait' };
    this.#stepRead = undefined;
    if (this.isAskable(request)) return { kind: 'send' };
    const isMistakable = exchanges.isMistakable(request);
    // A read alone shows all, where nobody else can have asked it. A gateway in front of a line may notice that it lags only
    // where functions differ.
    const isReadFirst = !isMistakable || (!this.#options.hasIds && unit.steps.isEasy);
    let read = isReadFirst ? this.#stepReadFor(unit, request) : undefined;
    const proof = isMistakable && !read ? this.#proofFor(unit, request) : undefined;
    if (proof === 'silence') {
      if (!this.#isSilent(unit)) return { kind: 'wait' };
      read = this.#stepReadFor(unit, request);
    }
    const frame = read ?? (proof === 'silence' ? undefined : proof);
    if (!frame) return this.#believe(unit, request);
    // A unit that is not there proves nothing, and whether there is an echo shows in a read. What that is answered with is
    // not believed.
    if (this.#echo === 'unknown' || !unit.isAlive || (read && unit.steps.needsLook)) {
      const look = isRepeated(request) ? firstRegister(request[0]!) : request;
      return { kind: 'probe', frame: look, shows: 'life' };
    }
    this.#stepRead = read;
    return { kind: 'probe', frame, shows: 'step' };
  }

  /** An answer to `request` could be told from whatever else may come. */
  isAskable(request: Buffer): boolean {
    if (this.#echo === 'unknown' && isRepeated(request)) return false;
    const unit = this.#unit(request[0]!);
    return !unit.exchanges.isMistakable(request) && this.#isInStep(unit, request);
  }

  #isInStep(unit: Unit, request: Buffer): boolean {
    const { steps, exchanges } = unit;
    if (dataBytes(request) === undefined) return true;
    if (unit.doubts !== exchanges.doubts) steps.doubt();
    unit.doubts = exchanges.doubts;
    return steps.isShown;
  }

  #stepReadFor(unit: Unit, request: Buffer): Buffer | undefined {
    if (this.#isInStep(unit, request)) return undefined;
    return unit.steps.proofOf(request, (read) => unit.exchanges.isMistakable(read));
  }

  /** `request` is sent now. */
  begin(request: Buffer): void {
    const unit = this.#unit(request[0]!);
    // The same again is one request; behind another it is to be told from the one before.
    if (!modbusMatch.isUnmistakable(request)) unit.nonce = this.#nextNonce();
    this.#sent = request;
    const isTelling = unit.steps.sent(request);
    this.#pending = { exchange: unit.exchanges.begin(request), isTelling, isHeard: false, isEchoed: false };
  }

  /** Nothing more is waited for. */
  end(): void {
    this.#pending = undefined;
  }

  /** `unit` did not answer; `isProof`: a request that was to prove that it is in step. */
  unanswered(unit: number, isProof: boolean): void {
    const known = this.#unit(unit);
    known.steps.doubt();
    if (this.#stepRead && this.#stepRead === this.#sent)
      known.steps.failed(this.#pending?.isHeard === false, known.exchanges.isDoubtful);
    else if (isProof) known.proof = (known.proof + 1) % proofs.length;
    known.isAlive = false;
  }

  hear(frame: Buffer): Heard {
    const pending = this.#pending;
    const { isLine } = this.#options;
    if (!pending || (isLine && frame[0] !== pending.exchange.request[0])) {
      const exchanges = this.#units.get(frame[0]!)?.exchanges;
      // Its echo may come late, behind what made an end to it; or somebody asks the same. Its answer will show.
      if (!pending && isLine && this.#sent?.equals(frame)) {
        exchanges?.suspectOthers();
        this.#echo = 'unknown';
      } else exchanges?.hear(frame);
      return 'nothing';
    }
    const { exchange } = pending;
    const { request } = exchange;
    const unit = this.#unit(request[0]!);
    if (isLine && frame.equals(request)) {
      if (this.#takeEcho(pending)) return 'nothing';
      // No read is answered with the request, so somebody else asks the same; or there is an echo after all.
      if (!isRepeated(request)) {
        unit.exchanges.suspectOthers();
        this.#echo = 'unknown';
        return 'others';
      }
    }
    pending.isHeard = true;
    const isFitting = modbusMatch.fits(frame, request);
    if (isFitting && !isGatewayException(frame)) this.#onAlive(unit, request);
    if (isFitting && frame[1] === request[1] && dataBytes(request) !== undefined) unit.steps.heard();
    if (isFitting && isGatewayException(frame)) return 'gave-up';
    if (isFitting && this.#echo === 'unknown' && !isRepeated(request))
      this.#echo = pending.isEchoed ? 'heard' : 'none';
    const answer = exchange.offer(frame);
    if (!answer) {
      if (isFitting) return 'seen';
      return unit.exchanges.isMistakable(request) ? 'others' : 'nothing';
    }
    unit.usualMs += (answer.tookMs - unit.usualMs) / (unit.usualMs === 0 ? 1 : 8);
    this.#pending = undefined;
    if (dataBytes(request) !== undefined) {
      const { isTelling } = pending;
      const isRefusal = frame[1] !== request[1];
      unit.steps.answered(request, { isRefusal, isTelling, isProof: request === this.#stepRead });
    }
    return answer;
  }

  /** The frame was received within noise, with others: another master may have sent a request to its unit, which answers that next. */
  overhear(frame: Buffer): void {
    if (!mayBeRequest(frame) || this.#sent?.equals(frame)) return;
    this.#units.get(frame[0]!)?.exchanges.overhear(frame);
  }

  /**
   * What to ask behind the answer to a read of a unit from which more came lately than it was asked for. Units answer in
   * order, so if that answer was too much, the true one comes before the one to this. Undefined: believe it. `none`: do not,
   * since what could be asked may be taken for what was asked before.
   */
  confirmationOf(request: Buffer): Buffer | 'none' | undefined {
    const unit = this.#unit(request[0]!);
    if (this.#options.hasIds || !unit.exchanges.isDoubtful || dataBytes(request) === undefined)
      return undefined;
    const others = [resized(request, 1), resized(request, -1)].filter((other) => other !== undefined);
    const other = others.find((each) => !unit.exchanges.isMistakable(each) && unit.steps.mayBeAnswered(each));
    unit.confirmations += 1;
    this.#stepRead = other;
    // In turns: what is said twice for the one does not fit the next, and a refusal of the loopback carries no number.
    if (unit.hasLoopback && !(other && unit.confirmations % 2 === 0))
      return loopback(request[0]!, unit.nonce);
    return other ?? (others.length === 0 ? undefined : 'none');
  }

  /** An answer of `unit` was not confirmed, so the true one may still come: only what is asked from now on proves otherwise. */
  unconfirmed(unit: number): void {
    this.#unit(unit).exchanges.suspectOthers();
  }

  get hasIds(): boolean {
    return this.#options.hasIds;
  }

  get isLine(): boolean {
    return this.#options.isLine;
  }

  /** Whether the line echoes what is sent, as far as that is known. */
  get hasEcho(): boolean {
    return this.#echo === 'heard';
  }

  /** It has answered since its last request without an answer. */
  isAlive(unit: number): boolean {
    return this.#unit(unit).isAlive;
  }

  aliveAt(unit: number): number {
    return this.#unit(unit).aliveAt;
  }

  /** Frames of `unit` that nobody here had asked for. */
  strays(unit: number): number {
    return this.#unit(unit).exchanges.strays;
  }

  /** The longest that `unit` took to answer, late answers included. */
  worstMs(unit: number): number {
    return this.#unit(unit).exchanges.worstMs;
  }

  /** No answer of it was believed yet. */
  isNew(unit: number): boolean {
    return this.#unit(unit).usualMs === 0;
  }

  /** For messages. */
  timesOf(unit: number): { readonly worstMs: number; readonly silenceMs: number } {
    const { worstMs, silenceMs } = this.#unit(unit).exchanges;
    return { worstMs, silenceMs };
  }

  /** Silence that proves `unit` to be in step where nothing else does. */
  silenceMs(unit: number): number {
    return this.#unit(unit).exchanges.silenceMs;
  }

  /**
   * So long after an answer it is seen whether another one comes, which then is the true one: what came first was
   * somebody else's, or said twice. 0 where answers carry the number of their request.
   */
  quietMs(unit: number): number {
    if (this.#options.hasIds) return 0;
    return Math.min(maxQuietMs, quietMs + 2 * this.#unit(unit).usualMs);
  }

  #onAlive(unit: Unit, request: Buffer): void {
    unit.isAlive = true;
    unit.aliveAt = this.#options.clock.monotonic();
    if (!modbusMatch.isUnmistakable(request)) return;
    unit.nonce = this.#nextNonce();
    unit.hasLoopback = true;
    unit.silences = 0;
  }

  #nextNonce(): number {
    this.#nonce = (this.#nonce + 1) & 0xffff;
    return this.#nonce;
  }

  /** The request came back: true where that is its echo, or must be taken for it. */
  #takeEcho(pending: Pending): boolean {
    if (pending.isEchoed || this.#echo === 'none') return false;
    pending.isEchoed = true;
    if (!isRepeated(pending.exchange.request)) this.#echo = 'heard';
    return true;
  }

  /** The request whose answer proves that the unit is in step; silence where none is left to try. */
  #proofFor(unit: Unit, request: Buffer): Buffer | 'silence' {
    for (;;) {
      const proof = proofs[unit.proof]!;
      if (proof === 'silence' && !unit.hasLoopback) return 'silence';
      const isSkipped = proof === 'silence' || (proof === 'loopback' && unit.silences % silencesATrial > 0);
      const frame = isSkipped ? undefined : this.#frameFor(proof, request);
      if (frame && (proof === 'loopback' || !unit.exchanges.isMistakable(frame))) return frame;
      unit.proof = (unit.proof + 1) % proofs.length;
    }
  }

  #isSilent(unit: Unit): boolean {
    if (!unit.exchanges.proveBySilence()) return false;
    // Perhaps the others were only lost: now and then they are tried again.
    unit.proof = 0;
    unit.silences += 1;
    return true;
  }

  /** No read is left that would show that the unit is in step. */
  #believe(unit: Unit, request: Buffer): LineStep {
    if (!this.#isInStep(unit, request) && !unit.exchanges.proveBySilence()) return { kind: 'wait' };
    unit.steps.believe();
    return { kind: 'send' };
  }

  #frameFor(proof: (typeof proofs)[number], request: Buffer): Buffer | undefined {
    if (proof !== 'loopback') return resized(request, proof === 'longer' ? 1 : -1);
    return loopback(request[0]!, this.#unit(request[0]!).nonce);
  }

  #unit(number: number): Unit {
    const known = this.#units.get(number);
    if (known) return known;
    const { clock, isLine, hasIds, minSilenceMs } = this.#options;
    const exchanges = new Exchanges({ match: modbusMatch, clock, minSilenceMs, hasOthers: isLine });
    const nonce = this.#nextNonce();
    const unit: Unit = {
      exchanges,
      // Nothing is asked of a device that repeats the numbers, until one request of it was not answered.
      steps: new StepProof({ isShown: hasIds }),
      doubts: exchanges.doubts,
      proof: 0,
      isAlive: false,
      aliveAt: Number.NEGATIVE_INFINITY,
      hasLoopback: false,
      silences: 0,
      nonce,
      usualMs: 0,
      confirmations: 0,
    };
    this.#units.set(number, unit);
    return unit;
  }
}
