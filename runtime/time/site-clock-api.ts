// What the site clock offers, and what it is given.
import type { Boot } from '../../kernel/boot.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import type { SourceSink } from '../sources/source.ts';
import type { ClockSettings } from './config.ts';
import type { TimeStore } from './time-store.ts';
import type { Doubt } from './trust.ts';

export interface SiteClockOptions {
  readonly clock: Clock;
  readonly boot: Boot;
  readonly settings: ClockSettings;
  /** Not called before `start`: the spool uses this clock, so it is opened after the clock is made. */
  readonly store: () => TimeStore;
  /** Epoch ms: a clock that shows an earlier time is wrong. */
  readonly releasedAt: number;
  /** Whether the machine's clock is said to be synchronised; asked once a second where the settings want it. */
  readonly synchronised?: () => Promise<boolean>;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface ClockState {
  readonly trusted: boolean;
  readonly mode: 'trusted' | 'waiting' | 'marked';
  /** Why it is not trusted, for people; `doubt` for programs. */
  readonly reason?: string;
  readonly doubt?: Doubt;
  /** Readings that wait: their size on disk, since when (ms ago). */
  readonly waitingBytes?: number;
  readonly doubtedForMs?: number;
  /** Stamps run ahead of the wall clock, which was set back: until it has caught up, readings are marked. */
  readonly aheadMs?: number;
  readonly steps: { readonly forward: number; readonly back: number };
  /** Since the process started: readings that waited and have no place, and that found no room to wait. */
  readonly lost: number;
  readonly refused: number;
}

export interface SiteClock {
  /** `now()` is ms since the machine started: what gateway-stamped sources stamp with. */
  readonly local: Clock;
  /** For stored times: `now()` is the wall clock while trusted, else ms since the machine started, see `storedSince`. */
  readonly storing: Clock;
  /** The sink for a source that stamps with `local`. `floor`: the end of all that its stream ever claimed. */
  open(inner: SourceSink, stream: { readonly batchId: string; readonly floor?: number }): SourceSink;
  /**
   * Call when the source of this stream was removed and has stopped, and after `start`. Resolves once no reading of the stream waits for a
   * trusted clock, which may take until the clock is trusted: with true where its windows may be closed, with false where the stream was
   * opened again meanwhile. Never rejects; stays pending where the process stops first.
   */
  close(batchId: string): Promise<boolean>;
  /**
   * Call after the streams are open and before the sources start. Places readings that waited in an earlier process.
   * `openLeft` opens a stream whose readings wait although no source feeds it any more: `close` it afterwards.
   */
  start(openLeft?: (batchId: string) => void): Promise<void>;
  /** Call after the sources have stopped and before the windows close: readings that wait become durable. */
  stop(): Promise<void>;
  /** Cheap: whether the wall clock is trusted at this moment. */
  trusted(): boolean;
  state(): ClockState;
  /**
   * The wall-clock time, epoch ms, that belongs to `storedAt`, a time that `storing` gave: its age counts from there. How far a trusted clock was
   * set forward since the machine started is no age.
   */
  storedSince(storedAt: number): number;
}
