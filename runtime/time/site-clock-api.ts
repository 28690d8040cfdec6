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
  /** First called by `start`: the spool itself tells the time by this clock. */
  readonly store: () => TimeStore;
  /** Epoch ms: nobody runs this version earlier. */
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
   * The source of this stream is gone and has stopped. Resolves once nothing of the stream waits for its time any
   * more, which may take as long as the clock does: true when its windows may be closed, false when it was opened
   * again meanwhile. Call after `start`. Never rejects; pending for ever where the process stops first.
   */
  close(batchId: string): Promise<boolean>;
  /**
   * After the streams are open and before the sources start. Places what an earlier process left undone.
   * `openLeft` opens a stream whose readings wait although no source feeds it any more: `close` it afterwards.
   */
  start(openLeft?: (batchId: string) => void): Promise<void>;
  /** After the sources stopped and before the windows close: what waits becomes durable. */
  stop(): Promise<void>;
  /** Cheap: whether the wall clock is trusted at this moment. */
  trusted(): boolean;
  state(): ClockState;
  /** From when something ages that was stored at `storedAt`, as `storing` told it. Epoch ms. */
  storedSince(storedAt: number): number;
}
