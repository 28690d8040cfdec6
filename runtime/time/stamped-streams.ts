// All streams that this gateway stamps: a change of the clock applies to all of them at once.
import { codeOf, describeError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { KeptEvent } from './provisional-journal.ts';
import type { StampingSink } from './stamping-sink.ts';
import type { Offset } from './stream-scale.ts';
import type { Decision } from './time-store.ts';

export interface PlacedCount {
  readonly placed: number;
  /** Readings of streams that are no longer there, or of another run of the machine. */
  readonly lost: number;
}

const nothing = Number.NEGATIVE_INFINITY;

export class StampedStreams {
  readonly #sinks = new Map<string, StampingSink>();
  #floor: number | undefined;

  /** The end of all that the streams had claimed when they were added. */
  get floor(): number | undefined {
    return this.#floor;
  }

  /** Where a stream that is opened (again) must continue: at its floor, or above the positions already given out. */
  floorOf(batchId: string, floor: number | undefined): number {
    return Math.max(floor ?? nothing, this.#sinks.get(batchId)?.position ?? nothing);
  }

  add(sink: StampingSink, floor: number): void {
    this.#sinks.set(sink.batchId, sink);
    if (Number.isFinite(floor)) this.#floor = Math.max(this.#floor ?? floor, floor);
  }

  get(batchId: string): StampingSink | undefined {
    return this.#sinks.get(batchId);
  }

  remove(batchId: string): void {
    this.#sinks.delete(batchId);
  }

  /** Without a reason, windows go on. */
  rescale(offset: Offset, reason: string | undefined): void {
    for (const sink of this.#sinks.values()) sink.rescale(offset, reason);
  }

  wait(reason: string): void {
    for (const sink of this.#sinks.values()) sink.wait(reason);
  }

  /** By stream, the lowest free index. */
  positions(): Readonly<Record<string, number>> {
    const entries = [...this.#sinks].map(([batchId, { position }]) => [batchId, position] as const);
    return Object.fromEntries(entries.filter(([, position]) => Number.isFinite(position)));
  }

  /** Ends the wait: places the kept events; later ones are placed as they come. */
  release(decision: Decision, events: Iterable<KeptEvent>, bootId: string): PlacedCount {
    for (const [batchId, sink] of this.#sinks) {
      sink.beginPlacing(decision.offset, decision.positions[batchId]);
    }
    const count = this.#place(events, bootId);
    this.endWaiting();
    return count;
  }

  endWaiting(): void {
    for (const sink of this.#sinks.values()) sink.endWaiting();
  }

  /** Places the events that an earlier process kept, as it would have done. From here on `offset` applies. */
  replay(decision: Decision, events: Iterable<KeptEvent>, bootId: string, offset: Offset): PlacedCount {
    for (const [batchId, sink] of this.#sinks) {
      // A stream that it does not name had claimed nothing yet.
      sink.beginPlacing(decision.offset, decision.positions[batchId] ?? nothing);
    }
    const count = this.#place(events, bootId);
    // Local times of another run of the machine say nothing about those of this one.
    for (const sink of this.#sinks.values()) sink.endReplay(offset);
    return count;
  }

  /** As another process of this run of the machine had it. */
  goOn(offset: Offset): void {
    for (const sink of this.#sinks.values()) sink.beginPlacing(offset, undefined);
  }

  /** Resolves once all that was placed so far is on disk. */
  async placed(): Promise<void> {
    await Promise.all([...this.#sinks.values()].map((sink) => sink.placed()));
  }

  /** How far positions run ahead of the wall clock. */
  aheadMs(local: number): number {
    let ahead = 0;
    for (const sink of this.#sinks.values()) ahead = Math.max(ahead, sink.aheadMs(local));
    return ahead;
  }

  #place(events: Iterable<KeptEvent>, bootId: string): PlacedCount {
    let [placed, lost] = [0, 0];
    for (const { batchId, event, bootId: of } of events) {
      const sink = this.#sinks.get(batchId);
      const readings = event.kind === 'readings' ? event.readings.length : 0;
      if (sink === undefined || of !== bootId) {
        lost += readings;
        continue;
      }
      placed += readings;
      sink.placeKept(event);
    }
    return { placed, lost };
  }
}

/** Opens a stream that no source feeds any more, for its events that wait. */
export function openLeft(batchId: string, open: ((batchId: string) => void) | undefined, log: Log): void {
  try {
    open?.(batchId);
  } catch (error) {
    // Its readings have no place then, and are counted as lost: no reason not to start.
    log.warn(
      { code: codeOf(error, 'clock-readings-lost'), batchId, reason: describeError(error) },
      'a stream cannot be opened again',
    );
  }
}
