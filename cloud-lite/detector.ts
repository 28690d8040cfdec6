// What the detector is made of, and the order in which it starts and stops.
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { Metrics } from '../kernel/metrics.ts';
import type { Random } from '../kernel/random.ts';
import type { Database } from './database/database.ts';
import { migrate } from './database/migrate.ts';
import { readTwins, type TwinReaderOptions } from './gateways/twin-reader.ts';
import { tellAlerts } from './health/delivery.ts';
import { createMonitor } from './health/monitor.ts';
import { askQuietModules } from './health/quiet.ts';
import type { EventSource } from './ingest/event-source.ts';
import { createIngestor } from './ingest/ingestor.ts';
import type { Bounds } from './ingest/plausible.ts';
import { createReader, type ReaderState } from './ingest/reader.ts';
import type { RepairLimits } from './repair/decide.ts';
import type { HubMethods } from './repair/hub-methods.ts';
import { createRepairer, type RepairerState } from './repair/repairer.ts';

export interface DetectorOptions {
  readonly database: Database;
  readonly source: EventSource;
  readonly methods: HubMethods;
  /** How the twins of gateways are read; without it they are not. */
  readonly twins?: Pick<TwinReaderOptions, 'hub' | 'moduleId' | 'intervalMs' | 'pauseMs'>;
  readonly limits: RepairLimits;
  readonly plausible: Bounds;
  readonly sweepIntervalMs: number;
  /** See monitor.ts, and delivery.ts. */
  readonly silenceMs: number;
  /** A gap that is open, or a device that cannot be called, for so many ms is told of. */
  readonly lastsMs: number;
  readonly historyMs: number;
  readonly webhookUrl?: string | undefined;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface DetectorState {
  readonly ingest: ReaderState;
  readonly repair: RepairerState;
}

export interface Detector {
  /** Brings the schema up to date, then starts ingest and repair. Rejects when the database cannot be used. */
  start(): Promise<void>;
  state(): DetectorState;
  /** Has repair look now rather than at its next interval. */
  wake(): void;
  /** Ingest first, so that nothing new begins; then repair and the monitor. What is in flight is finished or given back. */
  stop(): Promise<void>;
}

export function createDetector(options: DetectorOptions): Detector {
  const { database, clock, random, log, metrics } = options;
  const repairer = createRepairer({ ...options, log: log.child({ part: 'repair' }) });
  const monitor = createMonitor({
    ...options,
    longestMs: options.limits.expiryMs,
    log: log.child({ part: 'monitor' }),
  });
  const ingestLog = log.child({ part: 'ingest' });
  const ingestor = createIngestor({
    database,
    clock,
    metrics,
    log: ingestLog,
    plausible: options.plausible,
    onBackfill: () => repairer.wake(),
  });
  const reader = createReader({ source: options.source, ingestor, clock, random, metrics, log: ingestLog });
  const reading = new AbortController();
  const repairing = new AbortController();
  let running: readonly [reader: Promise<void>, rest: Promise<unknown>] | undefined;

  return {
    async start() {
      await migrate(database);
      const { signal } = repairing;
      const telling = tellAlerts({ ...options, log: log.child({ part: 'alerts' }) }, signal);
      const asking = askQuietModules({ ...options, log: log.child({ part: 'monitor' }) }, signal);
      const { twins } = options;
      const gateways =
        twins && readTwins({ ...options, ...twins, log: log.child({ part: 'gateways' }) }, signal);
      const rest = Promise.all([repairer.run(signal), monitor.run(signal), telling, asking, gateways]);
      running = [reader.run(reading.signal), rest];
    },
    state: () => ({ ingest: reader.state(), repair: repairer.state() }),
    wake: () => repairer.wake(),
    async stop() {
      reading.abort(new Error('stopping'));
      await running?.[0];
      repairing.abort(new Error('stopping'));
      await running?.[1];
    },
  };
}
