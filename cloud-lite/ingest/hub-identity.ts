// Checks which hub is being read, before any event of it is taken. A hub that was made again under the same name counts from
// zero and knows none of our checkpoints; one with other partitions carries streams elsewhere. After either change all of
// it is read from its beginning again, the partition of a stream is learned again, and an alert says so.
//
// A hub states when it was made. One that does not, and has had more events since than we took, is recognised by the event
// that was taken last: each session begins with that one, and another hub had it at another time (isAnotherHub). Where
// retention has removed that event, and nothing else differs, the change cannot be noticed.
import type { Database, Session } from '../database/database.ts';
import { type AlertKind, raiseAlerts } from '../health/alerts.ts';
import {
  beforeFirst,
  type Checkpoint,
  type LockedCheckpoint,
  lockCheckpoint,
  stampOf,
} from './checkpoint.ts';
import type { HubFacts, PartitionFacts } from './event-hub-client.ts';
import type { PartitionRef, SoundEvent } from './event-source.ts';

export interface HubSight {
  readonly hub: string;
  readonly consumerGroup: string;
  /** As they were before the hub was asked: another instance's progress must not look like a hub that started over. */
  readonly checkpoints: readonly Checkpoint[];
  readonly facts: HubFacts;
  /** What is known of each of its partitions. */
  readonly partitions: ReadonlyMap<string, PartitionFacts>;
}

export type HubChange = 'none' | 'remade' | 'moved' | 'repartitioned';

interface HubRow {
  readonly hub: string;
  readonly consumer_group: string;
  readonly created_at: number;
  readonly partition_ids: readonly string[];
}

/** Times of events, as the event and as its partition say them, may be cut differently. */
const timeErrorMs = 1000;

/**
 * Compares what the hub is with what it was when it was read last, and remembers it. In one transaction, so that of several
 * instances the first does what is to be done.
 */
export function settleHub(database: Database, sight: HubSight, now: number): Promise<HubChange> {
  return database.transaction(async (session) => {
    await session.query('select pg_advisory_xact_lock($1)', [hubLock]);
    const before = await session.query<HubRow>('select * from hub_read order by opened_at desc');
    const current = await readCheckpoints(session, sight);
    const change = changeOf(sight, before, current);
    if (change === 'remade') await forgetPositions(session, sight);
    if (change !== 'none') {
      await session.query(`update stream set partition_id = '' where partition_id <> ''`);
      await raiseAlerts(session, [{ kind: alertKinds[change], message: messageOf(change, sight) }], now);
    }
    await remember(session, sight, now);
    return change;
  });
}

// An arbitrary constant that is used nowhere else.
const hubLock = 7_238_544;

/** By partition: how far it has been read. Locked. */
async function readCheckpoints(session: Session, { hub, consumerGroup }: HubSight) {
  const rows = await session.query<{ partition_id: string; sequence_number: number }>(
    'select partition_id, sequence_number from checkpoint where hub = $1 and consumer_group = $2 for update',
    [hub, consumerGroup],
  );
  return new Map(rows.map((row) => [row.partition_id, row.sequence_number]));
}

function changeOf(
  { hub, consumerGroup, facts, partitions, checkpoints }: HubSight,
  before: readonly HubRow[],
  current: ReadonlyMap<string, number>,
): HubChange {
  const same = before.find((row) => row.hub === hub && row.consumer_group === consumerGroup);
  const created = same?.created_at ?? 0;
  if (isMadeAnew(created, facts.createdAt)) return 'remade';
  const isRemade = checkpoints.some((checkpoint) => {
    // Another instance has seen it already, and put the checkpoint back.
    const isPutBack = (current.get(checkpoint.partitionId) ?? beforeFirst) < checkpoint.sequenceNumber;
    return !isPutBack && isBeyond(checkpoint, partitions.get(checkpoint.partitionId));
  });
  if (isRemade) return 'remade';
  if (same === undefined) return before.length === 0 ? 'none' : 'moved';
  if (same !== before[0]) return 'moved';
  return sameIds(same.partition_ids, facts.partitionIds) ? 'none' : 'repartitioned';
}

/** 0 is a hub that does not say it. */
const isMadeAnew = (before: number, now: number) => before !== 0 && now !== 0 && before !== now;

/** It was made anew, or has other partitions. */
export const isOtherHub = (before: HubFacts, now: HubFacts): boolean =>
  isMadeAnew(before.createdAt, now.createdAt) || !sameIds(before.partitionIds, now.partitionIds);

/** The partition has never had such an event: it is not the partition that the checkpoint was taken from. */
function isBeyond(checkpoint: Checkpoint, facts: PartitionFacts | undefined): boolean {
  if (facts === undefined || checkpoint.sequenceNumber === beforeFirst) return false;
  if (isShorter(checkpoint, facts)) return true;
  // Times of a partition never go back; so what came later cannot have come before.
  return facts.newestAt > 0 && facts.newestAt < checkpoint.enqueuedAt - timeErrorMs;
}

/** The partition never had as many events as were read. `checkpoint`: as it was before the hub was asked. */
export function isShorter(checkpoint: Checkpoint | undefined, { newest }: PartitionFacts): boolean {
  if (checkpoint === undefined || checkpoint.sequenceNumber === beforeFirst) return false;
  // A number to which one event leapt alone may be no number of the hub.
  return newest < (checkpoint.leaptFrom[0] ?? checkpoint.sequenceNumber);
}

/** The partition's event of the number that was taken last is another one: the hub had it at another time. */
export function isAnotherHub(after: LockedCheckpoint, events: readonly SoundEvent[]): boolean {
  if (after.sequenceNumber === beforeFirst || after.stamp <= 0) return false;
  return events.some(
    (event) =>
      event.sequenceNumber === after.sequenceNumber &&
      stampOf(event) > 0 &&
      Math.abs(stampOf(event) - after.stamp) > timeErrorMs,
  );
}

/** The hub of `partition` was made again: it is read from its beginning, unless another instance has arranged that already. */
export function forgetHub(
  database: Database,
  partition: PartitionRef,
  seen: LockedCheckpoint,
  now: number,
): Promise<void> {
  return database.transaction(async (session) => {
    await session.query('select pg_advisory_xact_lock($1)', [hubLock]);
    const { sequenceNumber, enqueuedAt } = await lockCheckpoint(session, partition);
    if (sequenceNumber !== seen.sequenceNumber || enqueuedAt !== seen.enqueuedAt) return;
    const { hub, consumerGroup } = partition;
    await forgetPositions(session, { hub, consumerGroup });
    await session.query(`update stream set partition_id = '' where partition_id <> ''`);
    const message = `the event hub ${hub} was made anew since it was read last: event ${sequenceNumber} of partition ${partition.partitionId} is another one; all of it is read from the beginning; what the one before held and was not read yet is lost, and shows as gaps`;
    await raiseAlerts(session, [{ kind: 'hub-remade', message }], now);
  });
}

const sameIds = (a: readonly string[], b: readonly string[]) =>
  a.length === b.length && [...a].sort().every((id, i) => id === [...b].sort()[i]);

async function forgetPositions(
  session: Session,
  { hub, consumerGroup }: Pick<HubSight, 'hub' | 'consumerGroup'>,
): Promise<void> {
  await session.query('delete from checkpoint where hub = $1 and consumer_group = $2', [hub, consumerGroup]);
}

/** Gives each partition a row: a partition that was never read must not be taken for one that does not exist. */
async function remember(
  session: Session,
  { hub, consumerGroup, facts }: HubSight,
  now: number,
): Promise<void> {
  await session.query(
    `insert into hub_read (hub, consumer_group, created_at, partition_ids, opened_at) values ($1, $2, $3, $4, $5)
     on conflict (hub, consumer_group) do update set
       created_at = case when excluded.created_at = 0 then hub_read.created_at else excluded.created_at end,
       partition_ids = excluded.partition_ids, opened_at = excluded.opened_at`,
    [hub, consumerGroup, facts.createdAt, facts.partitionIds, now],
  );
  await session.query(
    `insert into checkpoint (hub, consumer_group, partition_id, sequence_number, event_offset, enqueued_at, events,
                             updated_at)
     select $1, $2, id, $4, '', 0, 0, $5 from unnest($3::text[]) as id on conflict do nothing`,
    [hub, consumerGroup, facts.partitionIds, beforeFirst, now],
  );
}

const alertKinds: Readonly<Record<Exclude<HubChange, 'none'>, AlertKind>> = {
  remade: 'hub-remade',
  moved: 'hub-moved',
  repartitioned: 'hub-moved',
};

function messageOf(change: Exclude<HubChange, 'none'>, { hub, facts }: HubSight): string {
  const count = `${facts.partitionIds.length} partitions`;
  if (change === 'remade') {
    return `the event hub ${hub} was made anew since it was read last: all of its ${count} are read from their beginning; what the one before held and was not read yet is lost, and shows as gaps`;
  }
  if (change === 'repartitioned') {
    return `the event hub ${hub} has other partitions than before, ${count} now`;
  }
  return `another event hub is read than before, ${hub} with ${count}: what the one before held and was not read yet shows as gaps`;
}
