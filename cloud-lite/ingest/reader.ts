// Keeps a session with the event stream going, for ever: the ingest's supervisor.
import { type Backoff, createBackoff } from '../../kernel/backoff.ts';
import { type Clock, sleep } from '../../kernel/clock.ts';
import { describeError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import type { Random } from '../../kernel/random.ts';
import { tellableTrouble } from '../health/trouble.ts';
import type { EventSource, PartitionRef, SoundEvent } from './event-source.ts';
import { type Ingestor, isPositionLost } from './ingestor.ts';

export interface ReaderOptions {
  readonly source: EventSource;
  readonly ingestor: Ingestor;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface ReaderState {
  readonly running: boolean;
  /** Why the last session ended or the last batch failed, while that is not over. Names no host. */
  readonly trouble?: string;
  /** UTC epoch ms of the newest event taken, by the hub's clock. */
  readonly newestEventAt?: number;
}

export interface Reader {
  /** Resolves after an abort of the signal, with nothing in flight. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
  state(): ReaderState;
}

/** A session that lasted this long was a good one: the next wait is short again. */
const goodSessionMs = 60_000;

export function createReader(options: ReaderOptions): Reader {
  const { source, clock, random, log, metrics } = options;
  const state: { running: boolean; trouble?: string | undefined; newestEventAt?: number } = {
    running: false,
  };

  const take = async (
    partition: PartitionRef,
    events: readonly SoundEvent[],
    after: number,
    signal: AbortSignal,
  ) => {
    const backoff = createBackoff({ minMs: 500, maxMs: 30_000 }, random);
    // No way out but success or the end of the session: going on would leave a hole.
    for (;;) {
      signal.throwIfAborted();
      try {
        await options.ingestor.ingest(partition, events, after);
        state.trouble = undefined;
        const newest = Math.min(events[events.length - 1]?.enqueuedAt ?? 0, clock.now());
        state.newestEventAt = Math.max(state.newestEventAt ?? 0, newest);
        return;
      } catch (error) {
        state.trouble = tellableTrouble(error);
        if (isPositionLost(error)) throw error;
        metrics.count('holdfast_ingest_failures_total');
        log.error(
          { code: 'batch-not-written', partition: partition.partitionId, err: describeError(error) },
          'a batch could not be written; trying again',
        );
        await sleep(clock, backoff.next(), signal);
      }
    }
  };

  const session = async (signal: AbortSignal, backoff: Backoff) => {
    const startedAt = clock.monotonic();
    try {
      await source.run((partition, events, after) => take(partition, events, after, signal), signal);
    } catch (error) {
      if (signal.aborted) return;
      state.trouble = tellableTrouble(error);
      metrics.count('holdfast_ingest_sessions_lost_total');
      if (clock.monotonic() - startedAt > goodSessionMs) backoff.reset();
      const delayMs = backoff.next();
      log.warn(
        { code: 'event-hub-trouble', err: describeError(error), retryInMs: Math.round(delayMs) },
        'the connection to the event hub was lost',
      );
      await sleep(clock, delayMs, signal).catch(() => {});
    }
  };

  return {
    async run(signal) {
      const backoff = createBackoff({ minMs: 1000, maxMs: 30_000 }, random);
      state.running = true;
      while (!signal.aborted) await session(signal, backoff);
      state.running = false;
    },
    state: () => ({
      running: state.running,
      ...(state.trouble === undefined ? {} : { trouble: state.trouble }),
      ...(state.newestEventAt === undefined ? {} : { newestEventAt: state.newestEventAt }),
    }),
  };
}
