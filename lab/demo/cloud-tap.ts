// The second consumer of the hub's Event Hub endpoint, beside the detector and without knowing it: reads all
// that is stored, unpacks it and keeps a copy. The only file of the lab that imports the Event Hubs client.
import { EventHubConsumerClient, earliestEventPosition, type ReceivedEventData } from '@azure/event-hubs';
import { type CloudCopy, type CloudMessage, createCloudCopy } from './cloud-copy.ts';
import { unpackMessage } from './unpack-message.ts';

export interface CloudTap {
  readonly copy: CloudCopy;
  /** Events that are no message of the protocol, with the reason; at most the first 20. */
  readonly undecodable: readonly string[];
  /** Messages taken so far. */
  taken(): number;
  /** Wall clock, epoch ms, of the last one; undefined before the first. */
  lastAt(): number | undefined;
  close(): Promise<void>;
}

export interface CloudTapOptions {
  readonly connectionString: string;
  /** One of its own: the detector reads `$Default`. */
  readonly consumerGroup?: string;
  /** `arrived`: when the cloud stored it, epoch ms. */
  readonly onMessage?: (message: CloudMessage, arrived: number) => void;
  readonly onError?: (error: Error) => void;
}

const maxComplaints = 20;

export function startCloudTap(options: CloudTapOptions): CloudTap {
  const group = options.consumerGroup ?? 'lab';
  // Greedy: all partitions at once, there is nobody to share them with.
  const client = new EventHubConsumerClient(group, options.connectionString, {
    loadBalancingOptions: { strategy: 'greedy', updateIntervalInMs: 1000 },
  });
  const copy = createCloudCopy();
  const undecodable: string[] = [];
  // After an error the client may begin a partition anew: an event that was taken is not taken again, or a
  // quirk of this reader would count as a duplicate of the product.
  const next = new Map<string, number>();
  let taken = 0;
  let lastAt: number | undefined;

  function take(partition: string, event: ReceivedEventData): void {
    if (event.sequenceNumber < (next.get(partition) ?? 0)) return;
    next.set(partition, event.sequenceNumber + 1);
    taken += 1;
    lastAt = Date.now();
    try {
      const { contentEncoding } = event.getRawAmqpMessage().properties ?? {};
      const { messageId, contentType, properties = {}, body } = event;
      const message = unpackMessage(properties, { messageId, contentType, contentEncoding }, body);
      copy.take(message);
      options.onMessage?.(message, event.enqueuedTimeUtc.getTime());
    } catch (error) {
      if (undecodable.length < maxComplaints) undecodable.push(`${event.messageId}: ${error}`);
    }
  }

  const subscription = client.subscribe(
    {
      async processEvents(events, context) {
        for (const event of events) take(context.partitionId, event);
      },
      async processError(error) {
        options.onError?.(error);
      },
    },
    { startPosition: earliestEventPosition, maxWaitTimeInSeconds: 1, skipParsingBodyAsJson: true },
  );

  return {
    copy,
    undecodable,
    taken: () => taken,
    lastAt: () => lastAt,
    async close() {
      await subscription.close();
      await client.close();
    },
  };
}
