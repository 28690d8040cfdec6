// The current stream of a line. Serial servers close a connection that is idle, or after each answer: where the instrument
// is polled, that loses nothing, and the next command opens the connection again. It is not opened again after a command
// that may still be answered: only silence would tell that answer from the next one, and nobody listened meanwhile.
import type { Duplex } from 'node:stream';
import { type Clock, sleep } from '../../../kernel/clock.ts';
import { type PeerHabits, StreamLife } from '../line/peer-habits.ts';

export interface Reopening {
  /** @throws HoldfastError `serial-connect-failed`, or the signal's reason. */
  open(signal: AbortSignal): Promise<Duplex>;
  /** How the peer treats connections. Outlives lines. */
  readonly habits: PeerHabits;
  /** Nothing is sent for so long after it was opened. */
  readonly delayMs: number;
  /** Sent on each connection. */
  readonly greeting?: Buffer | undefined;
}

export interface LinePortOptions {
  readonly stream: Duplex;
  readonly clock: Clock;
  /** Absent: a stream that ends is lost. */
  readonly reopening?: Reopening | undefined;
  /** May throw: the stream is then given up, with that as the cause. */
  onData(chunk: Buffer): void;
  /** Nothing can be said any more. */
  onLost(cause: unknown): void;
  /** `waits`: for an answer that would come on the stream that ended. `listens`: for one that must not come any more. */
  state(): 'idle' | 'waits' | 'listens';
  /** Another stream is there, while it listens. */
  onReopened(): void;
}

export class LinePort {
  readonly #options: LinePortOptions;
  readonly #life: StreamLife | undefined;
  readonly #closing = new AbortController();
  #stream: Duplex | undefined;
  #opening: Promise<void> | undefined;

  constructor(options: LinePortOptions) {
    this.#options = options;
    const { reopening, clock, stream } = options;
    if (reopening) this.#life = new StreamLife(clock, reopening.habits);
    this.#attach(stream);
  }

  get isOpen(): boolean {
    return this.#stream !== undefined && this.#opening === undefined;
  }

  /** A command can be sent at once. */
  get isReady(): boolean {
    return this.isOpen && !this.#life?.isSpent;
  }

  /** A command was answered. */
  answered(): void {
    this.#life?.answered(0);
  }

  /** Until there is a stream that will take a command. Never rejects: where there is none, `onLost` was called. */
  async open(): Promise<void> {
    if (this.isReady) return;
    if (this.isOpen) this.#detach();
    await this.#reopen();
  }

  write(bytes: Buffer): void {
    this.#life?.asked();
    this.#stream?.write(bytes);
  }

  close(): void {
    this.#closing.abort();
    this.#detach();
  }

  #attach(stream: Duplex): void {
    this.#stream = stream;
    this.#life?.begin();
    let cause: unknown;
    stream.on('data', (chunk: Buffer) => {
      if (this.#stream !== stream) return;
      try {
        this.#options.onData(chunk);
      } catch (error) {
        // A defect of ours: it costs this session, and no other source.
        cause ??= error;
        stream.destroy();
      }
    });
    stream.on('error', (error) => {
      cause ??= error;
    });
    // A peer that closes its half will say nothing more.
    stream.on('end', () => stream.destroy());
    stream.on('close', () => {
      if (this.#stream !== stream) return;
      this.#stream = undefined;
      this.#onClosed(cause);
    });
  }

  #detach(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    stream?.destroy();
  }

  #onClosed(cause: unknown): void {
    const { onLost, state } = this.#options;
    this.#life?.closed();
    const now = state();
    // A peer that answers nothing before it closes is not asked for ever.
    if (!this.#life?.hasAnswered || now === 'waits') onLost(cause);
    else if (now === 'listens') void this.#reopen();
  }

  #reopen(): Promise<void> {
    this.#opening ??= this.#openAgain().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #openAgain(): Promise<void> {
    const { reopening, clock, onLost, onReopened, state } = this.#options;
    const { signal } = this.#closing;
    try {
      const { open, delayMs, habits, greeting } = reopening!;
      const stream = await open(signal);
      if (signal.aborted) return void stream.destroy();
      this.#attach(stream);
      const waitMs = Math.max(delayMs, habits.learned.connectDelayMs ?? 0);
      if (waitMs > 0) await sleep(clock, waitMs, signal);
      if (greeting) this.#stream?.write(greeting);
      if (!this.#stream) onLost(undefined);
      else if (state() === 'listens') onReopened();
    } catch (error) {
      if (!signal.aborted) onLost(error);
    }
  }
}
