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

/** The device refused the request. */
export class ModbusException extends HoldfastError {
  readonly exception: number;
  /** In kebab-case, or `exception-<n>` where the protocol does not name it. */
  readonly exceptionName: string;

  constructor(exception: number, request: string) {
    const name = exceptionNames[exception] ?? `exception-${exception}`;
    super('modbus-exception', `${request} was answered with exception ${exception} (${name})`, {
      retryable: true,
    });
    this.exception = exception;
    this.exceptionName = name;
  }

  /** The device objects to what was asked, not to the moment: asking for less may succeed. */
  get isRefusal(): boolean {
    return this.exception >= 1 && this.exception <= 3;
  }
}

const lineQuestions = {
  port: ' Are baudRate, parity and stopBits those of the unit?',
  server: ' Does the serial server have the speed, the parity and the stop bits of the unit?',
  none: '',
} as const;

export interface Unanswered {
  /** `proving`: the unit had answered a moment before, and now not what would have shown that it is in step. */
  readonly phase: string;
  readonly timeoutMs: number;
}

/** `line`: who sets its speed. `isHeard`: something came on this connection. `ofUnit`: the longest that an answer of it took so far, late ones included; the silence that proves it. */
export function unanswered(
  request: string,
  { phase, timeoutMs }: Unanswered,
  known: {
    readonly line: keyof typeof lineQuestions;
    readonly isHeard: boolean;
    readonly ofUnit: { readonly worstMs: number; readonly silenceMs: number };
  },
): HoldfastError {
  const { worstMs, silenceMs } = known.ofUnit;
  if (phase === 'proving') return notProven(request, silenceMs);
  const isDeaf = known.line === 'none' && !known.isHeard;
  const settings = isDeaf
    ? ' Where it hears nothing for more than 5 s after connecting, set connectDelayMs.'
    : lineQuestions[known.line];
  const advice =
    worstMs > timeoutMs
      ? `it answers late, after up to ${Math.ceil(worstMs)} ms: set timeoutMs above that`
      : `is the unit on and its number right?${settings}`;
  const message = `${request} got no answer within ${timeoutMs} ms: ${advice}`;
  return new HoldfastError('modbus-timeout', message, { retryable: true });
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

/** `isClosing`: the peer closes each connection behind an answer, so that nothing can be proven on it. */
export function outOfStep(request: string, silenceMs: number, isClosing = false): HoldfastError {
  if (isClosing) {
    const closing = `${request} cannot be believed: the peer closes the connection behind each answer, and RTU frames carry nothing that ties an answer to its request over another one. Use the Modbus TCP mode of the serial server (type: modbus-tcp), or have it keep the connection`;
    return new HoldfastError('modbus-out-of-step', closing, { retryable: true });
  }
  const message = `${request} is not asked: an earlier request may still be answered, and nothing yet proves that it is not; after ${Math.ceil(silenceMs / 1000)} s of silence it is asked again`;
  return new HoldfastError('modbus-out-of-step', message, { retryable: true });
}

/** The unit answers requests, but none of those that would prove which request an answer belongs to. */
function notProven(request: string, silenceMs: number): HoldfastError {
  const message = `${request} was answered, and that is not believed yet: an earlier request may still be answered, and the unit does not answer what would show that it is not (a loopback, function 8, or a read of another length); after ${Math.ceil(silenceMs / 1000)} s of silence it is`;
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

export function connectionLost(peer: string, cause?: unknown): HoldfastError {
  const why = cause instanceof HoldfastError ? `, and then: ${cause.message}` : '';
  return new HoldfastError('modbus-connection-lost', `${peer} closed the connection${why}`, {
    retryable: true,
    cause,
  });
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
