// One stream's readings on their way into windows: decides where windows begin and end. No I/O, no
// clock of its own; what the disk must learn is collected until the next commit fetches it.
//
// The claim of a window `[start, end)` is that every reading observed in it is in it. It holds because:
// - `end` never passes what the source stated ("observed until"), or, in a stream whose readings come in
//   order, the index of its latest reading: others may still share that index, so it belongs to the
//   next window, and no index is ever split.
// - A new window starts where the last one ended, or, after a break, where the source resumed; never below
//   `floor`, the end of all earlier claims.
// - What comes below an end that was closed goes out as a late window, which says so.
// - Whoever breaks the source port's rules gets a break: the hole says what is not known.
import { exactWindows } from '../../wire/exact-windows.ts';
import { isIndex } from '../../wire/index-position.ts';
import type { Reading } from '../../wire/reading.ts';
import type { IndexKind, Window } from '../../wire/window.ts';
import type { SourceEvent } from '../sources/source.ts';
import { takeIn } from './reading-intake.ts';
import { SizeEstimate } from './size-estimate.ts';
import type { ClosedWindow, StreamChange } from './window-store.ts';

export interface StreamWindowsOptions {
  readonly batchId: string;
  readonly index: IndexKind;
  /** How long after its end a window stays open for readings that come out of order; index units. */
  readonly lateness: number;
  readonly floor?: number;
  readonly ageMs: number;
  readonly quietMs: number;
  readonly maxBytes: number;
  readonly maxReadings: number;
  /** Called for each break of the source port's rules. */
  readonly onViolation: (what: string, fields: object) => void;
  readonly onRefused: (reading: Reading) => void;
}

interface Open {
  readonly start: number;
  /** Monotonic ms when it began. */
  readonly since: number;
  /** Monotonic ms when `until` last grew. */
  grewAt: number;
  /** Observation is complete below this. */
  until: number;
  /** The last "observed until": may lag behind `until`, never goes back. */
  stated: number;
  /** Index of the latest reading, or where the source resumed, which may be below `start`. */
  position: number;
  /** In order of arrival. */
  readings: Reading[];
  sorted: boolean;
  bytes: number;
  /** How many of `readings` the journal has, and the `until` that it knows. */
  journaled: number;
  journaledUntil: number;
}

export class StreamWindows {
  #options: StreamWindowsOptions;
  #estimate: SizeEstimate;
  #lateness: number;
  #open: Open | undefined;
  #floor: number | undefined;
  // Between this and `floor` every index was claimed: observation was unbroken.
  #unbrokenSince: number | undefined;
  // Readings up to here were dropped: none of these positions may be claimed, not even as late.
  #droppedTo = Number.NEGATIVE_INFINITY;
  // The break is ours: the source does not know that it has to say "resumed".
  #resumesByItself = false;
  #closed: ClosedWindow[] = [];
  #closedBytes = 0;
  #late: Reading[] = [];
  #lateBytes = 0;
  #restart = false;
  #skip = 0;
  readonly counts = { readings: 0, late: 0, violations: 0, refused: 0, dropped: 0 };

  constructor(options: StreamWindowsOptions) {
    this.#options = options;
    this.#floor = options.floor;
    this.#lateness = options.lateness;
    this.#estimate = new SizeEstimate(options.maxBytes);
  }

  get observing(): boolean {
    return this.#open !== undefined;
  }
  /** What the open window claims so far. */
  get open(): Window | undefined {
    const open = this.#open;
    return open === undefined || open.until <= open.start
      ? undefined
      : { start: open.start, end: open.until };
  }
  get openReadings(): number {
    return this.#open?.readings.length ?? 0;
  }
  get floor(): number | undefined {
    return this.#floor;
  }
  /** Estimated memory of what is not handed over yet, in bytes. */
  get memoryBytes(): number {
    return (this.#open?.bytes ?? 0) + this.#closedBytes + this.#lateBytes;
  }

  skipNext(count: number): void {
    this.#skip += count;
  }

  setLimits(limits: Pick<StreamWindowsOptions, 'ageMs' | 'quietMs' | 'maxBytes' | 'maxReadings'>): void {
    const { ageMs, quietMs, maxBytes, maxReadings } = limits;
    // How well this stream compresses is learned again within a few windows.
    if (maxBytes !== this.#options.maxBytes) this.#estimate = new SizeEstimate(maxBytes);
    this.#options = { ...this.#options, ageMs, quietMs, maxBytes, maxReadings };
  }

  learn(plainBytes: number, encodedBytes: number): void {
    this.#estimate.learn(plainBytes, encodedBytes);
  }

  apply(event: SourceEvent, now: number): void {
    switch (event.kind) {
      case 'resumed':
        this.#resumed(event.at, now);
        break;
      case 'readings':
        this.#take(event.readings, now);
        break;
      case 'observed':
        this.#observed(event.until, now);
        break;
      case 'broken':
        this.#broken(event.at);
        break;
    }
  }

  /** Ends observation where it was last stated to reach. The next event starts it again by itself. */
  interrupt(): void {
    this.#resumesByItself = true;
    if (this.#open !== undefined) this.#end(this.#open, this.#open.until);
  }

  /** As `interrupt`, when an event had to be dropped: nothing that it spoke of may be claimed later. */
  drop(event: SourceEvent): void {
    this.interrupt();
    if (event.kind !== 'readings') return;
    for (const { index } of event.readings) {
      if (!this.#isIndex(index)) continue;
      this.counts.dropped++;
      this.#droppedTo = Math.max(this.#droppedTo, index);
      this.#raiseFloor(index + 1);
    }
  }

  /** A new session with perhaps other options: observation starts when the source says so. */
  reopen(lateness: number): void {
    this.interrupt();
    this.#resumesByItself = false;
    this.#lateness = lateness;
  }

  /** Closes what is due at `now`. */
  closeDue(now: number): void {
    const open = this.#open;
    if (open === undefined) return;
    const ageMs = now - open.since;
    const { quietMs } = this.#options;
    if (ageMs >= (open.readings.length > 0 ? this.#options.ageMs : quietMs)) this.#closeOpen(open, now);
  }

  /** Closes as much as observation allows, whatever its age: memory is short. */
  closeNow(now: number): void {
    if (this.#open !== undefined) this.#closeOpen(this.#open, now);
  }

  /** When `closeDue` will have something to do, if nothing else happens; monotonic ms. */
  nextDue(): number | undefined {
    const open = this.#open;
    if (open === undefined || open.until <= open.start) return undefined;
    const due = open.since + (open.readings.length > 0 ? this.#options.ageMs : this.#options.quietMs);
    return open.until - this.#lateness > open.start ? due : Math.max(due, open.grewAt + this.#lateness);
  }

  /** What a commit would have to write. `progress`: only how far observation reaches. */
  dirty(): 'no' | 'progress' | 'readings' {
    const open = this.#open;
    if (this.#closed.length > 0 || this.#restart || this.#late.length > 0) return 'readings';
    if (open === undefined) return 'no';
    if (open.readings.length > open.journaled) return 'readings';
    return open.until > open.journaledUntil ? 'progress' : 'no';
  }

  /** Everything since the last call, for one commit. What it returns counts as handed over. */
  fetch(): StreamChange | undefined {
    // Late readings are as durable as others, so they are not kept back for a larger window.
    this.#closeLate();
    if (this.dirty() === 'no') return undefined;
    const { batchId, index } = this.#options;
    const change: StreamChange = {
      batchId,
      index,
      closed: this.#closed,
      restart: this.#restart,
      ...this.#append(),
      ...(this.#floor === undefined ? {} : { floor: this.#floor }),
    };
    this.#closed = [];
    this.#closedBytes = 0;
    this.#restart = false;
    return change;
  }

  #append(): Pick<StreamChange, 'append'> {
    const open = this.#open;
    if (open === undefined) return {};
    const readings = open.readings.slice(open.journaled);
    if (readings.length === 0 && open.until <= open.journaledUntil) return {};
    open.journaled = open.readings.length;
    open.journaledUntil = open.until;
    return { append: { start: open.start, end: open.until, readings } };
  }

  #resumed(at: number, now: number): void {
    if (!this.#isIndex(at)) {
      this.#violation('bad-index', { at });
      return;
    }
    const open = this.#open;
    // A source that starts again without a hole: the window goes on.
    if (open !== undefined && at <= open.until) return;
    if (open !== undefined) this.#end(open, open.until);
    this.#begin(at, now);
  }

  #observed(until: number, now: number): void {
    if (!this.#isIndex(until)) {
      this.#violation('bad-index', { until });
      return;
    }
    const open = this.#open ?? this.#beginUnasked(until, now);
    if (until < open.stated) {
      this.#violation('observed-went-back', { until, before: open.stated });
      return;
    }
    open.stated = until;
    if (until > open.until) {
      open.until = until;
      open.grewAt = now;
    }
  }

  #broken(at: number): void {
    this.#resumesByItself = false;
    const open = this.#open;
    if (open === undefined) return;
    const end = this.#isIndex(at) ? at : open.until;
    if (end !== at) this.#violation('bad-index', { at });
    else this.#end(open, Math.max(open.start, end));
    this.#resumesByItself = false;
  }

  #take(readings: readonly Reading[], now: number): void {
    for (const reading of readings) this.#takeOne(reading, now);
    const open = this.#open;
    if (open === undefined) return;
    if (open.readings.length >= this.#options.maxReadings || this.#estimate.isFull(open.bytes)) {
      this.#closeOpen(open, now);
    }
  }

  #takeOne(given: Reading, now: number): void {
    const { index } = given;
    if (!this.#isIndex(index)) {
      this.#violation('bad-index', { tag: given.tag, index });
      return;
    }
    if (index <= this.#droppedTo) {
      this.counts.dropped++;
      return;
    }
    const { reading, bytes, refused } = takeIn(this.#options.index, given);
    this.counts.readings++;
    if (refused) {
      this.counts.refused++;
      this.#options.onRefused(reading);
    }
    if (this.#open === undefined && index < (this.#floor ?? index)) {
      this.#takeLate(reading, bytes);
      return;
    }
    const open = this.#open ?? this.#beginUnasked(index, now);
    if (index < open.start) this.#takeLate(reading, bytes);
    else this.#push(open, reading, bytes);
    if (this.#lateness > 0) return;
    // In order: what lies below the latest reading has all been reported.
    const before = Math.max(open.position, open.stated);
    if (index < before) {
      this.#violation('reading-went-back', { tag: given.tag, index, before });
      return;
    }
    open.position = index;
    open.until = Math.max(open.until, index);
  }

  #push(open: Open, reading: Reading, bytes: number): void {
    const last = open.readings.at(-1);
    if (last !== undefined && last.index > reading.index) open.sorted = false;
    open.readings.push(reading);
    open.bytes += bytes;
  }

  #takeLate(reading: Reading, bytes: number): void {
    this.counts.late++;
    this.#late.push(reading);
    this.#lateBytes += bytes;
  }

  #begin(at: number, now: number): Open {
    const floor = this.#floor ?? at;
    const start = Math.max(at, floor);
    if (this.#unbrokenSince === undefined || start > floor) this.#unbrokenSince = start;
    const open = newOpen(start, now, at);
    this.#open = open;
    return open;
  }

  // An event came while observation was broken. After a break of our own making that is how it goes on;
  // otherwise the source forgot to say so.
  #beginUnasked(at: number, now: number): Open {
    if (!this.#resumesByItself) this.#count('not-resumed', { at });
    this.#resumesByItself = false;
    return this.#begin(at, now);
  }

  #violation(what: string, fields: object): void {
    this.#count(what, fields);
    this.interrupt();
  }

  #count(what: string, fields: object): void {
    this.counts.violations++;
    this.#options.onViolation(what, fields);
  }

  /** Where nothing new has come for as long, what is late has come, too. */
  #closableEnd(open: Open, now: number): number {
    return now - open.grewAt >= this.#lateness ? open.until : open.until - this.#lateness;
  }

  #closeOpen(open: Open, now: number): void {
    const end = this.#closableEnd(open, now);
    if (end <= open.start) return;
    const rest = this.#close(open, end);
    const next = newOpen(end, now, end);
    next.until = open.until;
    next.grewAt = open.grewAt;
    next.stated = open.stated;
    next.position = open.position;
    for (const { reading, bytes } of rest) this.#push(next, reading, bytes);
    this.#open = next;
  }

  /** Observation ends at `end`. Readings from there on stand alone: what is around them is not known. */
  #end(open: Open, end: number): void {
    this.#open = undefined;
    this.#restart = true;
    const rest = end > open.start ? this.#close(open, end) : withBytes(open.readings);
    for (const { reading, bytes } of rest) {
      this.#takeLate(reading, bytes);
      this.#raiseFloor(reading.index + 1);
    }
    // Late windows that stand alone are no part of what was claimed without a break.
    if (rest.length > 0) this.#unbrokenSince = undefined;
  }

  /** Closes `[open.start, end)` and returns the readings beyond it. */
  #close(open: Open, end: number): readonly Sized[] {
    const sorted = open.sorted ? open.readings : open.readings.toSorted((a, b) => a.index - b.index);
    let split = sorted.length;
    while (split > 0 && sorted[split - 1]!.index >= end) split--;
    const rest = withBytes(sorted.slice(split));
    const readings = split === sorted.length ? sorted : sorted.slice(0, split);
    const plainBytes = open.bytes - rest.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#addClosed({ start: open.start, end }, readings, plainBytes, false);
    this.#restart = true;
    this.#raiseFloor(end);
    return rest;
  }

  #closeLate(): void {
    if (this.#late.length === 0) return;
    const late = this.#late.sort((a, b) => a.index - b.index);
    const from = this.#unbrokenSince ?? Number.POSITIVE_INFINITY;
    const claimed = late.filter(({ index }) => index >= from && index < (this.#floor ?? index));
    const alone = late.filter(({ index }) => !(index >= from && index < (this.#floor ?? index)));
    const bytesEach = this.#lateBytes / late.length;
    for (const { window, readings } of exactWindows(alone)) {
      this.#addClosed(window, readings, bytesEach * readings.length, true);
    }
    // Where all was claimed before, one window over all of them claims nothing new.
    if (claimed.length > 0) {
      const window = { start: claimed[0]!.index, end: claimed.at(-1)!.index + 1 };
      this.#addClosed(window, claimed, bytesEach * claimed.length, true);
    }
    this.#late = [];
    this.#lateBytes = 0;
  }

  #addClosed(window: Window, readings: readonly Reading[], plainBytes: number, late: boolean): void {
    const { batchId, index } = this.#options;
    const skip = !late && this.#skip > 0;
    if (skip) this.#skip--;
    const batch = { batchId, index, window, readings };
    this.#closed.push({ batch, late, to: skip ? 'archive' : 'lane', plainBytes });
    this.#closedBytes += plainBytes;
  }

  #raiseFloor(to: number): void {
    this.#floor = Math.max(this.#floor ?? to, to);
  }

  #isIndex(value: number): boolean {
    // Its end must be one too: a window that holds `value` ends after it.
    return isIndex(this.#options.index, value) && isIndex(this.#options.index, value + 1);
  }
}

interface Sized {
  readonly reading: Reading;
  readonly bytes: number;
}

function withBytes(readings: readonly Reading[]): readonly Sized[] {
  return readings.map((reading) => ({ reading, bytes: 64 + reading.tag.length }));
}

function newOpen(start: number, since: number, position: number): Open {
  return {
    start,
    since,
    grewAt: since,
    until: start,
    stated: position,
    position,
    readings: [],
    sorted: true,
    bytes: 0,
    journaled: 0,
    journaledUntil: start,
  };
}
