// Opens a serial port, and explains in an operator's words why it cannot: the only file that imports serialport, which is
// loaded when a site first uses one.
import { Duplex } from 'node:stream';
import type { SerialPort } from 'serialport';
import { type Clock, withTimeout } from '../../../kernel/clock.ts';
import { describeError, HoldfastError } from '../../../kernel/errors.ts';

export interface SerialOptions {
  readonly path: string;
  readonly baudRate: number;
  readonly dataBits: 5 | 6 | 7 | 8;
  readonly parity: 'even' | 'odd' | 'none' | 'mark' | 'space';
  readonly stopBits: 1 | 1.5 | 2;
  /** `rts-cts` by wires, `xon-xoff` by control characters. Default none. */
  readonly flowControl?: 'none' | 'rts-cts' | 'xon-xoff' | undefined;
  readonly limitMs: number;
  /** Code of the error when it cannot be opened. */
  readonly failedCode: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Ports that are being closed. A port is its owner's alone until it is closed, and closing takes a moment that a session
 * does not wait for: whoever opens the same one next does, or would find it taken by ourselves.
 */
const closing = new Map<string, Promise<void>>();
const closeLimitMs = 1000;

/** @throws HoldfastError with `failedCode`, or the signal's reason. */
export async function openSerial(options: SerialOptions): Promise<Duplex> {
  const { path, clock, limitMs, failedCode, signal } = options;
  const failed = (why: string, cause?: unknown) => connectFailed(failedCode, path, why, cause);
  signal.throwIfAborted();
  const serialport = await import('serialport');
  const port = new serialport.SerialPort({ ...lineOf(options), path, autoOpen: false });
  // A port that was given up may still report errors; they are ignored.
  port.on('error', () => {});
  const open = () =>
    new Promise<void>((resolve, reject) => {
      port.open((error) => (error ? reject(failed(adviceFor(error, path), error)) : resolve()));
    });
  const opened = closedBefore(path, clock).then(open);
  try {
    await withTimeout(clock, limitMs, opened, () => failed(`not open after ${limitMs} ms`));
    signal.throwIfAborted();
    return new SerialStream(port);
  } catch (error) {
    // It may have opened just now, or may open later: it is not needed any more.
    opened.then(
      () => port.close(),
      () => {},
    );
    throw error;
  }
}

/**
 * A serial port as a stream that behaves like a socket. The library's own `destroy` leaves the port open, and it
 * would then read the bytes that are meant for its successor.
 */
class SerialStream extends Duplex {
  readonly #port: SerialPort;

  constructor(port: SerialPort) {
    super();
    this.#port = port;
    port.on('data', (chunk: Buffer) => this.push(chunk));
    port.on('error', (error) => this.destroy(error));
    // With an error when the adapter was unplugged.
    port.on('close', (error: Error | null) => this.destroy(error ?? undefined));
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#port.write(chunk, done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.#port.isOpen) {
      done(error);
      return;
    }
    const { path } = this.#port;
    const closed = new Promise<void>((resolve) => this.#port.close(() => resolve())).then(() => {
      if (closing.get(path) === closed) closing.delete(path);
      done(error);
    });
    closing.set(path, closed);
  }
}

/** Never rejects; an adapter that was pulled out may never say that it is closed. */
function closedBefore(path: string, clock: Clock): Promise<void> {
  const closed = closing.get(path) ?? Promise.resolve();
  return withTimeout(clock, closeLimitMs, closed, () => new Error('it is taken to be closed')).catch(
    () => {},
  );
}

function lineOf({ baudRate, dataBits, parity, stopBits, flowControl }: SerialOptions) {
  const byCharacters = flowControl === 'xon-xoff';
  return {
    baudRate,
    dataBits,
    parity,
    stopBits,
    rtscts: flowControl === 'rts-cts',
    xon: byCharacters,
    xoff: byCharacters,
  };
}

function connectFailed(code: string, path: string, why: string, cause: unknown): HoldfastError {
  const message = `cannot open the serial port ${path}: ${why}`;
  return new HoldfastError(code, message, { retryable: true, cause });
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
