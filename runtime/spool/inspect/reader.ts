// What the entries of a stopped spool mean: streams, messages with their places in the lanes, the journal.
// Reads only. What is damaged is yielded as such, never thrown.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { IndexKind, Window } from '../../../wire/window.ts';
import { decodeJournal, type JournalRecord, type RecoveredWindow, recoverWindows } from '../journal.ts';
import {
  idKey,
  idOf,
  journalKeyOf,
  type KeySpace,
  queuedKey,
  spaceBounds,
  streamNumberOf,
  textOf,
} from '../keys.ts';
import { decodeMessage, decodePointer, type Pointer, type StoredMessage } from '../message-record.ts';
import { plainCodec, type RecordCodec, type RecordKind } from '../record.ts';
import type { Entry } from '../store.ts';
import type { StreamRecord } from '../streams.ts';
import type { EntrySource } from './level-files.ts';

export interface Unreadable {
  readonly problem: string;
  /** `seal`: the envelope or its sum. `contents`: the sum is right, but the payload makes no sense. */
  readonly fault: 'seal' | 'contents';
}

export type Read<T> = { readonly value: T } | Unreadable;

export interface KnownStream extends StreamRecord {
  readonly batchId: string;
}

/** A place in a lane that names the message. */
export interface Place {
  readonly lane: 'unsent' | 'backfill';
  /** Of the pointer's record: `u` or `b`. */
  readonly key: Uint8Array;
  readonly pointer: Read<Pointer>;
}

export interface SpoolMessage {
  readonly id: number;
  /** Undefined: there is no such record, though something names it. */
  readonly stored: Read<StoredMessage> | undefined;
  /** Of the record as stored. */
  readonly bytes: number;
  readonly places: readonly Place[];
  /** Present when the hub refused the message for good. */
  readonly refused?: Read<{ lane?: string; reason?: string; at?: number }>;
}

export interface StreamJournal {
  readonly number: number;
  /** Damaged records and missing numbers, by key. */
  readonly problems: readonly {
    readonly key: Uint8Array;
    readonly problem: string;
    readonly fault: 'seal' | 'contents' | 'missing';
  }[];
  readonly records: number;
  readonly windows: readonly RecoveredWindow[];
}

/** Which kind of record a key space holds. */
export const kindOf: Readonly<Record<KeySpace, RecordKind>> = {
  m: 'S',
  s: 'S',
  n: 'N',
  j: 'J',
  r: 'M',
  a: 'A',
  i: 'I',
  u: 'P',
  b: 'P',
  q: 'Q',
  x: 'X',
  d: 'D',
  k: 'K',
  t: 'T',
  v: 'V',
};

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
    const opened = attempt('seal', () => this.codec.open(kind, key, value));
    return 'problem' in opened ? opened : attempt('contents', () => decode(opened.value));
  }

  readJson<T>(kind: RecordKind, key: Uint8Array, value: Uint8Array): Read<T> {
    const opened = attempt('seal', () => this.codec.open(kind, key, value));
    return 'problem' in opened ? opened : attempt('contents', () => parseObject(opened.value) as T);
  }

  /** All messages by id, and ids that only a lane or a refusal names. Memory does not grow with their number. */
  *messages(): Generator<SpoolMessage> {
    const heads = (['r', 'u', 'q', 'x'] as const).map((space) => new Cursor(this.entries(space)));
    const [stored, unsent, queued, refused] = heads as [Cursor, Cursor, Cursor, Cursor];
    try {
      for (;;) {
        const id = Math.min(...heads.map((head) => head.id));
        if (id === Number.POSITIVE_INFINITY) return;
        const record = stored.takeAt(id)[0];
        const places = [
          ...unsent.takeAt(id).map((entry) => this.#unsentPlace(entry)),
          ...queued.takeAt(id).map((entry) => this.#backfillPlace(entry)),
        ];
        const refusal = refused.takeAt(id)[0];
        yield {
          id,
          stored: record && this.read('M', record.key, record.value, decodeMessage),
          bytes: record?.value.byteLength ?? 0,
          places,
          ...(refusal && { refused: this.readJson('X', refusal.key, refusal.value) }),
        };
      }
    } finally {
      for (const head of heads) head.close();
    }
  }

  /** One message; undefined when nothing names that id. */
  message(id: number): SpoolMessage | undefined {
    const key = idKey('r', id);
    const value = this.source.get(key);
    const unsentKey = idKey('u', id);
    const unsent = this.source.get(unsentKey);
    const refusalKey = idKey('x', id);
    const refusal = this.source.get(refusalKey);
    const places = unsent === undefined ? [] : [this.#unsentPlace({ key: unsentKey, value: unsent })];
    for (const entry of this.source.scan(queuedKey(id, 0), queuedKey(id + 1, 0))) {
      places.push(this.#backfillPlace(entry));
    }
    if (value === undefined && refusal === undefined && places.length === 0) return undefined;
    return {
      id,
      stored: value && this.read('M', key, value, decodeMessage),
      bytes: value?.byteLength ?? 0,
      places,
      ...(refusal && { refused: this.readJson('X', refusalKey, refusal) }),
    };
  }

  /** What the journal of each stream gives back at the next start. Holds one stream's at a time. */
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
    const problems: StreamJournal['problems'][number][] = [];
    const records: (JournalRecord | undefined)[] = [];
    let expected: number | undefined;
    for (const { key, value } of entries) {
      const { sequence } = journalKeyOf(key);
      if (expected !== undefined && sequence !== expected) {
        const problem = `${sequence - expected} journal records before this one are missing`;
        problems.push({ key, problem, fault: 'missing' });
        records.push(undefined);
      }
      expected = sequence + 1;
      // Without its stream nobody knows how it is ordered; decoding tells whether it is whole all the same.
      const index = this.streams.get(number)?.index ?? 'sequence';
      const record = this.read('J', key, value, (payload) => decodeJournal(index, payload));
      if ('problem' in record) problems.push({ key, ...record });
      records.push('problem' in record ? undefined : record.value);
    }
    const windows = this.streams.has(number) ? recoverWindows(records) : [];
    return { number, problems, records: entries.length, windows };
  }

  #unsentPlace({ key, value }: Entry): Place {
    return { lane: 'unsent', key, pointer: this.read('P', key, value, decodePointer) };
  }

  #backfillPlace({ key }: Entry): Place {
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

/** `r000000000012`: as messages of the module name a record. */
export function keyName(key: Uint8Array): string {
  const bytes = Buffer.from(key);
  const space = bytes.toString('latin1', 0, 1);
  const text = 'mskt'.includes(space) ? bytes.toString('utf8', 1) : bytes.toString('hex', 1);
  return `${space}:${text}`;
}

/** The result, or what was wrong in words for people. */
export function attempt<T>(fault: Unreadable['fault'], work: () => T): Read<T> {
  try {
    return { value: work() };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    const newer = error.code === 'spool-record-newer';
    const problem = newer
      ? 'written by a newer version of Holdfast'
      : error.message.replace(/^record \S+ of kind \S: /, '');
    return { problem, fault };
  }
}

function parseObject(payload: Buffer): object {
  let value: unknown;
  try {
    value = JSON.parse(payload.toString('utf8'));
  } catch {
    value = undefined;
  }
  if (typeof value !== 'object' || value === null) {
    throw new HoldfastError('spool-record-damaged', 'it holds no JSON object');
  }
  return value;
}

/** Entries of one key space, taken id by id. */
export class Cursor {
  readonly #entries: Iterator<Entry>;
  #head: Entry | undefined;

  constructor(entries: Iterable<Entry>) {
    this.#entries = entries[Symbol.iterator]();
    this.#advance();
  }

  get id(): number {
    return this.#head === undefined ? Number.POSITIVE_INFINITY : idOf(this.#head.key);
  }

  takeAt(id: number): Entry[] {
    const taken: Entry[] = [];
    while (this.#head !== undefined && this.id === id) {
      taken.push(this.#head);
      this.#advance();
    }
    return taken;
  }

  takeBelow(id: number): Entry[] {
    const taken: Entry[] = [];
    while (this.#head !== undefined && this.id < id) taken.push(...this.takeAt(this.id));
    return taken;
  }

  close(): void {
    this.#entries.return?.();
  }

  // A key of a wrong length names no message; verify reports it.
  #advance(): void {
    do {
      const next = this.#entries.next();
      this.#head = next.done ? undefined : next.value;
    } while (this.#head !== undefined && ![7, 13].includes(this.#head.key.byteLength));
  }
}
