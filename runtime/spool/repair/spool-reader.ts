// Interprets the entries of a stopped spool: streams, messages with their entries in the lanes, the journal. Reads only.
// Damaged entries are yielded as such, never thrown.
import type { IndexKind, Window } from '../../../wire/window.ts';
import type { StreamRecord } from '../core/streams.ts';
import type { EntrySource } from '../engine/offline/entry-source.ts';
import type { Entry } from '../engine/store.ts';
import {
  idKey,
  journalKeyOf,
  type KeySpace,
  queuedKey,
  spaceBounds,
  streamNumberOf,
  textOf,
} from '../format/keys.ts';
import { decodeMessage, decodePointer, type Pointer, type StoredMessage } from '../format/message-record.ts';
import { plainCodec, type RecordCodec, type RecordKind } from '../format/record.ts';
import { Cursor } from './cursor.ts';
import { parseObject, type Read, readRecord } from './record-reading.ts';
import { readJournal, type StreamJournal } from './stream-journal.ts';

export interface KnownStream extends StreamRecord {
  readonly batchId: string;
}

/** An entry of a lane that names the message. */
export interface QueueEntry {
  readonly lane: 'unsent' | 'backfill';
  /** Key of the pointer's record: `u` or `b`. */
  readonly key: Uint8Array;
  readonly pointer: Read<Pointer>;
}

export interface SpoolMessage {
  readonly id: number;
  /** Undefined: there is no such record, though something names it. */
  readonly stored: Read<StoredMessage> | undefined;
  /** Size of the record as stored. */
  readonly bytes: number;
  readonly queued: readonly QueueEntry[];
  /** Present when the hub refused the message for good. */
  readonly refused?: Read<{ lane?: string; reason?: string; at?: number }>;
}

export class SpoolReader {
  readonly source: EntrySource;
  readonly codec: RecordCodec;
  /** By number. */
  readonly streams: ReadonlyMap<number, KnownStream>;
  readonly damagedStreams: readonly { readonly key: Uint8Array; readonly problem: string }[];

  constructor(source: EntrySource, codec: RecordCodec = plainCodec) {
    this.source = source;
    this.codec = codec;
    const streams = new Map<number, KnownStream>();
    const damaged: { key: Uint8Array; problem: string }[] = [];
    for (const { key, value } of this.entries('s')) {
      const record = this.readJson<StreamRecord>('S', key, value);
      if ('problem' in record) damaged.push({ key, problem: record.problem });
      else streams.set(record.value.number, { ...record.value, batchId: textOf(key) });
    }
    // The second copy, for streams whose own record is gone.
    for (const { key, value } of this.entries('n')) {
      const name = this.readJson<{ batchId: string; index: IndexKind; createdAt: number }>('N', key, value);
      if ('problem' in name) damaged.push({ key, problem: name.problem });
      else if (key.byteLength === 5 && !streams.has(streamNumberOf(key))) {
        const number = streamNumberOf(key);
        streams.set(number, { ...name.value, number, classes: [] });
      }
    }
    this.streams = streams;
    this.damagedStreams = damaged;
  }

  entries(space: KeySpace): Iterable<Entry> {
    const { gte, lt } = spaceBounds(space);
    return this.source.scan(gte, lt);
  }

  /** Streams by name, with how each is ordered. */
  kinds(): ReadonlyMap<string, IndexKind> {
    return new Map([...this.streams.values()].map(({ batchId, index }) => [batchId, index]));
  }

  read<T>(kind: RecordKind, key: Uint8Array, value: Uint8Array, decode: (payload: Buffer) => T): Read<T> {
    return readRecord(this.codec, kind, key, value, decode);
  }

  readJson<T>(kind: RecordKind, key: Uint8Array, value: Uint8Array): Read<T> {
    return readRecord(this.codec, kind, key, value, (payload) => parseObject(payload) as T);
  }

  /** All messages by id, and ids that only a lane or a refusal names. Memory does not grow with their number. */
  *messages(): Generator<SpoolMessage> {
    const heads = (['r', 'u', 'q', 'x'] as const).map((space) => new Cursor(this.entries(space)));
    const [stored, unsent, backfill, refused] = heads as [Cursor, Cursor, Cursor, Cursor];
    try {
      for (;;) {
        const id = Math.min(...heads.map((head) => head.id));
        if (id === Number.POSITIVE_INFINITY) return;
        const record = stored.takeAt(id)[0];
        const queued = [
          ...unsent.takeAt(id).map((entry) => this.#unsentEntry(entry)),
          ...backfill.takeAt(id).map((entry) => this.#backfillEntry(entry)),
        ];
        const refusal = refused.takeAt(id)[0];
        yield {
          id,
          stored: record && this.read('M', record.key, record.value, decodeMessage),
          bytes: record?.value.byteLength ?? 0,
          queued,
          ...(refusal && { refused: this.readJson('X', refusal.key, refusal.value) }),
        };
      }
    } finally {
      for (const head of heads) head.close();
    }
  }

  /** One message; undefined when no record names that id. */
  message(id: number): SpoolMessage | undefined {
    const key = idKey('r', id);
    const value = this.source.get(key);
    const unsentKey = idKey('u', id);
    const unsent = this.source.get(unsentKey);
    const refusalKey = idKey('x', id);
    const refusal = this.source.get(refusalKey);
    const queued = unsent === undefined ? [] : [this.#unsentEntry({ key: unsentKey, value: unsent })];
    for (const entry of this.source.scan(queuedKey(id, 0), queuedKey(id + 1, 0))) {
      queued.push(this.#backfillEntry(entry));
    }
    if (value === undefined && refusal === undefined && queued.length === 0) return undefined;
    return {
      id,
      stored: value && this.read('M', key, value, decodeMessage),
      bytes: value?.byteLength ?? 0,
      queued,
      ...(refusal && { refused: this.readJson('X', refusalKey, refusal) }),
    };
  }

  /** The windows that the journal of each stream yields at the next start. Holds one stream's at a time. */
  *journals(): Generator<StreamJournal> {
    let number: number | undefined;
    let entries: Entry[] = [];
    for (const entry of this.entries('j')) {
      if (entry.key.byteLength !== 11) continue;
      const { stream } = journalKeyOf(entry.key);
      if (number !== undefined && stream !== number) {
        yield this.#journal(number, entries);
        entries = [];
      }
      number = stream;
      entries.push(entry);
    }
    if (number !== undefined) yield this.#journal(number, entries);
  }

  #journal(number: number, entries: readonly Entry[]): StreamJournal {
    return readJournal(this.codec, { number, index: this.streams.get(number)?.index }, entries);
  }

  #unsentEntry({ key, value }: Entry): QueueEntry {
    return { lane: 'unsent', key, pointer: this.read('P', key, value, decodePointer) };
  }

  #backfillEntry({ key }: Entry): QueueEntry {
    const sequence = Buffer.from(key.buffer, key.byteOffset, key.byteLength).readUIntBE(7, 6);
    const place = idKey('b', sequence);
    const value = this.source.get(place);
    const pointer: Read<Pointer> =
      value === undefined
        ? { problem: 'the backfill lane has no such entry', fault: 'contents' }
        : this.read('P', place, value, decodePointer);
    return { lane: 'backfill', key: place, pointer };
  }
}

/** The window and stream that a message states by itself. */
export function streamOf(
  reader: SpoolReader,
  stored: StoredMessage,
): { batchId: string; index: IndexKind; window: Window } {
  const { properties } = stored.message;
  const known = reader.streams.get(stored.header.stream);
  return {
    batchId: properties.batchId ?? known?.batchId ?? `(stream ${stored.header.stream})`,
    index: known?.index ?? (properties.index === 'sequence' ? 'sequence' : 'time'),
    window: stored.header.window,
  };
}
