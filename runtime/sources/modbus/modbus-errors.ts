// The four failures of a request: the device refused it (an exception), did not answer in time, answered nonsense, or the
// connection broke.
import { HoldfastError } from '../../../kernel/errors.ts';

/** Exception codes of the Modbus application protocol (V1.1b3, section 7), as they appear in qualities. */
const exceptionNames: Readonly<Record<number, string>> = {
  1: 'illegal-function',
  2: 'illegal-data-address',
  3: 'illegal-data-value',
  4: 'device-failure',
  5: 'acknowledge',
  6: 'device-busy',
  7: 'negative-acknowledge',
  8: 'memory-parity-error',
  10: 'gateway-path-unavailable',
  11: 'gateway-target-failed',
};

/** A gateway says by these that its unit did not answer, whatever was asked. */
const ofGateways: ReadonlySet<number> = new Set([10, 11]);

/** The device refused the request. */
export class ModbusException extends HoldfastError {
  readonly exception: number;
  /** In kebab-case, or `exception-<n>` where the protocol does not name it. */
  readonly exceptionName: string;
  /** It answered what was to prove the line in step: the request itself was not asked. */
  readonly isOfProof: boolean;

  constructor(exception: number, request: string, isOfProof = false) {
    const name = exceptionNames[exception] ?? `exception-${exception}`;
    super('modbus-exception', `${request} was answered with exception ${exception} (${name})`, {
      retryable: true,
    });
    this.exception = exception;
    this.exceptionName = name;
    this.isOfProof = isOfProof;
  }

  /** The unit itself said so, not a gateway that it did not answer. */
  get isOfUnit(): boolean {
    return !ofGateways.has(this.exception);
  }

  /** The device objects to what was asked, not to the moment: asking for less may succeed. */
  get isRefusal(): boolean {
    return this.exception >= 1 && this.exception <= 3;
  }
}

const lineQuestions = {
  port: ' Are baudRate, parity and stopBits those of the unit?',
  server:
    ' Does the serial server have the speed, the parity and the stop bits of the unit, and is it in the mode for raw TCP (for its Modbus TCP mode, type: modbus-tcp)?',
  none: '',
} as const;

export interface Unanswered {
  /** `proving`: the unit had answered a moment before, and now not what would have shown that it is in step. */
  readonly phase: string;
  readonly timeoutMs: number;
}

export interface KnownOfLine {
  /** Who sets its speed. */
  readonly line: keyof typeof lineQuestions;
  /** Something came on this connection; the request was sent soon after an answer. */
  readonly life: { readonly hasAnswered: boolean; readonly isBusyAnswering: boolean };
  /** What is sent comes back. */
  readonly hasEcho: boolean;
  /** The longest that an answer of the unit took so far, late ones included; the silence that proves it. */
  readonly ofUnit: { readonly worstMs: number; readonly silenceMs: number };
}

export function unanswered(
  request: string,
  { phase, timeoutMs }: Unanswered,
  known: KnownOfLine,
): HoldfastError {
  if (phase === 'proving') return notProven(request, known.ofUnit.silenceMs);
  const message = `${request} got no answer within ${Math.ceil(timeoutMs)} ms: ${adviceFor(timeoutMs, known)}`;
  return new HoldfastError('modbus-timeout', message, { retryable: true });
}

function adviceFor(timeoutMs: number, { line, life, hasEcho, ofUnit }: KnownOfLine): string {
  const { worstMs } = ofUnit;
  if (worstMs > timeoutMs)
    return `it answers late, after up to ${Math.ceil(worstMs)} ms: set timeoutMs above that`;
  if (worstMs > 0 && life.isBusyAnswering)
    return 'it answered a moment before. Does it need a pause before each request (gapMs), more time to answer (timeoutMs), or has it none of these registers?';
  const echo = hasEcho ? 'only the echo of it came back; ' : '';
  const isDeaf = line === 'none' && !life.hasAnswered;
  const settings = isDeaf
    ? ' Where it hears nothing for more than 5 s after connecting, set connectDelayMs; where it takes RTU frames over TCP, type: modbus-rtu-tcp.'
    : lineQuestions[line];
  return `${echo}is the unit on and its number right?${settings}`;
}

/**
 * The request failed while the line was still to be proven in step, or something came that may have been its answer: what was
 * asked may have been answered.
 */
export class UnprovenError extends HoldfastError {
  constructor({ code, message, cause }: HoldfastError) {
    super(code, message, { retryable: true, cause });
  }
}

const closingWords =
  'closes the connection behind each answer, and RTU frames carry nothing that ties an answer to its request over another one. Use the Modbus TCP mode of the serial server (type: modbus-tcp), or have it keep the connection';
const needsTime = 'Where it needs a pause before each request, set gapMs';

/** `isClosing`: the peer closes each connection behind an answer, so that nothing can be proven on it. `isNew`: nothing of the unit ever came. */
export function outOfStep(
  request: string,
  silenceMs: number,
  isClosing = false,
  isNew = false,
): HoldfastError {
  if (isClosing) {
    const closing = `${request} cannot be believed: the peer ${closingWords}`;
    return new HoldfastError('modbus-out-of-step', closing, { retryable: true });
  }
  const after = `after ${Math.ceil(silenceMs / 1000)} s of silence it is asked again`;
  const message = isNew
    ? `${request} is not sent now, since the unit has never answered: is it on and its number right? ${after[0]!.toUpperCase()}${after.slice(1)}`
    : `${request} is not sent: an answer to an earlier request may still come and could be taken for its own; ${after}. ${needsTime}`;
  return new HoldfastError('modbus-out-of-step', message, { retryable: true });
}

/** The unit answers requests, but none of those that would prove which request an answer belongs to. */
function notProven(request: string, silenceMs: number): HoldfastError {
  const message = `${request} was answered, but the answer may belong to an earlier request; waiting for proof of synchronisation (the unit answers neither a loopback, function 8, nor a read of another length), or for ${Math.ceil(silenceMs / 1000)} s of silence. ${needsTime}`;
  return new HoldfastError('modbus-out-of-step', message, { retryable: true });
}

export function garbage(what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('modbus-garbage', what, { retryable: true, cause });
}

export function tooMany(unit: number): HoldfastError {
  return garbage(
    `more answers of unit ${unit} came than it was asked for: does another master use the line?`,
  );
}

/** Why a peer may close a connection on which it has answered nothing. */
const unheardQuestions = {
  port: '',
  server:
    ', having answered nothing: is it in the mode for raw TCP (for its Modbus TCP mode, type: modbus-tcp)?',
  none: ', having answered nothing: does it serve one client alone, or take RTU frames over TCP (type: modbus-rtu-tcp)?',
} as const;

/**
 * `isClosing`: it does so behind each answer, so that nothing can be proven on a connection. `unheard`: it has answered nothing on this
 * one, on which the line has its speed from there.
 */
export function connectionLost(
  peer: string,
  cause?: unknown,
  isClosing = false,
  unheard: keyof typeof unheardQuestions = 'port',
): HoldfastError {
  const why = cause instanceof HoldfastError ? `, and then: ${cause.message}` : unheardQuestions[unheard];
  const message = isClosing ? `${peer} ${closingWords}` : `${peer} closed the connection${why}`;
  return new HoldfastError('modbus-connection-lost', message, { retryable: true, cause });
}

export function closedByUs(): HoldfastError {
  return new HoldfastError('modbus-closed', 'the connection was closed from this side', { retryable: true });
}

/** What modbus-serial says of a request. */
export function toError(error: unknown, request: string): HoldfastError {
  const code = (error as { modbusCode?: unknown }).modbusCode;
  if (typeof code === 'number') return new ModbusException(code, request);
  return garbage(`${request} was answered with something else`, error);
}
