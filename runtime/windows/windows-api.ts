// The interface of the windows: sinks for sources, limits, and the state of each stream.
import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import type { Moment } from '../../kernel/moment.ts';
import type { Reading } from '../../wire/reading.ts';
import type { IndexKind, Window } from '../../wire/window.ts';
import type { SourceSink } from '../sources/source.ts';
import type { PaceKind } from './pace.ts';
import type { StreamStart, WindowStore } from './window-store.ts';

export interface WindowLimits {
  /** A window with readings closes at this age. Default 10,000. */
  readonly ageMs?: number;
  /** A window without readings closes at this age. Default 60,000. */
  readonly quietMs?: number;
  /** A window closes when its encoded size is estimated to reach this. Default 200 KiB: one message. */
  readonly maxBytes?: number;
  /** A window closes at this many readings, however small. Default 20,000. */
  readonly maxReadings?: number;
  /** Longest time from an event to the commit that makes it durable, on a healthy disk. Default 200. */
  readonly commitIntervalMs?: number;
  /** Longest time until a statement "observed until" alone, without readings, is committed. Default 2,000. */
  readonly progressIntervalMs?: number;
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
  /** As `Source.isUnordered`. */
  readonly isUnordered?: boolean;
  /** Default `live`. */
  readonly pace?: PaceKind;
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
  /** Readings replaced by a marker because they cannot be sent. */
  readonly refused: number;
  /** Readings that memory had no room for while the disk refused, or that were held back: they are holes. */
  readonly dropped: number;
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
  /** Takes effect at once, also for windows that are open. What is left out goes back to its default. */
  setLimits(limits: WindowLimits): void;
  /** The next `count` windows that close go to the archive unsent: proves the repair loop in the field. */
  skipNext(batchId: string, count: number): void;
  /**
   * While set, events of the streams that it names are dropped, and leave a hole: their sources keep their own
   * history, and are asked for it once there is room again. Undefined ends that.
   */
  pause(isPaused: ((batchId: string) => boolean) | undefined): void;
  /** The disk turned out to have lost claims: as `StreamStart.continuity` `lost`, for all streams. */
  loseContinuity(): void;
  /** Other equipment feeds the stream from now on: nothing proves that it went on from the former. */
  changeEquipment(batchId: string): void;
  /**
   * How far the stream is settled: no window will ever claim anything below, and what claims something there is on the
   * disk once this resolves. Undefined where the stream is not open.
   */
  settled(batchId: string): Promise<number | undefined> | undefined;
  /** What a source that is built now has to know of the stream. */
  known(batchId: string): StreamStart | undefined;
  /** What the stream's open window claims so far; undefined where it claims nothing. */
  open(batchId: string): Window | undefined;
  streams(): readonly StreamState[];
  /** Estimated memory of readings not yet handed to the spool, in bytes. */
  memoryBytes(): number;
}

/** The options of one stream's windows. */
export interface StreamWindowsOptions {
  readonly batchId: string;
  readonly index: IndexKind;
  /** Readings come in any order. */
  readonly isUnordered: boolean;
  /** What is known of the stream from before. */
  readonly start: StreamStart;
  readonly pace: PaceKind;
  /** When it was opened. Default: at monotonic 0. */
  readonly opened?: Moment;
  readonly ageMs: number;
  readonly quietMs: number;
  readonly maxBytes: number;
  readonly maxReadings: number;
  /** Called for each break of the source port's rules. */
  readonly onViolation: (what: string, fields: object) => void;
  readonly onRefused: (reading: Reading) => void;
}
