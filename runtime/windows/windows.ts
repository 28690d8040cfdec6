// All streams' windows, and the one commit that makes them durable together.
//
// Ordering argument. One commit is in flight at a time, and its contents are fixed when it starts: for every
// stream the windows that closed and the readings that came since the last one. The store writes all of
// it in one atomic, synced batch: new journal records, closed windows with their lane pointers, the
// streams' floors, and the deletion of the closed windows' journal records. So at any crash a reading is
// in the journal of an open window or in a closed window, never in both and never in neither; and a
// window can be sent only after its bounds and its readings are on the disk.
//
// `durable()` waits for the first commit that starts after the call, so it covers everything emitted before
// it. While the disk refuses, the store repeats that same commit for ever; here memory grows up to
// its bound, then events are dropped and observation counts as broken: a hole, not a silent loss.
import type { Timer } from '../../kernel/clock.ts';
import { codeOf, describeError, HoldfastError } from '../../kernel/errors.ts';
import { momentOf } from '../../kernel/moment.ts';
import type { Window } from '../../wire/window.ts';
import type { SourceEvent, SourceSink } from '../sources/source.ts';
import { StreamWindows } from './stream-windows.ts';
import { defaultLimits } from './window-limits.ts';
import type { EncodedWindow, StreamChange, StreamStart } from './window-store.ts';
import type { StreamOptions, StreamState, WindowLimits, Windows, WindowsOptions } from './windows-api.ts';

export function createWindows(options: WindowsOptions): Windows {
  return new AllWindows(options);
}

/**
 * While somebody waits for a commit, the interval is divided by this: a sender that waits for each message to be durable would
 * otherwise get five a second through. It makes no more commits: with such a sender there is one for each message anyway.
 */
const waitedForDivisor = 8;

interface Member {
  readonly options: StreamOptions;
  readonly windows: StreamWindows;
  /** The sink that may emit; older ones are ignored. */
  sink: SourceSink | undefined;
}

class AllWindows implements Windows {
  readonly #options: WindowsOptions;
  #limits: Required<WindowLimits>;
  readonly #members = new Map<string, Member>();
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #memory = 0;
  #memoryInFlight = 0;
  #freshBytes = 0;
  // Commits are numbered: `#started` is the last whose contents are fixed, `#done` the last that is durable.
  #started = 0;
  #done = 0;
  /** The last that somebody waits for. */
  #urgent = 0;
  #running: Promise<void> | undefined;
  #waiters: { readonly commit: number; resolve: () => void; reject: (error: unknown) => void }[] = [];
  #lastCommitAt: number;
  /** Time of the last commit that said of each stream how far it is observed, also of those without readings. */
  #lastProgressAt: number;
  #dropping = false;
  #isPaused: ((batchId: string) => boolean) | undefined;
  #failed: unknown;

  constructor(options: WindowsOptions) {
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#lastCommitAt = options.clock.monotonic();
    this.#lastProgressAt = this.#lastCommitAt;
  }

  openStream(options: StreamOptions): SourceSink {
    const { batchId, index } = options;
    const start = this.#options.store.openStream(batchId, index);
    let member = this.#members.get(batchId);
    if (member !== undefined) {
      const { isUnordered = false, pace = 'live' } = options;
      const at = momentOf(this.#options.clock);
      this.#change(member, () => member?.windows.reopen({ isUnordered, pace }, at));
    } else {
      if (this.#members.size >= this.#limits.maxStreams) {
        throw new HoldfastError(
          'windows-too-many-streams',
          `no more than ${this.#limits.maxStreams} streams`,
        );
      }
      member = { options, windows: this.#makeStream(options, start), sink: undefined };
      this.#members.set(batchId, member);
    }
    const sink = this.#makeSink(member);
    member.sink = sink;
    return sink;
  }

  async closeStream(batchId: string): Promise<void> {
    const member = this.#members.get(batchId);
    if (member === undefined) return;
    this.#retire(member);
    await this.#durable();
    // It may have been opened, and closed again, meanwhile: what came then is not on the disk yet.
    const isOver = member.sink === undefined && member.windows.dirty() === 'no';
    if (isOver && this.#members.get(batchId) === member) this.#members.delete(batchId);
  }

  async closeAll(): Promise<void> {
    for (const member of this.#members.values()) this.#retire(member);
    await this.#durable();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  setLimits(limits: WindowLimits): void {
    this.#limits = { ...defaultLimits, ...limits };
    for (const { windows } of this.#members.values()) windows.setLimits(this.#limits);
    // What is due now was not due then.
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#running === undefined) this.#scheduleNext();
  }

  skipNext(batchId: string, count: number): void {
    this.#members.get(batchId)?.windows.closed.skipNext(count);
  }

  pause(isPaused: ((batchId: string) => boolean) | undefined): void {
    this.#isPaused = isPaused;
  }

  loseContinuity(): void {
    for (const member of this.#members.values()) this.#change(member, () => member.windows.loseDisk());
    this.#schedule(this.#limits.commitIntervalMs);
  }

  changeEquipment(batchId: string): void {
    const member = this.#members.get(batchId);
    if (member !== undefined) this.#change(member, () => member.windows.changeEquipment());
  }

  settled(batchId: string): Promise<number | undefined> | undefined {
    const member = this.#members.get(batchId);
    if (member === undefined) return undefined;
    const settled = member.windows.settled(this.#options.clock.monotonic());
    return this.#durable().then(() => settled);
  }

  known(batchId: string): StreamStart | undefined {
    return this.#members.get(batchId)?.windows.known(momentOf(this.#options.clock));
  }

  open(batchId: string): Window | undefined {
    return this.#members.get(batchId)?.windows.open;
  }

  streams(): readonly StreamState[] {
    return [...this.#members.values()].map(({ options: { batchId, index }, windows }) => ({
      batchId,
      index,
      observing: windows.observing,
      ...(windows.open === undefined ? {} : { open: windows.open }),
      openReadings: windows.openReadings,
      ...(windows.floor === undefined ? {} : { floor: windows.floor }),
      ...windows.counts,
    }));
  }

  memoryBytes(): number {
    return this.#memory + this.#memoryInFlight;
  }

  #makeStream(options: StreamOptions, start: StreamStart): StreamWindows {
    const { log, metrics, clock } = this.#options;
    const { batchId, index } = options;
    const labels = { stream: batchId };
    // At 0 from the start, so that the first step of each is seen: that it counts is loss.
    metrics.count('holdfast_windows_readings_dropped_total', labels, 0);
    return new StreamWindows({
      batchId,
      index,
      isUnordered: options.isUnordered ?? false,
      start,
      pace: options.pace ?? 'live',
      opened: momentOf(clock),
      ...this.#limits,
      onViolation: (what, fields) => {
        log.warn(
          { code: 'source-contradiction', batchId, what, ...fields },
          'a source contradicted its earlier statements: treated as a break in observation',
        );
        metrics.count('holdfast_windows_violations_total', labels);
      },
      onRefused: (reading) => {
        log.warn(
          {
            code: reading.quality === 'bad:too-large' ? 'wire-reading-too-large' : 'wire-bad-reading',
            batchId,
            tag: reading.tag,
            quality: reading.quality,
          },
          'a reading cannot be sent; a marker takes its place',
        );
        metrics.count('holdfast_windows_readings_refused_total', labels);
      },
    });
  }

  #makeSink(member: Member): SourceSink {
    const sink: SourceSink = {
      emit: (event) => member.sink === sink && this.#emit(member, event),
      durable: () => this.#durable(true),
      hasRoom: () =>
        member.sink === sink &&
        !this.#isPaused?.(member.options.batchId) &&
        this.memoryBytes() <= this.#limits.maxMemoryBytes,
    };
    return sink;
  }

  #emit(member: Member, event: SourceEvent): boolean {
    const now = this.#options.clock.monotonic();
    const costsRoom = event.kind === 'readings' || event.kind === 'observed';
    let isTaken = false;
    if (costsRoom && this.#isPaused?.(member.options.batchId))
      this.#change(member, () => member.windows.drop(event, now));
    else if (costsRoom && this.memoryBytes() > this.#limits.maxMemoryBytes) this.#drop(member, event, now);
    else
      this.#change(member, () => {
        isTaken = member.windows.apply(event, now);
      });
    if (this.#freshBytes >= this.#limits.commitBytes) this.#schedule(0);
    else this.#schedule(this.#limits.commitIntervalMs);
    return isTaken;
  }

  // The disk has refused for long. What is in memory stays; what comes now becomes a hole, which says so.
  #drop(member: Member, event: SourceEvent, now: number): void {
    const { log, metrics } = this.#options;
    if (!this.#dropping) {
      log.error(
        { code: 'memory-full', memoryBytes: this.memoryBytes() },
        'memory is full because the disk refuses writes: new readings are dropped and become holes',
      );
    }
    this.#dropping = true;
    const labels = { stream: member.options.batchId };
    if (event.kind === 'readings') {
      metrics.count('holdfast_windows_readings_dropped_total', labels, event.readings.length);
    }
    this.#change(member, () => member.windows.drop(event, now));
  }

  #change(member: Member, work: () => void): void {
    const before = member.windows.memoryBytes;
    work();
    const grown = member.windows.memoryBytes - before;
    this.#memory += grown;
    this.#freshBytes += Math.max(0, grown);
  }

  #retire(member: Member): void {
    this.#change(member, () => member.windows.interrupt());
    member.sink = undefined;
  }

  /** Resolves once everything emitted so far is on disk. */
  #durable(isUrgent = false): Promise<void> {
    if (this.#failed !== undefined) return Promise.reject(this.#failed);
    const dirty = this.#isDirty();
    const commit = dirty ? this.#started + 1 : this.#started;
    if (commit <= this.#done) return Promise.resolve();
    const durable = new Promise<void>((resolve, reject) => {
      this.#waiters.push({ commit, resolve, reject });
    });
    if (isUrgent) this.#urgent = Math.max(this.#urgent, commit);
    if (dirty) this.#schedule(this.#intervalMs());
    return durable;
  }

  /** Until the next commit, where nothing brings it forward but that somebody waits. */
  #intervalMs(): number {
    const { commitIntervalMs } = this.#limits;
    return this.#urgent > this.#started ? commitIntervalMs / waitedForDivisor : commitIntervalMs;
  }

  #isDirty(): boolean {
    for (const { windows } of this.#members.values()) if (windows.dirty() !== 'no') return true;
    return false;
  }

  /** Runs `#tick` in `delayMs` at the latest. */
  #schedule(delayMs: number): void {
    if (this.#running !== undefined || this.#failed !== undefined) return;
    const { clock } = this.#options;
    const at = Math.max(clock.monotonic(), this.#lastCommitAt) + delayMs;
    if (this.#timer !== undefined && this.#timerAt <= at) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = clock.setTimer(at - clock.monotonic(), () => {
      this.#timer = undefined;
      this.#running = this.#tick().finally(() => {
        this.#running = undefined;
        this.#scheduleNext();
      });
    });
  }

  #scheduleNext(): void {
    const { progressIntervalMs, commitBytes } = this.#limits;
    const intervalMs = this.#intervalMs();
    const now = this.#options.clock.monotonic();
    // As much may have come during a commit as brings the next one forward.
    let delayMs = this.#freshBytes >= commitBytes ? 0 : Number.POSITIVE_INFINITY;
    for (const { windows } of this.#members.values()) {
      const dirty = windows.dirty();
      if (dirty === 'readings' || (dirty === 'progress' && this.#waiters.length > 0))
        delayMs = Math.min(delayMs, intervalMs);
      else if (dirty === 'progress') delayMs = Math.min(delayMs, progressIntervalMs);
      const due = windows.nextDue();
      if (due !== undefined) delayMs = Math.min(delayMs, Math.max(intervalMs, due - now));
    }
    if (delayMs !== Number.POSITIVE_INFINITY) this.#schedule(delayMs);
  }

  async #tick(): Promise<void> {
    const changes = this.#collect();
    if (changes.length === 0) {
      // Nothing is left to write, so whoever waits has it on the disk.
      this.#freshBytes = 0;
      this.#settle(this.#started + 1);
      return;
    }
    const startedAt = this.#options.clock.monotonic();
    const commit = ++this.#started;
    const bytes = changes.reduce((sum, change) => sum + closedBytes(change), 0);
    this.#memoryInFlight = bytes;
    this.#freshBytes = 0;
    this.#lastCommitAt = startedAt;
    try {
      this.#learn(await this.#options.store.commitWindows(changes));
      this.#done = commit;
      this.#dropping = false;
      this.#settle(commit);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#memoryInFlight = 0;
    }
  }

  #collect(): readonly StreamChange[] {
    const { clock } = this.#options;
    const { maxMemoryBytes, progressIntervalMs } = this.#limits;
    const now = clock.monotonic();
    const short = this.memoryBytes() > maxMemoryBytes / 2;
    const withProgress = this.#waiters.length > 0 || now - this.#lastProgressAt >= progressIntervalMs;
    if (withProgress) this.#lastProgressAt = now;
    const changes: StreamChange[] = [];
    for (const { windows } of this.#members.values()) {
      const before = windows.memoryBytes;
      if (short) windows.closeNow(now);
      else windows.closeDue(now);
      if (windows.dirty() === 'readings' || withProgress) {
        const change = windows.fetch();
        if (change !== undefined) changes.push(change);
      }
      this.#memory += windows.memoryBytes - before;
    }
    return changes;
  }

  #learn(encoded: readonly EncodedWindow[]): void {
    for (const { batchId, plainBytes, encodedBytes } of encoded) {
      this.#members.get(batchId)?.windows.learn(plainBytes, encodedBytes);
    }
  }

  #settle(commit: number): void {
    const settled = this.#waiters.filter((waiter) => waiter.commit <= commit);
    this.#waiters = this.#waiters.filter((waiter) => waiter.commit > commit);
    for (const waiter of settled) waiter.resolve();
  }

  // The store rejects only when it is closed: nothing more can become durable.
  #fail(error: unknown): void {
    this.#failed = error;
    this.#options.log.error(
      { code: codeOf(error, 'unexpected-trouble'), error: describeError(error) },
      'the spool is closed; readings are no longer kept',
    );
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
  }
}

function closedBytes(change: StreamChange): number {
  return change.closed.reduce((sum, closed) => sum + closed.plainBytes, 0);
}
