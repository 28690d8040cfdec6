// `holdfast spool salvage`: what can be read of a damaged store, written into a new one that a module can open.
//
// Kept are whole windows: messages whose sums are right and whose parts are all there, with their places in the
// lanes; and of everything else each record whose sum is right. Index, order of storing and counters are made
// anew from the messages, so they agree with one another whatever the damage was. What is lost becomes a
// hole in the coverage of its stream: the detector asks for it, and the equipment's history may have it.
import { HoldfastError } from '../../../kernel/errors.ts';
import { markAsBackfill, messageBytes } from '../../../wire/message.ts';
import type { Window } from '../../../wire/window.ts';
import { noteKey } from '../encryption/key-record.ts';
import {
  idKey,
  idOf,
  indexKey,
  indexKeyOf,
  type KeySpace,
  queuedKey,
  sizeClassOf,
  stateKey,
  streamKey,
  textKey,
} from '../keys.ts';
import {
  decodeIndexEntry,
  decodePointer,
  encodeIndexEntry,
  encodeMessage,
  encodePointer,
  encodeStoredEntry,
  type Pointer,
  type StoredMessage,
  storedOverheadBytes,
} from '../message-record.ts';
import { type RecordKind, sealJson } from '../record.ts';
import type { BatchOp, Store } from '../store.ts';
import { addTotals, noTotals, readState, stateOp, type Totals } from '../totals.ts';
import { type KnownStream, type SpoolMessage, type SpoolReader, streamOf } from './reader.ts';
import { keyName, kindOf } from './record-reading.ts';

export interface LostWindow {
  readonly batchId: string;
  readonly window: Window;
}

export interface SalvageReport {
  readonly kept: { readonly messages: number; readonly bytes: number; readonly windows: number };
  readonly unsent: number;
  readonly backfill: number;
  readonly journalRecords: number;
  readonly streams: number;
  readonly jobs: number;
  readonly settings: number;
  /** Streams put together from their messages, their own record being damaged. */
  readonly rebuiltStreams: readonly string[];
  readonly lostMessages: number;
  /** Windows that were known by name, of which a message is lost: at most `maxLost` of them. */
  readonly lostWindows: readonly LostWindow[];
  readonly lostWindowCount: number;
  /** Other records left behind, by key, with the reason: at most `maxLost`. */
  readonly lostRecords: readonly { readonly key: string; readonly reason: string }[];
  readonly lostRecordCount: number;
}

export const maxLost = 1000;
const batchBytes = 4 * 1024 * 1024;

export interface SalvageOptions {
  /** False leaves out what has been sent: for a disk that has no room for it. Default true. */
  readonly archive?: boolean;
}

/** `out` must be empty. All is on the disk once this resolves. */
export async function salvage(
  reader: SpoolReader,
  out: Store,
  options: SalvageOptions = {},
): Promise<SalvageReport> {
  const work = new Salvage(reader, new BatchWriter(out), out, options.archive ?? true);
  return work.run();
}

class Salvage {
  readonly #reader: SpoolReader;
  readonly #writer: BatchWriter;
  readonly #out: Store;
  readonly #archive: boolean;
  readonly #streams = new Map<number, KnownStream>();
  readonly #rebuilt: string[] = [];
  readonly #lostWindows: LostWindow[] = [];
  readonly #lostRecords: { key: string; reason: string }[] = [];
  #lostWindowCount = 0;
  #lostRecordCount = 0;
  #lostMessages = 0;
  #windows = 0;
  #totals: Totals = noTotals;
  #unsentHead = Number.POSITIVE_INFINITY;
  #highestId = 0;
  readonly #copied = { journalRecords: 0, jobs: 0, settings: 0 };

  constructor(reader: SpoolReader, writer: BatchWriter, out: Store, archive: boolean) {
    this.#reader = reader;
    this.#archive = archive;
    this.#writer = writer;
    this.#out = out;
    for (const [number, stream] of reader.streams) this.#streams.set(number, { ...stream, classes: [] });
  }

  async run(): Promise<SalvageReport> {
    await noteKey(this.#out, this.#reader.codec);
    for (const { key, problem } of this.#reader.damagedStreams) this.#loseRecord(key, problem);
    await this.#copyMessages();
    await this.#copyBackfillLane();
    await this.#findLostWindows();
    this.#copied.journalRecords = await this.#copySpace('j');
    this.#copied.jobs = await this.#copySpace('t');
    this.#copied.settings = await this.#copySpace('k');
    await this.#copySpace('v');
    await this.#copySpace('d');
    await this.#writeStreams();
    await this.#writeState();
    await this.#writer.flush();
    return {
      kept: { ...this.#totals.stored, windows: this.#windows },
      unsent: this.#totals.unsent.messages,
      backfill: this.#totals.backfill.messages,
      ...this.#copied,
      streams: this.#streams.size,
      rebuiltStreams: this.#rebuilt,
      lostMessages: this.#lostMessages,
      lostWindows: this.#lostWindows,
      lostWindowCount: this.#lostWindowCount,
      lostRecords: this.#lostRecords,
      lostRecordCount: this.#lostRecordCount,
    };
  }

  /** Window by window: the parts of one have ids in a row. */
  async #copyMessages(): Promise<void> {
    let parts: SpoolMessage[] = [];
    for (const message of this.#reader.messages()) {
      this.#highestId = Math.max(this.#highestId, message.id);
      const stored = message.stored;
      if (stored === undefined || 'problem' in stored) {
        if (stored !== undefined) this.#loseRecord(idKey('r', message.id), stored.problem);
        if (stored !== undefined || message.places.length > 0) this.#lostMessages++;
        continue;
      }
      const { header } = stored.value;
      const continues = parts.length > 0 && firstOf(parts) === header.first;
      if (parts.length > 0 && !continues) this.#loseParts(parts);
      parts = continues ? [...parts, message] : [message];
      if (message.id - header.first !== parts.length - 1) {
        this.#loseParts(parts);
        parts = [];
      } else if (parts.length === header.parts) {
        await this.#keepWindow(parts);
        parts = [];
      }
    }
    if (parts.length > 0) this.#loseParts(parts);
  }

  #loseParts(parts: readonly SpoolMessage[]): void {
    this.#lostMessages += parts.length;
    for (const { id } of parts) this.#loseRecord(idKey('r', id), 'other parts of its window are lost');
  }

  async #keepWindow(parts: readonly SpoolMessage[]): Promise<void> {
    // A window goes as a whole: of one that was sent in part, the sent parts stay too.
    if (!this.#archive && parts.every(({ places }) => places.length === 0)) return;
    const stored = storedIn(parts[0]!);
    const { header } = stored;
    const stream = this.#streamFor(stored);
    const sizeClass = sizeClassOf(header.window);
    let bytes = 0;
    for (const part of parts) bytes += await this.#keepMessage(part);
    const { window, void: reason } = header;
    const isRefused = parts.some(({ refused }) => refused !== undefined);
    if (!isRefused) {
      const entry = {
        end: window.end,
        parts: parts.length,
        ...(reason === undefined ? {} : { void: reason }),
      };
      const key = indexKey(stream.number, sizeClass, window.start, header.first);
      await this.#put('I', key, encodeIndexEntry(entry));
    }
    const { storedAt } = header;
    const order = { stream: stream.number, window, parts: parts.length, bytes, storedAt };
    const isVoid = reason !== undefined;
    await this.#put('A', idKey('a', header.first), encodeStoredEntry({ ...order, void: isVoid }));
    this.#windows++;
  }

  async #keepMessage(message: SpoolMessage): Promise<number> {
    const stored = storedIn(message);
    await this.#put('M', idKey('r', message.id), encodeMessage(stored));
    const storedBytes = messageBytes(stored.message) + storedOverheadBytes;
    this.#count({ stored: { messages: 1, bytes: storedBytes } });
    for (const { lane, pointer } of message.places) {
      if (lane !== 'unsent') continue;
      const known = 'value' in pointer ? pointer.value : this.#pointerTo(message.id, stored);
      await this.#put('P', idKey('u', message.id), encodePointer(known));
      this.#count({ unsent: { messages: 1, bytes: known.bytes } });
      this.#unsentHead = Math.min(this.#unsentHead, message.id);
    }
    if (message.refused !== undefined) {
      const refusal = 'value' in message.refused ? message.refused.value : {};
      await this.#putJson('X', idKey('x', message.id), refusal);
      this.#count({ rejected: 1 });
    }
    return storedBytes;
  }

  /** Without the mark, which only the pointer knew: the message then goes up as live data. */
  #pointerTo(id: number, stored: StoredMessage): Pointer {
    return { id, bytes: messageBytes(stored.message), queuedAt: stored.header.storedAt };
  }

  async #copyBackfillLane(): Promise<void> {
    await this.#writer.flush();
    for (const { key, value } of this.#reader.entries('b')) {
      const pointer = this.#reader.read('P', key, value, decodePointer);
      // Its message knows the place too, if it was kept.
      if ('value' in pointer) await this.#keepPlace(idOf(key), pointer.value, keyName(key));
    }
    await this.#writer.flush();
    for (const { key } of this.#reader.entries('q')) {
      const id = idOf(key);
      const sequence = Buffer.from(key).readUIntBE(7, 6);
      if ((await this.#out.get(idKey('b', sequence))) !== undefined) continue;
      const stored = this.#reader.message(id)?.stored;
      if (stored === undefined || 'problem' in stored) continue;
      const bytes = messageBytes(markAsBackfill(stored.value.message, {}));
      const pointer = { id, bytes, queuedAt: stored.value.header.storedAt, mark: {} };
      await this.#keepPlace(sequence, pointer, keyName(key));
    }
  }

  async #keepPlace(sequence: number, pointer: Pointer, from: string): Promise<void> {
    this.#highestId = Math.max(this.#highestId, sequence);
    if ((await this.#out.get(idKey('r', pointer.id))) === undefined) {
      this.#loseNamed(from, `message ${pointer.id} is lost`);
      return;
    }
    await this.#put('P', idKey('b', sequence), encodePointer(pointer));
    await this.#put('Q', queuedKey(pointer.id, sequence), new Uint8Array(0));
    this.#count({ backfill: { messages: 1, bytes: pointer.bytes } });
  }

  /** Windows that the old index names and the new one does not. */
  async #findLostWindows(): Promise<void> {
    await this.#writer.flush();
    if (!this.#archive) return;
    for (const { key, value } of this.#reader.entries('i')) {
      if (key.byteLength !== 20 || (await this.#out.get(key)) !== undefined) continue;
      const { stream, start, id } = indexKeyOf(key);
      const entry = this.#reader.read('I', key, value, decodeIndexEntry);
      if ('problem' in entry || (await this.#out.get(idKey('r', id))) !== undefined) continue;
      this.#lostWindowCount++;
      if (this.#lostWindows.length >= maxLost) continue;
      const batchId = this.#streams.get(stream)?.batchId ?? `(stream ${stream})`;
      this.#lostWindows.push({ batchId, window: { start, end: entry.value.end } });
    }
  }

  /** Records as they are, where their sums are right. */
  async #copySpace(space: KeySpace): Promise<number> {
    let copied = 0;
    for (const { key, value } of this.#reader.entries(space)) {
      const record = this.#reader.read(kindOf[space], key, value, (payload) => payload);
      if ('problem' in record) {
        this.#loseRecord(key, record.problem);
        continue;
      }
      if (space === 'j' && !this.#streams.has(Buffer.from(key).readUInt32BE(1))) {
        this.#loseRecord(key, 'nobody knows its stream');
        continue;
      }
      if (space === 'd') this.#highestId = Math.max(this.#highestId, idOf(key));
      // Sealed anew: what is read with an old key is written with the one of now.
      await this.#put(kindOf[space], key, record.value);
      copied++;
    }
    return copied;
  }

  /** The stream as it will be written, with what this window adds to it. */
  #streamFor(stored: StoredMessage): KnownStream {
    const { stream: number, window, storedAt } = stored.header;
    let stream = this.#streams.get(number);
    if (stream === undefined) {
      const { batchId, index } = streamOf(this.#reader, stored);
      stream = { number, batchId, index, classes: [], createdAt: storedAt };
      this.#rebuilt.push(batchId);
    }
    // Nothing may claim what a stored window claims already, so the floor is at least there.
    if (this.#reader.streams.get(number)?.floor === undefined) {
      stream = { ...stream, floor: Math.max(stream.floor ?? window.end, window.end) };
    }
    const sizeClass = sizeClassOf(window);
    if (!stream.classes.includes(sizeClass)) {
      stream = { ...stream, classes: [...stream.classes, sizeClass].sort((a, b) => a - b) };
    }
    this.#streams.set(number, stream);
    return stream;
  }

  async #writeStreams(): Promise<void> {
    // Where one stream has had two numbers, its record names the newer.
    const ordered = [...this.#streams.values()].sort((a, b) => a.number - b.number);
    for (const { batchId, ...record } of ordered) {
      await this.#putJson('S', textKey('s', batchId), record);
      const { index, createdAt, number } = record;
      await this.#putJson('N', streamKey(number), { batchId, index, createdAt });
    }
  }

  async #writeState(): Promise<void> {
    const value = this.#reader.source.get(stateKey);
    const before =
      value && this.#reader.read('S', stateKey, value, () => readState(this.#reader.codec, value));
    if (value !== undefined && before !== undefined && 'problem' in before) {
      this.#loseRecord(stateKey, before.problem);
    }
    const old = before !== undefined && 'value' in before ? before.value : undefined;
    const nextId = Math.max(old?.nextId ?? 1, this.#highestId + 1);
    const lost = this.#lostMessages + this.#lostRecordCount;
    this.#count({ damaged: (old?.totals.damaged ?? 0) + lost, evicted: old?.totals.evicted ?? 0 });
    const state = {
      nextId,
      unsentHead: Math.min(this.#unsentHead, nextId),
      backfillHead: 0,
      storedHead: 0,
      totals: this.#totals,
    };
    await this.#writer.add(stateOp(this.#reader.codec, state));
  }

  #count(delta: Parameters<typeof addTotals>[1]): void {
    this.#totals = addTotals(this.#totals, delta);
  }

  #loseRecord(key: Uint8Array, reason: string): void {
    this.#loseNamed(keyName(key), reason);
  }

  #loseNamed(key: string, reason: string): void {
    this.#lostRecordCount++;
    if (this.#lostRecords.length < maxLost) this.#lostRecords.push({ key, reason });
  }

  #put(kind: RecordKind, key: Uint8Array, payload: Uint8Array): Promise<void> {
    return this.#writer.add({ type: 'put', key, value: this.#reader.codec.seal(kind, key, payload) });
  }

  #putJson(kind: RecordKind, key: Uint8Array, value: unknown): Promise<void> {
    return this.#writer.add({ type: 'put', key, value: sealJson(this.#reader.codec, kind, key, value) });
  }
}

function firstOf(parts: readonly SpoolMessage[]): number {
  return storedIn(parts[0]!).header.first;
}

function storedIn(message: SpoolMessage): StoredMessage {
  if (message.stored === undefined || 'problem' in message.stored) {
    throw new HoldfastError('spool-record-damaged', `message ${message.id} was not read`);
  }
  return message.stored.value;
}

/** Gathers operations into synced batches of a few MB. */
class BatchWriter {
  readonly #out: Store;
  #ops: BatchOp[] = [];
  #bytes = 0;

  constructor(out: Store) {
    this.#out = out;
  }

  async add(op: BatchOp): Promise<void> {
    this.#ops.push(op);
    if (op.type === 'put') this.#bytes += op.key.byteLength + op.value.byteLength;
    if (this.#bytes >= batchBytes) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#ops.length === 0) return;
    const ops = this.#ops;
    this.#ops = [];
    this.#bytes = 0;
    await this.#out.batch(ops, { sync: true });
  }
}
