// Events in, ledger out. Each batch is one transaction: checkpoint locked, events that were taken before
// dropped, ledger and set-aside written, checkpoint moved. A crash anywhere leaves all of it or nothing.
import type { Clock } from '../../kernel/clock.ts';
import { describeError, HoldfastError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import type { Database } from '../database/database.ts';
import { isOfTheWork } from '../database/database-error.ts';
import { applyArrivals } from '../ledger/ledger.ts';
import type { SegmentLimits } from '../ledger/segment.ts';
import { createStreamRegistry, type StreamRegistry } from '../ledger/stream-registry.ts';
import { advanceCheckpoint, beforeFirst, type LockedCheckpoint, lockCheckpoint } from './checkpoint.ts';
import { type Classified, classify } from './classify.ts';
import type { PartitionRef, SoundEvent } from './event-source.ts';
import { forgetHub, isAnotherHub } from './hub-identity.ts';
import { type Bounds, defaultBounds } from './plausible.ts';
import { countSetAside, setAside } from './set-aside.ts';
import { noteSources } from './set-aside-source.ts';
import { type Sorted, sortEvents } from './sort.ts';
import { type GivenEvent, soundEvents } from './sound-event.ts';
import { leapsFromBehind, takeBackLeap, tellWrongTimes, withinTime, wrongLeap } from './stamps.ts';
import { noteUnread, unreadBetween } from './unread.ts';

export interface IngestorOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Default: what plausible.ts says. */
  readonly plausible?: Partial<Bounds>;
  /** Tests have smaller ones. */
  readonly segmentLimits?: SegmentLimits;
  /** Called after a commit that brought backfill: repair has something to look at. */
  readonly onBackfill?: () => void;
}

export interface Ingested {
  /** Events that were new; the rest had been taken before. */
  readonly taken: number;
  readonly replayed: number;
  readonly setAside: number;
}

export interface Ingestor {
  /**
   * Takes the next events of a partition. Safe to call again with the same events.
   * @param after as `TakeEvents`; default: the last event taken here.
   * @throws HoldfastError as `Database` does, retryable: then what is not in the ledger yet is to be given again;
   * `ingest-position-lost` when the checkpoint lies before `after`: then all from it on is.
   */
  ingest(partition: PartitionRef, events: readonly GivenEvent[], after?: number): Promise<Ingested>;
}

/** What one transaction wrote. */
interface Written extends Sorted {
  /** The last event that had been taken before. */
  readonly after: LockedCheckpoint;
  readonly fresh: readonly SoundEvent[];
  /** Events of which the hub stated what cannot be. */
  readonly wrongStamps: number;
}

export function createIngestor(options: IngestorOptions): Ingestor {
  return new LedgerIngestor(options);
}

class LedgerIngestor implements Ingestor {
  readonly #options: IngestorOptions;
  readonly #bounds: Bounds;
  readonly #registry: StreamRegistry;
  /** The last event taken here, by partition. */
  readonly #taken = new Map<string, number>();

  constructor(options: IngestorOptions) {
    this.#options = options;
    this.#bounds = { ...defaultBounds, ...options.plausible };
    this.#registry = createStreamRegistry(options.database);
  }

  async ingest(partition: PartitionRef, given: readonly GivenEvent[], after?: number): Promise<Ingested> {
    if (given.length === 0) return { taken: 0, replayed: 0, setAside: 0 };
    const key = partitionKey(partition);
    const readAfter = after ?? this.#taken.get(key) ?? beforeFirst;
    const events = soundEvents(given, readAfter);
    try {
      const written = await this.#write(partition, events, readAfter);
      const { fresh } = written;
      this.#taken.set(key, fresh[fresh.length - 1]?.sequenceNumber ?? written.after.sequenceNumber);
      return this.#report(partition, events.length, written);
    } catch (error) {
      this.#registry.forget();
      if (error instanceof HubRemadeError) {
        const { database, clock } = this.#options;
        await forgetHub(database, partition, error.after, clock.now());
        this.#taken.delete(key);
        throw positionLost(partition);
      }
      if (isPositionLost(error)) this.#taken.delete(key);
      // Fewer at once may be quick enough; one that is too slow by itself is the database's trouble, not its own.
      const isTheirs = isOfTheEvents(error) || (isOfTheWork(error) && events.length > 1);
      if (!isTheirs) throw error;
      return this.#ingestApart(partition, events, readAfter, error);
    }
  }

  async #write(
    partition: PartitionRef,
    events: readonly SoundEvent[],
    readAfter: number,
    refused?: string,
  ): Promise<Written> {
    const { database, clock, segmentLimits } = this.#options;
    const now = clock.now();
    const items = events.map((event) => classifyUnless(refused, event));
    const known = await this.#registry.resolve(
      items.flatMap((item) => (item.kind === 'arrival' ? [item.arrival] : [])),
      now,
    );
    return database.transaction(async (session): Promise<Written> => {
      const locked = await lockCheckpoint(session, partition);
      if (locked.sequenceNumber < readAfter) throw positionLost(partition);
      // What it is cannot be told from behind: a new event, or one of those that others have taken meanwhile.
      if (leapsFromBehind(locked, events, readAfter)) throw positionLost(partition);
      const wrong = wrongLeap(locked, events);
      const after = wrong === undefined ? locked : await takeBackLeap(session, partition, locked, wrong, now);
      const timed = withinTime(after, events, now);
      if (isAnotherHub(after, timed)) throw new HubRemadeError(after);
      const isFresh = timed.map(
        ({ sequenceNumber: n }) => n > after.sequenceNumber && !wrong?.to.includes(n),
      );
      const fresh = timed.filter((_, i) => isFresh[i]);
      const none = { arrivals: [], aside: [], wrongStamps: 0 };
      if (fresh.length === 0) return { after, fresh, ...none };
      const wrongTimes = await tellWrongTimes(session, partition, fresh, now);
      const before = wrong === undefined ? after : { ...after, sequenceNumber: wrong.taken };
      await noteUnread(session, partition, before, firstOf(fresh, after), now);
      const freshItems = items
        .map((item, i) => heardAt(item, timed[i]!.enqueuedAt))
        .filter((_, i) => isFresh[i]);
      const { arrivals, aside } = await sortEvents(session, fresh, freshItems, known, this.#bounds, now);
      await applyArrivals(session, arrivals, now, partition.partitionId, segmentLimits);
      await setAside(session, partition, aside, now);
      await advanceCheckpoint(session, partition, after, fresh, now);
      const wrongStamps = wrongTimes + (wrong === undefined ? 0 : 1);
      return { after: before, fresh, arrivals, aside, wrongStamps };
    });
  }

  /** One event that the database will never take must not block its partition: halve until it stands alone. */
  async #ingestApart(
    partition: PartitionRef,
    events: readonly SoundEvent[],
    readAfter: number,
    cause: unknown,
  ): Promise<Ingested> {
    if (events.length === 1) {
      const written = await this.#write(partition, events, readAfter, describeError(cause)).catch((error) => {
        if (!isOfTheEvents(error)) throw error;
        return this.#countAlone(partition, events);
      });
      return this.#report(partition, 1, written);
    }
    const middle = events.length >>> 1;
    const first = await this.ingest(partition, events.slice(0, middle), readAfter);
    const second = await this.ingest(partition, events.slice(middle), events[middle - 1]!.sequenceNumber);
    return {
      taken: first.taken + second.taken,
      replayed: first.replayed + second.replayed,
      setAside: first.setAside + second.setAside,
    };
  }

  /** The last resort: nothing of the event is written, but that it was there. */
  #countAlone(partition: PartitionRef, events: readonly SoundEvent[]): Promise<Written> {
    const { database, clock } = this.#options;
    return database.transaction(async (session): Promise<Written> => {
      const after = await lockCheckpoint(session, partition);
      const fresh = events.filter((event) => event.sequenceNumber > after.sequenceNumber);
      const none = { arrivals: [], wrongStamps: 0 };
      if (fresh.length === 0) return { after, fresh, ...none, aside: [] };
      const now = clock.now();
      const reason = 'refused-by-database' as const;
      const detail = 'nothing of it could be written, not even to show it';
      const nobody = { deviceId: '', moduleId: '', batchId: '', reason, detail };
      await countSetAside(
        session,
        partition,
        fresh.map(() => reason),
      );
      await noteSources(
        session,
        fresh.map(() => nobody),
        now,
      );
      await advanceCheckpoint(session, partition, after, fresh, now);
      return { after, fresh, ...none, aside: fresh.map((event) => ({ event, reason, detail })) };
    });
  }

  #report(partition: PartitionRef, given: number, written: Written): Ingested {
    const { fresh, aside } = written;
    report(this.#options, partition, given, written);
    return { taken: fresh.length, replayed: given - fresh.length, setAside: aside.length };
  }
}

/**
 * Someone has put the checkpoint back: the ledger was started over, or the hub counts from the start again.
 * To go on from here would leave out all that lies between.
 */
function positionLost(partition: PartitionRef): HoldfastError {
  const message = `the checkpoint of partition ${partition.partitionId} was put back; it is read from there again`;
  return new HoldfastError(positionLostCode, message, { retryable: true });
}

const positionLostCode = 'ingest-position-lost';
const partitionKey = ({ hub, consumerGroup, partitionId }: PartitionRef) =>
  `${hub}\n${consumerGroup}\n${partitionId}`;

export function isPositionLost(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === positionLostCode;
}

/**
 * The same events will fail again: the database refuses what they hold, or we stumble over it ourselves. Everything
 * else comes right, and the events are given again until it has.
 */
function isOfTheEvents(error: unknown): boolean {
  if (error instanceof HoldfastError && error.code === 'database-refused-data') return true;
  return [error, (error as Error | undefined)?.cause].some(
    (one) => one instanceof TypeError || one instanceof RangeError || one instanceof SyntaxError,
  );
}

function classifyUnless(refused: string | undefined, event: SoundEvent): Classified {
  if (refused !== undefined) return { kind: 'aside', reason: 'refused-by-database', detail: refused };
  return event.problem === undefined
    ? classify(event)
    : { kind: 'aside', reason: 'damaged-event', detail: event.problem };
}

/** With the time at which the hub can have had it. */
function heardAt(item: Classified, at: number): Classified {
  return item.kind === 'aside' ? item : { ...item, arrival: { ...item.arrival, heardAt: at } };
}

/** The first new event, with the time at which the hub had it, or the first later time that is known. */
function firstOf(fresh: readonly SoundEvent[], after: LockedCheckpoint) {
  const { sequenceNumber } = fresh[0]!;
  const dated = fresh.find(({ enqueuedAt }) => enqueuedAt > 0);
  return { sequenceNumber, enqueuedAt: dated?.enqueuedAt ?? after.enqueuedAt };
}

/** The event that was taken last is another one now. */
class HubRemadeError extends HoldfastError {
  readonly after: LockedCheckpoint;

  constructor(after: LockedCheckpoint) {
    super('ingest-hub-remade', 'the event hub was made anew', { retryable: true });
    this.after = after;
  }
}

function report(options: IngestorOptions, partition: PartitionRef, given: number, written: Written): void {
  const { log, metrics } = options;
  const { after, fresh, arrivals, aside, wrongStamps } = written;
  const unread = fresh[0] === undefined ? 0 : unreadBetween(after, fresh[0]);
  if (unread > 0) {
    metrics.count('holdfast_ingest_unread_events_total', undefined, unread);
    log.error(
      { code: 'events-lost', partition: partition.partitionId, after: after.sequenceNumber, events: unread },
      'the hub removed events before they were read',
    );
  }
  const last = aside[aside.length - 1];
  if (last !== undefined) {
    const { reason, detail, event } = last;
    const fields = { partition: partition.partitionId, sequence: event.sequenceNumber, reason, detail };
    log.warn(
      { code: 'messages-set-aside', ...fields, count: aside.length },
      'messages were set aside; the last one is shown',
    );
  }
  if (wrongStamps > 0) metrics.count('holdfast_ingest_wrong_stamps_total', undefined, wrongStamps);
  metrics.count('holdfast_ingest_events_total', undefined, fresh.length);
  metrics.count('holdfast_ingest_replayed_events_total', undefined, given - fresh.length);
  for (const { reason } of aside) metrics.count('holdfast_ingest_set_aside_total', { reason });
  if (arrivals.some((arrival) => arrival.isBackfill)) options.onBackfill?.();
}
