// What the hub states of an event beside its content: number and time. A wrong one must cost no message, and must not be
// believed for ever: a number far ahead would make all later events count as read, a time far ahead would make a partition
// count as read, and a stream as heard, until then.
//
// A number to which one event leaps alone may be right, as retention removes events: it is believed until an event comes
// that lies before it. A time counts no further than now, and no earlier than what came before it in the partition; far
// beyond, it is no time of the message either, and is told once a day. Within two days it is our clock that may be wrong:
// windows are then judged by what the hub states.
import type { Session } from '../database/database.ts';
import { raiseAlerts } from '../health/alerts.ts';
import { beforeFirst, type LockedCheckpoint, stampOf, takeBack } from './checkpoint.ts';
import type { PartitionRef, SoundEvent } from './event-source.ts';

/** The hub's clock and ours differ by less. */
const aheadMs = 300_000;
/** A clock of ours that nobody looks after differs by less. */
const farAheadMs = 2 * 86_400_000;
/** Times of a partition's events go back by less, as where the hub moves it to another machine. */
const backMs = 3_600_000;
const tellAgainMs = 86_400_000;

/** The same events, each with a time that can be. */
export function withinTime(
  after: LockedCheckpoint,
  events: readonly SoundEvent[],
  now: number,
): readonly SoundEvent[] {
  let latest = Math.min(after.enqueuedAt, now);
  return events.map((event) => {
    const { enqueuedAt: statedAt } = event;
    if (statedAt <= 0) return event;
    if (statedAt < latest - backMs) return { ...event, enqueuedAt: latest, statedAt };
    if (statedAt <= now + farAheadMs) latest = Math.max(latest, Math.min(statedAt, now));
    if (statedAt <= now) return event;
    // Whatever it is, the event came behind the one before it; how long, nobody knows.
    const isFar = statedAt > now + farAheadMs && latest > 0;
    return { ...event, enqueuedAt: isFar ? latest : Math.max(now, 1), statedAt };
  });
}

/** By which time of the hub's the event's windows are judged. */
export function judgedAt({ enqueuedAt, statedAt }: SoundEvent): number {
  const isNear = statedAt !== undefined && statedAt > enqueuedAt && statedAt <= enqueuedAt + farAheadMs;
  return isNear ? statedAt : enqueuedAt;
}

const isWrong = ({ enqueuedAt, statedAt }: SoundEvent) =>
  statedAt !== undefined && (statedAt < enqueuedAt || statedAt > enqueuedAt + aheadMs);

/** One event alone leaps, in a session that is behind what others have taken meanwhile. */
export function leapsFromBehind(
  { sequenceNumber }: LockedCheckpoint,
  events: readonly SoundEvent[],
  readAfter: number,
): boolean {
  const [event, ...more] = events;
  const isBehind = readAfter > beforeFirst && readAfter < sequenceNumber;
  return isBehind && more.length === 0 && event!.sequenceNumber > sequenceNumber + 1;
}

/** A leap that was none. */
export interface WrongLeap {
  /** The numbers that it leapt from and to. */
  readonly from: number;
  readonly to: number;
  /** The last that was taken, as it turned out. */
  readonly after: number;
}

/** What events between the number before a leap and the number behind it show: that it was none. */
export function wrongLeap(after: LockedCheckpoint, events: readonly SoundEvent[]): WrongLeap | undefined {
  const { sequenceNumber: to, unprovenFrom } = after;
  if (unprovenFrom === null) return undefined;
  const within = ({ sequenceNumber, problem }: SoundEvent) =>
    problem === undefined && sequenceNumber > unprovenFrom && sequenceNumber < to;
  const shows = events.find(within);
  return shows && { from: unprovenFrom, to, after: shows.sequenceNumber - 1 };
}

/** Takes back what was concluded from it. Returns the checkpoint as it is now. */
export async function takeBackLeap(
  session: Session,
  partition: PartitionRef,
  before: LockedCheckpoint,
  { from, to, after }: WrongLeap,
  now: number,
): Promise<LockedCheckpoint> {
  await takeBack(session, partition, after);
  await session.query(
    `delete from unread_hole where hub = $1 and consumer_group = $2 and partition_id = $3 and first_sequence > $4`,
    [partition.hub, partition.consumerGroup, partition.partitionId, from],
  );
  await raiseAlerts(
    session,
    [
      {
        kind: 'event-stamps-wrong',
        message: `an event of partition ${partition.partitionId} had the number ${to}, and others came since that lie before it: it is not believed any more. If it was told that the hub removed events before that number, it did not`,
      },
    ],
    now,
  );
  return { ...before, sequenceNumber: after, unprovenFrom: null, stamp: 0 };
}

/** Returns how many events have a time that cannot be. */
export async function tellWrongTimes(
  session: Session,
  { partitionId }: PartitionRef,
  events: readonly SoundEvent[],
  now: number,
): Promise<number> {
  const wrong = events.filter(isWrong);
  const last = wrong.at(-1);
  if (last === undefined) return 0;
  const told = await session.query(
    `select 1 from alert where kind = 'event-stamps-wrong' and at > $1::int8 - $2::int8 and at <= $1 limit 1`,
    [now, tellAgainMs],
  );
  if (told.length === 0) {
    const stated = new Date(stampOf(last)).toISOString();
    const message = `the hub states of ${wrong.length} events of partition ${partitionId} that it had them at times that cannot be, last ${stated}: the nearest that can be count instead`;
    await raiseAlerts(session, [{ kind: 'event-stamps-wrong', message }], now);
  }
  return wrong.length;
}
