// Where each partition has been read to. Written in the transaction that writes the ledger: after a crash
// both are there or neither, so nothing is counted twice and nothing is missed.
import type { Session } from '../database/database.ts';
import { expectSchema, schemaColumn } from '../database/schema.ts';
import type { PartitionRef, SoundEvent } from './event-source.ts';

/** Before the first event of a partition. */
export const beforeFirst = -1;

export interface Checkpoint {
  readonly partitionId: string;
  /** Sequence number of the last event taken; `beforeFirst` when none was. */
  readonly sequenceNumber: number;
  /** The offset before the last event taken: reading from there gives that event again, which shows whether the hub is the same. Empty where that is not known. */
  readonly againOffset: string;
  /** The hub's time of that event, epoch ms. */
  readonly enqueuedAt: number;
  /** As `LockedCheckpoint`. */
  readonly leaptFrom: readonly number[];
}

export function listCheckpoints(
  session: Session,
  hub: string,
  consumerGroup: string,
): Promise<readonly Checkpoint[]> {
  return session.query<Checkpoint>(
    `select partition_id as "partitionId", sequence_number as "sequenceNumber", again_offset as "againOffset",
            enqueued_at as "enqueuedAt", to_jsonb(leapt_from) as "leaptFrom"
       from checkpoint where hub = $1 and consumer_group = $2`,
    [hub, consumerGroup],
  );
}

/** The last event taken. */
export interface LockedCheckpoint {
  readonly sequenceNumber: number;
  readonly enqueuedAt: number;
  /**
   * The numbers from which one event alone leapt to the next of them, and to `sequenceNumber` at last, and which no other has
   * borne out yet: each may have removed events behind it, or leap to a wrong number.
   */
  readonly leaptFrom: readonly number[];
  /** The time that the hub states of that event, whatever it is; 0 where it states none. */
  readonly stamp: number;
}

/**
 * Locks the partition's row until the transaction ends. The lock makes two instances that both believe to own the
 * partition take turns. @throws as `expectSchema`.
 */
export async function lockCheckpoint(session: Session, partition: PartitionRef): Promise<LockedCheckpoint> {
  const key = [partition.hub, partition.consumerGroup, partition.partitionId];
  await session.query(
    `insert into checkpoint (hub, consumer_group, partition_id, sequence_number, event_offset, enqueued_at,
                             events, updated_at)
     values ($1, $2, $3, $4, '', 0, 0, 0) on conflict do nothing`,
    [...key, beforeFirst],
  );
  // The version of the schema first: of another one, the rest of the statement may not fit.
  const [known] = await session.query<{ schema: number }>(`select ${schemaColumn}`);
  expectSchema(known!.schema);
  const [row] = await session.query<LockedCheckpoint>(
    `select sequence_number as "sequenceNumber", enqueued_at as "enqueuedAt", to_jsonb(leapt_from) as "leaptFrom",
            stamp
       from checkpoint
      where hub = $1 and consumer_group = $2 and partition_id = $3 for update`,
    key,
  );
  return row!;
}

/** @param events those that were taken now, one or more. Fields that are not known leave the stored ones unchanged. */
export async function advanceCheckpoint(
  session: Session,
  partition: PartitionRef,
  after: LockedCheckpoint,
  events: readonly SoundEvent[],
  now: number,
): Promise<void> {
  const last = events[events.length - 1]!;
  const offsets = events.map(({ offset }) => offset);
  await session.query(
    `update checkpoint set sequence_number = $4, event_offset = coalesce($5, event_offset),
                           again_offset = coalesce($6, case when $9::int4 = 1 then event_offset end, again_offset),
                           enqueued_at = coalesce($7, enqueued_at), events = events + $9::int4, updated_at = $8,
                           leapt_from = $10::int8[], stamp = $11
      where hub = $1 and consumer_group = $2 and partition_id = $3`,
    [
      partition.hub,
      partition.consumerGroup,
      partition.partitionId,
      last.sequenceNumber,
      offsets.findLast(isSaid) ?? null,
      offsets.slice(0, -1).findLast(isSaid) ?? null,
      events.findLast(({ enqueuedAt }) => enqueuedAt > 0)?.enqueuedAt ?? null,
      now,
      events.length,
      leapsAfter(after, events),
      stampOf(last),
    ],
  );
}

/** How many leaps are kept; of more, the first one and the last ones. */
const maxLeaps = 64;

/** A leap is borne out by the event behind it, so only that of one event alone is not. */
function leapsAfter(
  { sequenceNumber, leaptFrom }: LockedCheckpoint,
  events: readonly SoundEvent[],
): readonly number[] {
  const [first, ...more] = events;
  if (more.length > 0 || first!.sequenceNumber === sequenceNumber + 1) return [];
  const [oldest, ...later] = [...leaptFrom, sequenceNumber];
  return [oldest!, ...later.slice(1 - maxLeaps)];
}

/** What the hub states; 0 for nothing. */
export const stampOf = ({ enqueuedAt, statedAt }: SoundEvent) => statedAt ?? enqueuedAt;

/** Puts the checkpoint back to before a leap that was none. */
export async function takeBack(
  session: Session,
  { hub, consumerGroup, partitionId }: PartitionRef,
  { sequenceNumber, leaptFrom }: Pick<LockedCheckpoint, 'sequenceNumber' | 'leaptFrom'>,
): Promise<void> {
  await session.query(
    `update checkpoint set sequence_number = $4, stamp = 0, leapt_from = $5::int8[]
      where hub = $1 and consumer_group = $2 and partition_id = $3`,
    [hub, consumerGroup, partitionId, sequenceNumber, leaptFrom],
  );
}

const isSaid = (offset: string) => offset !== '';

/** The events in between are gone: the next one comes after `sequenceNumber`. */
export async function skipTo(
  session: Session,
  { hub, consumerGroup, partitionId }: PartitionRef,
  sequenceNumber: number,
  enqueuedAt: number,
): Promise<void> {
  await session.query(
    `update checkpoint set sequence_number = $4, enqueued_at = $5, stamp = 0, leapt_from = '{}'
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
