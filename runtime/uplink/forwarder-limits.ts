// The bounds of what the forwarder sends.
import type { PauseLimits } from './forwarder-pause.ts';
import { defaultShares, type Shares } from './lane-choice.ts';

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
