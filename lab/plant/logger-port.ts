// The logger's side of one connection: live lines go out, commands come in, their answers go out line by line, at the
// speed of the line. A peer that does not read loses live lines, as on a wire; answers wait for it.
import type { Socket } from 'node:net';
import { pause } from './pause.ts';

export interface LoggerPortOptions {
  /** Paces what is sent as this many bits a second would (10 a byte). 0: as fast as it goes. */
  readonly baud: number;
  /** Lines in answer to a command, made one by one. */
  readonly answer: (command: string) => Iterable<string>;
  /** Before the first line of an answer. */
  readonly delayMs: () => number;
  /** A line as it goes onto the wire; undefined where nothing does. */
  readonly onWire: (line: string) => Buffer | undefined;
}

const bitsPerByte = 10;
/** Bytes of a command that are kept; a longer one is no command. */
const maxCommandBytes = 200;
/** Commands that wait. */
const maxWaiting = 8;
const maxUnsentBytes = 64 * 1024;

export class LoggerPort {
  readonly #socket: Socket;
  readonly #options: LoggerPortOptions;
  readonly #gone = new AbortController();
  #heard = '';
  #waiting = 0;
  #answering: Promise<void> = Promise.resolve();
  #sending: Promise<void> = Promise.resolve();

  constructor(socket: Socket, options: LoggerPortOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on('data', (chunk) => this.#onData(chunk));
    socket.on('close', () => this.#gone.abort());
  }

  /** Dropped where the peer does not read. */
  talk(line: string): void {
    if (this.#socket.writableLength < maxUnsentBytes) void this.#send(line);
  }

  #onData(chunk: Buffer): void {
    this.#heard += chunk.toString('latin1');
    for (let at = this.#heard.search(/[\r\n]/); at >= 0; at = this.#heard.search(/[\r\n]/)) {
      const command = this.#heard.slice(0, at);
      this.#heard = this.#heard.slice(at + 1);
      if (command.trim() !== '' && this.#waiting < maxWaiting) this.#take(command);
    }
    if (this.#heard.length > maxCommandBytes) this.#heard = '';
  }

  #take(command: string): void {
    this.#waiting += 1;
    this.#answering = this.#answering
      .then(() => pause(this.#options.delayMs(), this.#gone.signal))
      .then(() => this.#answer(command))
      .finally(() => {
        this.#waiting -= 1;
      });
  }

  async #answer(command: string): Promise<void> {
    for (const line of this.#options.answer(command)) {
      if (this.#gone.signal.aborted) return;
      await this.#send(line);
      if (this.#socket.writableLength > maxUnsentBytes) await this.#drained();
    }
  }

  /** One line at a time: live lines come between those of an answer, never into them. */
  #send(line: string): Promise<void> {
    this.#sending = this.#sending.then(async () => {
      const bytes = this.#options.onWire(line);
      if (!bytes || this.#gone.signal.aborted) return;
      const { baud } = this.#options;
      if (baud > 0) await pause((bytes.length * bitsPerByte * 1000) / baud, this.#gone.signal);
      if (!this.#gone.signal.aborted) this.#socket.write(bytes);
    });
    return this.#sending;
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#gone.signal.aborted) return resolve();
      this.#socket.once('drain', resolve);
      this.#gone.signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }
}
