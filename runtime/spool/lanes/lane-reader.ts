// Reads lanes: their pointers, the messages that these name, and which messages are named at all.
import { HoldfastError } from '../../../kernel/errors.ts';
import { markAsBackfill } from '../../../wire/message.ts';
import type { BackfillMark, WireMessage } from '../../../wire/mini-batch.ts';
import type { SpoolCore } from '../core/core.ts';
import { isOfOneFile } from '../core/unreadable.ts';
import { entriesIn } from '../engine/pages.ts';
import type { Entry } from '../engine/store.ts';
import { idKey, idOf, maxId, queuedKey } from '../format/keys.ts';
import { decodeMessage, decodePointer } from '../format/message-record.ts';
import type { LaneEntry } from './lane-queue.ts';

/** A pointer together with its place in its lane. */
export interface QueuedMessage extends LaneEntry {
  readonly messageId: number;
  readonly mark?: BackfillMark;
  readonly withheld?: true;
}

/** The disk does not return the message. */
export interface Unread {
  readonly unread: HoldfastError;
  /** For good: it was tried often enough. */
  readonly isLost: boolean;
}

const pageKeys = 1000;

export class LaneReader {
  readonly #core: SpoolCore;

  constructor(core: SpoolCore) {
    this.#core = core;
  }

  /**
   * Their records as they are stored, in the order of `ids`.
   * @throws HoldfastError where the store itself does not answer.
   */
  async messages(ids: readonly number[]): Promise<readonly (Uint8Array | Unread | undefined)[]> {
    const { store, unreadable } = this.#core;
    try {
      const values = await store.getMany(ids.map((id) => idKey('r', id)));
      for (const id of ids) unreadable.forget(id);
      return values;
    } catch (error) {
      if (!isOfOneFile(error)) throw error;
    }
    // One file holds many: the rest of them must not wait for those in it.
    return Promise.all(ids.map((id) => this.#messageRecord(id)));
  }

  async #messageRecord(id: number): Promise<Uint8Array | Unread | undefined> {
    const { store, unreadable } = this.#core;
    try {
      const value = await store.get(idKey('r', id));
      unreadable.forget(id);
      return value;
    } catch (error) {
      if (!isOfOneFile(error)) throw error;
      return { unread: error, isLost: unreadable.note(id, error) === 'lost' };
    }
  }

  /** Which of the messages `from..to-1` wait in a lane. */
  async queuedIds(from: number, to: number): Promise<ReadonlySet<number>> {
    const unsent = await this.#readKeys(idKey('u', from), idKey('u', to));
    const backfill = await this.#readKeys(queuedKey(from, 0), queuedKey(to, 0));
    return new Set([...unsent, ...backfill].map(idOf));
  }

  /** Entries of `u` or `b` with `from <= id < to`, in order. */
  async pointers(space: 'u' | 'b', from: number, to: number, limit: number): Promise<QueuedMessage[]> {
    const core = this.#core;
    const found = await core.store.range({
      gte: idKey(space, from),
      lt: idKey(space, Math.min(to, maxId)),
      limit,
    });
    const pointers: QueuedMessage[] = [];
    for (const entry of found) {
      const pointer = await this.#openPointer(space, entry);
      pointers.push(pointer);
    }
    return pointers;
  }

  // A damaged pointer in `u` still says by its key which message it names: nothing is lost but the mark.
  // One in `b` does not; the job that queued it will find the window archived, unsent, and ask again.
  async #openPointer(space: 'u' | 'b', entry: Entry): Promise<QueuedMessage> {
    const core = this.#core;
    const id = idOf(entry.key);
    try {
      const pointer = decodePointer(core.codec.open('P', entry.key, entry.value));
      return { ...pointer, id, messageId: pointer.id };
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      core.log.error({ code: 'spool-damage', error: error.message }, 'a damaged entry in a lane');
      core.metrics.count('holdfast_spool_damaged_total');
      return { id, messageId: space === 'u' ? id : 0, bytes: 0, queuedAt: core.clock.now() };
    }
  }

  /** The message's record, opened. */
  payload(
    key: Uint8Array,
    value: Uint8Array,
  ): { readonly payload: Buffer } | { readonly error: HoldfastError } {
    try {
      return { payload: this.#core.codec.open('M', key, value) };
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      return { error };
    }
  }

  /** Returns the message to send, or the problem of its record. */
  message(
    key: Uint8Array,
    value: Uint8Array | undefined,
    entry: QueuedMessage,
  ): { readonly message: WireMessage } | { readonly error: HoldfastError } {
    try {
      if (value === undefined) throw new HoldfastError('spool-record-damaged', 'a queued message is missing');
      const { message } = decodeMessage(this.#core.codec.open('M', key, value));
      return { message: entry.mark === undefined ? message : markAsBackfill(message, entry.mark) };
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      return { error };
    }
  }

  async #readKeys(gte: Buffer, lt: Buffer): Promise<readonly Uint8Array[]> {
    const entries = await entriesIn(this.#core.store, { gte, lt, limit: pageKeys, keysOnly: true });
    return entries.map(({ key }) => key);
  }
}
