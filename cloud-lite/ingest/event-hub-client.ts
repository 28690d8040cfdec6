// Wraps the Event Hubs client in types of our own. The only importer of @azure/event-hubs.
import {
  type CheckpointStore,
  EventHubConsumerClient,
  type EventHubConsumerClientOptions,
  type PartitionOwnership,
  type ReceivedEventData,
  type TokenCredential,
} from '@azure/event-hubs';
import { systemClock } from '../../kernel/clock.ts';
import { beforeFirst, type Checkpoint } from './checkpoint.ts';
import type { Ownership } from './ownership.ts';
import type { GivenEvent } from './sound-event.ts';

export type EventHubAccess =
  | { readonly connectionString: string }
  /** By an Entra ID identity. The namespace is a host name. */
  | { readonly namespace: string; readonly name: string; readonly credential: TokenCredential };

export interface ClientOptions {
  readonly access: EventHubAccess;
  readonly consumerGroup: string;
  /** Whom the client's claims of partitions belong to. */
  readonly identifier: string;
  readonly balanceIntervalMs: number;
  readonly ownershipMs: number;
}

/** What the client asks for in each round of its balancing. Rejections make it try again in the next. */
export interface Bookkeeping {
  owners(hub: string, consumerGroup: string): Promise<readonly Ownership[]>;
  /** Claims the partitions that no other instance claimed since they were listed; returns those. */
  claim(wanted: readonly Ownership[]): Promise<readonly Ownership[]>;
  checkpoints(): Promise<readonly Checkpoint[]>;
}

export interface PartitionHandlers {
  opened(partitionId: string): void;
  closed(partitionId: string, why: 'to another instance' | 'ended'): void;
  /** In order, one batch of a partition at a time; an empty one is an idle partition's sign of life. */
  events(partitionId: string, events: readonly GivenEvent[]): Promise<void>;
  failed(partitionId: string, error: Error): void;
}

export interface PartitionFacts {
  readonly isEmpty: boolean;
  /** Sequence number of the newest event that the hub ever had, and the hub's time of it: epoch ms, 0 for none. */
  readonly newest: number;
  readonly newestAt: number;
}

export interface HubFacts {
  /** As the hub states it, UTC epoch ms. */
  readonly createdAt: number;
  readonly partitionIds: readonly string[];
}

export interface EventHubClient {
  /** Namespace and name. */
  readonly hub: string;
  hubFacts(): Promise<HubFacts>;
  facts(partitionId: string): Promise<PartitionFacts>;
  /** Reads the partitions that it comes to own, until the returned subscription is closed. */
  subscribe(handlers: PartitionHandlers): { close(): Promise<void> };
  close(): Promise<void>;
}

/** The client's own operations are given up after this long, and tried again twice. */
export const operationTimeoutMs = 15_000;

const maxBatchSize = 500;
const idleTickSeconds = 5;

export function connectEventHub(options: ClientOptions, books: Bookkeeping): EventHubClient {
  const client = makeClient(options, checkpointStore(options, books));
  return {
    hub: `${client.fullyQualifiedNamespace}/${client.eventHubName}`,
    hubFacts: async () => {
      const { createdOn, partitionIds } = await client.getEventHubProperties();
      return { createdAt: timeOf(createdOn), partitionIds };
    },
    facts: async (partitionId) => {
      const { isEmpty, lastEnqueuedSequenceNumber, lastEnqueuedOnUtc } =
        await client.getPartitionProperties(partitionId);
      return { isEmpty, newest: lastEnqueuedSequenceNumber, newestAt: timeOf(lastEnqueuedOnUtc) };
    },
    subscribe: (handlers) =>
      client.subscribe(
        {
          processInitialize: async ({ partitionId }) => handlers.opened(partitionId),
          processClose: async (reason, { partitionId }) =>
            handlers.closed(partitionId, reason === 'OwnershipLost' ? 'to another instance' : 'ended'),
          processEvents: (events, { partitionId }) => handlers.events(partitionId, events.map(receivedEvent)),
          processError: async (error, { partitionId }) => handlers.failed(partitionId, error),
        },
        {
          startPosition: { sequenceNumber: beforeFirst },
          maxBatchSize,
          maxWaitTimeInSeconds: idleTickSeconds,
          prefetchCount: maxBatchSize,
          skipParsingBodyAsJson: true,
        },
      ),
    close: () => client.close(),
  };
}

function makeClient(options: ClientOptions, store: CheckpointStore): EventHubConsumerClient {
  const { access, consumerGroup } = options;
  const clientOptions: EventHubConsumerClientOptions = {
    identifier: options.identifier,
    retryOptions: { maxRetries: 2, retryDelayInMs: 1000, timeoutInMs: operationTimeoutMs },
    loadBalancingOptions: {
      strategy: 'greedy',
      updateIntervalInMs: options.balanceIntervalMs,
      partitionOwnershipExpirationIntervalInMs: options.ownershipMs,
    },
  };
  if ('connectionString' in access) {
    return new EventHubConsumerClient(consumerGroup, access.connectionString, store, clientOptions);
  }
  const { namespace, name, credential } = access;
  return new EventHubConsumerClient(consumerGroup, namespace, name, credential, store, clientOptions);
}

function checkpointStore({ consumerGroup: ours }: ClientOptions, books: Bookkeeping): CheckpointStore {
  return {
    listOwnership: async (namespace, eventHub, consumerGroup) =>
      (await books.owners(`${namespace}/${eventHub}`, consumerGroup)).map((row) =>
        toSdk(row, namespace, eventHub),
      ),
    claimOwnership: async (wanted) => {
      const [one] = wanted;
      if (one === undefined) return [];
      // All of one hub: a client reads no other.
      const claimed = await books.claim(wanted.map(fromSdk));
      return claimed.map((row) => toSdk(row, one.fullyQualifiedNamespace, one.eventHubName));
    },
    listCheckpoints: async (fullyQualifiedNamespace, eventHubName) =>
      (await books.checkpoints())
        // The client begins behind an offset; without a right one, at the beginning: what was taken is known by its number.
        .filter(({ sequenceNumber, againOffset }) => sequenceNumber !== beforeFirst && againOffset !== '')
        .map(({ partitionId, sequenceNumber, againOffset }) => ({
          fullyQualifiedNamespace,
          eventHubName,
          consumerGroup: ours,
          partitionId,
          sequenceNumber,
          offset: againOffset,
        })),
    // The ingestor writes checkpoints itself, with the ledger.
    updateCheckpoint: async () => {},
  };
}

/** 0 for what a hub leaves out, and for the year 1, which stands for no time at all. */
function timeOf(date: Date | undefined): number {
  const at = date?.getTime() ?? 0;
  return Number.isFinite(at) ? Math.max(0, at) : 0;
}

/** The fields of the client's events that are used. */
export type HubEvent = Pick<
  ReceivedEventData,
  | 'sequenceNumber'
  | 'offset'
  | 'enqueuedTimeUtc'
  | 'properties'
  | 'systemProperties'
  | 'messageId'
  | 'contentType'
>;

/** Never throws, whatever of it is missing or of another kind: the client would go on behind it (sound-event.ts). */
export function receivedEvent(event: Partial<HubEvent>): GivenEvent {
  const { enqueuedTimeUtc, systemProperties } = event as Record<keyof HubEvent, unknown>;
  return {
    sequenceNumber: event.sequenceNumber,
    offset: event.offset,
    enqueuedAt: enqueuedTimeUtc instanceof Date ? enqueuedTimeUtc.getTime() : enqueuedTimeUtc,
    properties: event.properties,
    annotations: systemProperties,
    messageId: event.messageId,
    contentType: event.contentType,
    contentEncoding: (systemProperties as { contentEncoding?: unknown } | null | undefined)?.contentEncoding,
  };
}

function toSdk(row: Ownership, fullyQualifiedNamespace: string, eventHubName: string): PartitionOwnership {
  return {
    fullyQualifiedNamespace,
    eventHubName,
    consumerGroup: row.consumerGroup,
    partitionId: row.partitionId,
    ownerId: row.ownerId,
    ...(row.etag === undefined ? {} : { etag: row.etag }),
    // The client compares it with the machine's clock, whatever that says.
    ...(row.ageMs === undefined ? {} : { lastModifiedTimeInMs: systemClock.now() - row.ageMs }),
  };
}

function fromSdk(row: PartitionOwnership): Ownership {
  return {
    hub: `${row.fullyQualifiedNamespace}/${row.eventHubName}`,
    consumerGroup: row.consumerGroup,
    partitionId: row.partitionId,
    ownerId: row.ownerId,
    ...(row.etag === undefined ? {} : { etag: row.etag }),
  };
}
