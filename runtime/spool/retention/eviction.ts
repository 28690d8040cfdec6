// Removes messages that were never sent: too old, or beyond the space that there is. They are declared void in the same
// write, unless their source can be asked again: then their stream remembers them, for who asks and can have them from nobody.
import { codeOf } from '../../../kernel/errors.ts';
import { type Coverage, normalise } from '../../../wire/coverage.ts';
import { type LateNumbers, lateNumbers, parseLateNumber } from '../../../wire/late.ts';
import type { Window } from '../../../wire/window.ts';
import type { LaneName } from '../../uplink/lanes.ts';
import type { Archive } from '../archive/archive.ts';
import { idsOf, minus, removalOps, type StoredWindowAt } from '../archive/stored-windows.ts';
import type { WindowWriter } from '../archive/window-writer.ts';
import type { SpoolCore } from '../core/core.ts';
import type { Stream, StreamTable } from '../core/streams.ts';
import { hasWindow, storedOverheadBytes } from '../format/message-record.ts';
import { addCounts } from '../format/totals.ts';
import type { QueuedMessage } from '../lanes/lane-reader.ts';
import type { LaneStore } from '../lanes/lane-store.ts';
import type { FreedSpace } from './freed-space.ts';
import type { Removal } from './retention-policy.ts';

export interface EvictionOptions {
  readonly core: SpoolCore;
  readonly lanes: LaneStore;
  readonly archive: Archive;
  readonly streams: StreamTable;
  readonly freed: FreedSpace;
  readonly writer: () => WindowWriter;
  /** From when something ages that was queued at that time. */
  readonly storedSince: (storedAt: number) => number;
  /** Streams whose equipment can perhaps be asked again, now or later. */
  readonly hasHistory: (batchId: string) => boolean;
}

const evictedAtOnce = 200;
// Bound of one sweep; the next goes on.
const maxPages = 10;

export class Eviction {
  readonly #options: EvictionOptions;

  constructor(options: EvictionOptions) {
    this.#options = options;
  }

  async remove(removal: Removal): Promise<void> {
    const { core, lanes } = this.#options;
    let freed = 0;
    for (const lane of ['backlog', 'live'] as const) {
      freed += await this.#removeFrom(lane, removal, freed, (due) => this.#evict(lane, due));
    }
    // Answers to requests that have expired by now. What they would have sent stays in the archive.
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
      lanes.returnEntries(lane, entries.slice(count));
      const due = entries.slice(0, count);
      try {
        if (count > 0) await remove(due);
      } catch (error) {
        // Else nobody sends them before the next start, and nobody removes them.
        lanes.returnEntries(lane, due);
        throw error;
      }
      if (count < entries.length || entries.length === 0) break;
    }
    return freed;
  }

  async #evict(lane: 'backlog' | 'live', entries: readonly QueuedMessage[]): Promise<void> {
    const { core, lanes, streams, hasHistory, freed } = this.#options;
    const { windows, incomplete } = await this.#windowsOf(entries);
    if (windows.length === 0) return lanes.returnEntries(lane, incomplete);
    const declared = await this.#lateDeclaredBy(windows);
    const writer = this.#options.writer();
    for (const [number, lost] of byStream(windows)) {
      const stream = streams.byNumber(number);
      if (stream === undefined) continue;
      // Should the write fail, what is still here is found here first.
      if (hasHistory(stream.batchId)) streams.withEvicted(stream, lost);
      else for (const window of lost) declareVoid(writer, stream, window);
      writer.add(...streams.recordOps(streams.get(stream.batchId) ?? stream));
    }
    // Late readings are in no history request: they lie in windows that were claimed without them.
    for (const { stream: number, late } of lateRuns([...lateOf(windows), ...declared])) {
      const stream = streams.byNumber(number);
      if (stream === undefined) continue;
      const { batchId, index } = stream;
      writer.addLateVoid(stream, { batchId, index, late, reason: 'evicted' }, { lane: 'live' });
    }
    const { ops, delta, publish } = writer.finish();
    lanes.returnEntries(lane, incomplete);
    const gone = new Set(windows.flatMap(idsOf));
    const removed = lanes.removeTaken(
      lane,
      entries.filter(({ messageId }) => gone.has(messageId)),
    );
    const less = minus(windows);
    await core.submit({
      ops: [...windows.flatMap(removalOps), ...removed.ops, ...ops],
      sync: true,
      delta: {
        evicted: windows.length,
        stored: addCounts(delta.stored, less),
        unsent: addCounts(removed.delta.unsent, delta.unsent),
      },
    });
    publish();
    core.log.warn(
      { code: 'windows-removed-unsent', windows: windows.length, lane },
      'windows that were never sent are removed',
    );
    core.metrics.count('holdfast_spool_evicted_total', {}, windows.length);
    freed.note(windows);
  }

  /** What declarations among `windows` say of late ones that went before: it is said again, with what goes now. */
  async #lateDeclaredBy(windows: readonly StoredWindowAt[]): Promise<readonly LateRun[]> {
    const runs: LateRun[] = [];
    for (const { id, stream, window, void: isVoid } of windows) {
      if (!isVoid || hasWindow(window)) continue;
      const properties = await this.#options.archive.message(id).then(
        ({ message }) => message.properties,
        (error: unknown) => {
          if (codeOf(error, '') !== 'spool-window-gone') throw error;
          // Damaged. Whoever misses those numbers asks for them.
          return {} as Readonly<Record<string, string>>;
        },
      );
      const [first, last] = [parseLateNumber(properties.lateNumber), parseLateNumber(properties.lateThrough)];
      const late = first && last && lateNumbers(first, last);
      if (late !== undefined) runs.push({ stream, late });
    }
    return runs;
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
      core.log.error(
        { code: 'spool-damage', unknown },
        'entries of a lane name no stored window; their range is not known',
      );
    return { windows: [...windows.values()], incomplete };
  }
}

function declareVoid(writer: WindowWriter, stream: Stream, window: Window): void {
  const { batchId, index } = stream;
  writer.addVoid(stream, { batchId, index, window, reason: 'evicted' }, { lane: 'live' });
}

/** Ranges by stream: windows that touch become one, so that a long backlog does not become a long list of voids. */
function byStream(windows: readonly StoredWindowAt[]): ReadonlyMap<number, Coverage> {
  const ranges = new Map<number, Window[]>();
  for (const { stream, window, late } of windows)
    if (late === undefined && hasWindow(window)) ranges.set(stream, [...(ranges.get(stream) ?? []), window]);
  return new Map([...ranges].map(([stream, list]) => [stream, normalise(list)]));
}

interface LateRun {
  readonly stream: number;
  late: LateNumbers;
}

function lateOf(windows: readonly StoredWindowAt[]): readonly LateRun[] {
  return windows.flatMap(({ stream, late }) => {
    if (late === undefined) return [];
    return [{ stream, late: { series: late.series, first: late.number, last: late.number } }];
  });
}

/** By stream and series; runs that touch become one. */
function lateRuns(runs: readonly LateRun[]): readonly LateRun[] {
  const merged: LateRun[] = [];
  const inOrder = runs.toSorted(
    (a, b) =>
      a.stream - b.stream || a.late.series.localeCompare(b.late.series) || a.late.first - b.late.first,
  );
  for (const { stream, late } of inOrder) {
    const before = merged.at(-1);
    if (before?.stream === stream && before.late.series === late.series && late.first <= before.late.last + 1)
      before.late = { ...before.late, last: Math.max(before.late.last, late.last) };
    else merged.push({ stream, late });
  }
  return merged;
}

// Its entry among the stored windows was damaged: the message is removed, and what it covered is unknown.
function lostWindow(entry: QueuedMessage): StoredWindowAt {
  const window = { start: 0, end: 0 };
  return { id: entry.messageId, stream: 0, window, parts: 1, bytes: entry.bytes, storedAt: 0, void: false };
}
