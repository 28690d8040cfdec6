// The line to a unit: takes requests one after the other, has the unit answer each, and delivers the answers as the dice
// decide. A unit works off its requests in order, so one that is late makes the next ones late. On a serial line a late
// answer is received by whoever has the port by then.
import type { Duplex } from 'node:stream';
import { HoldfastError } from '../../../kernel/errors.ts';
import type { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { PeerStream } from '../byte-stream.ts';
import type { Dice } from '../dice.ts';
import type { Heard } from '../judge/judge.ts';
import type { Trace } from '../trace.ts';
import { behaving, fittingKinds, type Mischief, onLine, onTcp } from './mischief.ts';
import { answerTo, exceptionTo, parseRequest, type RegisterRequest } from './registers.ts';
import { rtu, type WireFormat, type WireRequest, withBadCrc } from './wire-format.ts';

/** What the unit says at the moment at which it answers. */
export interface UnitAnswer {
  /** Or the exception that it raises. */
  readonly data: Buffer | { readonly exception: number };
  /** What the answer tells of: the live sample, the log, or neither. */
  readonly about: 'live' | 'history' | 'other';
}

export interface Unit {
  answer(request: RegisterRequest): UnitAnswer;
  /** It is asked, and has not answered yet. */
  onAsked?(request: RegisterRequest): void;
  /** What it refused, in passing or for good. */
  onRefused?(request: RegisterRequest, exception: number): void;
  /** The right answer to what was asked last is about to reach the adapter, in time; it shows the unit as of `at`. */
  onHeard?(request: RegisterRequest, at: number): void;
}

export interface LineOptions {
  readonly clock: VirtualClock;
  readonly dice: Dice;
  readonly trace: Trace;
  readonly heard: Heard;
  readonly format: WireFormat;
  /** What is late is heard on the next connection, too. */
  readonly isBus: boolean;
  readonly unitNumber: number;
  readonly timeoutMs: number;
  readonly unit: Unit;
}

interface Asked {
  readonly request: WireRequest;
  readonly stream: PeerStream;
  readonly at: number;
  readonly mischief: Mischief;
  /** The request before was answered as it should be. */
  readonly isInStep: boolean;
}

/**
 * Once an adapter has heard that answers come twice, so long it may be expected to reckon with it. Before that nobody can
 * tell a second saying from the true answer, where that one is late.
 */
const rememberedMs = 3_000_000;
/** So soon after an answer it is said again, if it is asked for as much. */
const againMs = 2000;

/** Busy, memory parity, gateway: exceptions that pass. */
const passing = [4, 5, 6, 8, 10, 11];
const refusing = [1, 2, 3];

export class ModbusLine {
  exchanges = 0;
  /** The way is open. */
  isReachable = true;
  /** The unit has power. */
  isOn = true;
  #weights: Readonly<Record<string, number>> = behaving;
  readonly #options: LineOptions;
  readonly #streams = new Set<PeerStream>();
  /** When the unit has done what it was asked, true time. */
  #busyUntil = 0;
  #last: Asked | undefined;
  /** Frames that were sent before, newest last. */
  #old: Buffer[] = [];
  /** The last registers that we asked for. */
  #lastRead: Asked | undefined;
  /** When the adapter was told an answer twice that it surely took. */
  #saidTwiceAt = Number.NEGATIVE_INFINITY;
  /** To be said again as soon as as much is asked for. */
  #again: { readonly frame: Buffer; readonly pdu: Buffer; readonly at: number } | undefined;

  constructor(options: LineOptions) {
    this.#options = options;
  }

  behave(isHostile: boolean): void {
    const { format } = this.#options;
    this.#weights = isHostile ? (format === rtu ? onLine : onTcp) : behaving;
  }

  open(): Duplex {
    if (!this.isReachable) {
      throw new HoldfastError('modbus-connect-failed', 'nothing listens there', { retryable: true });
    }
    const { format, trace } = this.#options;
    trace.note('line', 'opened');
    // What was said on another connection is not heard on this one.
    this.#old = [];
    const read = format.reader((request) => this.#onRequest(request, stream));
    const stream = new PeerStream((bytes) => read(bytes));
    this.#streams.add(stream);
    stream.on('close', () => this.#streams.delete(stream));
    return stream;
  }

  cut(): void {
    for (const stream of [...this.#streams]) stream.reset();
  }

  #onRequest(request: WireRequest, stream: PeerStream): void {
    const { clock, dice, trace, unitNumber } = this.#options;
    this.exchanges += 1;
    trace.note('asks', describe(request));
    // Another unit's number: nobody answers.
    if (request.unit !== unitNumber) return;
    const again = this.#takeAgain(request);
    const drawn = dice.weighted(this.#weights) as Mischief;
    const mischief = again ? 'late' : drawn === 'again-later' && !this.#isRemembered() ? 'fine' : drawn;
    const before = this.#last;
    const isInStep = before?.mischief === 'fine' && before.stream === stream && isRead(request);
    const asked = { request, stream, at: clock.monotonic(), mischief, isInStep };
    this.#last = asked;
    if (isRead(request)) this.#lastRead = asked;
    if (again) clock.setTimer(dice.between(1, 30), () => this.#say(asked, again));
    const parsed = parseRequest(request.pdu);
    if (parsed) this.#options.unit.onAsked?.(parsed);
    if (!this.isOn || mischief === 'silent') return;
    if (mischief === 'other-asks')
      clock.setTimer(dice.between(0, this.#options.timeoutMs), () => this.#onOther(asked));
    const from = Math.max(clock.monotonic(), this.#busyUntil);
    this.#busyUntil = from + this.#serviceMs(mischief);
    clock.setTimer(this.#busyUntil - clock.monotonic(), () => this.#answer(asked));
  }

  #serviceMs(mischief: Mischief): number {
    const { dice, timeoutMs } = this.#options;
    if (mischief === 'slow') return dice.between(Math.floor(timeoutMs / 2), timeoutMs - 20);
    if (mischief === 'late') return dice.between(timeoutMs + 1, 2 * timeoutMs);
    if (mischief === 'very-late') return dice.between(2 * timeoutMs, 8 * timeoutMs);
    if (mischief === 'other-asks') return dice.between(1, dice.pick([30, 3 * timeoutMs]));
    return dice.between(1, 30);
  }

  #answer(asked: Asked): void {
    const { unit, clock, dice, format } = this.#options;
    const { request, mischief } = asked;
    if (!this.isOn) return;
    const parsed = parseRequest(request.pdu);
    if (!parsed) {
      this.#say(asked, format.frame({ ...request, pdu: exceptionTo(request.pdu[0]!, 1) }));
      return;
    }
    const at = clock.monotonic();
    const { data, about } = unit.answer(parsed);
    const own = Buffer.isBuffer(data) ? undefined : data.exception;
    const raised =
      own ??
      (mischief === 'busy' ? dice.pick(passing) : mischief === 'refused' ? dice.pick(refusing) : undefined);
    if (raised !== undefined) unit.onRefused?.(parsed, raised);
    const pdu =
      raised === undefined ? answerTo(parsed, data as Buffer) : exceptionTo(request.pdu[0]!, raised);
    const isFitting = fittingKinds.has(mischief) && this.#isAwaited(asked);
    // Before it is said: what the adapter makes of it follows at once.
    if (isFitting && raised === undefined) {
      unit.onHeard?.(parsed, at);
      if (about === 'live') this.#options.heard.tell(at);
      // Whatever it takes of the log, it knows it as of now.
      if (about === 'history') this.#options.heard.tellHistory(at);
    }
    this.#bring(asked, pdu);
  }

  /** The adapter still waits for it, on the connection that it asked on. */
  #isAwaited(asked: Asked): boolean {
    const { clock, timeoutMs } = this.#options;
    return asked === this.#last && !asked.stream.destroyed && clock.monotonic() - asked.at < timeoutMs;
  }

  /** Puts the answer on the wire, with what the mischief makes of it. False where nobody is there to hear it. */
  #bring(asked: Asked, pdu: Buffer): boolean {
    const { format, dice, trace, unitNumber } = this.#options;
    const { request, mischief } = asked;
    const frame = format.frame({ ...request, pdu });
    const code = request.pdu[0]!;
    trace.note(
      mischief === 'fine' ? 'answers' : 'line',
      mischief === 'fine' ? show(frame) : `${mischief}: ${show(frame)}`,
    );
    if (mischief === 'fine') this.#old = [...this.#old.slice(-7), frame];
    const say = (bytes: Buffer) => this.#say(asked, bytes);
    switch (mischief) {
      case 'reset':
        this.cut();
        return false;
      case 'hang-up':
        this.#target(asked)?.hangUp();
        return false;
      case 'hang-up-after': {
        const isHeard = say(frame);
        this.#target(asked)?.hangUp();
        return isHeard;
      }
      case 'pieces':
        return this.#sayInPieces(asked, frame);
      case 'wrong-unit':
        return say(format.frame({ ...request, unit: unitNumber + 1, pdu }));
      case 'wrong-function':
        return say(format.frame({ ...request, pdu: Buffer.from([code === 3 ? 4 : 3, ...pdu.subarray(1)]) }));
      case 'too-short':
        return say(format.frame({ ...request, pdu: resized(pdu, -2 * dice.between(1, 2)) }));
      case 'too-long':
        return say(format.frame({ ...request, pdu: resized(pdu, 2 * dice.between(1, 3)) }));
      case 'garbage':
        return say(noise(dice));
      case 'twice':
        return this.#sayTwice(asked, frame);
      case 'old-before':
        return say(Buffer.concat([dice.pick([frame, ...this.#old]), frame]));
      case 'old-after':
        return say(Buffer.concat([frame, dice.pick([frame, ...this.#old])]));
      case 'wrong-transaction':
        return say(
          format.frame({ ...request, transaction: (request.transaction + dice.between(1, 9)) & 0xffff, pdu }),
        );
      case 'not-modbus':
        return say(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'));
      case 'again-later':
        if (isRead(request)) this.#again = { frame, pdu: request.pdu, at: this.#options.clock.monotonic() };
        return say(frame);
      case 'flipped-length':
        return this.#sayDamaged(asked, frame);
      case 'bad-crc':
        return say(withBadCrc(frame));
      case 'noise-before':
        return say(Buffer.concat([noise(dice), frame]));
      case 'noise-after':
        return say(Buffer.concat([frame, noise(dice)]));
      case 'echo':
        return say(Buffer.concat([format.frame(request), frame]));
      case 'other-unit':
        return say(Buffer.concat([...this.#foreign(unitNumber + 1, asked), frame]));
      case 'other-master':
        return say(Buffer.concat([...this.#foreign(unitNumber, asked), frame]));
      default:
        return say(frame);
    }
  }

  /** Another master asks `unit` for as much as we do, from elsewhere, and is answered. */
  #foreign(unit: number, { request }: Asked): readonly Buffer[] {
    const { format, dice } = this.#options;
    const pdu = Buffer.from(request.pdu);
    if (!isRead(request)) return [];
    const count = pdu.readUInt16BE(3);
    pdu.writeUInt16BE(dice.between(0, 30_000), 1);
    const data = Buffer.from(Array.from({ length: 2 * count }, () => dice.between(0, 255)));
    const answer = Buffer.concat([Buffer.from([pdu[0]!, data.length]), data]);
    return [format.frame({ transaction: 0, unit, pdu }), format.frame({ transaction: 0, unit, pdu: answer })];
  }

  /** Another master asks the unit while we wait, or just after that, and is answered in its turn. */
  #onOther(asked: Asked): void {
    const { clock, dice, timeoutMs, unitNumber } = this.#options;
    const [question, answer] = this.#foreign(unitNumber, this.#lastRead ?? asked);
    if (!question || !answer || !this.isOn) return;
    this.#options.trace.note('line', `another master asks: ${show(question)}`);
    this.#say(asked, question);
    const from = Math.max(clock.monotonic(), this.#busyUntil);
    this.#busyUntil = from + dice.between(1, dice.pick([30, timeoutMs]));
    clock.setTimer(this.#busyUntil - clock.monotonic(), () => this.#say(asked, answer));
  }

  /** One bit of the byte that says how long it is, and right behind it what another master asks and is answered. */
  #sayDamaged(asked: Asked, frame: Buffer): boolean {
    const { clock, dice, unitNumber } = this.#options;
    const damaged = Buffer.from(frame);
    damaged[2]! ^= 1 << dice.between(1, 6);
    const [question, answer] = this.#foreign(unitNumber, asked);
    const at = dice.between(1, 30);
    if (question) clock.setTimer(at, () => this.#say(asked, question));
    if (answer) clock.setTimer(at + dice.between(1, 19), () => this.#say(asked, answer));
    return this.#say(asked, damaged);
  }

  #sayTwice(asked: Asked, frame: Buffer): boolean {
    // It asked that in step, or it would prove the line first: so it knows of the frame that comes too much.
    if (asked.isInStep && this.#isAwaited(asked)) this.#saidTwiceAt = this.#options.clock.monotonic();
    return this.#say(asked, Buffer.concat([frame, frame]));
  }

  #isRemembered(): boolean {
    return this.#options.clock.monotonic() - this.#saidTwiceAt < rememberedMs;
  }

  /** What is said again, to a request for as much. */
  #takeAgain(request: WireRequest): Buffer | undefined {
    const again = this.#again;
    if (!again || !isRead(request)) return undefined;
    this.#again = undefined;
    if (this.#options.clock.monotonic() - again.at > againMs) return undefined;
    const isAsMuch =
      again.pdu[0] === request.pdu[0] && again.pdu.readUInt16BE(3) === request.pdu.readUInt16BE(3);
    return isAsMuch ? again.frame : undefined;
  }

  #sayInPieces(asked: Asked, frame: Buffer): boolean {
    const { clock, dice } = this.#options;
    const cut = dice.between(1, frame.length - 1);
    const later = dice.between(0, 15);
    if (!this.#say(asked, frame.subarray(0, cut))) return false;
    clock.setTimer(later, () => this.#say(asked, frame.subarray(cut)));
    return true;
  }

  #say(asked: Asked, bytes: Buffer): boolean {
    return this.#target(asked)?.say(bytes) ?? false;
  }

  /** On a bus what is said is heard by whoever listens now. */
  #target({ stream }: Asked): PeerStream | undefined {
    if (!this.isReachable) return undefined;
    return this.#options.isBus ? [...this.#streams].at(-1) : stream;
  }
}

function isRead({ pdu }: WireRequest): boolean {
  return pdu[0] === 3 || pdu[0] === 4;
}

/** With more or fewer bytes of data, said so. */
function resized(pdu: Buffer, by: number): Buffer {
  if (pdu[0]! >= 0x80) return pdu;
  const bytes = Buffer.alloc(Math.max(2, pdu.length + by));
  pdu.copy(bytes);
  bytes[1] = (pdu[1]! + bytes.length - pdu.length) & 0xff;
  return bytes;
}

function noise(dice: Dice): Buffer {
  return Buffer.from(Array.from({ length: dice.between(1, 40) }, () => dice.between(0, 255)));
}

function describe({ transaction, unit, pdu }: WireRequest): string {
  const parsed = parseRequest(pdu);
  const what =
    parsed === undefined
      ? show(pdu)
      : parsed.kind === 'file'
        ? `${parsed.count} registers from record ${parsed.record} of file ${parsed.file}`
        : `${parsed.count} ${parsed.table} registers from ${parsed.address}`;
  return `unit ${unit}${transaction === 0 ? '' : `, transaction ${transaction}`}: ${what}`;
}

function show(bytes: Buffer): string {
  const text = bytes.subarray(0, 40).toString('hex').replace(/(..)/g, '$1 ').trim();
  return bytes.length > 40 ? `${text} ... (${bytes.length} bytes)` : text;
}
