// The port from the forwarder to the spool: three queues of encoded messages.
import type { WireMessage } from '../../wire/mini-batch.ts';

/**
 * `live`: windows as they close. `backlog`: what waited through an outage or a restart.
 * `backfill`: answers to backfill requests.
 */
export type LaneName = 'live' | 'backlog' | 'backfill';
export const laneNames: readonly LaneName[] = ['live', 'backlog', 'backfill'];

export interface Outgoing {
  /** Unique in the spool; grows in the order of queueing within a lane. */
  readonly id: number;
  readonly lane: LaneName;
  /** The whole message: body and properties. */
  readonly bytes: number;
  readonly message: WireMessage;
}

export interface LaneDepth {
  readonly messages: number;
  readonly bytes: number;
  /** Wall clock, epoch ms, when the oldest entry was queued. */
  readonly oldestAt?: number;
}

export interface Lanes {
  /**
   * The next entries of a lane that are not taken yet, in order, at most `messages` and (beyond the first)
   * `bytes`. They count as taken until acknowledged or released. After a restart nothing is taken.
   */
  take(lane: LaneName, limit: { messages: number; bytes: number }): Promise<readonly Outgoing[]>;
  /** The hub has them: they leave the lane, in any order, and stay as archive. */
  acknowledge(entries: readonly Outgoing[]): Promise<void>;
  /** They were not sent: they can be taken again, before any that were queued after them. */
  release(entries: readonly Outgoing[]): void;
  /** The hub refuses this message for good: it leaves the lane and is kept aside, counted, with the reason. */
  reject(entry: Outgoing, reason: string): Promise<void>;
  /** Everything now in `live` that is not taken becomes `backlog`: called when an outage ends. */
  demoteLive(): void;
  depth(lane: LaneName): LaneDepth;
  /** Calls `listener` when a lane may have gained entries. Returns the way to stop that. */
  onWork(listener: () => void): () => void;
}
