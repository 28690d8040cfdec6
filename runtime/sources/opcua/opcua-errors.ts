// Errors of an OPC UA server, grouped by the action that they need from a person.
import { HoldfastError } from '../../../kernel/errors.ts';

/** The server refused the request. */
export class OpcuaServiceError extends HoldfastError {
  /** As `BadNoSubscription`. */
  readonly status: string;

  constructor(code: string, message: string, status: string, cause?: unknown) {
    super(code, message, { retryable: true, cause });
    this.status = status;
  }
}

/**
 * A request for monitored items may have been carried out, and its answer was not to be had: what the subscription now holds,
 * nobody knows. It is to be ended; with another one, fewer items are asked for at a time.
 */
export class HalfMadeError extends OpcuaServiceError {}

const sessionStatuses = new Set([
  'BadSessionIdInvalid',
  'BadSessionClosed',
  'BadSessionNotActivated',
  'BadSecureChannelIdInvalid',
  'BadSecureChannelClosed',
  'BadConnectionClosed',
]);

export function serviceFailed(what: string, status: string, cause?: unknown): OpcuaServiceError {
  if (sessionStatuses.has(status))
    return new OpcuaServiceError(
      'opcua-session-lost',
      `the server ended the session (${status}) at ${what}`,
      status,
      cause,
    );
  return new OpcuaServiceError('opcua-refused', `the server refused ${what}: ${status}`, status, cause);
}

export function timedOut(what: string, limitMs: number): HoldfastError {
  const message = `the server did not answer ${what} within ${Math.round(limitMs)} ms`;
  return new HoldfastError('opcua-timeout', message, { retryable: true });
}

export function unreachable(endpoint: string, cause: unknown): HoldfastError {
  const message = `no OPC UA server answers at ${endpoint}: check the address, the port and the network`;
  return new HoldfastError('opcua-unreachable', message, { retryable: true, cause });
}

export function connectionLost(endpoint: string, cause?: unknown): HoldfastError {
  return new HoldfastError('opcua-connection-lost', `the connection to ${endpoint} broke`, {
    retryable: true,
    cause,
  });
}

export function sessionOver(): HoldfastError {
  return new HoldfastError('opcua-closed', 'the session was closed from this side', { retryable: true });
}

export function historyFailed(tag: string, why: string): HoldfastError {
  const message = `the history of '${tag}' cannot be read now: ${why}`;
  return new HoldfastError('opcua-history-failed', message, { retryable: true });
}

export function historyMoved(tag: string): HoldfastError {
  return historyFailed(tag, "the server's memory moved on, or was changed, while it was read");
}
