// The port to the event stream.

/** Names one partition of one hub as one consumer group reads it. */
export interface PartitionRef {
  readonly hub: string;
  readonly consumerGroup: string;
  readonly partitionId: string;
}

/** One event, without its body: the ledger does not need it. */
export interface ReceivedEvent {
  /** Grows by one from event to event of a partition. */
  readonly sequenceNumber: number;
  readonly offset: string;
  /** UTC epoch ms. */
  readonly enqueuedAt: number;
  /** Application properties as the message carried them. */
  readonly properties: Readonly<Record<string, unknown>>;
  /** What the hub itself says about the message (its annotations), by name. */
  readonly annotations: Readonly<Record<string, unknown>>;
  readonly messageId?: unknown;
  readonly contentType?: unknown;
  readonly contentEncoding?: unknown;
}

/** An event that has been checked (sound-event.ts): its fields are well-formed. */
export interface SoundEvent extends ReceivedEvent {
  /** Why it cannot be taken: it is set aside and counted. Its sequence number is known all the same. */
  readonly problem?: string;
  /** What the hub states, where `enqueuedAt` is not that, but the nearest time that can be (stamps.ts). UTC epoch ms. */
  readonly statedAt?: number;
}

/**
 * Takes the next events of a partition, in order. Resolves once they are in the ledger and the checkpoint
 * says so. Rejects only when the session is over: what follows must not be given then.
 * @param after the sequence number behind which the session reads: nothing that the partition still holds lies between it
 * and the first of `events`; whatever lies before it, the session does not bring.
 */
export type TakeEvents = (
  partition: PartitionRef,
  events: readonly SoundEvent[],
  after: number,
) => Promise<void>;

export interface EventSource {
  /**
   * One session: reads all partitions that fall to this instance, each from its checkpoint on, in order,
   * one batch at a time. Events may come again, never with a hole between them. Resolves after an abort;
   * rejects when the session is broken and another should be tried.
   */
  run(take: TakeEvents, signal: AbortSignal): Promise<void>;
}
