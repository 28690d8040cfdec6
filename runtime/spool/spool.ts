import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import type { IndexKind, Window } from '../../wire/window.ts';
import type { BackfillStore } from '../methods/backfill-store.ts';
import type { LaneDepth, LaneName, Lanes } from '../uplink/lanes.ts';
import type { WindowStore } from '../windows/window-store.ts';
import type { Store } from './store.ts';

export interface SpoolEncoding {
  readonly schema: 'readings/1' | 'columns/1';
  readonly gzip: boolean;
}

export interface SpoolLimits {
  /** Upper bound of one group commit, in bytes. Default 16 MiB. */
  readonly maxCommitBytes?: number;
  /** First and longest pause between tries while the disk refuses, in ms. Default 100 and 5,000. */
  readonly retryMinMs?: number;
  readonly retryMaxMs?: number;
}

export interface SpoolOptions {
  /** Created when missing. Belongs to the spool alone. */
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** How mini-batches are encoded from now on; what is stored stays as it is. Default columns/1, gzip. */
  readonly encode?: SpoolEncoding;
  readonly limits?: SpoolLimits;
  /** Instead of LevelDB in `folder`: tests and the simulation. */
  readonly store?: () => Promise<Store>;
}

export interface StreamStats {
  readonly batchId: string;
  readonly index: IndexKind;
  /** End of the last closed window. */
  readonly floor?: number;
  readonly lastWindow?: Window;
  readonly open?: Window;
}

export interface SpoolStats {
  /** `failing`: the disk refuses writes; nothing is acknowledged, all is tried again. */
  readonly state: 'ok' | 'failing' | 'closed';
  /** For people, while failing: what the disk said, since when. */
  readonly problem?: string;
  readonly lanes: Readonly<Record<LaneName, LaneDepth>>;
  /** All that is stored, sent or not. */
  readonly stored: { readonly messages: number; readonly bytes: number };
  readonly rejected: number;
  readonly damaged: number;
  readonly commits: number;
  readonly recoveredWindows: number;
  readonly streams: readonly StreamStats[];
}

export interface Spool extends Lanes, BackfillStore, WindowStore {
  /** A JSON value, synced before this resolves. */
  putSetting(name: string, value: unknown): Promise<void>;
  getSetting(name: string): Promise<unknown>;
  stats(): SpoolStats;
  /** Bytes that the folder takes on the disk. */
  diskBytes(): Promise<number>;
  /** Writes what is queued (bounded in time), then lets go of the folder. Later calls reject `spool-closed`. */
  close(): Promise<void>;
}

/** @throws HoldfastError `spool-locked` while another process holds the folder. */
export function openSpool(options: SpoolOptions): Promise<Spool> {
  void options;
  throw new Error('not built yet');
}
