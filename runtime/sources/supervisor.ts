import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import type { Random } from '../../kernel/random.ts';
import type { Source, SourceSink } from './source.ts';

export interface SupervisorOptions {
  readonly name: string;
  readonly source: Source;
  readonly sink: SourceSink;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  /** First and longest wait between sessions. Default 1 s and 30 s. */
  readonly backoff?: { readonly minMs: number; readonly maxMs: number };
  /** How long a session may take to stop before it is abandoned. Default 2 s. */
  readonly stopLimitMs?: number;
}

/** All times are wall clock, epoch ms. */
export interface SourceState {
  readonly phase: 'connecting' | 'connected' | 'backoff' | 'stopped';
  /** Since when in this phase. */
  readonly since: number;
  readonly lastError?: { readonly code: string; readonly message: string; readonly at: number };
  readonly lastEventAt?: number;
  /** Counts since `superviseSource`. */
  readonly sessions: number;
  readonly readings: number;
  readonly breaks: number;
  /** Sessions that did not stop when told to, and were left behind. */
  readonly abandoned: number;
}

export interface SupervisedSource {
  readonly name: string;
  readonly source: Source;
  start(): void;
  /** Prompt: bounded by `stopLimitMs`. Idempotent. */
  stop(): Promise<void>;
  state(): SourceState;
}

export function superviseSource(_options: SupervisorOptions): SupervisedSource {
  throw new Error('not built yet');
}
