import type { Session } from '../database/database.ts';

/** The fleet in figures. */
export interface Summary {
  readonly devices: number;
  readonly streams: number;
  readonly silentStreams: number;
  readonly silentDevices: number;
  readonly messages: number;
  readonly duplicates: number;
  readonly readings: number;
  readonly streamsWithGaps: number;
  readonly openGaps: number;
  readonly waitingGaps: number;
  readonly gapsFound: number;
  readonly gapsClosed: number;
  readonly pendingRequests: number;
  readonly acceptedRequests: number;
  readonly unreachableRequests: number;
  /** Messages that were not for the ledger, by reason. */
  readonly setAside: Readonly<Record<string, number>>;
  readonly partitions: readonly PartitionView[];
}

export interface PartitionView {
  readonly partitionId: string;
  readonly sequenceNumber: number;
  /** By the hub's clock, UTC epoch ms; 0 before the first event. */
  readonly newestEventAt: number;
  /** When it was last read to its end. */
  readonly idleAt: number;
  readonly instance: string | null;
}

export async function readSummary(session: Session): Promise<Summary> {
  const [row] = await session.query<Omit<Summary, 'partitions'>>(
    `select count(distinct s.device_id) as devices, count(*) as streams,
            (select count(*) from silent_stream) as "silentStreams",
            (select count(*) from silent_device) as "silentDevices",
            coalesce(sum(s.messages), 0)::int8 as messages,
            (select coalesce(sum(duplicates), 0)::int8 from stream) as duplicates,
            (select coalesce(sum(readings), 0)::int8 from stream) as readings,
            (select count(distinct f.stream_id) from stream_segment m join stream_family f on f.member_id = m.stream_id
              where m.missing <> '{}') as "streamsWithGaps",
            (select count(*) from gap where state = 'open') as "openGaps",
            (select count(*) from gap where state = 'waiting') as "waitingGaps",
            (select coalesce(sum(gaps_found), 0)::int8 from stream_repair) as "gapsFound",
            (select coalesce(sum(gaps_closed), 0)::int8 from stream_repair) as "gapsClosed",
            (select count(*) from request where state = 'pending') as "pendingRequests",
            (select count(*) from request where state = 'accepted') as "acceptedRequests",
            (select count(*) from request where state = 'pending' and unreachable) as "unreachableRequests",
            coalesce((select jsonb_object_agg(reason, n) from
              (select reason, sum(messages) as n from set_aside_count group by reason) a), '{}') as "setAside"
       from stream s where s.messages > 0 and s.late_of is null`,
  );
  return { ...row!, partitions: await listPartitions(session) };
}

/** Of the hub and consumer group that were read last. */
function listPartitions(session: Session): Promise<readonly PartitionView[]> {
  return session.query<PartitionView>(
    `select c.partition_id as "partitionId", c.sequence_number as "sequenceNumber",
            c.enqueued_at as "newestEventAt", c.idle_at as "idleAt",
            (select o.instance from ownership o
              where (o.hub, o.consumer_group, o.partition_id) = (c.hub, c.consumer_group, c.partition_id)
                and o.owner_id <> '') as instance
       from checkpoint c
      where (c.hub, c.consumer_group) = (select hub, consumer_group from checkpoint
                                          order by greatest(updated_at, idle_at) desc limit 1)
      order by c.partition_id`,
  );
}
