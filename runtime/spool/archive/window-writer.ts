// Turns mini-batches and voids into what one batch writes for them: a record per message, one entry in
// the index, and (unless they stay unsent) pointers in a lane. All in the same atomic write.
import { describeError, type HoldfastError } from '../../../kernel/errors.ts';
import type { BodyOptions } from '../../../wire/body.ts';
import type { LateNumber } from '../../../wire/late.ts';
import {
  encodeLateVoid,
  encodeMiniBatch,
  encodeVoid,
  type MessageOptions,
  markAsBackfill,
  messageBytes,
} from '../../../wire/message.ts';
import type {
  BackfillMark,
  LateVoid,
  MiniBatch,
  VoidDeclaration,
  VoidReason,
  WireMessage,
} from '../../../wire/mini-batch.ts';
import type { Window } from '../../../wire/window.ts';
import type { SpoolCore } from '../core/core.ts';
import { earliestTime, type Stream, type StreamTable } from '../core/streams.ts';
import type { BatchOp } from '../engine/store.ts';
import { idKey } from '../format/keys.ts';
import {
  encodeMessage,
  hasWindow,
  type MessageHeader,
  noWindow,
  type Pointer,
  storedOverheadBytes,
} from '../format/message-record.ts';
import type { Count, TotalsDelta } from '../format/totals.ts';
import { windowRecords } from '../format/window-records.ts';
import type { NewEntries } from '../lanes/lane-entries.ts';
import type { LaneStore } from '../lanes/lane-store.ts';

export type Destination =
  /** `withheld`: until the hub was heard. */
  | { readonly lane: 'live'; readonly withheld?: boolean }
  | { readonly lane: 'backfill'; readonly mark: BackfillMark }
  | { readonly lane: 'none' };

/** Collects what one submission writes. */
export class WindowWriter {
  readonly #core: SpoolCore;
  readonly #lanes: LaneStore;
  readonly #streams: StreamTable;
  readonly #encoding: BodyOptions;
  readonly #ops: BatchOp[] = [];
  readonly #live: Pointer[] = [];
  readonly #backfill: Pointer[] = [];
  #stored: Count = { messages: 0, bytes: 0 };

  constructor(core: SpoolCore, lanes: LaneStore, streams: StreamTable, encoding: BodyOptions) {
    this.#core = core;
    this.#lanes = lanes;
    this.#streams = streams;
    this.#encoding = encoding;
  }

  add(...ops: readonly BatchOp[]): void {
    this.#ops.push(...ops);
  }

  /**
   * All readings of the batch's window. Bytes stored: 0 when the batch cannot be encoded, nothing is written then, and
   * its window stays a hole.
   */
  addBatch(stream: Stream, batch: MiniBatch, to: Destination): number {
    if (to.lane !== 'backfill') this.#noteStart(stream, batch.window);
    return this.#encode(stream, batch, to, undefined);
  }

  /**
   * Each message says where its stream began, so that the loss of the first ones shows too. Durable with the window: the
   * stream's record must be in the same batch.
   */
  #noteStart(stream: Stream, { start }: Window): void {
    const known = this.#streams.get(stream.batchId) ?? stream;
    // A clock that was never set gives windows, but no time at which anything began.
    const isNoTime = known.index === 'time' && start < earliestTime;
    if (isNoTime || (known.start !== undefined && known.start <= start)) return;
    this.#streams.update(known, { start });
  }

  /**
   * Readings that came after their window had closed. Gives the stream's next late number out: the stream's record must
   * be in the same batch, so that the number is as durable as what it names.
   */
  addLate(stream: Stream, batch: MiniBatch, to: Destination): number {
    const late = this.#streams.nextLate(stream);
    const bytes = this.#encode(stream, batch, to, late);
    if (bytes > 0) this.#streams.update(this.#streams.get(stream.batchId) ?? stream, { late });
    return bytes;
  }

  #encode(stream: Stream, batch: MiniBatch, to: Destination, late: LateNumber | undefined): number {
    try {
      const messages = encodeMiniBatch(batch, {
        ...this.#encoding,
        creationTime: this.#core.clock.now(),
        late,
        ...(late === undefined && this.#claimOptions(stream)),
        onRefused: (reading, error) => this.#refused(stream, reading.tag, error),
      });
      return this.#addMessages(stream, { window: batch.window, late }, messages, to);
    } catch (error) {
      this.#core.log.error(
        {
          code: 'spool-window-not-encoded',
          batchId: stream.batchId,
          ...batch.window,
          error: describeError(error),
        },
        'a window cannot be encoded and is left out',
      );
      this.#core.metrics.count('holdfast_spool_windows_not_encoded_total');
      return 0;
    }
  }

  addVoid(stream: Stream, declaration: VoidDeclaration, to: Destination): void {
    const creationTime = this.#core.clock.now();
    const message = encodeVoid(declaration, { creationTime, ...this.#claimOptions(stream) });
    this.#addMessages(stream, declaration, [message], to);
  }

  #claimOptions({ batchId }: Stream): Pick<MessageOptions, 'lateThrough' | 'streamStart'> {
    const stream = this.#streams.get(batchId);
    return { lateThrough: stream?.late, streamStart: stream?.start };
  }

  addLateVoid(stream: Stream, declaration: LateVoid, to: Destination): void {
    const message = encodeLateVoid(declaration, { creationTime: this.#core.clock.now() });
    this.#addMessages(stream, { window: noWindow, reason: declaration.reason }, [message], to);
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
    about: { readonly window: Window; readonly reason?: VoidReason; readonly late?: LateNumber | undefined },
    messages: readonly WireMessage[],
    to: Destination,
  ): number {
    const core = this.#core;
    const first = core.allocate(messages.length);
    const storedAt = core.clock.now();
    const { window, late } = about;
    const parts = messages.length;
    const mark = {
      ...(about.reason === undefined ? {} : { void: about.reason }),
      ...(late === undefined ? {} : { late }),
      ...(to.lane === 'backfill' && about.reason === undefined && late === undefined
        ? { answer: true as const }
        : {}),
    };
    const header = { stream: stream.number, window, first, parts, ...mark, storedAt };
    let bytes = 0;
    for (const [part, message] of messages.entries()) {
      bytes += this.#addMessage(first + part, message, header, to);
    }
    if (hasWindow(window)) this.#streams.withClass(this.#streams.get(stream.batchId) ?? stream, window);
    const records = windowRecords(header, bytes);
    this.#ops.push(...records.map(({ kind, key, payload }) => core.put(kind, key, payload)));
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
    const pointer = { id, bytes: messageBytes(message), queuedAt: core.clock.now() };
    if (to.lane === 'live') this.#live.push(to.withheld ? { ...pointer, withheld: true } : pointer);
    else {
      const bytes = messageBytes(markAsBackfill(message, to.mark));
      this.#backfill.push({ ...pointer, bytes, mark: to.mark });
    }
    return storedBytes;
  }

  #refused(stream: Stream, tag: string, error: HoldfastError): void {
    this.#core.log.warn({ code: error.code, batchId: stream.batchId, tag }, 'a reading cannot be sent');
    this.#core.metrics.count('holdfast_spool_readings_refused_total', { stream: stream.batchId });
  }
}
