// Between a source whose readings carry local time (ms since the machine started) and the windows of its stream:
// gives them their place on the wall clock's scale, or keeps them in the provisional journal until there is one.
//
// A step of the wall clock is, on the scale of windows, a break: observation ends where it was last stated to
// reach, placed by the old offset, and starts again at the same local moment, placed by the new one. So
// the hole that a forward step leaves is exactly as long as the step, at the place where it happened.
import type { Quality, Reading } from '../../wire/reading.ts';
import { Continuation } from '../sources/continuation.ts';
import type { SourceEvent, SourceSink } from '../sources/source.ts';
import { type Offset, type Placed, StreamScale } from './stream-scale.ts';

export interface StampingOptions {
  readonly batchId: string;
  /** The stream's windows. */
  readonly inner: SourceSink;
  readonly offset: Offset;
  readonly slewMs: number;
  /** The end of what was ever claimed in this stream. */
  readonly floor: number | undefined;
  /** Called before each event: has the wall clock been set? */
  readonly check: () => void;
  /** False when there is no room. */
  readonly keep: (event: SourceEvent) => boolean;
  readonly kept: () => Promise<void>;
  /** Readings that found no room. */
  readonly onRefused: (readings: number) => void;
}

export class StampingSink implements SourceSink {
  readonly batchId: string;
  readonly #options: StampingOptions;
  readonly #scale: StreamScale;
  #waiting = false;
  /** How far observation reaches, local time; undefined while it is broken. */
  #observed: number | undefined;
  /** How often a hole was left although the source went on. */
  #begunAnew = 0;
  /** There was no room for something that came while waiting, so nothing is kept since. */
  #isFull = false;

  constructor(options: StampingOptions) {
    this.batchId = options.batchId;
    this.#options = options;
    this.#scale = new StreamScale(options.offset, options.slewMs, options.floor);
  }

  get position(): number {
    return this.#scale.position;
  }

  aheadMs(local: number): number {
    return this.#scale.aheadMs(local);
  }

  emit(event: SourceEvent): boolean {
    this.#options.check();
    const isTaken = this.#waiting ? this.#wait(event) : this.#place(event);
    if (isTaken) this.#follow(event);
    else this.#observed = undefined;
    return isTaken;
  }

  async durable(): Promise<void> {
    if (this.#waiting) await this.#options.kept();
    // What was kept may have been placed meanwhile.
    if (!this.#waiting) await this.#options.inner.durable();
  }

  hasRoom(): boolean {
    return this.#waiting ? !this.#isFull : (this.#options.inner.hasRoom?.() ?? true);
  }

  begunAnew(): number {
    this.#options.check();
    return this.#begunAnew;
  }

  /** Resolves once all that was placed so far is on disk. */
  placed(): Promise<void> {
    return this.#options.inner.durable();
  }

  /** The wall clock was set. Without a reason the window goes on. */
  rescale(offset: Offset, reason: string | undefined): void {
    const observed = this.#waiting ? undefined : this.#observed;
    if (reason === undefined || observed === undefined) {
      this.#scale.offset = offset;
      return;
    }
    const at = this.#scale.end(observed);
    this.#options.inner.emit({ kind: 'broken', at, reason });
    this.#scale.offset = offset;
    if (observed + offset.offsetMs > at) this.#begunAnew += 1;
    this.#place({ kind: 'resumed', at: observed, continues: Continuation.ownClock() });
  }

  /** From here on events wait for a time that can be trusted. */
  wait(reason: string): void {
    if (this.#waiting) return;
    this.#waiting = true;
    this.#begunAnew += 1;
    if (this.#observed === undefined) return;
    this.#options.inner.emit({ kind: 'broken', at: this.#scale.end(this.#observed), reason });
    this.#wait({ kind: 'resumed', at: this.#observed, continues: Continuation.ownClock() });
  }

  /** Before events that waited are placed: as the decision has it. */
  beginPlacing(offset: Offset, position: number | undefined): void {
    this.#scale.restart(offset, position);
  }

  /** Places an event that waited. Readings that an earlier run placed already are left out. */
  placeKept(event: SourceEvent): void {
    this.#place(event, this.#options.floor);
  }

  /** The events of an earlier process are placed: from here on nothing goes below the floor. */
  endReplay(offset: Offset): void {
    const floor = this.#options.floor ?? Number.NEGATIVE_INFINITY;
    this.#scale.restart(offset, Math.max(floor, this.#scale.position));
  }

  /** All that waited is placed. What found no room was a break, and its source knows. */
  endWaiting(): void {
    this.#waiting = false;
    this.#isFull = false;
  }

  #wait(event: SourceEvent): boolean {
    if (!this.#isFull && this.#options.keep(event)) return true;
    if (event.kind === 'readings') this.#options.onRefused(event.readings.length);
    // What was kept stands up to here.
    if (!this.#isFull && this.#observed !== undefined)
      this.#options.keep({ kind: 'broken', at: this.#observed, reason: 'clock-journal-full' });
    this.#isFull = true;
    // A source may begin again, so that each reading that finds no room is counted.
    return event.kind === 'resumed' || event.kind === 'broken';
  }

  #place(event: SourceEvent, below?: number): boolean {
    const { inner } = this.#options;
    const scale = this.#scale;
    switch (event.kind) {
      case 'resumed':
        return inner.emit({ ...event, at: scale.start(event.at, event.continues !== undefined) });
      case 'observed':
        return inner.emit({ ...event, until: scale.end(event.until) });
      case 'broken':
        return inner.emit({ ...event, at: scale.end(event.at) });
      case 'readings': {
        const placed = this.#stamped(event.readings);
        const readings = below === undefined ? placed : placed.filter(({ index }) => index >= below);
        return readings.length === 0 || inner.emit({ ...event, readings });
      }
    }
  }

  #stamped(readings: readonly Reading[]): readonly Reading[] {
    let local = Number.NaN;
    let place: Placed | undefined;
    return readings.map(({ index, tag, value, quality }) => {
      // Those of one moment share their place.
      if (place === undefined || index !== local) place = this.#scale.place(index);
      local = index;
      return { index: place.index, tag, value, quality: place.marked ? mark(quality) : quality };
    });
  }

  #follow(event: SourceEvent): void {
    switch (event.kind) {
      case 'resumed':
        this.#observed = event.at;
        break;
      case 'observed':
        if (this.#observed !== undefined) this.#observed = Math.max(this.#observed, event.until);
        break;
      case 'readings': {
        const last = event.isLate ? undefined : event.readings.at(-1);
        if (last && this.#observed !== undefined) this.#observed = Math.max(this.#observed, last.index);
        break;
      }
      case 'broken':
        this.#observed = undefined;
        break;
    }
  }
}

/** A quality that is bad or uncertain for another reason stays. */
function mark(quality: Quality): Quality {
  return quality === 'good' ? 'uncertain:clock' : quality;
}
