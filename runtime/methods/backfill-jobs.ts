import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import type { Random } from '../../kernel/random.ts';
import type { BackfillRequest } from '../../wire/methods.ts';
import type { SourceHistory } from '../sources/source.ts';
import type { BackfillStore, JobRecord } from './backfill-store.ts';

export interface BackfillLimits {
  /** Jobs that are accepted or running; more are answered 429. */
  readonly maxOpenJobs: number;
  /** Finished jobs are kept this long, and at most this many, for `getBackfill` and repeated requests. */
  readonly keepFinishedMs: number;
  readonly maxFinishedJobs: number;
  /** A job waits while the backfill lane holds this many messages. */
  readonly maxQueued: number;
  /** Windows of re-read history are cut at this age and at about this many bytes. */
  readonly windowMs: number;
  readonly windowBytes: number;
}

export interface BackfillJobsOptions {
  readonly store: BackfillStore;
  /** The equipment's own history, for a stream that has a source now. */
  readonly sources: (batchId: string) => SourceHistory | undefined;
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
  | { readonly kind: 'invalid'; readonly field: string; readonly problem: string }
  | { readonly kind: 'unknown-stream' }
  | { readonly kind: 'too-many' }
  | { readonly kind: 'stopping' };

export interface BackfillJobs {
  /** Loads the durable jobs and goes on where they stood. Call once, before requests come. */
  start(): Promise<void>;
  /** Resolves once the job is durable. */
  request(request: BackfillRequest): Promise<BackfillOutcome>;
  get(requestId: string): JobRecord | undefined;
  /** With `declareVoid`, what is not yet queued becomes void `cancelled`. Undefined: no such job. */
  cancel(requestId: string, declareVoid: boolean): Promise<JobRecord | undefined>;
  jobs(): readonly JobRecord[];
  /** Ends what runs; the jobs stay as they are in the store. */
  stop(): Promise<void>;
}

export function createBackfillJobs(_options: BackfillJobsOptions): BackfillJobs {
  throw new Error('not there yet');
}
