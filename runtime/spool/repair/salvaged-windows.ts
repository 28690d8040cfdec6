// Writes whole windows into the new store of a salvage: messages with their places in the lanes. Index, order of storing
// and the streams' state are rebuilt from them, so they agree with one another.
import { HoldfastError } from '../../../kernel/errors.ts';
import { messageBytes } from '../../../wire/message.ts';
import { idKey, sizeClassOf, streamKey, textKey } from '../format/keys.ts';
import {
  encodeMessage,
  encodePointer,
  hasWindow,
  type Pointer,
  type StoredMessage,
  storedOverheadBytes,
} from '../format/message-record.ts';
import { windowRecords } from '../format/window-records.ts';
import type { SalvageTarget } from './salvage-target.ts';
import { type KnownStream, type SpoolMessage, type SpoolReader, streamOf } from './spool-reader.ts';

export class SalvagedWindows {
  readonly streams = new Map<number, KnownStream>();
  /** Streams that only their messages know. */
  readonly rebuilt: string[] = [];
  windows = 0;
  unsentHead = Number.POSITIVE_INFINITY;
  readonly #reader: SpoolReader;
  readonly #target: SalvageTarget;

  constructor(reader: SpoolReader, target: SalvageTarget) {
    this.#reader = reader;
    this.#target = target;
    for (const [number, stream] of reader.streams) this.streams.set(number, { ...stream, classes: [] });
  }

  /** All parts of a window, in order. */
  async keep(parts: readonly SpoolMessage[]): Promise<void> {
    const target = this.#target;
    const stored = storedIn(parts[0]!);
    const { header } = stored;
    const { number } = this.#streamFor(stored);
    let bytes = 0;
    for (const part of parts) bytes += await this.#keepMessage(part);
    const isRefused = parts.some(({ refused }) => refused !== undefined);
    for (const { kind, key, payload } of windowRecords({ ...header, stream: number }, bytes, !isRefused))
      await target.put(kind, key, payload);
    this.windows++;
  }

  async writeStreams(): Promise<void> {
    // Where one stream has had two numbers, its record names the newer.
    const ordered = [...this.streams.values()].sort((a, b) => a.number - b.number);
    // The last late numbers may be among what is lost: the count starts over.
    for (const { batchId, late: _, ...record } of ordered) {
      await this.#target.putJson('S', textKey('s', batchId), record);
      const { index, createdAt, number } = record;
      await this.#target.putJson('N', streamKey(number), { batchId, index, createdAt });
    }
  }

  async #keepMessage(message: SpoolMessage): Promise<number> {
    const target = this.#target;
    const stored = storedIn(message);
    await target.put('M', idKey('r', message.id), encodeMessage(stored));
    const storedBytes = messageBytes(stored.message) + storedOverheadBytes;
    target.count({ stored: { messages: 1, bytes: storedBytes } });
    for (const { lane, pointer } of message.queued) {
      if (lane !== 'unsent') continue;
      const known = 'value' in pointer ? pointer.value : pointerTo(message.id, stored);
      await target.put('P', idKey('u', message.id), encodePointer(known));
      target.count({ unsent: { messages: 1, bytes: known.bytes } });
      this.unsentHead = Math.min(this.unsentHead, message.id);
    }
    if (message.refused !== undefined) {
      const refusal = 'value' in message.refused ? message.refused.value : {};
      await target.putJson('X', idKey('x', message.id), refusal);
      target.count({ rejected: 1 });
    }
    return storedBytes;
  }

  /** The stream's record for the new store, updated with this window. */
  #streamFor(stored: StoredMessage): KnownStream {
    const { stream: number, window, storedAt } = stored.header;
    let stream = this.streams.get(number);
    if (stream === undefined) {
      const { batchId, index } = streamOf(this.#reader, stored);
      stream = { number, batchId, index, classes: [], createdAt: storedAt };
      this.rebuilt.push(batchId);
    }
    if (!hasWindow(window)) {
      this.streams.set(number, stream);
      return stream;
    }
    // Nothing may claim what a stored window claims already, so the floor is at least there.
    if (this.#reader.streams.get(number)?.floor === undefined) {
      stream = { ...stream, floor: Math.max(stream.floor ?? window.end, window.end) };
    }
    const sizeClass = sizeClassOf(window);
    if (!stream.classes.includes(sizeClass)) {
      stream = { ...stream, classes: [...stream.classes, sizeClass].sort((a, b) => a - b) };
    }
    this.streams.set(number, stream);
    return stream;
  }
}

/** Without the mark, which only the pointer knew: the message then goes up as live data. */
function pointerTo(id: number, stored: StoredMessage): Pointer {
  return { id, bytes: messageBytes(stored.message), queuedAt: stored.header.storedAt };
}

export function storedIn(message: SpoolMessage): StoredMessage {
  if (message.stored === undefined || 'problem' in message.stored) {
    throw new HoldfastError('spool-record-damaged', `message ${message.id} was not read`);
  }
  return message.stored.value;
}
