import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import type { Random } from '../../kernel/random.ts';
import type { LaneName, Lanes } from './lanes.ts';
import type { Uplink } from './uplink.ts';

export interface ForwarderLimits {
  /** Messages and bytes that may be sent and not yet acknowledged. */
  readonly inFlightMessages: number;
  readonly inFlightBytes: number;
  /** Caps; 0 is none. The day is UTC's. */
  readonly messagesPerSecond: number;
  readonly bytesPerSecond: number;
  readonly messagesPerDay: number;
  /** Part of `messagesPerDay` that only live data may use, 0 to 1. */
  readonly liveReserve: number;
  /** Live data older than this is demoted to backlog, so that what is new goes first. */
  readonly liveMaxAgeMs: number;
}

export interface ForwarderOptions {
  readonly uplink: Uplink;
  readonly lanes: Lanes;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits?: Partial<ForwarderLimits>;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface ForwarderState {
  readonly inFlight: { readonly messages: number; readonly bytes: number };
  readonly sent: Readonly<Record<LaneName, number>>;
  readonly failed: number;
  readonly rejected: number;
  /** Why nothing is sent right now, if so: 'disconnected', 'throttled', 'rate', 'daily-cap'. */
  readonly waitingFor?: string;
}

export interface Forwarder {
  start(): void;
  state(): ForwarderState;
  /** Takes nothing more, waits for what is in flight at most `drainMs`, releases the rest. */
  stop(drainMs?: number): Promise<void>;
}

export function createForwarder(_options: ForwarderOptions): Forwarder {
  throw new Error('not there yet');
}
