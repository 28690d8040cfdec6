import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import type { IndexKind, Window } from '../../wire/window.ts';
import type { SourceSink } from '../sources/source.ts';
import type { WindowStore } from './window-store.ts';

export interface WindowLimits {
  /** A window with readings closes at this age. Default 10,000. */
  readonly ageMs?: number;
  /** A window without readings closes at this age. Default 60,000. */
  readonly quietMs?: number;
  /** A window closes when its encoded size is estimated to reach this. Default 192 KiB: one message. */
  readonly maxBytes?: number;
  /** A window closes at this many readings, however small. Default 50,000. */
  readonly maxReadings?: number;
  /** Longest time from an event to the commit that makes it durable, on a healthy disk. Default 200. */
  readonly commitIntervalMs?: number;
  /** Uncommitted readings of this estimated size bring the commit forward. Default 4 MiB. */
  readonly commitBytes?: number;
  /** Readings held in memory by all streams, estimated. Beyond it events are refused. Default 64 MiB. */
  readonly maxMemoryBytes?: number;
  /** Default 10,000. */
  readonly maxStreams?: number;
}

export interface WindowsOptions {
  /** The spool. */
  readonly store: WindowStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly limits?: WindowLimits;
}

export interface StreamOptions {
  readonly batchId: string;
  readonly index: IndexKind;
  /** How long after its end a window stays open for readings that come late. Default 0. */
  readonly latenessMs?: number;
}

export interface StreamState {
  readonly batchId: string;
  readonly index: IndexKind;
  readonly observing: boolean;
  readonly open?: Window;
  readonly openReadings: number;
  /** End of what was ever claimed. */
  readonly floor?: number;
  readonly readings: number;
  readonly late: number;
  readonly violations: number;
  readonly refused: number;
}

export interface Windows {
  /**
   * The sink for one source. A stream opened again (reload) goes on under the same id; its old sink then
   * ignores events. @throws HoldfastError `windows-too-many-streams`, `spool-index-changed`.
   */
  openStream(options: StreamOptions): SourceSink;
  /** Closes the stream's window where observation was last stated to reach, and forgets the stream. */
  closeStream(batchId: string): Promise<void>;
  /** `closeStream` for all; resolves once all is durable. Events that come later are ignored. */
  closeAll(): Promise<void>;
  /** The next `count` windows that close go to the archive unsent: proves the repair loop in the field. */
  skipNext(batchId: string, count: number): void;
  streams(): readonly StreamState[];
  /** Estimated memory of readings not yet handed to the spool, in bytes. */
  memoryBytes(): number;
}

export function createWindows(options: WindowsOptions): Windows {
  void options;
  throw new Error('not built yet');
}
