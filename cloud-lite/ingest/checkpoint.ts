// Where each partition has been read to. Written in the transaction that writes the ledger: after a crash
// both are there or neither, so nothing is counted twice and nothing is missed.
import type { Session } from '../database/database.ts';
import type { PartitionRef, ReceivedEvent } from './event-source.ts';

/** Before the first event of a partition. */
export const beforeFirst = -1;

export interface Checkpoint {
  readonly partitionId: string;
  /** Of the last event taken; `beforeFirst` when none was. */
  readonly sequenceNumber: number;
  readonly offset: string;
  /** The hub's time of that event, epoch ms. */
  readonly enqueuedAt: number;
}

export function listCheckpoints(
  session: Session,
  hub: string,
  consumerGroup: string,
): Promise<readonly Checkpoint[]> {
  return session.query<Checkpoint>(
    `select partition_id as "partitionId", sequence_number as "sequenceNumber", event_offset as "offset",
            enqueued_at as "enqueuedAt"
       from checkpoint where hub = $1 and consumer_group = $2`,
    [hub, consumerGroup],
  );
}

/** The last event taken. */
export interface LockedCheckpoint {
  readonly sequenceNumber: number;
  readonly enqueuedAt: number;
}

/**
 * Locks the partition's row until the transaction ends. The lock makes two instances that both believe to own the
 * partition take turns.
 */
export async function lockCheckpoint(session: Session, partition: PartitionRef): Promise<LockedCheckpoint> {
  const key = [partition.hub, partition.consumerGroup, partition.partitionId];
  await session.query(
    `insert into checkpoint (hub, consumer_group, partition_id, sequence_number, event_offset, enqueued_at,
                             events, updated_at)
     values ($1, $2, $3, $4, '', 0, 0, 0) on conflict do nothing`,
    [...key, beforeFirst],
  );
  const [row] = await session.query<LockedCheckpoint>(
    `select sequence_number as "sequenceNumber", enqueued_at as "enqueuedAt" from checkpoint
      where hub = $1 and consumer_group = $2 and partition_id = $3 for update`,
    key,
  );
  return row!;
}

export async function advanceCheckpoint(
  session: Session,
  partition: PartitionRef,
  last: ReceivedEvent,
  events: number,
  now: number,
): Promise<void> {
  await session.query(
    `update checkpoint set sequence_number = $4, event_offset = $5, enqueued_at = $6, events = events + $7,
                           updated_at = $8
      where hub = $1 and consumer_group = $2 and partition_id = $3`,
    [
      partition.hub,
      partition.consumerGroup,
      partition.partitionId,
      last.sequenceNumber,
      last.offset,
      last.enqueuedAt,
      events,
      now,
    ],
  );
}

/** What lies between is gone: the next event is behind `sequenceNumber`. */
export async function skipTo(
  session: Session,
  { hub, consumerGroup, partitionId }: PartitionRef,
  sequenceNumber: number,
  enqueuedAt: number,
): Promise<void> {
  await session.query(
    `update checkpoint set sequence_number = $4, enqueued_at = $5
      where hub = $1 and consumer_group = $2 and partition_id = $3`,
    [hub, consumerGroup, partitionId, sequenceNumber, enqueuedAt],
  );
}

/** The partition held nothing that was not taken, at `at`. */
export async function markRead(session: Session, partition: PartitionRef, at: number): Promise<void> {
  await session.query(
    `insert into checkpoint as c (hub, consumer_group, partition_id, sequence_number, event_offset, enqueued_at,
                                  events, updated_at, idle_at)
     values ($1, $2, $3, $4, '', 0, 0, 0, $5)
     on conflict (hub, consumer_group, partition_id) do update set idle_at = greatest(c.idle_at, excluded.idle_at)`,
    [partition.hub, partition.consumerGroup, partition.partitionId, beforeFirst, at],
  );
}
