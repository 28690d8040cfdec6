// Detects partitions whose reading has stalled. The client's own reports do not show it: a partition that yields nothing
// looks to the client like an empty one.
import { type Clock, withTimeout } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { Database } from '../database/database.ts';
import { beforeFirst, listCheckpoints, markRead } from './checkpoint.ts';
import {
  type EventHubClient,
  type HubFacts,
  operationTimeoutMs,
  type PartitionFacts,
} from './event-hub-client.ts';
import { isOtherHub, isShorter, settleHub } from './hub-identity.ts';
import { sessionLost } from './session-lost.ts';
import { noteEmptied } from './unread.ts';

export interface WatchOptions {
  readonly client: EventHubClient;
  readonly consumerGroup: string;
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Log;
  /** Without any sign of life for this long the session is over. */
  readonly stallMs: number;
  /** How often the hub is asked how far its partitions go. */
  readonly inspectIntervalMs: number;
}

export class PartitionWatch {
  readonly #options: WatchOptions;
  /** When the client last showed that it still balances the load. */
  #lastSign: number;
  /** Partitions being read, with the time of their last sign of life; undefined while we work on a batch. */
  readonly #reading = new Map<string, number | undefined>();
  /** How far each partition has been taken, and since when it has not moved. */
  readonly #progress = new Map<string, { readonly taken: number; readonly since: number }>();
  /** The hub, as it was when the session began. */
  #hub: HubFacts | undefined;
  /** As it said last, where that was another one. */
  #otherHub: HubFacts | undefined;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#lastSign = options.clock.monotonic();
  }

  sign(): void {
    this.#lastSign = this.#options.clock.monotonic();
  }

  /** The reader of this partition is idle: it waits for events, or has processed those that it got. */
  waiting(partitionId: string): void {
    this.#reading.set(partitionId, this.#options.clock.monotonic());
  }

  working(partitionId: string): void {
    this.#reading.set(partitionId, undefined);
  }

  gone(partitionId: string): void {
    this.#reading.delete(partitionId);
    this.#progress.delete(partitionId);
  }

  /** Resolves after an abort; rejects when the session is to end. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, stallMs, inspectIntervalMs } = this.#options;
    let inspectAt = 0;
    while (!signal.aborted) {
      await new Promise<void>((resolve) => {
        clock.setTimer(Math.min(1000, stallMs / 4, inspectIntervalMs), resolve);
      });
      if (signal.aborted) return;
      const now = clock.monotonic();
      if (this.#lastSign < now - stallMs) throw sessionLost('no answer from the event hub');
      for (const [partitionId, at] of this.#reading) {
        if (at !== undefined && at < now - stallMs) throw sessionLost(`partition ${partitionId} stalled`);
      }
      if (now < inspectAt) continue;
      await this.#inspectProgress(now - stallMs);
      inspectAt = clock.monotonic() + Math.min(inspectIntervalMs, stallMs / 4);
    }
  }

  /**
   * Asks the hub how far each partition goes. One that has been read to its end is marked so; one that has
   * more and yields nothing ends the session: an idle tick alone does not tell it from an empty one. One that holds
   * nothing, and had more than was taken, has lost it to retention. A hub that was made anew under the session ends it,
   * too: the client connects to it again and goes on where it was, so that nothing would come, and all of it would count as read.
   */
  async #inspectProgress(deadline: number): Promise<void> {
    const { client, clock, database } = this.#options;
    // First: another instance's progress must not look like a hub that started over.
    const known = await this.#checkpoints();
    if (await this.#mayBeOther()) return;
    for (const partitionId of [...this.#reading.keys()]) {
      const at = clock.now();
      const facts = await this.#limited(client.facts(partitionId));
      if (
        isShorter(
          known.find((row) => row.partitionId === partitionId),
          facts,
        )
      )
        throw sessionLost(`partition ${partitionId} has had fewer events than were read of it`);
      const checkpoint = (await this.#checkpoints()).find((row) => row.partitionId === partitionId);
      const taken = checkpoint?.sequenceNumber ?? beforeFirst;
      const before = this.#progress.get(partitionId);
      const isRead = facts.isEmpty || facts.newest <= taken;
      if (facts.isEmpty && facts.newest > taken) {
        // What it held last may be what we work on.
        if (this.#reading.get(partitionId) === undefined) continue;
        await noteEmptied(database, this.#partition(partitionId), taken, facts, at);
      }
      if (isRead) await markRead(database, this.#partition(partitionId), at);
      if (isRead || before === undefined || before.taken !== taken) {
        this.#progress.set(partitionId, { taken, since: clock.monotonic() });
      } else if (before.since < deadline && this.#reading.get(partitionId) !== undefined) {
        throw sessionLost(`partition ${partitionId} has more, and none of it comes`);
      }
    }
  }

  /** True until the hub has said once more that it is another one; then it is. One that says something else each time says nothing. */
  async #mayBeOther(): Promise<boolean> {
    const now = await this.#limited(this.#options.client.hubFacts());
    const [before, said] = [this.#hub, this.#otherHub];
    const isOther = before !== undefined && isOtherHub(before, now);
    this.#otherHub = isOther ? now : undefined;
    if (!isOther) return false;
    if (said === undefined) return true;
    if (!isOtherHub(said, now)) throw sessionLost('the event hub is another one now');
    return false;
  }

  /** Runs before anything is read: makes sure that the checkpoints belong to this hub. */
  async settleHub(): Promise<void> {
    const { client, clock, consumerGroup, database, log } = this.#options;
    const checkpoints = await this.#checkpoints();
    const facts = await this.#limited(client.hubFacts());
    this.#hub = facts;
    const partitions = new Map<string, PartitionFacts>();
    for (const id of facts.partitionIds) partitions.set(id, await this.#limited(client.facts(id)));
    const sight = { hub: client.hub, consumerGroup, checkpoints, facts, partitions };
    const change = await settleHub(database, sight, clock.now());
    if (change !== 'none')
      log.warn(
        { code: 'event-hub-changed', hub: client.hub, change },
        'the event hub has changed since it was last read',
      );
  }

  #partition(partitionId: string) {
    const { client, consumerGroup } = this.#options;
    return { hub: client.hub, consumerGroup, partitionId };
  }

  #checkpoints() {
    const { client, consumerGroup, database } = this.#options;
    return listCheckpoints(database, client.hub, consumerGroup);
  }

  #limited<T>(work: Promise<T>): Promise<T> {
    const limitMs = operationTimeoutMs * 3;
    return withTimeout(this.#options.clock, limitMs, work, () => sessionLost('no answer from the event hub'));
  }
}
