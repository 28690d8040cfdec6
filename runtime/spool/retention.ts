// Removes what has been kept long enough, and what there is no room for. Nothing else deletes payload.
//
// Crash argument. Archived windows are removed unsynced, each with all of its records in one batch: a power
// cut brings whole windows back, and the next sweep removes them again. A window that was never sent goes
// in one synced batch together with the void that says so, so a loss is never silent. Of streams whose
// source has a history no void is written: the gap makes the detector ask, and the history answers, or
// declares the void then.
//
// LevelDB gives no space back for deletes: 1 GB, all deleted, stays 1 GB. So every `compactBytes` the swept
// range is compacted; that costs little, since tables that hold only deleted entries just vanish.
import type { Timer } from '../../kernel/clock.ts';
import { describeError } from '../../kernel/errors.ts';
import { normalise } from '../../wire/coverage.ts';
import type { Window } from '../../wire/window.ts';
import type { LaneName } from '../uplink/lanes.ts';
import type { Archive } from './archive.ts';
import type { SpoolCore } from './core.ts';
import { idKey, indexKey, queuedKey, sizeClassOf, spaceBounds } from './keys.ts';
import type { LaneStore, QueuedMessage } from './lane-store.ts';
import { storedOverheadBytes } from './message-record.ts';
import {
  decide,
  type Removal,
  type RetentionLimits,
  type SpaceFacts,
  shouldHold,
} from './retention-policy.ts';
import type { BatchOp } from './store.ts';
import { readStoredWindows, type StoredWindowAt } from './stored-windows.ts';
import type { Stream, StreamTable } from './streams.ts';
import type { WindowWriter } from './window-writer.ts';

export interface RetentionOptions {
  readonly core: SpoolCore;
  readonly lanes: LaneStore;
  readonly archive: Archive;
  readonly streams: StreamTable;
  readonly limits: RetentionLimits;
  readonly writer: () => WindowWriter;
  /** Free bytes of the disk; undefined when it cannot be asked. */
  readonly freeBytes: () => Promise<number | undefined>;
  /** Called after each sweep. */
  readonly onSwept: () => Promise<void>;
  readonly clockTrusted: () => boolean;
  /** From when something ages that was stored at that time, perhaps on a clock that was wrong. */
  readonly storedSince: (storedAt: number) => number;
  /** Streams whose source can be asked again. */
  readonly hasHistory: (batchId: string) => boolean;
}

const pageWindows = 500;
const evictedAtOnce = 200;
// Bounds of one sweep; the next goes on.
const maxPages = 10;
const maxQuarantined = 1000;

export class Retention {
  readonly #options: RetentionOptions;
  readonly #listeners = new Set<(holding: boolean) => void>();
  #timer: Timer | undefined;
  #sweeping: Promise<void> | undefined;
  #again = false;
  #stopped = false;
  #holding = false;
  #lastFailure: string | undefined;
  // Where the sweep of the archive goes on, when the last one did not get through.
  #sweptTo = 0;
  #deletedBytes = 0;
  #deletedFrom = Number.POSITIVE_INFINITY;
  #deletedTo = 0;

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  get holding(): boolean {
    return this.#holding;
  }

  onHold(listener: (holding: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  start(): void {
    if (this.#stopped) return;
    const { core, limits } = this.#options;
    this.#timer = core.clock.setTimer(limits.intervalMs, () => {
      void this.sweep().finally(() => this.start());
    });
  }

  /** Waits for a sweep under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#sweeping;
  }

  /** Sweeps now. Calls during a sweep lead to one more. Never rejects. */
  sweep(): Promise<void> {
    this.#again = true;
    this.#sweeping ??= this.#run().finally(() => {
      this.#sweeping = undefined;
    });
    return this.#sweeping;
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#stopped) {
      this.#again = false;
      try {
        await this.#sweepOnce();
        this.#lastFailure = undefined;
      } catch (error) {
        this.#noteFailure(describeError(error));
      }
    }
  }

  // Once for each cause: while the disk refuses, sweeps are frequent.
  #noteFailure(error: string): void {
    if (this.#stopped || error === this.#lastFailure) return;
    this.#lastFailure = error;
    this.#options.core.log.warn({ error }, 'a retention sweep failed; the next one goes on');
  }

  async #sweepOnce(): Promise<void> {
    const { limits, core } = this.#options;
    const facts = await this.#facts();
    const { archive, unsent } = decide(limits, facts);
    await this.#removeArchived(archive);
    await this.#removeUnsent(unsent);
    await this.#removeQuarantined();
    this.#setHolding(shouldHold(limits, await this.#facts(), this.#holding));
    const urgent =
      archive.bytes > 0 && facts.freeBytes !== undefined && facts.freeBytes < limits.reserveBytes;
    if (this.#deletedBytes >= limits.compactBytes || (urgent && this.#deletedBytes > 0)) await this.compact();
    core.metrics.gauge('holdfast_spool_stored_bytes', core.totals.stored.bytes);
    await this.#options.onSwept();
  }

  async #facts(): Promise<SpaceFacts> {
    const { core, clockTrusted, freeBytes } = this.#options;
    const { unsent, stored } = core.totals;
    return {
      now: clockTrusted() ? core.clock.now() : undefined,
      storedBytes: stored.bytes,
      unsentBytes: unsent.bytes + unsent.messages * storedOverheadBytes,
      freeBytes: await freeBytes(),
      deletedBytes: this.#deletedBytes,
    };
  }

  /** Gives the space of what was deleted back to the disk. */
  async compact(): Promise<void> {
    const { core } = this.#options;
    const [from, to] = [this.#deletedFrom, this.#deletedTo + 1];
    const freed = this.#deletedBytes;
    this.#deletedBytes = 0;
    this.#deletedFrom = Number.POSITIVE_INFINITY;
    this.#deletedTo = 0;
    const startedAt = core.clock.monotonic();
    if (from < to) {
      for (const space of ['r', 'a', 'u', 'b', 'x'] as const) {
        await core.store.compactRange(idKey(space, from), idKey(space, to));
      }
      await core.store.compactRange(queuedKey(from, 0), queuedKey(to, 0));
    }
    for (const space of ['i', 'j'] as const) {
      const { gte, lt } = spaceBounds(space);
      await core.store.compactRange(gte, lt);
    }
    const tookMs = Math.round(core.clock.monotonic() - startedAt);
    core.log.info({ freedBytes: freed, tookMs }, 'the spool gave space back');
  }

  async #removeArchived(removal: Removal): Promise<void> {
    const { core, storedSince } = this.#options;
    let from = Math.max(core.storedHead, this.#sweptTo);
    let freed = 0;
    for (let pages = 0; pages < maxPages; pages++) {
      const page = await readStoredWindows(core, from, pageWindows);
      const last = page.at(-1);
      const due = await this.#dueOf(page, (window, sofar) => {
        return storedSince(window.storedAt) < removal.olderThan || freed + sofar < removal.bytes;
      });
      await this.#remove(due.windows);
      freed += due.bytes;
      // While all before it is gone, the head follows.
      if (from <= core.storedHead)
        core.storedHead = due.firstKept ?? (last === undefined ? from : last.id + last.parts);
      from = last === undefined ? 0 : last.id + last.parts;
      if (last === undefined || (due.young && freed >= removal.bytes)) {
        this.#sweptTo = 0;
        return;
      }
    }
    // A long backlog stands before what can be removed: the next sweep goes on behind it.
    this.#sweptTo = from;
  }

  async #dueOf(page: readonly StoredWindowAt[], isDue: (window: StoredWindowAt, sofar: number) => boolean) {
    const { lanes, archive } = this.#options;
    const first = page[0];
    const last = page.at(-1);
    const windows: StoredWindowAt[] = [];
    let [bytes, young] = [0, false];
    let firstKept: number | undefined;
    if (first === undefined || last === undefined) return { windows, bytes, young, firstKept };
    const queued = await lanes.queuedIds(first.id, last.id + last.parts);
    for (const window of page) {
      const waits = archive.isPinned(window.id) || idsOf(window).some((id) => queued.has(id));
      if (!waits && isDue(window, bytes)) {
        windows.push(window);
        bytes += window.bytes;
      } else {
        firstKept ??= window.id;
        young ||= !waits;
      }
    }
    return { windows, bytes, young, firstKept };
  }

  async #remove(windows: readonly StoredWindowAt[]): Promise<void> {
    if (windows.length === 0) return;
    const { core, archive } = this.#options;
    const release = archive.markRemoving(windows.map(({ id }) => id));
    try {
      const ops = windows.flatMap((window) => removalOps(window));
      await core.submit({ ops, sync: false, delta: { stored: minus(windows) } });
    } finally {
      release();
    }
    core.metrics.count('holdfast_spool_retained_out_total', {}, windows.length);
    this.#noteDeleted(windows);
  }

  async #removeUnsent(removal: Removal): Promise<void> {
    const { core, lanes } = this.#options;
    let freed = 0;
    for (const lane of ['backlog', 'live'] as const) {
      freed += await this.#removeFrom(lane, removal, freed, (due) => this.#evict(lane, due));
    }
    // Answers to requests that nobody waits for any more. What they would have sent stays in the archive.
    await this.#removeFrom('backfill', { ...removal, bytes: 0 }, 0, async (due) => {
      await core.submit({ ...lanes.removeTaken('backfill', due), sync: false });
    });
  }

  /** Bytes that went. Entries are in the order of their time, so what is due comes first. */
  async #removeFrom(
    lane: LaneName,
    removal: Removal,
    before: number,
    remove: (due: readonly QueuedMessage[]) => Promise<void>,
  ): Promise<number> {
    const { lanes, storedSince } = this.#options;
    let freed = 0;
    for (let pages = 0; pages < maxPages; pages++) {
      const { oldestAt } = lanes.depth(lane);
      // A look first: what is taken here cannot be sent meanwhile.
      if (oldestAt === undefined) break;
      if (storedSince(oldestAt) >= removal.olderThan && before + freed >= removal.bytes) break;
      const entries = await lanes.takeEntries(lane, evictedAtOnce);
      let count = 0;
      for (; count < entries.length; count++) {
        const { queuedAt, bytes } = entries[count]!;
        if (storedSince(queuedAt) >= removal.olderThan && before + freed >= removal.bytes) break;
        freed += bytes + storedOverheadBytes;
      }
      lanes.giveBack(lane, entries.slice(count));
      if (count > 0) await remove(entries.slice(0, count));
      if (count < entries.length || entries.length === 0) break;
    }
    return freed;
  }

  async #evict(lane: 'backlog' | 'live', entries: readonly QueuedMessage[]): Promise<void> {
    const { core, lanes, streams, hasHistory } = this.#options;
    const { windows, incomplete } = await this.#windowsOf(entries);
    lanes.giveBack(lane, incomplete);
    if (windows.length === 0) return;
    const gone = new Set(windows.flatMap(idsOf));
    const removed = lanes.removeTaken(
      lane,
      entries.filter(({ messageId }) => gone.has(messageId)),
    );
    const writer = this.#options.writer();
    for (const [number, lost] of byStream(windows)) {
      const stream = streams.byNumber(number);
      if (stream === undefined || hasHistory(stream.batchId)) continue;
      for (const window of lost) declareVoid(writer, stream, window);
      writer.add(...streams.recordOps(streams.get(stream.batchId) ?? stream));
    }
    const { ops, delta, publish } = writer.finish();
    const stored = delta.stored ?? { messages: 0, bytes: 0 };
    const less = minus(windows);
    await core.submit({
      ops: [...windows.flatMap(removalOps), ...removed.ops, ...ops],
      sync: true,
      delta: {
        evicted: windows.length,
        stored: { messages: stored.messages + less.messages, bytes: stored.bytes + less.bytes },
        unsent: sumOf(removed.delta.unsent, delta.unsent),
      },
    });
    publish();
    core.log.warn({ windows: windows.length, lane }, 'windows that were never sent are removed');
    core.metrics.count('holdfast_spool_evicted_total', {}, windows.length);
    this.#noteDeleted(windows);
  }

  /** The windows that `entries` hold all parts of; and entries of windows of which others are being sent. */
  async #windowsOf(entries: readonly QueuedMessage[]) {
    const { core } = this.#options;
    const held = new Set(entries.map(({ messageId }) => messageId));
    const windows = new Map<number, StoredWindowAt>();
    const incomplete: QueuedMessage[] = [];
    for (const entry of entries) {
      const window = await this.#options.archive.windowOf(entry.messageId);
      if (window === undefined) windows.set(entry.messageId, lostWindow(entry));
      else if (idsOf(window).every((id) => held.has(id))) windows.set(window.id, window);
      else incomplete.push(entry);
    }
    const unknown = [...windows.values()].filter(({ stream }) => stream === 0).length;
    if (unknown > 0)
      core.log.error({ unknown }, 'entries of a lane name no stored window; their range is not known');
    return { windows: [...windows.values()], incomplete };
  }

  async #removeQuarantined(): Promise<void> {
    const { core } = this.#options;
    const { gte, lt } = spaceBounds('d');
    const found = await core.store.range({ gte, lt, limit: maxQuarantined * 2, keysOnly: true });
    const ops = found.slice(0, -maxQuarantined).map(({ key }): BatchOp => ({ type: 'del', key }));
    if (ops.length > 0) await core.submit({ ops, sync: false });
  }

  #noteDeleted(windows: readonly StoredWindowAt[]): void {
    for (const { id, parts, bytes } of windows) {
      this.#deletedBytes += bytes;
      this.#deletedFrom = Math.min(this.#deletedFrom, id);
      this.#deletedTo = Math.max(this.#deletedTo, id + parts);
    }
  }

  #setHolding(holding: boolean): void {
    if (holding === this.#holding) return;
    this.#holding = holding;
    const { log } = this.#options.core;
    if (holding) log.warn({}, 'the spool is full: sources that keep their own history should wait');
    else log.info({}, 'the spool has room again');
    for (const listener of this.#listeners) listener(holding);
  }
}

function declareVoid(writer: WindowWriter, stream: Stream, window: Window): void {
  const { batchId, index } = stream;
  writer.addVoid(stream, { batchId, index, window, reason: 'evicted' }, { lane: 'live' });
}

/** Ranges by stream: windows that touch become one, so that a long backlog does not become a long list of voids. */
function byStream(windows: readonly StoredWindowAt[]): ReadonlyMap<number, readonly Window[]> {
  const ranges = new Map<number, Window[]>();
  for (const { stream, window } of windows) ranges.set(stream, [...(ranges.get(stream) ?? []), window]);
  return new Map([...ranges].map(([stream, list]) => [stream, normalise(list)]));
}

function removalOps(window: StoredWindowAt): BatchOp[] {
  const { id, stream, window: range } = window;
  const ops: BatchOp[] = [{ type: 'del', key: idKey('a', id) }];
  if (range.end > range.start) {
    ops.push({ type: 'del', key: indexKey(stream, sizeClassOf(range), range.start, id) });
  }
  for (const message of idsOf(window)) {
    ops.push({ type: 'del', key: idKey('r', message) }, { type: 'del', key: idKey('x', message) });
  }
  return ops;
}

function idsOf({ id, parts }: StoredWindowAt): number[] {
  return Array.from({ length: parts }, (_, part) => id + part);
}

function minus(windows: readonly StoredWindowAt[]) {
  return {
    messages: -windows.reduce((sum, { parts }) => sum + parts, 0),
    bytes: -windows.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

function sumOf(a = { messages: 0, bytes: 0 }, b = { messages: 0, bytes: 0 }) {
  return { messages: a.messages + b.messages, bytes: a.bytes + b.bytes };
}

// Its entry among the stored windows was damaged: the message goes, and nobody can say what it covered.
function lostWindow(entry: QueuedMessage): StoredWindowAt {
  const window = { start: 0, end: 0 };
  return { id: entry.messageId, stream: 0, window, parts: 1, bytes: entry.bytes, storedAt: 0, void: false };
}
