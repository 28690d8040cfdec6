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

/** Leaps that were none. */
export interface WrongLeap {
  /** The numbers that they leapt to, the last of them the checkpoint's. */
  readonly to: readonly number[];
  /** The last that was taken before them. */
  readonly from: number;
  /** What comes next is behind this one: events with those numbers, which come again, may have any place before it. */
  readonly after: number;
  /** As many were taken, wherever their places are: the hub removed what lies between this one and the next. */
  readonly taken: number;
  /** Leaps before that, which may be right. */
  readonly leaptFrom: readonly number[];
}

/** What an event between the number before a leap and the number behind it shows: that it was none. */
export function wrongLeap(
  { sequenceNumber, leaptFrom }: LockedCheckpoint,
  events: readonly SoundEvent[],
): WrongLeap | undefined {
  const [oldest, ...later] = [...leaptFrom, sequenceNumber];
  // One that was taken itself shows nothing when it comes again.
  const within = ({ sequenceNumber: n, problem }: SoundEvent) =>
    problem === undefined && n > oldest! && n < sequenceNumber && !later.includes(n);
  const shows = events.find(within)?.sequenceNumber;
  if (shows === undefined) return undefined;
  const from = leaptFrom.findLast((number) => number < shows)!;
  const to = later.filter((number) => number > shows);
  const taken = Math.min(from + to.length, shows - 1);
  // Where the hub removed events, too, nobody knows which of those before it were taken: rather none is counted twice.
  const hasHole = events[0]!.sequenceNumber > taken + 1;
  return {
    to,
    from,
    after: hasHole ? shows - 1 : taken,
    taken: from === beforeFirst ? beforeFirst : taken,
    leaptFrom: leaptFrom.filter((number) => number < from),
  };
}

/** Takes back what was concluded from them. Returns the checkpoint as it is now. */
export async function takeBackLeap(
  session: Session,
  partition: PartitionRef,
  before: LockedCheckpoint,
  { from, to, after, leaptFrom }: Omit<WrongLeap, 'taken'>,
  now: number,
): Promise<LockedCheckpoint> {
  const position = { sequenceNumber: after, leaptFrom };
  await takeBack(session, partition, position);
  await session.query(
    `delete from unread_hole where hub = $1 and consumer_group = $2 and partition_id = $3 and first_sequence > $4`,
    [partition.hub, partition.consumerGroup, partition.partitionId, from],
  );
  const message = `events of partition ${partition.partitionId} had the numbers ${to.join(', ')}, and others came since that lie before them: they are not believed any more. If it was told that the hub removed events before those numbers, it did not`;
  await raiseAlerts(session, [{ kind: 'event-stamps-wrong', message }], now);
  return { ...before, ...position, stamp: 0 };
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
