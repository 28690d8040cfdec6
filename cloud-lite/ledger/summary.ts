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
  /** What was declared void in the last day of streams by time, ms by reason, the most first. */
  readonly lost: readonly { readonly reason: string; readonly ms: number }[];
  readonly partitions: readonly PartitionView[];
}

const dayMs = 86_400_000;

export interface PartitionView {
  readonly partitionId: string;
  readonly sequenceNumber: number;
  /** By the hub's clock, UTC epoch ms; 0 before the first event. */
  readonly newestEventAt: number;
  /** When it was last read to its end. */
  readonly idleAt: number;
  readonly instance: string | null;
}

/** @param now UTC epoch ms */
export async function readSummary(session: Session, now: number): Promise<Summary> {
  const [row] = await session.query<Omit<Summary, 'partitions' | 'lost'>>(
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
  return { ...row!, lost: await readLost(session, now), partitions: await listPartitions(session) };
}

function readLost(session: Session, now: number): Promise<Summary['lost']> {
  return session.query<Summary['lost'][number]>(
    `select reason, ms from (
       select v.reason, sum(length_of((v.ranges - g.covered) * int8multirange(int8range($1, $2))))::int8 as ms
         from void_range v join stream s on s.id = v.stream_id and s.index_kind = 'time' and s.late_of is null
         join stream_segment g on (g.stream_id, g.segment_id) = (v.stream_id, v.segment_id) and g.high > $1::int8
        group by v.reason) l
      where ms > 0 order by ms desc, reason`,
    [now - dayMs, now],
  );
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
