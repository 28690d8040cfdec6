// Owns one source: runs its sessions one after the other, for ever, and answers for what a session leaves
// behind. Whatever the adapter does (throws, hangs, reports after it was told to stop), the sink sees an orderly
// stream of statements, and no other source notices.
import { createBackoff } from '../../kernel/backoff.ts';
import { type Clock, sleep } from '../../kernel/clock.ts';
import { describeError, HoldfastError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import { type Moment, momentOf, wallTimeOf } from '../../kernel/moment.ts';
import type { Random } from '../../kernel/random.ts';
import type { Reading } from '../../wire/reading.ts';
import { describeBreak, isOfClock } from './break-words.ts';
import { createLastValues } from './last-values.ts';
import { Repeated } from './repeated.ts';
import { openSession, type Session } from './session.ts';
import type { Source, SourceSink } from './source.ts';
import type { WritableTags } from './tag-write.ts';
import { type GatedWrite, gateWrites } from './write-gate.ts';

export interface SupervisorOptions {
  readonly name: string;
  readonly source: Source;
  readonly sink: SourceSink;
  readonly clock: Clock;
  readonly random: Random;
  /** Bound to the source's name. */
  readonly log: Log;
  readonly metrics: Metrics;
  /** Tags of the source that may be written. Default: none. */
  readonly writable?: WritableTags;
  /** The names of all of its tags; absent where nobody lists them. */
  readonly tags?: readonly string[];
  /** The adapter's own reasons for a break, in words. Default: none. */
  readonly breaks?: Readonly<Record<string, string>>;
  /** First and longest wait between sessions. Default: the source's own, or 1 s and 30 s. */
  readonly backoff?: { readonly minMs: number; readonly maxMs: number };
  /** How long a session may take to stop before it is abandoned. Default 2 s. */
  readonly stopLimitMs?: number;
}

/** All times are epoch ms, by the wall clock as it is set now. */
export interface SourceState {
  /** `held`: not asked for the time being, since there is no room for what it says. */
  readonly phase: 'connecting' | 'connected' | 'backoff' | 'held' | 'stopped';
  /** Since when in this phase. */
  readonly since: number;
  /** Since when there is no connection, over all attempts: the end of the last one, or the start. */
  readonly disconnectedSince?: number;
  readonly lastError?: { readonly code: string; readonly message: string; readonly at: number };
  /** The latest break in observation, and how many there were in the ten minutes before it, with it. */
  readonly lastBreak?: {
    readonly reason: string;
    /** For people. */
    readonly words: string;
    readonly at: number;
    readonly recent: number;
  };
  /** What the source complains of in its equipment, for people. */
  readonly complaint?: string;
  readonly lastEventAt?: number;
  /** When the last reading came, whatever its own time. */
  readonly lastReadingAt?: number;
  /** Counts since `superviseSource`. Sessions in which the equipment was there; attempts that came to nothing are none. */
  readonly sessions: number;
  readonly readings: number;
  readonly breaks: number;
  /** Sessions that did not stop when told to, and were left behind. */
  readonly abandoned: number;
}

export interface SupervisedSource {
  readonly name: string;
  readonly source: Source;
  /** The one way to write to the equipment: nothing goes past the gate. */
  readonly write: GatedWrite;
  start(): void;
  /**
   * True ends the session, with a break in observation, and begins no other until false: for a source that keeps its
   * own history, which is asked for what it saw meanwhile.
   */
  pause(isPaused: boolean): void;
  /** Prompt: bounded by `stopLimitMs`. Idempotent. */
  stop(): Promise<void>;
  state(): SourceState;
  /** The last reading of each tag. */
  lastValues(): readonly Reading[];
}

export function superviseSource(options: SupervisorOptions): SupervisedSource {
  return new Supervisor(options);
}

type Times = 'since' | 'disconnectedSince' | 'lastError' | 'lastBreak' | 'lastEventAt' | 'lastReadingAt';
type Mutable = { -readonly [K in Exclude<keyof SourceState, Times | 'complaint'>]: SourceState[K] };

/** Kept by the monotonic clock, so that a wall clock that is set ages nothing. */
interface Moments {
  since: Moment;
  disconnectedSince: Moment | undefined;
  lastError?: Omit<NonNullable<SourceState['lastError']>, 'at'> & { readonly at: Moment };
  lastBreak?: Omit<NonNullable<SourceState['lastBreak']>, 'at'> & { readonly at: Moment };
  /** Monotonic ms: noted at each event. */
  lastEvent?: number;
  lastReading?: number;
}

const counters = [
  'holdfast_source_sessions_total',
  'holdfast_source_readings_total',
  'holdfast_source_breaks_total',
  'holdfast_source_abandoned_sessions_total',
];
const defaultBackoff = { minMs: 1000, maxMs: 30_000 };
const defaultStopLimitMs = 2000;
const clockAgainMs = 600_000;

class Supervisor implements SupervisedSource {
  readonly name: string;
  readonly source: Source;
  readonly write: GatedWrite;
  readonly #options: SupervisorOptions;
  readonly #log: Log;
  readonly #labels: { readonly source: string };
  readonly #lastValues = createLastValues();
  readonly #state: Mutable;
  readonly #moments: Moments;
  readonly #breaks = new Repeated();
  #clockSaidAt = Number.NEGATIVE_INFINITY;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  /** Aborted while the source is held, or stopped. */
  #pause = new AbortController();
  #release: (() => void) | undefined;

  constructor(options: SupervisorOptions) {
    this.name = options.name;
    this.source = options.source;
    this.write = gateWrites(options.name, options.source, options.writable ?? new Map(), options.tags);
    this.#options = options;
    this.#log = options.log;
    this.#labels = { source: options.name };
    const since = momentOf(options.clock);
    this.#moments = { since, disconnectedSince: since };
    // At 0 from the start, so that the first step of each is seen.
    for (const counter of counters) options.metrics.count(counter, this.#labels, 0);
    this.#state = { phase: 'stopped', sessions: 0, readings: 0, breaks: 0, abandoned: 0 };
  }

  start(): void {
    if (this.#stopping.signal.aborted) return;
    this.#running ??= this.#runForEver();
  }

  pause(isPaused: boolean): void {
    if (this.#stopping.signal.aborted || isPaused === this.#pause.signal.aborted) return;
    if (isPaused) this.#pause.abort(new HoldfastError('source-paused', 'there is no room for its readings'));
    else {
      this.#pause = new AbortController();
      this.#release?.();
    }
  }

  async stop(): Promise<void> {
    const reason = new HoldfastError('source-stopped', 'the source is being stopped');
    this.#stopping.abort(reason);
    this.#pause.abort(reason);
    this.#release?.();
    await this.#running;
  }

  state(): SourceState {
    const complaint = this.source.complaint?.();
    return { ...this.#state, ...this.#times(), ...(complaint !== undefined && { complaint }) };
  }

  #times(): Pick<SourceState, Times> {
    const { clock } = this.#options;
    const { since, disconnectedSince, lastError, lastBreak, lastEvent, lastReading } = this.#moments;
    const at = (moment: Moment) => wallTimeOf(moment, clock);
    const ago = (monotonic: number) => Math.round(clock.now() - (clock.monotonic() - monotonic));
    return {
      since: at(since),
      ...(disconnectedSince && { disconnectedSince: at(disconnectedSince) }),
      ...(lastError && { lastError: { ...lastError, at: at(lastError.at) } }),
      ...(lastBreak && { lastBreak: { ...lastBreak, at: at(lastBreak.at) } }),
      ...(lastEvent !== undefined && { lastEventAt: ago(lastEvent) }),
      ...(lastReading !== undefined && { lastReadingAt: ago(lastReading) }),
    };
  }

  lastValues(): readonly Reading[] {
    return this.#lastValues.list();
  }

  async #runForEver(): Promise<void> {
    const { clock, random, source } = this.#options;
    const { signal } = this.#stopping;
    const limits = this.#options.backoff ?? source.backoff ?? defaultBackoff;
    const backoff = createBackoff(limits, random);
    while (!signal.aborted) {
      if (this.#pause.signal.aborted) {
        await this.#waitForRelease();
        continue;
      }
      const wasUseful = await this.#runSession();
      if (signal.aborted) break;
      if (wasUseful) backoff.reset();
      if (this.#pause.signal.aborted) continue;
      const delayMs = backoff.next();
      this.#enter('backoff');
      this.#log.debug({ delayMs: Math.round(delayMs) }, 'waiting before the next session');
      await sleep(clock, delayMs, this.#pause.signal).catch(() => {});
    }
    this.#enter('stopped');
  }

  async #waitForRelease(): Promise<void> {
    this.#enter('held');
    await new Promise<void>((resolve) => {
      this.#release = resolve;
    });
    this.#release = undefined;
  }

  /** True when the session reported anything: then the equipment was there, and the next wait is short. */
  async #runSession(): Promise<boolean> {
    const { source, sink, clock, metrics } = this.#options;
    this.#enter('connecting');
    const session = openSession({
      source,
      sink,
      clock,
      stop: this.#pause.signal,
      stopLimitMs: this.#options.stopLimitMs ?? defaultStopLimitMs,
      listener: {
        onEvent: () => this.#onEvent(),
        onReadings: (readings, isLate) => {
          this.#state.readings += readings.length;
          this.#moments.lastReading = clock.monotonic();
          metrics.count('holdfast_source_readings_total', this.#labels, readings.length);
          if (!isLate) this.#lastValues.take(readings);
        },
        onBreak: (reason) => this.#onBreak(reason),
      },
    });
    const error = await session.ended;
    if (session.isAbandoned) this.#onAbandoned();
    if (error !== undefined && !this.#pause.signal.aborted) this.#onLost(error, session);
    return session.events > 0;
  }

  #onEvent(): void {
    this.#moments.lastEvent = this.#options.clock.monotonic();
    if (this.#state.phase !== 'connecting') return;
    this.#state.sessions += 1;
    this.#options.metrics.count('holdfast_source_sessions_total', this.#labels);
    this.#enter('connected');
  }

  #onBreak(reason: string): void {
    const { clock, metrics } = this.#options;
    this.#state.breaks += 1;
    metrics.count('holdfast_source_breaks_total', this.#labels);
    const recent = this.#breaks.note(clock.monotonic());
    const words = describeBreak(reason, this.#options.breaks);
    this.#moments.lastBreak = { reason, words, at: momentOf(clock), recent };
    if (isOfClock(reason)) this.#onClockSet(reason, words);
    if (!this.#breaks.isToBeSaid(clock.monotonic())) {
      this.#log.debug({ reason }, 'observation broken');
      return;
    }
    const complaint = this.source.complaint?.();
    const why = complaint === undefined ? words : `${words}; ${complaint}`;
    this.#log.warn(
      { code: 'source-holes', reason, recent },
      `holes again and again, ${recent} in the last ten minutes: ${why}`,
    );
  }

  /** Once is worth a word; a clock that is set all day is one of the holes that come again and again. */
  #onClockSet(reason: string, words: string): void {
    const now = this.#options.clock.monotonic();
    if (now - this.#clockSaidAt < clockAgainMs) return;
    this.#clockSaidAt = now;
    this.#log.warn(
      { code: 'source-clock-set', reason },
      `${words}: some times occur twice, and what was missed among them cannot be determined. Synchronise it with a time server`,
    );
  }

  #onAbandoned(): void {
    this.#state.abandoned += 1;
    this.#options.metrics.count('holdfast_source_abandoned_sessions_total', this.#labels);
    this.#log.error(
      { code: 'source-failed' },
      'a session did not stop when told to and was left behind; its further reports are ignored',
    );
  }

  #onLost(error: unknown, session: Session): void {
    const code = error instanceof HoldfastError ? error.code : 'source-failed';
    const message = describeError(error);
    const isNew = this.#moments.lastError?.message !== message || session.events > 0;
    this.#moments.lastError = { code, message, at: momentOf(this.#options.clock) };
    // The same failure every 30 s for a month is one line to an operator, not a full disk.
    // One that never brought anything was never there to be lost.
    const what = session.events > 0 ? 'session lost' : 'no session';
    if (isNew) this.#log.warn({ code }, `${what}: ${message}`);
    else this.#log.debug({ code }, `${what}, again: ${message}`);
  }

  #enter(phase: SourceState['phase']): void {
    if (this.#state.phase === phase) return;
    const now = momentOf(this.#options.clock);
    if (phase === 'connected') this.#moments.disconnectedSince = undefined;
    // A source that is told to start was not without a connection while it was not to have one.
    else if (this.#state.phase === 'connected' || this.#state.phase === 'stopped')
      this.#moments.disconnectedSince = now;
    this.#state.phase = phase;
    this.#moments.since = now;
    if (phase === 'connected') this.#log.info({}, 'connected');
  }
}
