// The Event Hubs endpoint. The only importer of @azure/event-hubs.
//
// What the client does not do, and this file does: a partition whose reading ended in an error that the
// client holds for final stays unread while the client keeps owning it; a connection that is silent
// stays pending for ever; a hub that was made anew counts from zero, below our checkpoint. Each ends
// the session, and the caller starts another.
import {
  type CheckpointStore,
  EventHubConsumerClient,
  type EventHubConsumerClientOptions,
  type PartitionOwnership,
  type ReceivedEventData,
  type Subscription,
  type TokenCredential,
} from '@azure/event-hubs';
import { type Clock, withTimeout } from '../../kernel/clock.ts';
import { describeError, HoldfastError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Random } from '../../kernel/random.ts';
import type { Database } from '../database/database.ts';
import { beforeFirst, markRead } from './checkpoint.ts';
import type { EventSource, PartitionRef, ReceivedEvent, TakeEvents } from './event-source.ts';
import { createOwnershipTable, type Ownership, type OwnershipTable } from './ownership.ts';

export type EventHubAccess =
  | { readonly connectionString: string }
  /** By an Entra ID identity. The namespace is a host name. */
  | { readonly namespace: string; readonly name: string; readonly credential: TokenCredential };

export interface EventHubsOptions {
  readonly access: EventHubAccess;
  readonly consumerGroup: string;
  /** Names this instance among those that share the consumer group; the same after a restart. */
  readonly instance: string;
  /** How often the instances look who reads what. Default 5 s. */
  readonly balanceIntervalMs?: number;
  /** An instance that was not heard of for this long loses its partitions. Default 30 s. */
  readonly ownershipMs?: number;
  /** How often the hub is asked how far its partitions go. Default 10 s. */
  readonly inspectIntervalMs?: number;
  /** Without any sign of life from the client for this long the session ends. Default 60 s. */
  readonly stallMs?: number;
}

export interface EventHubsDependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const maxBatchSize = 500;
// An idle partition's handler is called this often with nothing: its sign of life.
const idleTickSeconds = 5;
const operationTimeoutMs = 15_000;
const closeTimeoutMs = 5_000;

export function createEventHubsSource(options: EventHubsOptions, deps: EventHubsDependencies): EventSource {
  return {
    async run(take, signal) {
      if (signal.aborted) return;
      const session = new Session(options, deps, take);
      await session.run(signal);
    },
  };
}

class Session {
  readonly #options: EventHubsOptions;
  readonly #deps: EventHubsDependencies;
  readonly #take: TakeEvents;
  readonly #ownership: OwnershipTable;
  readonly #client: EventHubConsumerClient;
  readonly #failed: Promise<never>;
  #fail: (error: Error) => void = () => {};
  /** Once true, nothing that the client still delivers is taken. */
  #over = false;
  #lastSign: number;
  /** Partitions being read, with the time of their last sign of life; undefined while we work on a batch. */
  readonly #reading = new Map<string, number | undefined>();
  /** How far each partition has been taken, and since when it has not moved. */
  readonly #progress = new Map<string, { readonly taken: number; readonly since: number }>();

  constructor(options: EventHubsOptions, deps: EventHubsDependencies, take: TakeEvents) {
    this.#options = options;
    this.#deps = deps;
    this.#take = take;
    this.#ownership = createOwnershipTable(deps.database, deps.clock, deps.random, options.instance);
    this.#lastSign = deps.clock.monotonic();
    this.#failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.#failed.catch(() => {});
    this.#client = this.#connect();
  }

  async run(signal: AbortSignal): Promise<void> {
    const aborted = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    let subscription: Subscription | undefined;
    try {
      // A predecessor of this name is dead, or it is this process's last session: its claims are ours.
      await this.#ownership.release();
      await Promise.race([this.#inspectPartitions(), aborted]);
      if (signal.aborted) return;
      subscription = this.#subscribe();
      await Promise.race([this.#failed, this.#watch(signal), aborted]);
    } finally {
      this.#over = true;
      await this.#close(subscription);
    }
  }

  #connect(): EventHubConsumerClient {
    const { access, consumerGroup, balanceIntervalMs, ownershipMs } = this.#options;
    const store = this.#checkpointStore();
    const options: EventHubConsumerClientOptions = {
      // A new name each session: the client does not start reading what it believes to own already.
      identifier: this.#deps.random.uuid(),
      retryOptions: { maxRetries: 2, retryDelayInMs: 1000, timeoutInMs: operationTimeoutMs },
      loadBalancingOptions: {
        strategy: 'greedy',
        updateIntervalInMs: balanceIntervalMs ?? 5000,
        partitionOwnershipExpirationIntervalInMs: ownershipMs ?? 30_000,
      },
    };
    if ('connectionString' in access) {
      return new EventHubConsumerClient(consumerGroup, access.connectionString, store, options);
    }
    const { namespace, name, credential } = access;
    return new EventHubConsumerClient(consumerGroup, namespace, name, credential, store, options);
  }

  #subscribe(): Subscription {
    const { log, clock } = this.#deps;
    return this.#client.subscribe(
      {
        processInitialize: async ({ partitionId }) => {
          this.#reading.set(partitionId, clock.monotonic());
          log.info({ partition: partitionId }, 'reading partition');
        },
        processClose: async (reason, { partitionId }) => {
          this.#reading.delete(partitionId);
          this.#progress.delete(partitionId);
          if (reason === 'OwnershipLost')
            log.info({ partition: partitionId }, 'partition went to another instance');
          else if (!this.#over) this.#fail(lost(`reading of partition ${partitionId} ended`));
        },
        processEvents: (events, { partitionId }) => this.#process(partitionId, events),
        processError: async (error, { partitionId }) => {
          if (this.#over) return;
          log.warn({ partition: partitionId, err: describeError(error) }, 'the event hub client reports');
        },
      },
      {
        startPosition: { sequenceNumber: beforeFirst },
        maxBatchSize,
        maxWaitTimeInSeconds: idleTickSeconds,
        prefetchCount: maxBatchSize * 2,
        skipParsingBodyAsJson: true,
      },
    );
  }

  async #process(partitionId: string, events: readonly ReceivedEventData[]): Promise<void> {
    if (this.#over) throw lost('the session is over');
    this.#reading.set(partitionId, undefined);
    try {
      if (events.length > 0) await this.#take(this.#partition(partitionId), events.map(receivedEvent));
    } catch (error) {
      // The client would go on with the next batch, and leave a hole.
      this.#over = true;
      this.#fail(error instanceof Error ? error : lost(String(error)));
      throw error;
    } finally {
      this.#reading.set(partitionId, this.#deps.clock.monotonic());
    }
  }

  #partition(partitionId: string): PartitionRef {
    return { hub: this.#hub(), consumerGroup: this.#options.consumerGroup, partitionId };
  }

  #hub(): string {
    return `${this.#client.fullyQualifiedNamespace}/${this.#client.eventHubName}`;
  }

  /** Ends the session when the client gives no sign of life. Resolves never, or at the abort. */
  async #watch(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    const stallMs = this.#options.stallMs ?? 60_000;
    const inspectMs = this.#options.inspectIntervalMs ?? 10_000;
    let inspectAt = 0;
    while (!signal.aborted && !this.#over) {
      await new Promise<void>((resolve) => {
        clock.setTimer(Math.min(1000, stallMs / 4, inspectMs), resolve);
      });
      const now = clock.monotonic();
      if (this.#lastSign < now - stallMs) throw lost('no answer from the event hub');
      for (const [partitionId, at] of this.#reading) {
        if (at !== undefined && at < now - stallMs) throw lost(`partition ${partitionId} stalled`);
      }
      if (now < inspectAt) continue;
      await this.#inspectProgress(now - stallMs);
      inspectAt = clock.monotonic() + Math.min(inspectMs, stallMs / 4);
    }
  }

  /**
   * Asks the hub how far each partition goes. One that has been read to its end is marked so; one that has
   * more and yields nothing ends the session: an idle tick alone does not tell it from an empty one.
   */
  async #inspectProgress(deadline: number): Promise<void> {
    const { clock, database } = this.#deps;
    for (const partitionId of [...this.#reading.keys()]) {
      const at = clock.now();
      const facts = await this.#limited(this.#client.getPartitionProperties(partitionId));
      const checkpoint = (await this.#checkpoints()).find((row) => row.partition_id === partitionId);
      const taken = checkpoint?.sequence_number ?? beforeFirst;
      const before = this.#progress.get(partitionId);
      const isRead = facts.isEmpty || facts.lastEnqueuedSequenceNumber <= taken;
      if (isRead) await markRead(database, this.#partition(partitionId), at);
      if (isRead || before === undefined || before.taken !== taken) {
        this.#progress.set(partitionId, { taken, since: clock.monotonic() });
      } else if (before.since < deadline && this.#reading.get(partitionId) !== undefined) {
        throw lost(`partition ${partitionId} has more, and none of it comes`);
      }
    }
  }

  /** Compares each checkpoint with what the partition holds, before anything is read. */
  async #inspectPartitions(): Promise<void> {
    const { clock, database, log } = this.#deps;
    const checkpoints = await this.#checkpoints();
    const ids = await this.#limited(this.#client.getPartitionIds());
    for (const partitionId of ids) {
      const checkpoint = checkpoints.find((row) => row.partition_id === partitionId);
      if (checkpoint === undefined || checkpoint.sequence_number === beforeFirst) continue;
      const facts = await this.#limited(this.#client.getPartitionProperties(partitionId));
      if (facts.lastEnqueuedSequenceNumber >= checkpoint.sequence_number) continue;
      // Read before the facts, so another instance's progress cannot look like a hub that started over.
      log.warn(
        {
          partition: partitionId,
          checkpoint: checkpoint.sequence_number,
          newest: facts.lastEnqueuedSequenceNumber,
        },
        'the event hub counts from the start again, as one made anew does: reading it from its beginning',
      );
      await database.query(
        `update checkpoint set sequence_number = $1, event_offset = '', updated_at = $2
          where hub = $3 and consumer_group = $4 and partition_id = $5 and sequence_number = $6`,
        [
          beforeFirst,
          clock.now(),
          this.#hub(),
          this.#options.consumerGroup,
          partitionId,
          checkpoint.sequence_number,
        ],
      );
    }
  }

  #limited<T>(work: Promise<T>): Promise<T> {
    const limitMs = operationTimeoutMs * 3;
    return withTimeout(this.#deps.clock, limitMs, work, () => lost('no answer from the event hub'));
  }

  #checkpoints() {
    return this.#deps.database.query<{ partition_id: string; sequence_number: number; event_offset: string }>(
      'select partition_id, sequence_number, event_offset from checkpoint where hub = $1 and consumer_group = $2',
      [this.#hub(), this.#options.consumerGroup],
    );
  }

  #checkpointStore(): CheckpointStore {
    const ownership = this.#ownership;
    return {
      listOwnership: async (namespace, eventHub, consumerGroup) => {
        // Asked in each round of the balancing, after the hub has answered it.
        this.#lastSign = this.#deps.clock.monotonic();
        const rows = await ownership.list(`${namespace}/${eventHub}`, consumerGroup);
        return rows.map((row) => sdkOwnership(row, namespace, eventHub));
      },
      claimOwnership: async (wanted) => {
        if (this.#over) return [];
        const claimed = await ownership.claim(wanted.map(fromSdk));
        return claimed.map((row, i) =>
          sdkOwnership(row, wanted[i]!.fullyQualifiedNamespace, wanted[i]!.eventHubName),
        );
      },
      listCheckpoints: async (fullyQualifiedNamespace, eventHubName, consumerGroup) =>
        (await this.#checkpoints())
          .filter((row) => row.sequence_number !== beforeFirst)
          .map((row) => ({
            fullyQualifiedNamespace,
            eventHubName,
            consumerGroup,
            partitionId: row.partition_id,
            sequenceNumber: row.sequence_number,
            offset: row.event_offset,
          })),
      // The ingestor writes checkpoints itself, with the ledger.
      updateCheckpoint: async () => {},
    };
  }

  async #close(subscription: Subscription | undefined): Promise<void> {
    const { clock, log } = this.#deps;
    const bounded = (work: Promise<unknown> | undefined) =>
      withTimeout(clock, closeTimeoutMs, Promise.resolve(work), () => lost('closing took too long'));
    try {
      await bounded(subscription?.close());
      await bounded(this.#client.close());
    } catch (error) {
      log.debug({ err: describeError(error) }, 'the event hub client was left behind unclosed');
    }
    await this.#ownership.release().catch((error: unknown) => {
      log.debug({ err: describeError(error) }, 'partitions could not be released; they will expire');
    });
  }
}

function receivedEvent(event: ReceivedEventData): ReceivedEvent {
  const annotations = event.systemProperties ?? {};
  return {
    sequenceNumber: event.sequenceNumber,
    offset: String(event.offset),
    enqueuedAt: event.enqueuedTimeUtc.getTime(),
    properties: event.properties ?? {},
    annotations,
    messageId: event.messageId,
    contentType: event.contentType,
    contentEncoding: annotations.contentEncoding,
  };
}

function sdkOwnership(
  row: Ownership,
  fullyQualifiedNamespace: string,
  eventHubName: string,
): PartitionOwnership {
  return {
    fullyQualifiedNamespace,
    eventHubName,
    consumerGroup: row.consumerGroup,
    partitionId: row.partitionId,
    ownerId: row.ownerId,
    ...(row.etag === undefined ? {} : { etag: row.etag }),
    ...(row.modifiedAt === undefined ? {} : { lastModifiedTimeInMs: row.modifiedAt }),
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

const lost = (what: string) => new HoldfastError('eventhub-session-lost', what, { retryable: true });
