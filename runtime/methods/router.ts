import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import type { BackfillJobs } from './backfill-jobs.ts';
import type { MethodHost } from './method-host.ts';
import type { Skip } from './skip.ts';

export interface MethodRouterOptions {
  readonly host: MethodHost;
  readonly jobs: BackfillJobs;
  /** The status report, as composed by status.ts. */
  readonly status: () => unknown;
  /** Absent where fault injection is not configured on: `skip` then answers 404. */
  readonly skip?: Skip;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface MethodRouter {
  /** From now on every method answers 503. */
  stop(): void;
}

/** Registers the module's methods on the host at once (so: before the uplink starts). */
export function createMethodRouter(_options: MethodRouterOptions): MethodRouter {
  throw new Error('not there yet');
}
