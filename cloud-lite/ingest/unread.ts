// Events that the hub's retention removed before they were read: the detector was down for longer than the hub keeps
// them. What they carried of streams that go on lies between what was read before and after, so it is missing there, and
// asked for. Of streams that began or ended in them nothing shows it: health/unread.ts tells of those.
import type { Session } from '../database/database.ts';
import { raiseAlerts } from '../health/alerts.ts';
import { beforeFirst, type LockedCheckpoint } from './checkpoint.ts';
import type { PartitionRef, ReceivedEvent } from './event-source.ts';

/** How many events there were between the last that was taken and the first that is still there. */
export function unreadBetween(after: LockedCheckpoint, first: ReceivedEvent): number {
  // Of what was removed before anything was read nobody has waited for anything.
  return after.sequenceNumber === beforeFirst ? 0 : first.sequenceNumber - after.sequenceNumber - 1;
}

export async function noteUnread(
  session: Session,
  { hub, consumerGroup, partitionId }: PartitionRef,
  after: LockedCheckpoint,
  first: ReceivedEvent,
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
