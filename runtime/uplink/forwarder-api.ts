// What the forwarder offers, and what it is given.
import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import type { Random } from '../../kernel/random.ts';
import type { ForwarderLimits } from './forwarder-limits.ts';
import type { PauseReason } from './forwarder-pause.ts';
import type { LaneName, Lanes } from './lanes.ts';
import type { DayUse } from './rate-caps.ts';
import type { Uplink } from './uplink.ts';

export interface ForwarderOptions {
  readonly uplink: Pick<Uplink, 'state' | 'onState' | 'send'>;
  readonly lanes: Lanes;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits?: Partial<ForwarderLimits>;
  /** What was used of this day's messages before a restart. */
  readonly dayUse?: DayUse;
  readonly log: Log;
  readonly metrics: Metrics;
}

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
  /** Takes nothing more, waits at most `drainMs` (1 s) for what is in flight, releases the rest. */
  stop(drainMs?: number): Promise<void>;
}
