// The interface of the backfill jobs, and the options that they take.
import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import type { Random } from '../../kernel/random.ts';
import type { BackfillRequest, FieldError } from '../../wire/methods.ts';
import type { SourceHistory } from '../sources/source.ts';
import type { BackfillLimits } from './backfill-limits.ts';
import type { BackfillStore, JobRecord } from './backfill-store.ts';

/**
 * Who can be asked for what a stream lacks: the history of its equipment; nobody, since the source was built and offers no
 * history (`no-history`), or since the configuration in force has no such source (`removed`). Undefined where nobody
 * knows: it could not be built, or no configuration was had yet. Then its equipment may have it all.
 */
export type HistoryAnswer = SourceHistory | 'no-history' | 'removed' | undefined;

/** How far a stream's windows are closed. A module answers requests up to here, whatever the clock says. */
export interface Frontier {
  /**
   * No window will ever claim anything below, and each that does can be found in the store: what is not there was not
   * observed. Undefined: nothing is settled.
   */
  readonly below: number | undefined;
  /** Whether it may move: something feeds the stream, or is about to. */
  readonly isLive: boolean;
}

export interface BackfillJobsOptions {
  readonly store: BackfillStore;
  readonly sources: (batchId: string) => HistoryAnswer;
  /** Resolves once the frontier that it returns is on the disk. */
  readonly frontier: (batchId: string) => Promise<Frontier>;
  /** Messages now waiting in the backfill lane. */
  readonly queued: () => number;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits?: Partial<BackfillLimits>;
  readonly log: Log;
  readonly metrics: Metrics;
}

export type BackfillOutcome =
  | { readonly kind: 'accepted'; readonly job: JobRecord }
  | { readonly kind: 'known'; readonly job: JobRecord }
  | { readonly kind: 'invalid'; readonly errors: readonly FieldError[] }
  | { readonly kind: 'unknown-stream' }
  | { readonly kind: 'too-many' }
  | { readonly kind: 'stopping' };

export interface BackfillJobs {
  /** Loads the durable jobs and goes on where they stood. Call once, before requests come. */
  start(): Promise<void>;
  /** Resolves once the job is durable. Rejects where the store cannot take it. */
  request(request: BackfillRequest): Promise<BackfillOutcome>;
  get(requestId: string): JobRecord | undefined;
  /** Why the job gets no further just now, for people. */
  waiting(requestId: string): string | undefined;
  /** With `declareVoid`, what is not yet queued becomes void `cancelled`. Undefined: no such job. */
  cancel(requestId: string, declareVoid: boolean): Promise<JobRecord | undefined>;
  jobs(): readonly JobRecord[];
  /** Ends what runs; the jobs stay as they are in the store. */
  stop(): Promise<void>;
}
