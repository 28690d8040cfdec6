// The journal of readings that wait until the clock is trusted: events with local times, in memory as they are on the disk.
// Bounded.
//
// What was made durable is never given up for something newer: when the journal is full, later events are refused, and
// observation counts as broken there. Records are written one at a time, in order.
import type { Clock, Timer } from '../../kernel/clock.ts';
import { HoldfastError } from '../../kernel/errors.ts';
import { packBatch, packEvent, type StreamEvent, unpackBatch } from './provisional-record.ts';
import type { ProvisionalRecord, TimeStore } from './time-store.ts';

export interface ProvisionalJournalOptions {
  readonly store: () => TimeStore;
  readonly clock: Clock;
  readonly bootId: string;
  readonly maxBytes: number;
  readonly flushIntervalMs: number;
}

export interface KeptEvent extends StreamEvent {
  /** The run of the machine whose local times it has. */
  readonly bootId: string;
}

export class ProvisionalJournal {
  readonly #options: ProvisionalJournalOptions;
  #records: ProvisionalRecord[] = [];
  /** Packed; not yet in a record. */
  #fresh: string[] = [];
  #bytes = 0;
  #nextSequence = 1;
  #timer: Timer | undefined;
  /** The last write, which comes after all others. */
  #written: Promise<void> = Promise.resolve();
  /** While a decision is under way. */
  #frozen: PromiseWithResolvers<void> | undefined;

  constructor(options: ProvisionalJournalOptions) {
    this.#options = options;
  }

  get bytes(): number {
    return this.#bytes;
  }
  get isEmpty(): boolean {
    return this.#bytes === 0;
  }
  /** Number of the next record. */
  get nextSequence(): number {
    return this.#nextSequence;
  }

  /** At start: what an earlier process left. New records get `least` or a higher number. */
  load(records: readonly ProvisionalRecord[], least: number): void {
    this.#records = [...records];
    this.#bytes = records.reduce((sum, { payload }) => sum + payload.byteLength, 0);
    this.#nextSequence = Math.max(least, (records.at(-1)?.sequence ?? 0) + 1);
  }

  /** False when there is no room. */
  append(event: StreamEvent): boolean {
    const packed = packEvent(event);
    // A statement of a few bytes always fits: how far observation reached must not be lost to the bound.
    if (event.event.kind === 'readings' && this.#bytes + packed.length > this.#options.maxBytes) return false;
    this.#fresh.push(packed);
    this.#bytes += packed.length;
    if (this.#frozen === undefined) this.#schedule();
    return true;
  }

  /** Resolves once all that was appended so far is on disk, or was taken out by `take`. */
  durable(): Promise<void> {
    if (this.#fresh.length === 0) return this.#written;
    return this.#frozen?.promise ?? this.flush();
  }

  /** Writes what is fresh. */
  flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#fresh.length === 0) return this.#written;
    const record = {
      sequence: this.#nextSequence++,
      payload: packBatch(this.#options.bootId, this.#fresh),
    };
    this.#fresh = [];
    this.#records.push(record);
    const written = this.#options.store().appendProvisional(record);
    // Whoever waits is told; nobody need.
    written.catch(() => {});
    this.#written = written;
    return written;
  }

  /** From here to `take` nothing more is put into records: a decision about those there are is under way. */
  freeze(): void {
    void this.flush();
    this.#frozen ??= Promise.withResolvers();
  }

  /** Everything that waits, in order; nothing waits any more. The disk keeps its records until `forget`. */
  take(): Iterable<KeptEvent> {
    const fresh = packBatch(this.#options.bootId, this.#fresh);
    const payloads = [...this.#records.map(({ payload }) => payload), fresh];
    this.#records = [];
    this.#fresh = [];
    this.#bytes = 0;
    this.#frozen?.resolve();
    this.#frozen = undefined;
    return eventsOf(payloads);
  }

  /** The same, of the records below `before` alone. */
  takeBelow(before: number): Iterable<KeptEvent> {
    const taken = this.#records.filter(({ sequence }) => sequence < before);
    this.#drop(taken);
    return eventsOf(taken.map(({ payload }) => payload));
  }

  /**
   * Gives up what another run of the machine kept: its local times mean nothing any more. Returns how many
   * readings that were, and where its records end.
   */
  dropOthers(bootId: string): { readonly readings: number; readonly before: number } {
    const others = this.#records.filter(({ payload }) => unpackBatch(payload).bootId !== bootId);
    this.#drop(others);
    let readings = 0;
    for (const { event } of eventsOf(others.map(({ payload }) => payload))) {
      if (event.kind === 'readings') readings += event.readings.length;
    }
    return { readings, before: (others.at(-1)?.sequence ?? -1) + 1 };
  }

  /** Removes from the disk what lies below `before`. */
  async forget(before: number): Promise<void> {
    await this.#options.store().removeProvisional(0, before);
  }

  #drop(records: readonly ProvisionalRecord[]): void {
    this.#records = this.#records.filter((record) => !records.includes(record));
    this.#bytes -= records.reduce((sum, { payload }) => sum + payload.byteLength, 0);
  }

  #schedule(): void {
    const { clock, flushIntervalMs } = this.#options;
    this.#timer ??= clock.setTimer(flushIntervalMs, () => {
      this.#timer = undefined;
      void this.flush().catch(() => {});
    });
  }
}

// One record after the other, so that not all of them are unpacked at once.
function* eventsOf(payloads: readonly Uint8Array[]): Generator<KeptEvent> {
  for (const payload of payloads) {
    const { bootId, events } = unpackBatch(payload);
    for (const event of events) yield { ...event, bootId };
  }
}

/** The streams that these records are of. */
export function streamsIn(records: readonly ProvisionalRecord[]): ReadonlySet<string> {
  const streams = new Set<string>();
  for (const { batchId } of eventsOf(records.map(({ payload }) => payload))) streams.add(batchId);
  return streams;
}

/** A record that cannot be read holds nothing that could be placed. */
export function isReadable(record: ProvisionalRecord): boolean {
  try {
    unpackBatch(record.payload);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError || error instanceof HoldfastError)
      return false;
    throw error;
  }
}
