// One stream's readings on their way into windows: decides where windows begin and end. No I/O, no
// clock of its own; what the disk must learn is collected until the next commit fetches it.
//
// The claim of a window `[start, end)` is that every reading observed in it is in it. It holds because:
// - `end` never passes what the source stated ("observed until"), or, in a stream whose readings come in
//   order, the index of its latest reading: others may still share that index, so it belongs to the
//   next window, and no index is ever split.
// - Readings from there on wait in the open window. Where observation ends they go up late, and only a proof that it went
//   on lets a later window claim their positions: else others may be missing among them.
// - It never advances further than the time, or the count, that can have passed (pace.ts).
// - A new window starts where the last one ended. After a break it starts where the source says that it resumed, and at
//   least one position after what was claimed (claims.ts). Nothing is claimed until the source says that it resumed.
// - What comes below an end that was closed, or while observation is broken, goes out as a late window: it adds its
//   readings, and claims nothing.
// - A source that breaks the port's rules gets a break, and is told so: the hole says what is not known.
import { isDeepStrictEqual } from 'node:util';
import type { Moment } from '../../kernel/moment.ts';
import { isIndex } from '../../wire/index-position.ts';
import type { Reading } from '../../wire/reading.ts';
import type { Window } from '../../wire/window.ts';
import type { SourceEvent } from '../sources/source.ts';
import { Claims } from './claims.ts';
import { ClosedWindows } from './closed-windows.ts';
import { LateReadings } from './late-readings.ts';
import { OpenWindow, type Sized } from './open-window.ts';
import { createPace, type Pace } from './pace.ts';
import { type Intake, takeIn } from './reading-intake.ts';
import { type ReadingsLater, withReadings } from './reading-log.ts';
import { SizeEstimate } from './size-estimate.ts';
import { ageOf } from './stream-age.ts';
import type { StreamChange, StreamStart } from './window-store.ts';
import type { StreamWindowsOptions } from './windows-api.ts';

export class StreamWindows {
  #options: StreamWindowsOptions;
  #estimate: SizeEstimate;
  #isUnordered: boolean;
  readonly #claims: Claims;
  #pace: Pace;
  #open: OpenWindow | undefined;
  /** Whether a proof that observation went on counts: not once something was lost here. */
  #mayContinue: boolean;
  /** The equipment's number of its last sample, and the one that a commit was given last. */
  #number: number | undefined;
  #committedNumber: number | undefined;
  #committedFloor: number | undefined;
  readonly closed = new ClosedWindows();
  readonly #late = new LateReadings();
  #restart = false;
  /** The open window begins where an earlier process ended, by the word of the disk. */
  #goesOnFromDisk = false;
  #hasBegun = false;
  /** Observation was ended here, and the source does not know yet: what it says until then contradicts nothing. */
  #isCutOff = false;
  readonly counts = { readings: 0, late: 0, violations: 0, refused: 0, dropped: 0 };

  constructor(options: StreamWindowsOptions) {
    const { index, start, pace, isUnordered, maxBytes, opened: { now } = { now: 0 } } = options;
    this.#options = options;
    this.#claims = new Claims(index, start, { now, isOwnClock: pace === 'own' });
    this.#pace = createPace(index, pace, { ...start, now });
    this.#mayContinue = start.continuity === 'proven';
    this.#number = start.number;
    this.#committedNumber = start.number;
    this.#committedFloor = start.floor;
    this.#isUnordered = isUnordered;
    this.#estimate = new SizeEstimate(maxBytes);
  }

  get observing(): boolean {
    return this.#open !== undefined;
  }
  /** What the open window claims so far. */
  get open(): Window | undefined {
    const { start = 0, until: end = 0 } = this.#open ?? {};
    return end > start ? { start, end } : undefined;
  }
  get openReadings(): number {
    return this.#open?.count ?? 0;
  }
  /** The end of all that was ever claimed. */
  get floor(): number | undefined {
    return this.#claims.end;
  }
  /** No window will ever claim anything below. */
  settled(now: number): number | undefined {
    return this.#claims.settled(now, this.#open?.start);
  }
  /** As a source that is built again finds the stream. */
  known(at: Moment): StreamStart {
    const { start, opened = at } = this.#options;
    return {
      ...ageOf(start, opened, this.#claims.furtherAt, at),
      continuity: this.#mayContinue ? 'proven' : 'lost',
      ...this.#claims.reached(),
      ...(this.#number === undefined ? {} : { number: this.#number }),
    };
  }
  /** Estimated memory of what is not handed over yet, in bytes. */
  get memoryBytes(): number {
    return (this.#open?.bytes ?? 0) + this.closed.bytes + this.#late.bytes;
  }

  setLimits(limits: Pick<StreamWindowsOptions, 'ageMs' | 'quietMs' | 'maxBytes' | 'maxReadings'>): void {
    // How well this stream compresses is learned again within a few windows.
    if (limits.maxBytes !== this.#options.maxBytes) this.#estimate = new SizeEstimate(limits.maxBytes);
    this.#options = { ...this.#options, ...limits };
  }

  learn(plainBytes: number, encodedBytes: number): void {
    this.#estimate.learn(plainBytes, encodedBytes);
  }

  /** False where observation is broken: the source has to say that it resumed before it states more. */
  apply(event: SourceEvent, now: number): boolean {
    switch (event.kind) {
      case 'resumed':
        return this.#resumed(event, now);
      case 'readings':
        return event.isLate ? this.#takeAllLate(event.readings) : this.#take(event.readings, now);
      case 'observed':
        return this.#observed(event.until, event.number, now);
      case 'broken':
        return this.#broken(event.at, now);
    }
  }

  /** Ends observation where it was last stated to reach. */
  interrupt(): void {
    if (this.#open !== undefined) this.#end(this.#open, this.#open.until);
  }

  /** As `interrupt`, when an event had to be dropped: nothing that it spoke of is claimed, now or later. */
  drop(event: SourceEvent, now: number): void {
    this.#mayContinue = false;
    const given = event.kind === 'readings' ? event.readings.map(({ index }) => index) : [];
    const indexes = given.filter((index) => this.#isIndex(index));
    this.counts.dropped += indexes.length;
    this.interrupt();
    for (const index of indexes) this.#claims.forbid(index, now);
  }

  /** A new source, with perhaps other options: observation starts when it says so. */
  reopen({ isUnordered, pace }: Pick<StreamWindowsOptions, 'isUnordered' | 'pace'>, at: Moment): void {
    this.interrupt();
    this.#isUnordered = isUnordered;
    if (isDeepStrictEqual(pace, this.#options.pace)) return;
    // Another clock, or another way to here, gives the positions: what the former showed bounds nothing.
    this.#pace = createPace(this.#options.index, pace, { ...this.known(at), now: at.now });
    this.#claims.isOwnClock = pace === 'own';
    this.#options = { ...this.#options, pace };
  }

  /** The stream's earlier claims are no longer known: nothing may be observed across this moment. */
  loseContinuity(): void {
    this.interrupt();
    this.#mayContinue = false;
  }

  /** Other equipment feeds the stream from now on: its numbers are not those of the former. */
  changeEquipment(): void {
    this.loseContinuity();
    this.#number = undefined;
  }

  /**
   * The disk turns out to have lost what was claimed before this process began. A window that goes on from there, and did
   * not close yet, claims nothing: its readings go up as late ones.
   */
  loseDisk(): void {
    this.#isCutOff ||= this.#open !== undefined;
    if (this.#open !== undefined && this.#goesOnFromDisk) this.#end(this.#open, this.#open.start);
    this.loseContinuity();
  }

  /** Closes what is due at `now`. */
  closeDue(now: number): void {
    const open = this.#open;
    if (open !== undefined && now >= this.#dueOf(open)) this.#closeOpen(open, now);
  }

  /** Closes as much as observation allows, whatever its age: memory is short. */
  closeNow(now: number): void {
    if (this.#open !== undefined) this.#closeOpen(this.#open, now);
  }

  /** When `closeDue` will have something to do, if nothing else happens; monotonic ms. */
  nextDue(): number | undefined {
    const open = this.#open;
    if (open === undefined) return undefined;
    const hasWork = open.until > open.start || (this.#isUnordered && open.count > 0);
    return hasWork ? this.#dueOf(open) : undefined;
  }

  /** Readings that cannot be claimed yet wait for as long as a quiet window takes. */
  #dueOf(open: OpenWindow): number {
    const isFilled = open.count > 0 && open.until > open.start;
    return open.since + (isFilled ? this.#options.ageMs : this.#options.quietMs);
  }

  /** What a commit would have to write. `progress`: only how far observation reaches. */
  dirty(): 'no' | 'progress' | 'readings' {
    const open = this.#open;
    if (!this.closed.isEmpty || this.#restart || !this.#late.isEmpty) return 'readings';
    const isNew =
      this.#number !== this.#committedNumber || this.#claims.reached().floor !== this.#committedFloor;
    return open?.dirty() === 'readings' ? 'readings' : isNew ? 'progress' : (open?.dirty() ?? 'no');
  }

  /** Everything since the last call, for one commit. What it returns counts as handed over. */
  fetch(): StreamChange | undefined {
    // Late readings are as durable as others, so they are not kept back for a larger window.
    for (const late of this.#late.take()) this.#addClosed(late.window, () => late.readings, late.bytes, true);
    if (this.dirty() === 'no') return undefined;
    const { batchId, index } = this.#options;
    const append = this.#open?.takeAppend();
    const change: StreamChange = {
      batchId,
      index,
      closed: this.closed.take(),
      restart: this.#restart,
      ...(append === undefined ? {} : { append }),
      ...this.#claims.reached(),
      ...(this.#number === this.#committedNumber ? {} : { number: this.#number ?? null }),
    };
    this.#restart = false;
    this.#committedNumber = this.#number;
    this.#committedFloor = change.floor;
    return change;
  }

  #resumed({ at, continues, mark }: Extract<SourceEvent, { kind: 'resumed' }>, now: number): boolean {
    if (!this.#isIndex(at)) return this.#violation('bad-index', { at });
    // What it goes on from is not what it was: the source has to begin with what it sees now.
    if (continues !== undefined && !this.#mayContinue) return false;
    const isProven = continues !== undefined;
    if (mark !== undefined) this.#number = mark;
    const open = this.#open;
    if (open !== undefined && isProven && at <= open.until) return true;
    if (open !== undefined) this.#end(open, open.until);
    this.#goesOnFromDisk = isProven && !this.#hasBegun;
    this.#hasBegun = true;
    const { start, ceiling } = this.#claims.begin(at, isProven, now);
    this.#pace.begin(at, now, isProven);
    this.#mayContinue = true;
    this.#isCutOff = false;
    this.#open = new OpenWindow({ start, ceiling, since: now, stated: at, position: at - 1 });
    return true;
  }

  #observed(until: number, number: number | undefined, now: number): boolean {
    if (!this.#isIndex(until)) return this.#violation('bad-index', { until });
    const open = this.#open;
    if (open === undefined) return this.#violation('not-resumed', { until });
    if (until < open.stated) return this.#violation('observed-went-back', { until, before: open.stated });
    const from = Math.max(open.until, open.position);
    if (!this.#pace.allows(from, until, now)) return this.#violation('index-jumped', { from, until });
    open.stated = until;
    if (number !== undefined) this.#number = number;
    return this.#reach(open, until, now);
  }

  #broken(at: number, now: number): boolean {
    const open = this.#open;
    if (open === undefined) return true;
    if (!this.#isIndex(at)) return this.#violation('bad-index', { at });
    const isPossible = this.#pace.allows(Math.max(open.until, open.position), at, now);
    const end = isPossible ? at : open.until;
    this.#end(open, Math.min(open.ceiling, Math.max(open.start, end)));
    return true;
  }

  #take(readings: readonly Reading[], now: number): boolean {
    let isWhole = this.#open !== undefined || this.#violation('not-resumed', { index: readings[0]?.index });
    for (const reading of readings) isWhole = this.#takeOne(reading, now) && isWhole;
    const open = this.#open;
    if (open !== undefined && (open.count >= this.#options.maxReadings || this.#estimate.isFull(open.bytes)))
      this.#closeOpen(open, now);
    return isWhole;
  }

  #takeAllLate(readings: readonly Reading[]): boolean {
    let isWhole = true;
    for (const given of readings) {
      if (this.#isIndex(given.index)) {
        const { reading, bytes } = this.#takeIn(given);
        this.#takeLate(reading, bytes);
      } else isWhole = this.#violation('bad-index', { tag: given.tag, index: given.index });
    }
    return isWhole;
  }

  #takeIn(given: Reading): Intake {
    const intake = takeIn(this.#options.index, given);
    this.counts.readings++;
    if (intake.refused) {
      this.counts.refused++;
      this.#options.onRefused(intake.reading);
    }
    return intake;
  }

  #takeOne(given: Reading, now: number): boolean {
    const { index } = given;
    if (!this.#isIndex(index)) return this.#violation('bad-index', { tag: given.tag, index });
    const { reading, bytes } = this.#takeIn(given);
    const open = this.#open;
    const isPlaced = open !== undefined && (this.#isUnordered || this.#isInOrder(open, given, now));
    if (open === undefined || !isPlaced || index < open.until || index >= open.ceiling)
      this.#takeLate(reading, bytes);
    else open.push(reading, bytes);
    if (open === undefined || this.#isUnordered) return true;
    if (!isPlaced) return false;
    open.position = index;
    return this.#reach(open, index, now);
  }

  /** In an ordered stream a reading also states that all before it was reported. False, with a violation, where it goes back or too far ahead. */
  #isInOrder(open: OpenWindow, { tag, index }: Reading, now: number): boolean {
    const before = Math.max(open.position, open.stated);
    if (index < before) return this.#violation('reading-went-back', { tag, index, before });
    const from = Math.max(open.until, open.position + 1) - 1;
    if (this.#pace.allows(from, index, now)) return true;
    return this.#violation('index-jumped', { tag, from, until: index });
  }

  /** Observation is complete below `until`. False where that reaches an earlier claim: the window ends there. */
  #reach(open: OpenWindow, until: number, now: number): boolean {
    if (until > open.until) {
      open.until = Math.min(until, open.ceiling);
      open.grewAt = now;
    }
    if (until <= open.ceiling) return true;
    this.#mayContinue = false;
    this.#end(open, open.ceiling);
    return false;
  }

  #takeLate(reading: Reading, bytes: number): void {
    this.counts.late++;
    this.#late.add(reading, bytes);
  }

  /** Breaks observation; false, so that the source is told. */
  #violation(what: string, fields: object): false {
    if (what === 'not-resumed' && this.#isCutOff) return false;
    this.counts.violations++;
    this.#options.onViolation(what, fields);
    this.loseContinuity();
    return false;
  }

  #closeOpen(open: OpenWindow, now: number): void {
    const end = open.until;
    if (end > open.start) {
      const rest = this.#close(open, end);
      this.#open = open.next(end, now);
      for (const { reading, bytes } of rest) this.#open.push(reading, bytes);
    } else if (this.#isUnordered && open.count > 0) {
      // Nothing proves yet that they are all: they do not wait for ever, and may be claimed all the same later.
      this.#sendAhead(open.splitAt(end).rest, now);
      this.#open = open.next(end, now);
    }
  }

  /** Observation ends at `end`. Readings from there on stand alone: what is around them is not known. */
  #end(open: OpenWindow, end: number): void {
    this.#open = undefined;
    const rest = end > open.start ? this.#close(open, end) : open.splitAt(open.start).rest;
    this.#sendAhead(rest, open.grewAt);
  }

  /** Sends readings beyond all that may be claimed as late ones. */
  #sendAhead(readings: readonly Sized[], now: number): void {
    this.#restart = true;
    for (const { reading, bytes } of readings) {
      this.#takeLate(reading, bytes);
      this.#claims.noteSent(reading.index, now);
    }
  }

  /** Closes `[open.start, end)` and returns the readings beyond it. */
  #close(open: OpenWindow, end: number): readonly Sized[] {
    const { readings, rest } = open.splitAt(end);
    const plainBytes = open.bytes - rest.reduce((sum, { bytes }) => sum + bytes, 0);
    const window = { start: open.start, end };
    this.#goesOnFromDisk = false;
    this.#addClosed(window, readings, plainBytes, false);
    this.#restart = true;
    this.#claims.add(window, open.grewAt);
    return rest;
  }

  #addClosed(window: Window, later: ReadingsLater, plainBytes: number, late: boolean): void {
    const { batchId, index } = this.#options;
    this.closed.add(withReadings({ batchId, index, window }, later), plainBytes, late);
  }

  #isIndex(value: number): boolean {
    // Its end must be one too: a window that holds `value` ends after it.
    return isIndex(this.#options.index, value) && isIndex(this.#options.index, value + 1);
  }
}
