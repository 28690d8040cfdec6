// A line to an instrument while it is open: messages come out of it, commands go in, and both are told apart.
//
// One exchange is under way at a time (`turns` sees to that). While it is, each message is offered to it first; what it
// does not take goes to whoever listens. An exchange with a framing of its own has the line to itself: the live
// framing could make nothing of its bytes.
import type { Duplex } from 'node:stream';
import type { Clock, Timer } from '../../../kernel/clock.ts';
import type { HoldfastError } from '../../../kernel/errors.ts';
import { TurnQueue } from '../line/turn-queue.ts';
import type { ChecksumCheck } from './checksum.ts';
import { FrameReader } from './frame-reader.ts';
import type { FrameScanner, GarbageKind } from './frame-scanner.ts';
import { garbled, lineClosed, lineLost, timedOut } from './serial-errors.ts';

export interface Framing {
  readonly scanner: FrameScanner;
  readonly checksum: ChecksumCheck | undefined;
}

export interface LineListener {
  onFrame(content: Buffer): void;
  onGarbage(bytes: number, why: GarbageKind): void;
  onLost(error: HoldfastError): void;
}

export interface SerialLineOptions {
  readonly stream: Duplex;
  readonly framing: Framing;
  /** The instrument talks by itself: the line is opened amid a message, perhaps. */
  readonly isTalking: boolean;
  readonly peer: string;
  readonly clock: Clock;
  readonly listener: LineListener;
}

export interface Exchange {
  readonly command: Buffer;
  /** The line gives back what is sent. */
  readonly echo?: boolean;
  /** Of the answer, where it is another than that of live messages. */
  readonly framing?: Framing;
  /** Longest wait for the first message, and between two. */
  readonly timeoutMs: number;
  /** Silence is the end that was expected, not a failure. */
  readonly silenceEnds?: boolean;
  /** Longest exchange. Default: no limit but `timeoutMs`. */
  readonly limitMs?: number;
  /** What a message is to this exchange; `last` ends it well. What it throws ends it, too. */
  take(content: Buffer): 'taken' | 'last' | 'other';
}

/** After an exchange that failed: a late answer is over by then, as far as anyone can tell. */
const turnaroundMs = 100;
/**
 * A limit that has passed is looked at once more so much later. Where this process itself was held up, the timer comes
 * before the bytes that have long arrived: they are no silence.
 */
export const pendingInputMs = 10;

interface Pending {
  readonly exchange: Exchange;
  readonly reader: FrameReader | undefined;
  /** What comes before the command was sent is no answer to it. */
  isSent: boolean;
  /** Bytes of the command that are expected back. */
  echo: Buffer;
  garbage: number;
  /** Monotonic. */
  lastTakenAt: number;
  end(error?: unknown): void;
}

export class SerialLine {
  readonly turns = new TurnQueue();
  readonly #options: SerialLineOptions;
  readonly #reader: FrameReader;
  #lost: HoldfastError | undefined;
  #pending: Pending | undefined;
  #gapTimer: Timer | undefined;
  #lastByteAt: number;
  #quietUntil = 0;
  #garbageBytes = 0;
  #answeredAt = Number.NEGATIVE_INFINITY;

  constructor(options: SerialLineOptions) {
    this.#options = options;
    const { stream, framing, clock, isTalking } = options;
    // A half message is found out by its check sum.
    const isLost = isTalking && (framing.checksum === undefined || !framing.scanner.findsEdges);
    this.#reader = new FrameReader({ ...framing, listener: this.#listener() }, isLost);
    this.#lastByteAt = clock.monotonic();
    this.#watchGap();
    let cause: unknown;
    stream.on('data', (chunk: Buffer) => {
      try {
        this.#onData(chunk);
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
    stream.on('close', () => this.#fail(lineLost(options.peer, cause)));
  }

  get lost(): HoldfastError | undefined {
    return this.#lost;
  }

  /** When the last message came that was an answer to an exchange; on the monotonic clock. */
  get answeredAt(): number {
    return this.#answeredAt;
  }

  /** Bytes since the line was opened that were part of no message. */
  get garbageBytes(): number {
    return this.#garbageBytes;
  }

  /** Bytes that came and are no message yet. */
  get keptBytes(): number {
    return this.#readerNow().keptBytes;
  }

  /** Amid a message, or not yet at the edge of one. */
  get isAmid(): boolean {
    return this.#reader.isAmid;
  }

  close(): void {
    this.#fail(lineClosed());
    this.#options.stream.destroy();
  }

  send(bytes: Buffer): void {
    if (!this.#lost) this.#options.stream.write(bytes);
  }

  /**
   * Sends a command and takes its answer, which is as long as `take` says. To be called in a turn.
   * @throws HoldfastError `serial-timeout`, `serial-garbage`, `serial-connection-lost`, or what `take` threw.
   */
  exchange(exchange: Exchange): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#lost) return reject(this.#lost);
      if (this.#pending) return reject(new Error('an exchange is under way: take a turn first'));
      const { clock } = this.#options;
      let timer: Timer | undefined;
      const pending: Pending = {
        exchange,
        reader:
          exchange.framing && new FrameReader({ ...exchange.framing, listener: this.#listener() }, false),
        isSent: false,
        echo: exchange.echo ? exchange.command : Buffer.alloc(0),
        garbage: 0,
        lastTakenAt: clock.monotonic(),
        end: (error) => {
          if (this.#pending !== pending) return;
          this.#pending = undefined;
          timer?.cancel();
          if (pending.reader) this.#afterOther(pending.reader);
          if (error !== undefined) this.#quietUntil = clock.monotonic() + turnaroundMs;
          if (error === undefined) resolve();
          else reject(error);
        },
      };
      this.#pending = pending;
      const begin = () => {
        if (this.#pending !== pending) return;
        if (!this.#options.isTalking) this.#reader.restart();
        pending.isSent = true;
        pending.lastTakenAt = clock.monotonic();
        timer = this.#watchExchange(pending);
        this.send(exchange.command);
      };
      const waitMs = this.#quietUntil - clock.monotonic();
      if (waitMs > 0) timer = clock.setTimer(waitMs, begin);
      else begin();
    });
  }

  /** Moves one timer along with the messages rather than setting one for each. */
  #watchExchange(pending: Pending): Timer {
    const { clock } = this.#options;
    const { timeoutMs, limitMs = Number.POSITIVE_INFINITY, silenceEnds } = pending.exchange;
    const begunAt = clock.monotonic();
    const again = (delayMs: number, isLooked = false) => {
      timer = clock.setTimer(delayMs, () => check(isLooked));
    };
    const check = (isLooked: boolean) => {
      const now = clock.monotonic();
      const leftMs = Math.min(pending.lastTakenAt + timeoutMs, begunAt + limitMs) - now;
      if (leftMs > 0) again(leftMs);
      else if (!isLooked) again(pendingInputMs, true);
      else if (silenceEnds && now - begunAt < limitMs) pending.end();
      else pending.end(this.#overdue(pending));
    };
    let timer = clock.setTimer(Math.min(timeoutMs, limitMs), () => check(false));
    return { cancel: () => timer.cancel() };
  }

  /** Nothing came, or nothing that made sense. */
  #overdue({ exchange: { command, timeoutMs }, garbage }: Pending): HoldfastError {
    const error = timedOut(command, timeoutMs);
    const heard = garbage + this.keptBytes;
    return heard > 0 ? garbled(error.message, heard) : error;
  }

  /** The exchange whose answer comes, if anything comes. */
  get #answering(): Pending | undefined {
    return this.#pending?.isSent ? this.#pending : undefined;
  }

  #onData(chunk: Buffer): void {
    const { clock, isTalking } = this.#options;
    this.#lastByteAt = clock.monotonic();
    const pending = this.#answering;
    const bytes = pending ? dropEcho(pending, chunk) : chunk;
    // Between two exchanges nobody has asked: what comes is late, or noise.
    if (!pending && !isTalking) {
      this.#options.listener.onGarbage(bytes.length, 'noise');
    } else if (bytes.length > 0) {
      this.#readerNow().push(bytes);
      this.#watchGap();
    }
  }

  #readerNow(): FrameReader {
    return this.#answering?.reader ?? this.#reader;
  }

  #listener() {
    return {
      onFrame: (content: Buffer) => this.#onFrame(content),
      onGarbage: (bytes: number, why: GarbageKind) => {
        if (this.#answering) this.#answering.garbage += bytes;
        this.#garbageBytes += bytes;
        this.#options.listener.onGarbage(bytes, why);
      },
    };
  }

  #onFrame(content: Buffer): void {
    const pending = this.#answering;
    const taken = pending ? take(pending, content) : 'other';
    if (taken === 'other') this.#options.listener.onFrame(content);
    else pending!.lastTakenAt = this.#answeredAt = this.#options.clock.monotonic();
    if (taken === 'last') pending!.end();
  }

  /** What an exchange with another framing left over belongs to no message of ours. */
  #afterOther(reader: FrameReader): void {
    reader.restart();
    if (this.#options.isTalking) this.#reader.lose();
    this.#watchGap();
  }

  /** Tells the reader when the line has been silent for as long as its framing wants to know. */
  #watchGap(): void {
    if (this.#gapTimer) return;
    const { clock } = this.#options;
    const gapMs = () => this.#readerNow().gapMs;
    const again = (delayMs: number, isLooked = false) => {
      this.#gapTimer = clock.setTimer(delayMs, () => check(isLooked));
    };
    const check = (isLooked: boolean) => {
      this.#gapTimer = undefined;
      if (this.#lost) return;
      const leftMs = this.#lastByteAt + gapMs() - clock.monotonic();
      if (leftMs > 0) again(leftMs);
      else if (!isLooked) again(pendingInputMs, true);
      else this.#readerNow().silent();
    };
    again(gapMs());
  }

  #fail(error: HoldfastError): void {
    if (this.#lost) return;
    this.#lost = error;
    this.#gapTimer?.cancel();
    this.#pending?.end(error);
    this.#options.listener.onLost(error);
  }
}

function take(pending: Pending, content: Buffer): 'taken' | 'last' | 'other' {
  try {
    return pending.exchange.take(content);
  } catch (error) {
    pending.end(error);
    return 'taken';
  }
}

function dropEcho(pending: Pending, chunk: Buffer): Buffer {
  const { echo } = pending;
  if (echo.length === 0) return chunk;
  const count = Math.min(echo.length, chunk.length);
  // Something else: the line does not echo after all, or noise came first.
  if (!chunk.subarray(0, count).equals(echo.subarray(0, count))) {
    pending.echo = Buffer.alloc(0);
    return chunk;
  }
  pending.echo = echo.subarray(count);
  return chunk.subarray(count);
}
