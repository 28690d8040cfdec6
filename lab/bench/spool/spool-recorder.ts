// Holdfast as it runs at a site: windows, journal, spool, a sender whose hub answers at once, retention.
import type { Clock } from '../../../kernel/clock.ts';
import { type Log, silentLog } from '../../../kernel/log.ts';
import { type Metrics, noMetrics } from '../../../kernel/metrics.ts';
import type { SourceSink } from '../../../runtime/sources/source.ts';
import { openSpool, type Spool, type SpoolOptions } from '../../../runtime/spool/spool.ts';
import { createWindows } from '../../../runtime/windows/windows.ts';
import type { WindowLimits, Windows } from '../../../runtime/windows/windows-api.ts';
import type { Recorder } from './recorder.ts';

export interface SpoolRecorderOptions {
  readonly folder: string;
  readonly clock: Clock;
  readonly streams: number;
  readonly limits?: WindowLimits;
  readonly retention?: SpoolOptions['retention'];
  /** As at a site, gzip. Off where data is made to be stored fast. */
  readonly gzip?: boolean;
  /** Acknowledge everything at once. Otherwise it waits. */
  readonly acknowledge: boolean;
}

export interface SpoolRecorder extends Recorder {
  readonly spool: Spool;
  readonly windows: Windows;
  /** Resolves when everything kept so far is on the disk. */
  durable(): Promise<void>;
}

// Nothing in these benches gives reason to complain: whatever does makes the figures worthless.
const complaining: Log = {
  ...silentLog,
  warn: complain,
  error: complain,
  child: () => complaining,
};

function complain(fields: object, message: string): void {
  console.error(message, fields);
  process.exit(1);
}

export async function keepInSpool(options: SpoolRecorderOptions): Promise<SpoolRecorder> {
  const { clock, folder } = options;
  const metrics = new CommitTimes();
  const spool = await openSpool({
    folder,
    clock,
    log: complaining,
    metrics,
    encode: { schema: 'columns/1', gzip: options.gzip ?? true },
    ...(options.retention === undefined ? {} : { retention: options.retention }),
  });
  let commits = 0;
  let committing: Promise<unknown> = Promise.resolve();
  const windows = createWindows({
    store: {
      openStream: (batchId, index) => spool.openStream(batchId, index),
      commitWindows(changes) {
        const done = spool.commitWindows(changes);
        committing = done;
        commits++;
        return done;
      },
    },
    clock,
    log: complaining,
    metrics: noMetrics,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  const sinks: SourceSink[] = [];
  for (let n = 0; n < options.streams; n++) {
    sinks.push(windows.openStream({ batchId: `line${n}`, index: 'time', pace: 'own' }));
  }
  const begun = new Set<number>();
  const sender = options.acknowledge ? acknowledgeAll(spool) : undefined;
  return {
    spool,
    windows,
    keep(stream, readings, until) {
      const sink = sinks[stream]!;
      if (!begun.has(stream)) {
        begun.add(stream);
        sink.emit({ kind: 'resumed', at: readings[0]!.index });
      }
      sink.emit({ kind: 'readings', readings });
      sink.emit({ kind: 'observed', until });
    },
    durable: async () => {
      await Promise.all(sinks.map((sink) => sink.durable()));
    },
    async settled() {
      await committing;
      await sender?.settled();
    },
    commits: () => commits,
    counts: () => ({ acknowledged: sender?.acknowledged() ?? 0, commitMs: metrics.meanMs() }),
    async stop() {
      await windows.closeAll();
      await sender?.stop();
      await spool.close();
    },
  };
}

function acknowledgeAll(spool: Spool) {
  let acknowledged = 0;
  let running: Promise<void> | undefined;
  let again = false;
  const work = async () => {
    while (again) {
      again = false;
      for (;;) {
        const entries = await spool.take('live', { messages: 64, bytes: 8 * 2 ** 20 });
        if (entries.length === 0) break;
        await spool.acknowledge(entries);
        acknowledged += entries.length;
      }
    }
    running = undefined;
  };
  const stop = spool.onWork(() => {
    again = true;
    running ??= work();
  });
  return {
    acknowledged: () => acknowledged,
    settled: () => running,
    async stop() {
      await running;
      stop();
    },
  };
}

class CommitTimes implements Metrics {
  #batches = 0;
  #seconds = 0;
  count(): void {}
  gauge(): void {}
  observe(name: string, seconds: number): void {
    if (name !== 'holdfast_spool_commit_seconds') return;
    this.#batches++;
    this.#seconds += seconds;
  }
  meanMs(): number {
    return this.#batches === 0 ? 0 : (this.#seconds / this.#batches) * 1000;
  }
}
