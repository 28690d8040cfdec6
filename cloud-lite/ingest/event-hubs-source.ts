// The Event Hubs endpoint as a source of events: one session with the client at a time.
//
// A session ends, and the caller starts another, in three cases that the client does not handle: a partition whose reading
// ended in an error that the client takes for final stays unread while the client owns it; a connection that is silent
// stays pending for ever; a hub that was made again counts from zero, below our checkpoint.
import { type Clock, withTimeout } from '../../kernel/clock.ts';
import { describeError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Random } from '../../kernel/random.ts';
import type { Database } from '../database/database.ts';
import { beforeFirst, listCheckpoints } from './checkpoint.ts';
import {
  connectEventHub,
  type EventHubAccess,
  type EventHubClient,
  type PartitionHandlers,
} from './event-hub-client.ts';
import type { EventSource, TakeEvents } from './event-source.ts';
import { createOwnershipTable, type OwnershipTable } from './ownership.ts';
import { PartitionWatch } from './partition-watch.ts';
import { sessionLost } from './session-lost.ts';
import { type GivenEvent, soundEvents } from './sound-event.ts';

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
  readonly #consumerGroup: string;
  readonly #deps: EventHubsDependencies;
  readonly #take: TakeEvents;
  readonly #ownership: OwnershipTable;
  readonly #client: EventHubClient;
  readonly #watch: PartitionWatch;
  readonly #failed: Promise<never>;
  #fail: (error: Error) => void = () => {};
  /** By partition: the sequence number behind which it is read. */
  readonly #after = new Map<string, number>();
  readonly #opened = new Set<string>();
  /** Once true, nothing that the client still delivers is taken. */
  #over = false;

  constructor(options: EventHubsOptions, deps: EventHubsDependencies, take: TakeEvents) {
    this.#consumerGroup = options.consumerGroup;
    this.#deps = deps;
    this.#take = take;
    this.#ownership = createOwnershipTable(deps.database, deps.random, options.instance);
    this.#failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.#failed.catch(() => {});
    this.#client = this.#connect(options);
    this.#watch = new PartitionWatch({
      ...deps,
      client: this.#client,
      consumerGroup: options.consumerGroup,
      stallMs: options.stallMs ?? 60_000,
      inspectIntervalMs: options.inspectIntervalMs ?? 10_000,
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const ended = new AbortController();
    const watching = AbortSignal.any([signal, ended.signal]);
    const aborted = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    let subscription: { close(): Promise<void> } | undefined;
    try {
      // A predecessor of this name is dead, or it is this process's last session: its claims are ours.
      await this.#ownership.release();
      await Promise.race([this.#watch.settleHub(), aborted]);
      if (signal.aborted) return;
      subscription = this.#client.subscribe(this.#handlers());
      await Promise.race([this.#failed, this.#watch.run(watching), aborted]);
    } finally {
      this.#over = true;
      ended.abort();
      await this.#close(subscription);
    }
  }

  #connect(options: EventHubsOptions): EventHubClient {
    const { database, random } = this.#deps;
    return connectEventHub(
      {
        access: options.access,
        consumerGroup: options.consumerGroup,
        // A new name each session: the client does not start reading what it believes to own already.
        identifier: random.uuid(),
        balanceIntervalMs: options.balanceIntervalMs ?? 5000,
        ownershipMs: options.ownershipMs ?? 30_000,
      },
      {
        owners: (hub, consumerGroup) => {
          // Asked in each round of the balancing, after the hub has answered it.
          this.#watch.sign();
          return this.#ownership.list(hub, consumerGroup);
        },
        claim: async (wanted) => (this.#over ? [] : this.#ownership.claim(wanted)),
        checkpoints: async () => {
          const checkpoints = await listCheckpoints(database, this.#client.hub, this.#consumerGroup);
          for (const { partitionId, sequenceNumber } of checkpoints) {
            // The client asks before it opens a partition, and begins behind what it is told; never again while it reads.
            if (!this.#opened.has(partitionId)) this.#after.set(partitionId, sequenceNumber);
          }
          return checkpoints;
        },
      },
    );
  }

  #handlers(): PartitionHandlers {
    const { log } = this.#deps;
    return {
      opened: (partitionId) => {
        this.#opened.add(partitionId);
        this.#watch.waiting(partitionId);
        log.info({ partition: partitionId }, 'reading partition');
      },
      closed: (partitionId, why) => {
        this.#watch.gone(partitionId);
        this.#opened.delete(partitionId);
        if (why === 'to another instance')
          log.info({ partition: partitionId }, 'partition went to another instance');
        else if (!this.#over) this.#fail(sessionLost(`reading of partition ${partitionId} ended`));
      },
      events: (partitionId, events) => this.#process(partitionId, events),
      failed: (partitionId, error) => {
        if (this.#over) return;
        log.warn(
          { code: 'event-hub-trouble', partition: partitionId, err: describeError(error) },
          'the event hub client reports',
        );
      },
    };
  }

  async #process(partitionId: string, given: readonly GivenEvent[]): Promise<void> {
    if (this.#over) throw sessionLost('the session is over');
    this.#watch.working(partitionId);
    const partition = { hub: this.#client.hub, consumerGroup: this.#consumerGroup, partitionId };
    try {
      const after = this.#after.get(partitionId) ?? beforeFirst;
      const events = soundEvents(given, after);
      const last = events[events.length - 1];
      if (last === undefined) return;
      await this.#take(partition, events, after);
      // Lower only where the number that it began behind was wrong (ingestor.ts).
      this.#after.set(partitionId, last.sequenceNumber);
    } catch (error) {
      // The client would go on with the next batch, and leave a hole.
      this.#over = true;
      this.#fail(error instanceof Error ? error : sessionLost(String(error)));
      throw error;
    } finally {
      this.#watch.waiting(partitionId);
    }
  }

  async #close(subscription: { close(): Promise<void> } | undefined): Promise<void> {
    const { clock, log } = this.#deps;
    const bounded = (work: Promise<unknown> | undefined) =>
      withTimeout(clock, closeTimeoutMs, Promise.resolve(work), () => sessionLost('closing took too long'));
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
