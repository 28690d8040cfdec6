// Opens a serial port and says in an operator's words why it cannot: the only file that knows serialport, which
// is loaded when a site first uses one.
import type { Duplex } from 'node:stream';
import { type Clock, withTimeout } from '../../../kernel/clock.ts';
import { describeError, HoldfastError } from '../../../kernel/errors.ts';

export interface SerialOptions {
  readonly path: string;
  readonly baudRate: number;
  readonly dataBits: 7 | 8;
  readonly parity: 'even' | 'odd' | 'none';
  readonly stopBits: 1 | 2;
  readonly limitMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** @throws HoldfastError `modbus-connect-failed`, or the signal's reason. */
export async function openSerial(options: SerialOptions): Promise<Duplex> {
  const { path, baudRate, dataBits, parity, stopBits, clock, limitMs, signal } = options;
  signal.throwIfAborted();
  const { SerialPort } = await import('serialport');
  const port = new SerialPort({ path, baudRate, dataBits, parity, stopBits, autoOpen: false });
  // A port that is given up may still report errors; nobody is left to care.
  port.on('error', () => {});
  const opened = new Promise<void>((resolve, reject) => {
    port.open((error) => (error ? reject(connectFailed(path, adviceFor(error, path), error)) : resolve()));
  });
  try {
    await withTimeout(clock, limitMs, opened, () => connectFailed(path, `not open after ${limitMs} ms`));
    signal.throwIfAborted();
    return port;
  } catch (error) {
    opened.then(
      () => port.destroy(),
      () => {},
    );
    throw error;
  }
}

function connectFailed(path: string, why: string, cause?: unknown): HoldfastError {
  const message = `cannot open the serial port ${path}: ${why}`;
  return new HoldfastError('modbus-connect-failed', message, { retryable: true, cause });
}

function adviceFor(error: Error, path: string): string {
  const text = describeError(error);
  if (/ENOENT|no such file/i.test(text))
    return `it does not exist: is the adapter plugged in, and ${path} mapped into the container?`;
  if (/EACCES|permission denied/i.test(text))
    return 'permission denied: let the user of this process into the group that owns it (often dialout)';
  if (/lock|busy|EAGAIN/i.test(text)) return 'another program has it open: stop that program';
  return text;
}
