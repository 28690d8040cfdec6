// The interface of the spool, and the options that it takes.
import type { Boot } from '../../kernel/boot.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import type { Random } from '../../kernel/random.ts';
import type { BodyOptions } from '../../wire/body.ts';
import type { BackfillStore } from '../methods/backfill-store.ts';
import type { RuleStore } from '../rules/rule-store.ts';
import type { TimeStore } from '../time/time-store.ts';
import type { LaneDepth, LaneName, Lanes } from '../uplink/lanes.ts';
import type { WindowStore } from '../windows/window-store.ts';
import type { ContinuityStats, SpoolLife } from './continuity/tracker.ts';
import type { StreamStats } from './core/stream-stats.ts';
import type { EncryptionStats } from './encryption/key-change.ts';
import type { Store } from './engine/store.ts';
import type { RecordCodec } from './format/record.ts';
import type { Repair } from './repair/open-folder.ts';
import type { RetentionLimits } from './retention/retention-policy.ts';

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
  /** The encoding of new mini-batches; stored ones stay as they are. Default columns/1, gzip. */
  readonly encode?: BodyOptions;
  readonly limits?: SpoolLimits;
  /** For jitter between tries. Default: the system's. */
  readonly random?: Random;
  /** Retention by age and size. See retention/retention-policy.ts for the defaults. */
  readonly retention?: { readonly [K in keyof RetentionLimits]?: RetentionLimits[K] | undefined };
  /** Age counts only while this is true. Default: always. */
  readonly clockTrusted?: () => boolean;
  /** From when something ages that was stored at that time by `clock`. Default: that time. */
  readonly storedSince?: (storedAt: number) => number;
  /**
   * Streams whose equipment can perhaps be asked again, now or later, for what was removed unsent: no void is declared for
   * them. False only where it is known that there is no history. Default: false.
   */
  readonly hasHistory?: (batchId: string) => boolean;
  /** Free bytes of the disk. Default: asks the file system of `folder`. */
  readonly freeBytes?: () => Promise<number | undefined>;
  /** Seals what is stored. Default: a checksum, no encryption. */
  readonly codec?: RecordCodec;
  /** The machine's own count of time, by which ages are told. Default: they are told by `clock`. */
  readonly boot?: Boot;
  /**
   * Whose readings it keeps: the module as the hub knows it, `device/module`, then whatever else it was called. A spool of
   * another module is quarantined: what it holds must not go up under this name. Default: not known, whatever is found is ours.
   */
  readonly owners?: readonly string[];
  /** A folder outside of the data folder, where it is noted how far the spool has come. Default: none. */
  readonly noteElsewhere?: string;
  /**
   * `compareWithHub` will be called once the hub is reached: until then, windows that go on from before this start are not handed
   * out. Default false.
   */
  readonly asksHub?: boolean;
  /** Ends the tries to open a folder on a disk that refuses. */
  readonly signal?: AbortSignal;
  /** Instead of LevelDB in `folder`: tests and the simulation. */
  readonly store?: () => Promise<Store>;
  /** What turned out damaged when `store` opened it. */
  readonly storeDamage?: () => string | undefined;
}

export interface RepairStats extends Repair {
  /** Wall clock, epoch ms. */
  readonly at: number;
}

export interface SpoolStats {
  /** `failing`: the disk refuses writes; what comes waits in memory, all is tried again. */
  readonly state: 'ok' | 'failing' | 'closed';
  /** For people, while failing: what the disk said, since when. */
  readonly problem?: string;
  /** Wall clock, epoch ms. */
  readonly problemSince?: number;
  readonly lanes: Readonly<Record<LaneName, LaneDepth>>;
  /** All that is stored, sent or not. */
  readonly stored: { readonly messages: number; readonly bytes: number };
  readonly rejected: number;
  readonly damaged: number;
  /** Windows that were removed without having been sent. */
  readonly evicted: number;
  /** True while sources that keep their own history should wait: the spool is full, its policy is `backpressure`. */
  readonly backpressure: boolean;
  /** Bytes that can be stored before anything unsent has to go, the archive counted as room; absent until the first look. */
  readonly roomBytes?: number;
  /** So long is kept what was not sent, by the settings in force; absent until the first look. */
  readonly unsentMs?: number;
  readonly commits: number;
  readonly recoveredWindows: number;
  /** Messages that wait until the hub was heard; absent where there are none. */
  readonly withheld?: number;
  /** Present where records are sealed, or were. */
  readonly encryption?: EncryptionStats;
  /** The last damage to the store's files since this process began: why, and what could be read. */
  readonly repair?: RepairStats;
  /** Whether this spool is known to be the one that was left; absent for one without a folder. */
  readonly continuity?: ContinuityStats;
  /** What is reported to the hub, for `compareWithHub` of a later process. */
  readonly life?: SpoolLife;
  readonly streams: readonly StreamStats[];
}

export interface Spool extends Lanes, BackfillStore, WindowStore {
  /** A JSON value, synced before this resolves. */
  putSetting(name: string, value: unknown): Promise<void>;
  getSetting(name: string): Promise<unknown>;
  /** Where the site clock keeps what it must not forget. */
  readonly time: TimeStore;
  /** What rules begin from. */
  readonly rules: RuleStore;
  stats(): SpoolStats;
  /** The end of all that the stream ever claimed, where it is not open. */
  floorOf(batchId: string): number | undefined;
  /**
   * Compares the spool with what earlier processes reported of it to the hub; undefined where they reported nothing, or it is not known. The first
   * call counts. Where the spool is older than that, all streams are `lost` from now on.
   */
  compareWithHub(told: Partial<SpoolLife> | undefined): Promise<void>;
  /** Calls `listener` when a stream that was `proven` at its opening turns out not to be. Returns the way to stop that. */
  onLost(listener: () => void): () => void;
  /** Calls `listener` when `stats().backpressure` changes. Returns the way to stop that. */
  onBackpressure(listener: (isActive: boolean) => void): () => void;
  /** Runs retention now, and gives the disk back what it can. */
  compact(): Promise<void>;
  /** Bytes that the folder takes on the disk. */
  diskBytes(): Promise<number>;
  /** Writes what is queued (bounded in time), then lets go of the folder. Later calls reject `spool-closed`. */
  close(): Promise<void>;
}
