// The parts of the module that status, metrics and bundle are made from.
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { Metrics } from '../kernel/metrics.ts';
import type { Sample } from '../kernel/prometheus.ts';
import type { ActiveConfig } from './config/active-config-api.ts';
import type { DelayedStart } from './delayed-start.ts';
import type { LogEntry } from './health/log-entry.ts';
import type { StartJournal } from './health/start-journal.ts';
import type { BackfillJobs } from './methods/backfill-jobs-api.ts';
import type { WriteMethod } from './methods/write.ts';
import type { RulesHost } from './rules/host/rules-host-api.ts';
import type { SourceSet } from './source-set.ts';
import type { LearnedBook } from './sources/learned.ts';
import type { SupervisedSource } from './sources/supervisor.ts';
import type { SpoolKeys } from './spool/encryption/open-keys.ts';
import type { Spool } from './spool/spool.ts';
import type { SiteClock } from './time/site-clock.ts';
import type { EdgeUplink } from './uplink/edge-uplink.ts';
import type { Forwarder } from './uplink/forwarder/forwarder-api.ts';
import type { Windows } from './windows/windows-api.ts';

/** The parts that reports read, and what reports need to run. */
export interface ReportParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Shows what was counted, and `samples`; undefined where nobody may look. */
  readonly metricsText?: ((samples: readonly Sample[]) => Promise<string>) | undefined;
  /** Opens the status to others than the gateway itself. */
  readonly statusToken?: string | undefined;
  /** The last lines of the log. */
  readonly recentLog?: (() => readonly LogEntry[]) | undefined;
  /** Where secrets may come from, which no bundle may hold. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  readonly keys: SpoolKeys;
  readonly activeConfig: ActiveConfig;
  readonly sources: Pick<SourceSet<never, SupervisedSource>, 'running' | 'failed'>;
  readonly siteClock: SiteClock;
  readonly spool: Spool;
  readonly windows: Windows;
  readonly delayed: DelayedStart;
  readonly starts: StartJournal;
  readonly uplink: EdgeUplink;
  readonly forwarder: Forwarder;
  readonly jobs: BackfillJobs;
  readonly learned: LearnedBook;
  readonly rules: Pick<RulesHost, 'status'>;
  readonly write: WriteMethod;
}
