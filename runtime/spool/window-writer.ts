// Turns mini-batches and voids into what one batch writes for them: a record per message, one entry in
// the index, and (unless they stay unsent) pointers in a lane. All in the same atomic write.
import { describeError, type HoldfastError } from '../../kernel/errors.ts';
import { encodeMiniBatch, encodeVoid, markAsBackfill, messageBytes } from '../../wire/message.ts';
import type { BackfillMark, MiniBatch, VoidDeclaration, WireMessage } from '../../wire/mini-batch.ts';
import type { SpoolCore } from './core.ts';
import { idKey, indexKey, sizeClassOf } from './keys.ts';
import type { LaneStore, NewEntries } from './lane-store.ts';
import {
  encodeIndexEntry,
  encodeMessage,
  encodeStoredEntry,
  type MessageHeader,
  type Pointer,
  storedOverheadBytes,
} from './message-record.ts';
import type { BatchOp } from './store.ts';
import type { Stream, StreamTable } from './streams.ts';
import type { Count, TotalsDelta } from './totals.ts';

export interface BodyEncoding {
  readonly schema: 'readings/1' | 'columns/1';
  readonly gzip: boolean;
}

export type Destination =
  | { readonly lane: 'live'; readonly mark?: BackfillMark }
  | { readonly lane: 'backfill'; readonly mark: BackfillMark }
  | { readonly lane: 'none' };

/** Collects what one submission writes. */
export class WindowWriter {
  readonly #core: SpoolCore;
  readonly #lanes: LaneStore;
  readonly #streams: StreamTable;
  readonly #encoding: BodyEncoding;
  readonly #ops: BatchOp[] = [];
  readonly #live: Pointer[] = [];
  readonly #backfill: Pointer[] = [];
  #stored: Count = { messages: 0, bytes: 0 };

  constructor(core: SpoolCore, lanes: LaneStore, streams: StreamTable, encoding: BodyEncoding) {
    this.#core = core;
    this.#lanes = lanes;
    this.#streams = streams;
    this.#encoding = encoding;
  }

  add(...ops: readonly BatchOp[]): void {
    this.#ops.push(...ops);
  }

  /** Bytes stored. 0 when the batch cannot be encoded: nothing is written then, and its window stays a hole. */
  addBatch(stream: Stream, batch: MiniBatch, to: Destination): number {
    try {
      const messages = encodeMiniBatch(batch, {
        ...this.#encoding,
        creationTime: this.#core.clock.now(),
        late: to.lane === 'live' && to.mark !== undefined,
        onRefused: (reading, error) => this.#refused(stream, reading.tag, error),
      });
      return this.#addMessages(stream, batch, messages, to);
    } catch (error) {
      this.#core.log.error(
        { batchId: stream.batchId, ...batch.window, error: describeError(error) },
        'a window cannot be encoded and is left out',
      );
      this.#core.metrics.count('holdfast_spool_windows_not_encoded_total');
      return 0;
    }
  }

  addVoid(stream: Stream, declaration: VoidDeclaration, to: Destination): void {
    const message = encodeVoid(declaration, { creationTime: this.#core.clock.now() });
    this.#addMessages(stream, declaration, [message], to);
  }

  /** Queues stored messages once more. */
  requeue(pointers: readonly Pointer[]): void {
    this.#backfill.push(...pointers);
  }

  /** Everything as one submission; call `publish` once it is durable. */
  finish(): { ops: readonly BatchOp[]; delta: TotalsDelta; publish: () => void } {
    const live = this.#lanes.queueLive(this.#live);
    const backfill = this.#lanes.queueBackfill(this.#backfill);
    const entries: readonly NewEntries[] = [live, backfill];
    return {
      ops: [...this.#ops, ...live.ops, ...backfill.ops],
      delta: { ...live.delta, ...backfill.delta, stored: this.#stored },
      publish: () => {
        for (const added of entries) added.publish();
      },
    };
  }

  #addMessages(
    stream: Stream,
    about: MiniBatch | VoidDeclaration,
    messages: readonly WireMessage[],
    to: Destination,
  ): number {
    const core = this.#core;
    const first = core.allocate(messages.length);
    const storedAt = core.clock.now();
    const reason = 'reason' in about ? { void: about.reason } : {};
    const header = {
      stream: stream.number,
      window: about.window,
      first,
      parts: messages.length,
      ...reason,
      storedAt,
    };
    let bytes = 0;
    for (const [part, message] of messages.entries()) {
      bytes += this.#addMessage(first + part, message, header, to);
    }
    this.#streams.withClass(this.#streams.get(stream.batchId) ?? stream, about.window);
    const key = indexKey(stream.number, sizeClassOf(about.window), about.window.start, first);
    const parts = messages.length;
    const entry = { end: about.window.end, parts, ...reason };
    const stored = {
      stream: stream.number,
      window: about.window,
      parts,
      bytes,
      storedAt,
      void: 'reason' in about,
    };
    this.#ops.push(
      core.put('I', key, encodeIndexEntry(entry)),
      core.put('A', idKey('a', first), encodeStoredEntry(stored)),
    );
    return bytes;
  }

  /** Bytes stored, about. */
  #addMessage(id: number, message: WireMessage, header: MessageHeader, to: Destination): number {
    const core = this.#core;
    this.#ops.push(core.put('M', idKey('r', id), encodeMessage({ header, message })));
    const storedBytes = messageBytes(message) + storedOverheadBytes;
    this.#stored = {
      messages: this.#stored.messages + 1,
      bytes: this.#stored.bytes + storedBytes,
    };
    if (to.lane === 'none') return storedBytes;
    const sent = to.mark === undefined ? message : markAsBackfill(message, to.mark);
    const mark = to.mark === undefined ? {} : { mark: to.mark };
    const pointer = { id, bytes: messageBytes(sent), queuedAt: core.clock.now(), ...mark };
    (to.lane === 'live' ? this.#live : this.#backfill).push(pointer);
    return storedBytes;
  }

  #refused(stream: Stream, tag: string, error: HoldfastError): void {
    this.#core.log.warn({ batchId: stream.batchId, tag, code: error.code }, 'a reading cannot be sent');
    this.#core.metrics.count('holdfast_spool_readings_refused_total', { batchId: stream.batchId });
  }
}
