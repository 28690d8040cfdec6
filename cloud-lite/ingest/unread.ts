// Events that the hub's retention removed before they were read, because the detector was down for longer than the hub
// keeps them. In streams that go on, the data in them lies between what was read before and after: a gap, which is
// requested. Streams that began or ended in them show no gap: health/unread.ts reports those.
import type { Database, Session } from '../database/database.ts';
import { raiseAlerts } from '../health/alerts.ts';
import { beforeFirst, type LockedCheckpoint, lockCheckpoint, skipTo } from './checkpoint.ts';
import type { PartitionFacts } from './event-hub-client.ts';
import type { PartitionRef, ReceivedEvent } from './event-source.ts';

/** How many events there were between the last that was taken and the first that is still there. */
export function unreadBetween(after: LockedCheckpoint, first: Pick<ReceivedEvent, 'sequenceNumber'>): number {
  // Of what was removed before anything was read nobody has waited for anything.
  return after.sequenceNumber === beforeFirst ? 0 : first.sequenceNumber - after.sequenceNumber - 1;
}

/** The partition holds nothing, and had more than was `taken`: none of that will come, so it is told now, once. */
export function noteEmptied(
  database: Database,
  partition: PartitionRef,
  taken: number,
  { newest, newestAt }: PartitionFacts,
  now: number,
): Promise<void> {
  return database.transaction(async (session) => {
    const after = await lockCheckpoint(session, partition);
    // Somebody has taken events of it, or told of this, meanwhile; or nobody has waited for anything.
    if (after.sequenceNumber !== taken || taken === beforeFirst) return;
    // The hub's time of what is gone is as good as its other ones: it lies before now.
    const next = {
      sequenceNumber: newest + 1,
      enqueuedAt: Math.max(Math.min(newestAt, now), after.enqueuedAt),
    };
    await noteUnread(session, partition, after, next, now);
    await skipTo(session, partition, newest, next.enqueuedAt);
  });
}

export async function noteUnread(
  session: Session,
  { hub, consumerGroup, partitionId }: PartitionRef,
  after: LockedCheckpoint,
  first: Pick<ReceivedEvent, 'sequenceNumber' | 'enqueuedAt'>,
  now: number,
): Promise<void> {
  const events = unreadBetween(after, first);
  if (events <= 0) return;
  await session.query(
    `insert into unread_hole (hub, consumer_group, partition_id, first_sequence, last_sequence, from_at, to_at, found_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [
      hub,
      consumerGroup,
      partitionId,
      after.sequenceNumber + 1,
      first.sequenceNumber - 1,
      after.enqueuedAt,
      first.enqueuedAt,
      now,
    ],
  );
  const [from, to] = [after.enqueuedAt, first.enqueuedAt].map((at) => new Date(at).toISOString());
  await raiseAlerts(
    session,
    [
      {
        kind: 'events-lost',
        message: `the hub removed ${events} events of partition ${partitionId}, from ${from} to ${to}, before they were read: of streams that went on, what they carried is missing and asked for; of those that began or ended then it is not known`,
      },
    ],
    now,
  );
}
