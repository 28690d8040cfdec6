// The archive: all stored messages, sent or not, found by stream and range, until retention removes them.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { LateNumbers } from '../../../wire/late.ts';
import { markAsBackfill, messageBytes } from '../../../wire/message.ts';
import type { BackfillMark, VoidReason } from '../../../wire/mini-batch.ts';
import type { Window } from '../../../wire/window.ts';
import type { SpoolCore } from '../core/core.ts';
import type { StreamTable } from '../core/streams.ts';
import { isOfOneFile } from '../core/unreadable.ts';
import type { BatchOp } from '../engine/store.ts';
import { idKey, indexKey, indexKeyOf, lateKey, lateKeyOf, maxId } from '../format/keys.ts';
import {
  decodeIndexEntry,
  decodeMessage,
  type Pointer,
  type StoredMessage,
} from '../format/message-record.ts';
import { indexKeysOf } from '../format/window-records.ts';
import { type StoredWindowAt, storedWindowOf } from './stored-windows.ts';

export interface ArchivedWindow {
  /** Id of the first part. */
  readonly id: number;
  readonly window: Window;
  readonly parts: number;
  readonly void?: VoidReason;
  /** Readings that came late: they are no answer for the window. */
  readonly late?: true;
  /** Read again from the equipment's history, to answer a request. */
  readonly answer?: true;
}

/** A late window, found by its number. */
export interface ArchivedLate {
  readonly number: number;
  /** Id of the first part. */
  readonly id: number;
  readonly parts: number;
}

const pageEntries = 500;
const ownSeries = /^[0-9a-f]{8}$/;

export class Archive {
  readonly #core: SpoolCore;
  readonly #streams: StreamTable;
  // Messages that turned out unreadable. Their records cannot say where the index names them, so the
  // entries are removed when a search finds them.
  readonly #gone = new Set<number>();
  readonly #pinned = new Map<number, number>();
  readonly #removing = new Set<number>();

  constructor(core: SpoolCore, streams: StreamTable) {
    this.#core = core;
    this.#streams = streams;
  }

  /** The window that message `id` belongs to. */
  windowOf(id: number): Promise<StoredWindowAt | undefined> {
    return storedWindowOf(this.#core, id);
  }

  isPinned(id: number): boolean {
    return this.#pinned.has(id);
  }

  /**
   * Keeps retention from removing windows between being read and being queued. Returns the way to undo it.
   * @throws HoldfastError `spool-window-gone` (retryable: look again) when one is being removed already.
   */
  pin(ids: readonly number[]): () => void {
    const removed = ids.find((id) => this.#removing.has(id));
    if (removed !== undefined) {
      throw new HoldfastError('spool-window-gone', `stored window ${removed} is being removed`, {
        retryable: true,
      });
    }
    for (const id of ids) this.#pinned.set(id, (this.#pinned.get(id) ?? 0) + 1);
    return () => {
      for (const id of ids) {
        const left = (this.#pinned.get(id) ?? 1) - 1;
        if (left > 0) this.#pinned.set(id, left);
        else this.#pinned.delete(id);
      }
    };
  }

  /** These windows are being removed: they cannot be pinned any more. Returns the way to end that. */
  markRemoving(ids: readonly number[]): () => void {
    for (const id of ids) this.#removing.add(id);
    return () => {
      for (const id of ids) this.#removing.delete(id);
    };
  }

  /** Windows of the stream that overlap `range`, by start, at most `limit`. */
  async find(batchId: string, range: Window, limit: number): Promise<readonly ArchivedWindow[]> {
    const stream = this.#streams.get(batchId);
    if (stream === undefined || limit <= 0) return [];
    const found: ArchivedWindow[] = [];
    for (const sizeClass of stream.classes) {
      found.push(...(await this.#findInClass(stream.number, sizeClass, range, limit)));
    }
    return found.sort((a, b) => a.window.start - b.window.start || a.id - b.id).slice(0, limit);
  }

  /** Late windows of the stream that have those numbers, in order, at most `limit`. */
  async findLate(batchId: string, late: LateNumbers, limit: number): Promise<readonly ArchivedLate[]> {
    const core = this.#core;
    const stream = this.#streams.get(batchId);
    // Counts that we began are named so; others never were ours.
    if (stream === undefined || !ownSeries.test(late.series) || late.first > maxId) return [];
    const at = (number: number) => lateKey(stream.number, { series: late.series, number }, 0);
    const lt = at(Math.min(late.last, maxId - 1) + 1);
    const entries = await core.store.range({ gte: at(late.first), lt, limit, keysOnly: true });
    const found: ArchivedLate[] = [];
    for (const { key } of entries) {
      const { number, id } = lateKeyOf(key);
      const window = this.#gone.has(id) ? undefined : await this.windowOf(id);
      if (window === undefined) this.#remove(key);
      else found.push({ number, id, parts: window.parts });
    }
    return found;
  }

  /**
   * Pointers to all parts of a stored window, as they are.
   * @throws HoldfastError `spool-window-gone` (retryable: look again) when a part is missing or damaged;
   * it is not found a second time.
   */
  async pointers(id: number, mark: BackfillMark): Promise<readonly Pointer[]> {
    const core = this.#core;
    const pointers: Pointer[] = [];
    let parts = 1;
    for (let part = 0; part < parts; part++) {
      const { header, message } = await this.message(id + part);
      parts = header.parts;
      pointers.push({
        id: id + part,
        bytes: messageBytes(markAsBackfill(message, mark)),
        queuedAt: core.clock.now(),
        mark,
      });
    }
    return pointers;
  }

  /** Operations that take the window of message `id` out of the index; its records stay. The message is not read. */
  async unindexOps(id: number): Promise<readonly BatchOp[]> {
    const stored = await this.windowOf(id);
    if (stored === undefined) return [];
    return indexKeysOf(stored, stored.id).map((key) => ({ type: 'del', key }));
  }

  /** @throws HoldfastError `spool-window-gone` (retryable: look again) when it is missing or damaged. */
  async message(id: number): Promise<StoredMessage> {
    const core = this.#core;
    const key = idKey('r', id);
    try {
      const value = await this.#read(key, id);
      if (value === undefined) throw new HoldfastError('spool-record-damaged', `message ${id} is missing`);
      return decodeMessage(core.codec.open('M', key, value));
    } catch (cause) {
      if (!(cause instanceof HoldfastError) || cause.retryable) throw cause;
      this.#gone.add(id);
      throw new HoldfastError('spool-window-gone', `stored window ${id} can no longer be read`, {
        retryable: true,
        cause,
      });
    }
  }

  async #read(key: Uint8Array, id: number): Promise<Uint8Array | undefined> {
    const { store, unreadable } = this.#core;
    try {
      return await store.get(key);
    } catch (error) {
      if (!isOfOneFile(error) || unreadable.note(id, error) === 'again') throw error;
      throw new HoldfastError('spool-record-damaged', `message ${id} cannot be read`, { cause: error });
    }
  }

  // Windows of the class are shorter than `2^(c+1)`: none that starts earlier than that before the range
  // can reach into it.
  async #findInClass(stream: number, sizeClass: number, range: Window, limit: number) {
    const core = this.#core;
    const found: ArchivedWindow[] = [];
    const from = Math.max(Number.MIN_SAFE_INTEGER, range.start - 2 ** (sizeClass + 1));
    let gte: Buffer = indexKey(stream, sizeClass, from, 0);
    const lt = indexKey(stream, sizeClass, range.end, 0);
    while (found.length < limit) {
      const page = await core.store.range({ gte, lt, limit: Math.min(pageEntries, limit + 8) });
      for (const entry of page) {
        const window = this.#readEntry(entry.key, entry.value);
        if (window === undefined || window.window.end <= range.start) continue;
        if (this.#isGone(window)) this.#remove(entry.key);
        else found.push(window);
      }
      const last = page.at(-1);
      if (last === undefined || page.length < Math.min(pageEntries, limit + 8)) break;
      gte = Buffer.concat([last.key, Buffer.of(0)]);
    }
    return found.slice(0, limit);
  }

  #isGone(window: ArchivedWindow): boolean {
    if (this.#gone.size === 0) return false;
    for (let part = 0; part < window.parts; part++) if (this.#gone.has(window.id + part)) return true;
    return false;
  }

  #remove(key: Uint8Array): void {
    this.#core.submit({ ops: [{ type: 'del', key }], sync: false }).catch(() => {});
  }

  // A damaged entry hides its window from backfill, which then asks the source: which costs a request, but no data.
  #readEntry(key: Uint8Array, value: Uint8Array): ArchivedWindow | undefined {
    const core = this.#core;
    const { id, start } = indexKeyOf(key);
    try {
      const entry = decodeIndexEntry(core.codec.open('I', key, value));
      return {
        id,
        window: { start, end: entry.end },
        parts: entry.parts,
        ...(entry.void === undefined ? {} : { void: entry.void }),
        ...(entry.late === undefined ? {} : { late: entry.late }),
        ...(entry.answer === undefined ? {} : { answer: entry.answer }),
      };
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      const delta = { damaged: 1 };
      void core.submit({ ops: core.quarantine(key, value, error), sync: false, delta }).catch(() => {});
      return undefined;
    }
  }
}
