// What can go wrong with an instrument, told apart: it refused, it did not answer or talk in time, what came made no
// sense, or the line broke.
import { HoldfastError } from '../../../kernel/errors.ts';
import { showBytes } from './escapes.ts';

export const connectFailedCode = 'serial-connect-failed';

export function timedOut(command: Buffer, limitMs: number): HoldfastError {
  const message = `${showBytes(command)} got no answer within ${limitMs} ms: is the instrument on, are line settings and command right?`;
  return new HoldfastError('serial-timeout', message, { retryable: true });
}

export function garbled(what: string, bytes: number): HoldfastError {
  const message = `${what}: ${bytes} bytes came, and no message was in them: check line settings, framing and checksum`;
  return new HoldfastError('serial-garbage', message, { retryable: true });
}

/** The instrument understood the line, and answered that it will not do what was asked. */
export function refused(command: Buffer, answer: Buffer): HoldfastError {
  const message = `${showBytes(command)} was refused: ${showBytes(answer)}`;
  return new HoldfastError('serial-refused', message, { retryable: true });
}

export function silent(limitMs: number): HoldfastError {
  const message = `nothing came for ${limitMs} ms (expectEveryMs): is the instrument on and plugged in, are the line settings right?`;
  return new HoldfastError('serial-silent', message, { retryable: true });
}

export function lineLost(peer: string, cause?: unknown): HoldfastError {
  const message = `${peer} is gone: the connection was closed, or the adapter unplugged`;
  return new HoldfastError('serial-connection-lost', message, { retryable: true, cause });
}

export function lineClosed(): HoldfastError {
  return new HoldfastError('serial-closed', 'the line was closed from this side', { retryable: true });
}
