// Opens a TCP connection, with a time limit, and explains in an operator's words why it cannot.
import { createConnection, type Socket } from 'node:net';
import type { Clock } from '../../../kernel/clock.ts';
import { HoldfastError } from '../../../kernel/errors.ts';

export interface TcpOptions {
  readonly host: string;
  readonly port: number;
  readonly limitMs: number;
  /** Code of the error when it cannot be opened. */
  readonly failedCode: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const keepAliveMs = 30_000;

/** @throws HoldfastError with `failedCode`, or the signal's reason. */
export function openTcp(options: TcpOptions): Promise<Socket> {
  const { host, port, limitMs, failedCode, clock, signal } = options;
  const failed = (why: string, cause?: unknown) => connectFailed(failedCode, host, port, why, cause);
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const socket = createConnection({
      host,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAliveMs,
    });
    const finish = (settle: () => void) => {
      timer.cancel();
      signal.removeEventListener('abort', onAbort);
      socket.removeListener('connect', onConnect);
      socket.removeListener('error', onError);
      settle();
    };
    const giveUp = (reason: unknown) =>
      finish(() => {
        // A socket that was given up may still report errors; they are ignored.
        socket.on('error', () => {});
        socket.destroy();
        reject(reason);
      });
    const onConnect = () =>
      finish(() => {
        // Until the caller listens: an error without a listener would end the process.
        socket.on('error', () => {});
        resolve(socket);
      });
    const onError = (cause: NodeJS.ErrnoException) => giveUp(failed(adviceFor(cause, host, port), cause));
    const onAbort = () => giveUp(signal.reason);
    const timer = clock.setTimer(limitMs, () =>
      giveUp(
        failed(`no answer within ${limitMs} ms: is it on, is the address right, does a firewall drop it?`),
      ),
    );
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('connect', onConnect);
    socket.once('error', onError);
  });
}

function connectFailed(code: string, host: string, port: number, why: string, cause: unknown): HoldfastError {
  return new HoldfastError(code, `cannot connect to ${host} port ${port}: ${why}`, {
    retryable: true,
    cause,
  });
}

function adviceFor(cause: NodeJS.ErrnoException, host: string, port: number): string {
  switch (cause.code) {
    case 'ECONNREFUSED':
      return `nothing listens there: is its server enabled, and on port ${port}?`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the name ${host} cannot be resolved: check it, or use the address`;
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'there is no route: check the network and the address';
    case 'ECONNRESET':
      return 'the device closed at once: many serve one client only, is another one connected?';
    default:
      return cause.message || cause.code || 'unknown cause';
  }
}
