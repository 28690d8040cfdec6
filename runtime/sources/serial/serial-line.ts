// An open line to an instrument: sends commands, receives messages, and tells answers from live messages.
//
// One exchange is under way at a time (`turns` sees to that). While it is, each message is offered to it first; what it
// does not take goes to whoever listens. An exchange with a framing of its own has the line to itself: the live
// framing could make nothing of its bytes.
//
// Which command an answer belongs to, only the order tells: commands are worked off one after the other. So after a
// command without an answer nothing is sent until its answer has come after all, or the line was silent for as
// long again: the exchange is overdue meanwhile, and takes what comes for it. If nothing came, the line is not in step:
// the next exchange is a proof, whose answer counts only once no other follows it. The line is out of step as well after
// an end that silence alone has shown, and after a message that nobody asked for and that could be an answer.
import type { Duplex } from 'node:stream';
import { type Clock, sleep, type Timer } from '../../../kernel/clock.ts';
import { HoldfastError } from '../../../kernel/errors.ts';
import { TurnQueue } from '../line/turn-queue.ts';
import { CommandOrder } from './command-order.ts';
import { type Exchange, RunningExchange, type Taken } from './exchange.ts';
import { FrameReader, type Framing } from './frame-reader.ts';
import type { GarbageKind } from './frame-scanner.ts';
import { GapWatch } from './gap-watch.ts';
import type { LineKind } from './line-advice.ts';
import type { LineListener } from './line-listener.ts';
import { LinePort, type Reopening } from './line-port.ts';
import { pendingInputMs, untilQuiet } from './line-quiet.ts';
import { OverdueExchange } from './overdue-exchange.ts';
import { garbled, lineBusy, lineClosed, lineLost, outOfStep, timedOut } from './serial-errors.ts';
import { StrayBytes } from './stray-bytes.ts';

export interface SerialLineOptions {
  readonly stream: Duplex;
  readonly framing: Framing;
  /** The instrument talks by itself: the line is opened amid a message, perhaps. */
  readonly isTalking: boolean;
  /** As the session before left it. */
  readonly order?: CommandOrder;
  readonly peer: string;
  readonly kind: LineKind;
  readonly clock: Clock;
  readonly listener: LineListener;
  /** Where a line that is asked may be opened anew amid a session. */
  readonly reopening?: Reopening | undefined;
}

/** After an exchange that failed, before the next command. */
const turnaroundMs = 100;
/** Of what came, so much is kept to be shown. */
const recentBytes = 80;

export class SerialLine {
  readonly turns = new TurnQueue();
  readonly #options: SerialLineOptions;
  readonly #reader: FrameReader;
  #lost: HoldfastError | undefined;
  #pending: { readonly running: RunningExchange; end(error?: unknown): void } | undefined;
  #overdue: OverdueExchange | undefined;
  readonly #stray = new StrayBytes();
  readonly #order: CommandOrder;
  readonly #gap: GapWatch;
  readonly #port: LinePort;
  #lastByteAt: number;
  #quietUntil = 0;
  #garbageBytes = 0;
  #recent: Buffer = Buffer.alloc(0);
  #answeredAt = Number.NEGATIVE_INFINITY;

  constructor(options: SerialLineOptions) {
    this.#options = options;
    const { stream, framing, clock, isTalking, order = new CommandOrder() } = options;
    this.#order = order;
    // A half message is found out by its check sum.
    const isLost = isTalking && (framing.checksum === undefined || !framing.scanner.findsEdges);
    this.#reader = new FrameReader({ ...framing, listener: this.#listener() }, isLost);
    this.#lastByteAt = clock.monotonic();
    this.#gap = new GapWatch({
      clock,
      gapMs: () => this.#readerNow().gapMs,
      lastByteAt: () => this.#lastByteAt,
      onSilent: () => this.#readerNow().silent(),
    });
    this.#gap.watch();
    this.#port = new LinePort({
      stream,
      clock,
      reopening: isTalking ? undefined : options.reopening,
      onData: (chunk) => this.#onData(chunk),
      onLost: (cause) => this.#fail(cause instanceof HoldfastError ? cause : lineLost(options.peer, cause)),
      state: () => this.#portState,
      onReopened: () => this.#listenAnew(),
    });
  }

  get lost(): HoldfastError | undefined {
    return this.#lost;
  }

  /** The next answer belongs to the next command. */
  get isInStep(): boolean {
    return this.#order.isInStep && this.#overdue === undefined;
  }

  /** When the last message came that was an answer to an exchange; on the monotonic clock. */
  get answeredAt(): number {
    return this.#answeredAt;
  }

  /** Bytes since the line was opened that were part of no message. */
  get garbageBytes(): number {
    return this.#garbageBytes;
  }

  /** What came last, whatever it is. */
  get kind(): LineKind {
    return this.#options.kind;
  }

  get recent(): Buffer {
    return this.#recent;
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
    this.#port.close();
  }

  /** Resolves once it is on its way. @throws HoldfastError what the line was lost with. */
  async send(bytes: Buffer): Promise<void> {
    await this.#port.open();
    if (this.#lost) throw this.#lost;
    this.#port.write(bytes);
  }

  /** Waits until no exchange is overdue. To be called in a turn. */
  async settle(): Promise<void> {
    while (this.#overdue && !this.#lost) await sleep(this.#options.clock, pendingInputMs);
  }

  /** Something came that nobody asked for, and that could be an answer. */
  doubt(): void {
    this.#order.doubt();
  }

  /** Waits until nothing came for `quietMs`. To be called in a turn. @throws HoldfastError as `untilQuiet`. */
  quiet(quietMs: number, limitMs: number): Promise<void> {
    const heard = { lastByteAt: () => this.#lastByteAt, lost: () => this.#lost };
    return untilQuiet(this.#options.clock, heard, quietMs, limitMs);
  }

  /**
   * Sends a command and takes its answer, which is as long as `take` says. To be called in a turn.
   * @throws HoldfastError `serial-timeout`, `serial-garbage`, `serial-line-busy`, `serial-out-of-step`,
   * `serial-connection-lost`, or what `take` threw.
   */
  exchange(exchange: Exchange): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#lost) return reject(this.#lost);
      if (this.#pending) return reject(new Error('an exchange is under way: take a turn first'));
      const { framing } = exchange;
      const reader = framing && new FrameReader({ ...framing, listener: this.#listener() }, false);
      const running = new RunningExchange(exchange, reader);
      const timers: { now?: Timer } = {};
      const pending = {
        running,
        end: (error?: unknown) => {
          if (this.#pending !== pending) return;
          this.#pending = undefined;
          timers.now?.cancel();
          this.#onEnded(running, error);
          if (error === undefined) resolve();
          else reject(error);
        },
      };
      this.#pending = pending;
      const send = () => {
        if (this.#port.isReady) this.#begin(running, timers);
        else void this.#port.open().then(() => this.#pending === pending && this.#begin(running, timers));
      };
      const begin = () => this.#whenQuiet(exchange, timers, send);
      if (this.#overdue) void this.settle().then(() => this.#pending === pending && begin());
      else begin();
    });
  }

  /** What nobody asked for is over. */
  #whenQuiet(exchange: Exchange, timers: { now?: Timer }, begin: () => void): void {
    const { clock } = this.#options;
    let strayLimitAt: number | undefined;
    const look = () => {
      const now = clock.monotonic();
      const waitMs = Math.max(this.#quietUntil - now, this.#strayMs(now));
      strayLimitAt ??= now + exchange.timeoutMs + this.#reader.gapMs + turnaroundMs;
      if (waitMs <= 0) begin();
      else if (now >= strayLimitAt) this.#pending?.end(lineBusy(exchange.timeoutMs + this.#reader.gapMs));
      else timers.now = clock.setTimer(waitMs, look);
    };
    look();
  }

  #strayMs(now: number): number {
    const quietMs = this.#stray.quietMs(this.#reader.isAmid ? this.#reader.gapMs : undefined);
    return quietMs === 0 ? 0 : this.#lastByteAt + quietMs - now;
  }

  #begin(running: RunningExchange, timers: { now?: Timer }): void {
    try {
      running.exchange.onSend?.();
    } catch (cause) {
      this.#pending?.end(cause);
      return;
    }
    if (!this.#options.isTalking) this.#reader.restart();
    this.#stray.clear();
    running.isSent = true;
    const { isMarked = false, timeoutMs, limitMs } = running.exchange;
    running.isProof = !this.#order.isInStep && !isMarked;
    running.lastTakenAt = this.#options.clock.monotonic();
    this.#order.sent(running.lastTakenAt, timeoutMs, limitMs === undefined);
    this.#watchExchange(running, timers);
    this.#port.write(running.exchange.command);
  }

  /** Moves one timer along with the messages rather than setting one for each. */
  #watchExchange(running: RunningExchange, timers: { now?: Timer }): void {
    const { clock } = this.#options;
    const { timeoutMs, limitMs = Number.POSITIVE_INFINITY, silenceEnds } = running.exchange;
    const begunAt = clock.monotonic();
    const again = (delayMs: number, isLooked = false) => {
      timers.now = clock.setTimer(delayMs, () => check(isLooked));
    };
    const check = (isLooked: boolean) => {
      const now = clock.monotonic();
      const isOver = !running.isAnswered && now - begunAt >= limitMs;
      const quietMs = this.#amidMs(running, now);
      const waitMs = running.isAnswered ? this.#order.proofMs(timeoutMs) : timeoutMs;
      const leftMs = isOver ? 0 : Math.max(running.lastTakenAt + waitMs - now, quietMs);
      // While there is no connection, silence says nothing.
      if (!this.#port.isOpen) again(pendingInputMs);
      else if (leftMs > 0) again(running.isAnswered ? leftMs : Math.min(leftMs, begunAt + limitMs - now));
      else if (!isLooked) again(pendingInputMs, true);
      else if (running.isAnswered) this.#onProven();
      else if (silenceEnds && !isOver) this.#onSilenceEnded();
      else this.#onOverdue(running);
    };
    again(Math.min(timeoutMs, limitMs));
  }

  /** Silence is no end amid a message. */
  #amidMs({ exchange, isAnswered }: RunningExchange, now: number): number {
    const isEnd = isAnswered || exchange.silenceEnds;
    const reader = this.#readerNow();
    if (!isEnd || this.#options.isTalking || reader.keptBytes === 0) return 0;
    return this.#lastByteAt + reader.gapMs + pendingInputMs - now;
  }

  #onProven(): void {
    this.#order.prove();
    this.#pending?.end();
  }

  #onSilenceEnded(): void {
    this.#order.doubt();
    this.#order.answered(this.#options.clock.monotonic());
    this.#pending?.end();
  }

  /** Nothing came, or nothing that made sense. */
  #onOverdue(running: RunningExchange): void {
    const { command, timeoutMs } = running.exchange;
    const error = timedOut(command, timeoutMs, this.#order.worstMs);
    const heard = running.garbage + this.keptBytes;
    const { clock, isTalking } = this.#options;
    this.#overdue = new OverdueExchange({
      running,
      quietMs: this.#order.overdueMs(timeoutMs),
      clock,
      lastByteAt: () => (isTalking ? undefined : this.#lastByteAt),
      onOver: () => this.#endOverdue(running),
    });
    this.#pending?.end(heard > 0 ? garbled(error.message, heard, this.#recent, this.kind) : error);
  }

  #endOverdue({ reader }: RunningExchange): void {
    this.#overdue = undefined;
    this.#quietUntil = this.#options.clock.monotonic() + turnaroundMs;
    if (reader) this.#afterOther(reader);
  }

  #onEnded(running: RunningExchange, error: unknown): void {
    const isOverdue = this.#overdue?.running === running;
    if (running.reader && !isOverdue) this.#afterOther(running.reader);
    if (error !== undefined) this.#quietUntil = this.#options.clock.monotonic() + turnaroundMs;
  }

  /** The exchange whose answer comes, if anything comes. */
  get #answering(): RunningExchange | undefined {
    const running = this.#pending?.running;
    return this.#overdue?.running ?? (running?.isSent ? running : undefined);
  }

  get #portState(): 'idle' | 'waits' | 'listens' {
    const running = this.#answering;
    if (!running) return 'idle';
    return running.isAnswered && !this.#overdue ? 'listens' : 'waits';
  }

  /** What was not heard while there was no connection may come on this one. */
  #listenAnew(): void {
    const running = this.#answering;
    if (running) running.lastTakenAt = this.#options.clock.monotonic();
    this.#readerNow().restart();
  }

  #onData(chunk: Buffer): void {
    const { clock, isTalking } = this.#options;
    const now = clock.monotonic();
    this.#lastByteAt = now;
    this.#recent = Buffer.concat([this.#recent, chunk]).subarray(-recentBytes);
    const answering = this.#answering;
    const bytes = answering ? answering.withoutEcho(chunk) : chunk;
    if (bytes.length === 0) return;
    if (!answering && !isTalking) this.#stray.note(bytes.length, now - this.#answeredAt);
    this.#readerNow().push(bytes);
    this.#gap.watch();
  }

  #readerNow(): FrameReader {
    return this.#answering?.reader ?? this.#reader;
  }

  #listener() {
    return {
      onFrame: (content: Buffer) => this.#onFrame(content),
      onGarbage: (garbage: Buffer, why: GarbageKind) => {
        if (this.#answering) this.#answering.garbage += garbage.length;
        this.#garbageBytes += garbage.length;
        this.#options.listener.onGarbage(garbage, why);
      },
    };
  }

  #onFrame(content: Buffer): void {
    const { listener, clock } = this.#options;
    const [overdue, answering] = [this.#overdue, this.#answering];
    const taken = overdue?.offer(content) ?? (answering ? this.#offer(answering, content) : 'other');
    if (taken === 'other') {
      listener.onFrame(content);
      return;
    }
    if (taken !== 'taken') listener.onEnd?.(content);
    this.#answeredAt = clock.monotonic();
    if (taken === 'last' || taken === 'answered') {
      this.#order.answered(this.#answeredAt);
      this.#port.answered();
    }
    if (overdue) listener.onLate?.();
    else if (taken === 'last') this.#pending?.end();
  }

  #offer(running: RunningExchange, content: Buffer): Taken {
    try {
      const taken = running.take(content, this.#options.clock.monotonic());
      if (running.hasTooManyAnswers) throw outOfStep(running.exchange.command);
      return taken;
    } catch (error) {
      // A refusal is an answer, too.
      this.#options.listener.onEnd?.(content);
      this.#order.answered(this.#options.clock.monotonic());
      this.#pending?.end(error);
      return 'taken';
    }
  }

  /** What an exchange with another framing left over belongs to no message of ours. */
  #afterOther(reader: FrameReader): void {
    reader.restart();
    if (this.#options.isTalking) this.#reader.lose();
    this.#gap.watch();
  }

  #fail(error: HoldfastError): void {
    if (this.#lost) return;
    this.#lost = error;
    this.#gap.stop();
    this.#overdue?.close();
    this.#pending?.end(error);
    this.#options.listener.onLost(error);
  }
}
