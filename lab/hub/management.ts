// Answers `$management` of the Event Hub endpoint: properties of the hub and its partitions.
import { asInt, asLong, asTimestamp } from './amqp.ts';
import type { Partition } from './event-log.ts';

export const eventHubName = 'events';

/** The body of an answer to READ, or undefined for what there is not. */
export function runtimeInformation(
  partitions: readonly Partition[],
  createdAt: number,
  type: string,
  partitionId: unknown,
): Record<string, unknown> | undefined {
  const common = { name: eventHubName, type };
  if (type === 'com.microsoft:eventhub')
    return {
      ...common,
      created_at: asTimestamp(createdAt),
      partition_count: asInt(partitions.length),
      partition_ids: partitions.map((partition) => String(partition.index)),
    };
  const partition = partitions[Number(partitionId)];
  if (type !== 'com.microsoft:partition' || !partition) return undefined;
  return {
    ...common,
    partition: String(partition.index),
    begin_sequence_number: asLong(partition.oldest?.sequence ?? partition.nextSequence),
    last_enqueued_sequence_number: asLong(partition.nextSequence - 1),
    last_enqueued_offset: String(partition.last?.offset ?? -1),
    last_enqueued_time_utc: asTimestamp(partition.last?.enqueuedAt ?? 0),
    is_partition_empty: partition.isEmpty,
  };
}
