// The hub's messages/events store: partitions of events in memory, bounded by count and bytes.

export interface StoredEvent {
  readonly partition: number;
  /** Counts from 0 in each partition. */
  readonly sequence: number;
  /** Bytes stored in the partition before this event: what consumers call the offset. */
  readonly offset: number;
  /** UTC epoch milliseconds. Never goes back within a partition. */
  readonly enqueuedAt: number;
  /** Counts from 0 over all partitions. */
  readonly ordinal: number;
  readonly deviceId: string;
  readonly moduleId: string | undefined;
  readonly body: Buffer;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly system: SystemProperties;
  /** What the event counts for in retention. */
  readonly bytes: number;
}

export interface SystemProperties {
  readonly messageId?: string | undefined;
  readonly correlationId?: string | undefined;
  readonly contentType?: string | undefined;
  readonly contentEncoding?: string | undefined;
  readonly userId?: string | undefined;
  readonly outputName?: string | undefined;
}

export type NewEvent = Pick<StoredEvent, 'deviceId' | 'moduleId' | 'body' | 'properties' | 'system'>;

export interface Retention {
  readonly maxEvents: number;
  readonly maxBytes: number;
}

export const defaultRetention: Retention = { maxEvents: 200_000, maxBytes: 512 * 1024 * 1024 };
/** What an event and one of its properties cost in memory beyond their bytes, as measured. */
const overheadBytes = 1000;
const propertyOverheadBytes = 120;

export class EventLog {
  readonly partitions: readonly Partition[];
  readonly #retention: Retention;
  readonly #listeners = new Set<(event: StoredEvent) => void>();
  #ordinal = 0;
  #count = 0;
  #bytes = 0;
  #evicted = 0;

  constructor(partitionCount: number, retention: Retention = defaultRetention) {
    this.partitions = Array.from({ length: partitionCount }, (_, index) => new Partition(index));
    this.#retention = retention;
  }

  get stats(): { stored: number; held: number; heldBytes: number; evicted: number } {
    return { stored: this.#ordinal, held: this.#count, heldBytes: this.#bytes, evicted: this.#evicted };
  }

  append(event: NewEvent, now: number): StoredEvent {
    const partition = this.partitions[partitionOf(event.deviceId, this.partitions.length)]!;
    const stored = partition.append(event, this.#ordinal++, now);
    this.#count++;
    this.#bytes += stored.bytes;
    while (this.#count > this.#retention.maxEvents || this.#bytes > this.#retention.maxBytes) this.#evict();
    for (const listener of this.#listeners) listener(stored);
    return stored;
  }

  onAppend(listener: (event: StoredEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Held events from `ordinal` on, oldest first, at most `limit`. */
  from(ordinal: number, limit: number): StoredEvent[] {
    const found = this.partitions.flatMap((partition) => partition.fromOrdinal(ordinal, limit));
    return found.sort((a, b) => a.ordinal - b.ordinal).slice(0, limit);
  }

  #evict(): void {
    let oldest: Partition | undefined;
    for (const partition of this.partitions) {
      const head = partition.oldest;
      if (head && (!oldest?.oldest || head.ordinal < oldest.oldest.ordinal)) oldest = partition;
    }
    const event = oldest?.shift();
    if (!event) throw new Error('nothing left to evict');
    this.#count--;
    this.#bytes -= event.bytes;
    this.#evicted++;
  }
}

/** A queue whose front is dropped in lots, so that removing the oldest costs nothing. */
export class Partition {
  readonly index: number;
  #events: StoredEvent[] = [];
  #start = 0;
  #nextSequence = 0;
  #nextOffset = 0;
  #lastEnqueuedAt = 0;
  #last: StoredEvent | undefined;

  constructor(index: number) {
    this.index = index;
  }

  get oldest(): StoredEvent | undefined {
    return this.#events[this.#start];
  }

  /** The newest ever stored, held or not. */
  get last(): StoredEvent | undefined {
    return this.#last;
  }

  get nextSequence(): number {
    return this.#nextSequence;
  }

  get isEmpty(): boolean {
    return this.#start === this.#events.length;
  }

  append(event: NewEvent, ordinal: number, now: number): StoredEvent {
    this.#lastEnqueuedAt = Math.max(this.#lastEnqueuedAt, now);
    const stored: StoredEvent = {
      ...event,
      partition: this.index,
      sequence: this.#nextSequence++,
      offset: this.#nextOffset,
      enqueuedAt: this.#lastEnqueuedAt,
      ordinal,
      bytes: sizeOf(event),
    };
    this.#nextOffset += stored.bytes;
    this.#events.push(stored);
    this.#last = stored;
    return stored;
  }

  shift(): StoredEvent | undefined {
    const event = this.#events[this.#start];
    if (!event) return undefined;
    this.#events[this.#start] = undefined as never;
    this.#start++;
    if (this.#start > 1024 && this.#start * 2 > this.#events.length) {
      this.#events = this.#events.slice(this.#start);
      this.#start = 0;
    }
    return event;
  }

  /** The event with this sequence number, or the oldest held if that is gone, or undefined if not yet there. */
  at(sequence: number): StoredEvent | undefined {
    const first = this.oldest;
    if (!first) return undefined;
    return this.#events[this.#start + Math.max(0, sequence - first.sequence)];
  }

  /** Sequence number of the first held event for which `passes` holds; it must hold for all later ones. */
  firstSequence(passes: (event: StoredEvent) => boolean): number {
    let low = this.#start;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (passes(this.#events[middle]!)) high = middle;
      else low = middle + 1;
    }
    return this.#events[low]?.sequence ?? this.#nextSequence;
  }

  fromOrdinal(ordinal: number, limit: number): StoredEvent[] {
    const found: StoredEvent[] = [];
    let sequence = this.firstSequence((event) => event.ordinal >= ordinal);
    for (; found.length < limit && sequence < this.#nextSequence; sequence++) found.push(this.at(sequence)!);
    return found;
  }
}

/** All of a device's messages, its modules' too, go to one partition (FNV-1a). */
export function partitionOf(deviceId: string, partitionCount: number): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(deviceId)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash % partitionCount;
}

function sizeOf(event: NewEvent): number {
  let bytes = overheadBytes + event.body.length;
  for (const [name, value] of Object.entries(event.properties)) {
    bytes += propertyOverheadBytes + name.length + String(value).length;
  }
  return bytes;
}
