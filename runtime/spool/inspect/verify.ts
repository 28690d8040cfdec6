// `holdfast spool verify`: every sum, and whether the records agree with one another.
//
// Several key spaces are ordered by message id, so they are walked side by side; only the index by stream and
// range is not, and of that the ids are kept: 8 bytes a window.
import { parseMessage } from '../../../wire/message.ts';
import { isWindow } from '../../../wire/window.ts';
import {
  idKey,
  idOf,
  indexKey,
  indexKeyOf,
  journalKeyOf,
  type KeySpace,
  queuedKey,
  sizeClassOf,
  stateKey,
  streamNumberOf,
  textOf,
} from '../keys.ts';
import {
  decodeIndexEntry,
  decodePointer,
  decodeStoredEntry,
  type Pointer,
  type StoredEntry,
  type StoredMessage,
} from '../message-record.ts';
import { readState, type SpoolState } from '../totals.ts';
import { Cursor } from './cursor.ts';
import type { StoreSource } from './entry-source.ts';
import { type SpoolMessage, type SpoolReader, streamOf } from './reader.ts';
import { readBody } from './readings.ts';
import { attempt, keyName, kindOf, type Read } from './record-reading.ts';

export interface Finding {
  /** `note`: worth knowing, nothing is lost by it. */
  readonly severity: 'damage' | 'note';
  /** `file`: LevelDB's own files. `record`: one value. `reference`: two records that do not agree. */
  readonly kind: 'file' | 'record' | 'reference';
  /** A file's name, or a record's key: its letter, then text or hex. */
  readonly key: string;
  readonly reason: string;
}

/** Key lengths by space; undefined where the key holds a name. */
const keyLengths: Readonly<Record<KeySpace, number | undefined>> = {
  m: undefined,
  s: undefined,
  n: 5,
  j: 11,
  r: 7,
  a: 7,
  i: 20,
  u: 7,
  b: 7,
  q: 13,
  x: 7,
  d: 7,
  k: undefined,
  t: undefined,
  v: 7,
};

/** Yields findings as they are made. Goes over the whole store several times, a bounded piece at a time. */
export function* verifySpool(reader: SpoolReader, files?: StoreSource): Generator<Finding> {
  files?.check();
  yield* verifyRecords(reader);
  const indexed = yield* verifyIndex(reader);
  const counts = yield* verifyMessages(reader, indexed);
  yield* verifyBackfillLane(reader, counts);
  yield* verifyJournals(reader);
  yield* verifyState(reader, counts);
  // Last: what every pass above came across is in it too.
  for (const { severity, file, reason } of files?.problems ?? []) {
    yield { severity, kind: 'file', key: file, reason };
  }
}

const damage = (kind: Finding['kind'], key: Uint8Array, reason: string): Finding => ({
  severity: 'damage',
  kind,
  key: keyName(key),
  reason,
});
const note = (kind: Finding['kind'], key: Uint8Array, reason: string): Finding => ({
  ...damage(kind, key, reason),
  severity: 'note',
});

/** Each value by itself: its key's form, its envelope, its sum. Payloads come later, with what they refer to. */
function* verifyRecords(reader: SpoolReader): Generator<Finding> {
  for (const { key, value } of reader.source.scan(Buffer.of(0), Buffer.of(255))) {
    const space = String.fromCharCode(key[0] ?? 0) as KeySpace;
    const kind = kindOf[space];
    if (kind === undefined) {
      yield damage('record', key, 'no such key space: written by something else, or by a newer version');
      continue;
    }
    const length = keyLengths[space];
    if (length !== undefined && key.byteLength !== length) {
      yield damage('record', key, `the key has ${key.byteLength} bytes instead of ${length}`);
      continue;
    }
    const record = 'smnkt'.includes(space)
      ? reader.readJson(kind, key, value)
      : reader.read(kind, key, value, () => undefined);
    if ('problem' in record) yield damage('record', key, record.problem);
    else if (space === 'd') {
      const aside = reader.readJson<{ key?: string; error?: string }>('D', key, value);
      const what = 'value' in aside ? `${aside.value.error} (${aside.value.key})` : aside.problem;
      yield note('record', key, `set aside by the module when it read it: ${what}`);
    }
  }
}

/** Returns the ids of the first messages that the index names, in order. */
function* verifyIndex(reader: SpoolReader): Generator<Finding, Float64Array> {
  let ids = new Float64Array(1024);
  let count = 0;
  for (const { key, value } of reader.entries('i')) {
    if (key.byteLength !== 20) continue;
    const { stream, sizeClass, start, id } = indexKeyOf(key);
    if (count === ids.length) {
      const larger = new Float64Array(ids.length * 2);
      larger.set(ids);
      ids = larger;
    }
    ids[count++] = id;
    const entry = reader.read('I', key, value, decodeIndexEntry);
    if ('problem' in entry) {
      if (entry.fault === 'contents') yield damage('record', key, entry.problem);
      continue;
    }
    const window = { start, end: entry.value.end };
    const fits = isWindow(window) && sizeClassOf(window) === sizeClass;
    if (!fits) yield damage('record', key, `the window ${start} to ${window.end} cannot stand at this place`);
    const classes = reader.streams.get(stream)?.classes;
    if (classes === undefined)
      yield damage('reference', key, `the index names stream ${stream}, which is gone`);
    else if (classes.length > 0 && !classes.includes(sizeClass)) {
      yield damage(
        'reference',
        key,
        'its stream does not know this size class: a search would miss the window',
      );
    }
  }
  return ids.subarray(0, count).sort();
}

interface Counts {
  readonly stored: { messages: number; bytes: number };
  readonly unsent: { messages: number; bytes: number };
  backfill: number;
  highestId: number;
  lowestUnsent: number;
}

function* verifyMessages(reader: SpoolReader, indexed: Float64Array): Generator<Finding, Counts> {
  const counts: Counts = {
    stored: { messages: 0, bytes: 0 },
    unsent: { messages: 0, bytes: 0 },
    backfill: 0,
    highestId: 0,
    lowestUnsent: Number.POSITIVE_INFINITY,
  };
  const order = new Cursor(reader.entries('a'));
  const index = new Ids(indexed);
  let group = new PartGroup(0);
  for (const message of reader.messages()) {
    countMessage(message, counts);
    // Index and order name windows of which no part is left.
    for (const id of index.takeBelow(message.id)) yield lostWindow('i', id);
    for (const entry of order.takeBelow(message.id)) yield lostWindow('a', idOf(entry.key));
    for (const place of message.places) {
      if (message.stored !== undefined) continue;
      yield damage(
        'reference',
        place.key,
        `it waits in the ${place.lane} lane, but message ${message.id} is missing`,
      );
    }
    if (message.stored === undefined) continue;
    const key = idKey('r', message.id);
    if ('problem' in message.stored) {
      // A sum that is wrong was reported with the record.
      if (message.stored.fault === 'contents') yield damage('record', key, message.stored.problem);
      if (index.takeAt(message.id)) group = new PartGroup(message.id);
      order.takeAt(message.id);
      continue;
    }
    const stored = message.stored.value;
    const { header } = stored;
    if (message.id === header.first) {
      yield* group.end();
      group = new PartGroup(message.id, stored, message.refused !== undefined);
      const isIndexed = index.takeAt(message.id);
      const entry = order.takeAt(message.id)[0];
      yield* checkWindowEntries(reader, stored, message, isIndexed, entry);
    } else if (group.first !== header.first) {
      yield damage('reference', key, `it is part of window ${header.first}, whose first message is missing`);
    }
    group.add(message.id);
    yield* checkMessage(reader, key, stored);
  }
  yield* group.end();
  for (const id of index.takeBelow(Number.POSITIVE_INFINITY)) yield lostWindow('i', id);
  for (const entry of order.takeBelow(Number.POSITIVE_INFINITY)) yield lostWindow('a', idOf(entry.key));
  order.close();
  return counts;
}

function lostWindow(space: 'i' | 'a', id: number): Finding {
  const what = space === 'i' ? 'the index by stream and range' : 'the order of storing';
  return damage('reference', idKey('r', id), `the message is missing, though ${what} names it`);
}

function countMessage(message: SpoolMessage, counts: Counts): void {
  counts.highestId = Math.max(counts.highestId, message.id);
  if (message.stored !== undefined) counts.stored.messages++;
  for (const { lane, pointer } of message.places) {
    if (lane === 'backfill') continue;
    counts.unsent.messages++;
    counts.lowestUnsent = Math.min(counts.lowestUnsent, message.id);
    if ('value' in pointer) counts.unsent.bytes += pointer.value.bytes;
  }
}

/** The parts of one window, which have ids in a row. */
class PartGroup {
  readonly first: number;
  readonly #stored: StoredMessage | undefined;
  readonly #excused: boolean;
  #next: number;

  constructor(first: number, stored?: StoredMessage, excused = false) {
    this.first = first;
    this.#stored = stored;
    this.#excused = excused;
    this.#next = first;
  }

  add(id: number): void {
    if (id === this.#next) this.#next++;
  }

  *end(): Generator<Finding> {
    const parts = this.#stored?.header.parts ?? 0;
    const found = this.#next - this.first;
    if (found >= parts || this.#excused) return;
    yield damage(
      'reference',
      idKey('r', this.first),
      `only ${found} of the window's ${parts} parts are whole`,
    );
  }
}

function* checkWindowEntries(
  reader: SpoolReader,
  stored: StoredMessage,
  message: SpoolMessage,
  isIndexed: boolean,
  order: { key: Uint8Array; value: Uint8Array } | undefined,
): Generator<Finding> {
  const { header } = stored;
  const key = idKey('r', message.id);
  if (order === undefined) {
    yield damage('reference', key, 'the order of storing does not name it: retention would never remove it');
  } else {
    const entry = reader.read('A', order.key, order.value, decodeStoredEntry);
    if ('problem' in entry) {
      if (entry.fault === 'contents') yield damage('record', order.key, entry.problem);
    } else if (!agrees(entry.value, stored)) {
      yield damage('reference', order.key, 'the order of storing says something else than the message');
    }
  }
  if (!isIndexed) {
    // What the hub refused for good is taken out of the index on purpose.
    if (message.refused !== undefined) return;
    yield damage('reference', key, 'the index does not name it: a backfill request would not find it');
    return;
  }
  const at = indexKey(header.stream, sizeClassOf(header.window), header.window.start, message.id);
  if (reader.source.get(at) === undefined) {
    yield damage('reference', key, 'the index names it under another stream or window');
  }
}

function agrees(entry: StoredEntry, { header }: StoredMessage): boolean {
  const { stream, window, parts } = entry;
  return (
    stream === header.stream &&
    window.start === header.window.start &&
    window.end === header.window.end &&
    parts === header.parts
  );
}

function* checkMessage(reader: SpoolReader, key: Uint8Array, stored: StoredMessage): Generator<Finding> {
  const { header, message } = stored;
  const stream = reader.streams.get(header.stream);
  if (stream === undefined) yield damage('reference', key, `its stream (number ${header.stream}) is unknown`);
  const parsed = attempt('contents', () =>
    parseMessage(message.properties, {
      messageId: message.messageId,
      contentEncoding: message.contentEncoding,
    }),
  );
  if ('problem' in parsed) {
    yield damage('record', key, parsed.problem);
    return;
  }
  const { batchId, window } = parsed.value;
  if (stream !== undefined && stream.batchId !== batchId) {
    yield damage('reference', key, `it says stream ${batchId}, but is stored for ${stream.batchId}`);
  }
  if (window.start !== header.window.start || window.end !== header.window.end) {
    yield damage('record', key, 'its properties state another window than its record');
  }
  if (parsed.value.kind === 'void') return;
  const readings = readBody(stored, streamOf(reader, stored).index);
  if ('problem' in readings) {
    yield damage('record', key, readings.problem);
    return;
  }
  const { count } = parsed.value;
  if (count !== undefined && count !== readings.value.length) {
    yield damage('record', key, `it says ${count} readings and holds ${readings.value.length}`);
  }
  const outside = readings.value.find(({ index }) => index < window.start || index >= window.end);
  if (outside !== undefined)
    yield damage('record', key, `a reading at ${outside.index} lies outside of its window`);
}

/** Entries of the lane and their second key by message must come in pairs. */
function* verifyBackfillLane(reader: SpoolReader, counts: Counts): Generator<Finding> {
  for (const { key, value } of reader.entries('b')) {
    if (key.byteLength !== 7) continue;
    counts.backfill++;
    counts.highestId = Math.max(counts.highestId, idOf(key));
    const pointer: Read<Pointer> = reader.read('P', key, value, decodePointer);
    if ('problem' in pointer) {
      if (pointer.fault === 'contents') yield damage('record', key, pointer.problem);
      continue;
    }
    if (reader.source.get(queuedKey(pointer.value.id, idOf(key))) === undefined) {
      yield damage('reference', key, `message ${pointer.value.id} does not know that it waits here`);
    }
    if (reader.source.get(idKey('r', pointer.value.id)) === undefined) {
      yield damage(
        'reference',
        key,
        `it waits in the backfill lane, but message ${pointer.value.id} is missing`,
      );
    }
  }
  for (const { key } of reader.entries('q')) {
    if (key.byteLength !== 13) continue;
    const sequence = Buffer.from(key).readUIntBE(7, 6);
    if (reader.source.get(idKey('b', sequence)) === undefined) {
      yield damage('reference', key, `message ${idOf(key)} is not at place ${sequence} of the backfill lane`);
    }
  }
}

function* verifyJournals(reader: SpoolReader): Generator<Finding> {
  for (const journal of reader.journals()) {
    if (!reader.streams.has(journal.number)) {
      const key = Buffer.from([0x6a, ...new Uint8Array(4)]);
      key.writeUInt32BE(journal.number, 1);
      yield damage('reference', key, `a journal of ${journal.records} records whose stream is unknown`);
    }
    for (const { key, problem, fault } of journal.problems) {
      if (fault === 'seal') continue;
      const where = `${problem} (stream ${journal.number}, record ${journalKeyOf(key).sequence})`;
      yield damage(fault === 'missing' ? 'reference' : 'record', key, where);
    }
  }
  for (const { key } of reader.entries('n')) {
    if (key.byteLength !== 5) continue;
    const stream = reader.streams.get(streamNumberOf(key));
    if (stream !== undefined && reader.source.get(Buffer.from(`s${stream.batchId}`)) === undefined) {
      yield damage('reference', key, `stream ${stream.batchId} has a number, but no record of its own`);
    }
  }
  const known = reader.kinds();
  for (const { key, value } of reader.entries('t')) {
    const job = reader.readJson<{ batchId: string }>('T', key, value);
    if ('value' in job && !known.has(job.value.batchId)) {
      yield damage(
        'reference',
        key,
        `job ${textOf(key)} is for stream ${job.value.batchId}, which is unknown`,
      );
    }
  }
}

function* verifyState(reader: SpoolReader, counts: Counts): Generator<Finding> {
  const value = reader.source.get(stateKey);
  if (value === undefined) {
    if (counts.highestId > 0) yield damage('reference', stateKey, "the spool's own state is missing");
    return;
  }
  const state = reader.read('S', stateKey, value, () => readState(reader.codec, value));
  if ('value' in state) yield* compareState(state.value, counts);
  else if (state.fault === 'contents') yield damage('record', stateKey, state.problem);
}

function* compareState({ nextId, unsentHead, totals }: SpoolState, counts: Counts): Generator<Finding> {
  const differ = (what: string, said: number, found: number) =>
    damage('reference', stateKey, `the state counts ${said} ${what}, but there are ${found}`);
  if (totals.stored.messages !== counts.stored.messages) {
    yield differ('stored messages', totals.stored.messages, counts.stored.messages);
  }
  if (totals.unsent.messages !== counts.unsent.messages) {
    yield differ('unsent messages', totals.unsent.messages, counts.unsent.messages);
  }
  if (totals.backfill.messages !== counts.backfill) {
    yield differ('entries in the backfill lane', totals.backfill.messages, counts.backfill);
  }
  if (nextId <= counts.highestId) {
    yield damage('reference', stateKey, `the next id would be ${nextId}, but ${counts.highestId} is in use`);
  }
  if (unsentHead > counts.lowestUnsent) {
    const behind = `message ${counts.lowestUnsent} waits before it`;
    yield damage('reference', stateKey, `the unsent lane is said to begin at ${unsentHead}, but ${behind}`);
  }
}

/** Sorted ids, walked from the lowest. */
class Ids {
  readonly #ids: Float64Array;
  #at = 0;

  constructor(ids: Float64Array) {
    this.#ids = ids;
  }

  takeAt(id: number): boolean {
    if (this.#ids[this.#at] !== id) return false;
    this.#at++;
    return true;
  }

  *takeBelow(id: number): Generator<number> {
    while (this.#at < this.#ids.length && this.#ids[this.#at]! < id) yield this.#ids[this.#at++]!;
  }
}
