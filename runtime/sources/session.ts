// One session of one source, fenced in. The fence has three sides: the source's events pass through it until
// the session is over and not one after that; a watchdog ends a session that has gone silent; and a session
// that does not stop when told to is left behind.
import type { Clock } from '../../kernel/clock.ts';
import { HoldfastError } from '../../kernel/errors.ts';
import type { Reading } from '../../wire/reading.ts';
import type { Source, SourceEvent, SourceSink } from './source.ts';

export interface SessionListener {
  /** After each event that passed. */
  onEvent(): void;
  /** `isLate`: they belong to the past. */
  onReadings(readings: readonly Reading[], isLate: boolean): void;
  onBreak(reason: string): void;
}

export interface SessionOptions {
  readonly source: Source;
  readonly sink: SourceSink;
  readonly clock: Clock;
  /** Ends the session from outside. */
  readonly stop: AbortSignal;
  readonly stopLimitMs: number;
  readonly listener: SessionListener;
}

export interface Session {
  /** Resolves, never rejects, when the session is over, with what ended it. */
  readonly ended: Promise<unknown>;
  /** Events that passed. */
  readonly events: number;
  readonly isAbandoned: boolean;
}

const maxUnheeded = 100;

export function openSession(options: SessionOptions): Session {
  return new FencedSession(options);
}

class FencedSession implements Session, SourceSink {
  readonly ended: Promise<unknown>;
  readonly #options: SessionOptions;
  readonly #abort = new AbortController();
  #events = 0;
  #isAbandoned = false;
  #isOver = false;
  readonly #isOrdered: boolean;
  /** Events in a row that came while observation was broken. */
  #unheeded = 0;
  #lastEventAt: number;
  /** How far observation was stated to reach; undefined while it is broken. */
  #observed: number | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#isOrdered = !options.source.isUnordered;
    this.#lastEventAt = options.clock.monotonic();
    this.ended = this.#run();
  }

  get events(): number {
    return this.#events;
  }

  get isAbandoned(): boolean {
    return this.#isAbandoned;
  }

  emit(event: SourceEvent): boolean {
    if (this.#isOver) return false;
    this.#events += 1;
    this.#lastEventAt = this.#options.clock.monotonic();
    this.#follow(event);
    const isTaken = this.#options.sink.emit(event);
    if (!isTaken) this.#onRefused(event);
    this.#options.listener.onEvent();
    return isTaken;
  }

  hasRoom(): boolean {
    return !this.#isOver && (this.#options.sink.hasRoom?.() ?? true);
  }

  begunAnew(): number {
    return this.#options.sink.begunAnew?.() ?? 0;
  }

  durable(): Promise<void> {
    if (this.#isOver) return Promise.reject(new HoldfastError('source-session-over', 'the session is over'));
    return this.#options.sink.durable();
  }

  async #run(): Promise<unknown> {
    const { stop, source } = this.#options;
    const onStop = () => this.#abort.abort(stop.reason);
    if (stop.aborted) onStop();
    else stop.addEventListener('abort', onStop, { once: true });
    const watchdog = this.#watch(source.silenceLimitMs);
    const error = await Promise.race([this.#settle(), this.#overdue()]);
    stop.removeEventListener('abort', onStop);
    watchdog.cancel();
    // The order matters: what is reported from here on belongs to no session, then the break is stated.
    this.#isOver = true;
    this.#abort.abort(new HoldfastError('source-session-over', 'the session is over'));
    try {
      this.#breakOff(error);
    } catch (sinkError) {
      // A sink never throws; if one does, it must not end the supervisor's loop.
      return sinkError;
    }
    return error;
  }

  /** What `run` ended with: a value in either case, so that nothing is left unhandled if we no longer wait. */
  async #settle(): Promise<unknown> {
    const { source } = this.#options;
    const { signal } = this.#abort;
    try {
      await source.run(this, signal);
    } catch (error) {
      return signal.aborted ? signal.reason : error;
    }
    if (signal.aborted) return signal.reason;
    return new HoldfastError('source-ended', 'the session ended without saying why', { retryable: true });
  }

  /** Resolves when a session that was told to stop has not done so in time. */
  #overdue(): Promise<unknown> {
    const { clock, stopLimitMs } = this.#options;
    const { signal } = this.#abort;
    return new Promise((resolve) => {
      const onAbort = () => {
        if (this.#isOver) return;
        clock.setTimer(stopLimitMs, () => {
          if (this.#isOver) return;
          this.#isAbandoned = true;
          resolve(signal.reason);
        });
      };
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Moves one timer along with the events rather than setting one for each: there may be thousands a second. */
  #watch(limitMs: number): { cancel(): void } {
    const { clock } = this.#options;
    const check = () => {
      const silentMs = clock.monotonic() - this.#lastEventAt;
      if (silentMs < limitMs) {
        timer = clock.setTimer(limitMs - silentMs, check);
        return;
      }
      const heard = this.#options.source.heard?.();
      const what =
        heard === undefined
          ? `nothing was heard for ${limitMs} ms`
          : `nothing that could be read came for ${limitMs} ms: ${heard}`;
      const message = `${what}; so the session is ended`;
      this.#abort.abort(new HoldfastError('source-silent', message, { retryable: true }));
    };
    let timer = clock.setTimer(limitMs, check);
    return { cancel: () => timer.cancel() };
  }

  /** The sink took it for a break. A source that goes on all the same would never be observed again. */
  #onRefused(event: SourceEvent): void {
    if (this.#observed !== undefined) this.#options.listener.onBreak('refused');
    else if (event.kind === 'observed' || (event.kind === 'readings' && !event.isLate)) this.#unheeded += 1;
    this.#observed = undefined;
    if (this.#unheeded < maxUnheeded) return;
    const message = `its stream is broken, and it said ${maxUnheeded} times more without saying that it resumed`;
    this.#abort.abort(new HoldfastError('source-not-resumed', message, { retryable: true }));
  }

  #follow(event: SourceEvent): void {
    const { listener } = this.#options;
    switch (event.kind) {
      case 'resumed':
        this.#observed = event.at;
        this.#unheeded = 0;
        break;
      case 'observed':
        if (this.#observed !== undefined) this.#observed = Math.max(this.#observed, event.until);
        break;
      case 'readings': {
        // Where readings come in index order, all that lie before the last one have been reported.
        const last = this.#isOrdered && !event.isLate ? event.readings.at(-1) : undefined;
        if (last && this.#observed !== undefined) this.#observed = Math.max(this.#observed, last.index);
        listener.onReadings(event.readings, event.isLate ?? false);
        break;
      }
      case 'broken':
        if (this.#observed !== undefined) listener.onBreak(event.reason);
        this.#observed = undefined;
        break;
    }
  }

  #breakOff(error: unknown): void {
    if (this.#observed === undefined) return;
    const reason = error instanceof HoldfastError ? error.code : 'source-failed';
    const at = this.#observed;
    this.#observed = undefined;
    this.#options.listener.onBreak(reason);
    this.#options.sink.emit({ kind: 'broken', at, reason });
  }
}
