// The interface of the forwarder, and the options that it takes.
import type { Clock } from '../../../kernel/clock.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Metrics } from '../../../kernel/metrics.ts';
import type { Random } from '../../../kernel/random.ts';
import type { LaneName, Lanes } from '../lanes.ts';
import type { Uplink } from '../uplink.ts';
import { defaultShares, type Shares } from './lane-choice.ts';
import type { DayUse, PauseLimits, PauseReason } from './pace.ts';

export interface ForwarderOptions {
  readonly uplink: Pick<Uplink, 'state' | 'onState' | 'send'>;
  readonly lanes: Lanes;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits?: Partial<ForwarderLimits>;
  /** The number of messages sent today before a restart. */
  readonly dayUse?: DayUse;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** The bounds of what is sent. */
export interface ForwarderLimits extends PauseLimits {
  /** Messages and bytes that may be sent and not yet acknowledged. */
  readonly inFlightMessages: number;
  readonly inFlightBytes: number;
  /** Caps; 0 is none. Messages a day are counted in 4 KB units, as IoT Hub meters them; the day is UTC's. */
  readonly messagesPerSecond: number;
  readonly bytesPerSecond: number;
  readonly messagesPerDay: number;
  /** Part of `messagesPerDay` that only live data may use, 0 to 1. */
  readonly liveReserve: number;
  /** Live data that has waited longer becomes backlog, so that what is new goes first. */
  readonly liveMaxAgeMs: number;
  /** Part of the bytes that backlog and backfill get at least. */
  readonly shares: Shares;
}

export const defaultForwarderLimits: ForwarderLimits = {
  inFlightMessages: 64,
  inFlightBytes: 8 * 1024 * 1024,
  messagesPerSecond: 0,
  bytesPerSecond: 0,
  messagesPerDay: 0,
  liveReserve: 0.5,
  liveMaxAgeMs: 15_000,
  shares: defaultShares,
  backoffMinMs: 500,
  backoffMaxMs: 8_000,
  quotaBackoffMaxMs: 60_000,
};

export type WaitReason = 'disconnected' | PauseReason | 'rate' | 'daily-cap';

export interface ForwarderState {
  readonly inFlight: { readonly messages: number; readonly bytes: number };
  /** Acknowledged by the hub since the start. */
  readonly sent: Readonly<Record<LaneName, number>>;
  /** Bytes of live and backlog among them: what was sent for the first time. */
  readonly sentBytes: number;
  /** Sends that failed and are tried again. */
  readonly failed: number;
  /** Messages that the hub refused for good. */
  readonly rejected: number;
  /** Why nothing (or not every lane) is sent right now. */
  readonly waitingFor?: WaitReason;
  /** To hand to the next start as `dayUse`. */
  readonly dayUse: DayUse;
}

export interface Forwarder {
  start(): void;
  state(): ForwarderState;
  /** From now on; those not named are the defaults. What is in flight stays, and the day's use goes on counting. */
  setLimits(limits: Partial<ForwarderLimits>): void;
  /** Takes nothing more, waits at most `drainMs` (1 s) for what is in flight, releases the rest. */
  stop(drainMs?: number): Promise<void>;
}
