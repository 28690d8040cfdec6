// `holdfast spool salvage`: what can be read of a damaged store, written into a new one that a module can open.
//
// Kept are whole windows: messages whose sums are right and whose parts are all there, with their places in the
// lanes; and of everything else each record whose sum is right. Index, order of storing and counters are made
// anew from the messages, so they agree with one another whatever the damage was. What is lost becomes a
// hole in the coverage of its stream: the detector asks for it, and the equipment's history may have it.
//
// The value log holds messages with their keys: so those that a damaged index no longer names are found there. Nobody can tell
// which of them were removed on purpose, so some of those come back, and are removed again when their time in the archive is
// over.
//
// A message becomes archive only where it is known to have been sent: its place in the lane is not named by lanes that are
// whole (lane-evidence.ts), or it lies before the first that waits. Any other goes up, once more perhaps: its id makes it a duplicate.
import { type Clock, systemClock } from '../../../kernel/clock.ts';
import { markAsBackfill, messageBytes } from '../../../wire/message.ts';
import { noteKey } from '../encryption/key-record.ts';
import { isFull } from '../engine/disk.ts';
import type { Entry, Store } from '../engine/store.ts';
import { folderKey, idKey, idOf, indexKeyOf, type KeySpace, queuedKey, stateKey } from '../format/keys.ts';
import {
  decodeIndexEntry,
  decodeMessage,
  decodePointer,
  encodePointer,
  type Pointer,
} from '../format/message-record.ts';
import { readState, type SpoolState, stateOp } from '../format/totals.ts';
import { type LaneEvidence, laneEvidence } from './lane-evidence.ts';
import { Losses, type LostRecord, type LostWindow } from './losses.ts';
import { keyName, kindOf } from './record-reading.ts';
import { SalvageTarget } from './salvage-target.ts';
import { SalvagedWindows, storedIn } from './salvaged-windows.ts';
import type { SpoolMessage, SpoolReader } from './spool-reader.ts';
import { TimeSlice } from './time-slice.ts';

export interface SalvageReport {
  readonly kept: { readonly messages: number; readonly bytes: number; readonly windows: number };
  readonly unsent: number;
  readonly backfill: number;
  readonly journalRecords: number;
  readonly streams: number;
  readonly jobs: number;
  readonly settings: number;
  /** Kept messages that no index entry named any more. */
  readonly unnamedMessages: number;
  /** Streams that were rebuilt from their messages: their own record was damaged. */
  readonly rebuiltStreams: readonly string[];
  readonly lostMessages: number;
  /** Windows that were known by name, of which a message is lost: at most `maxLost` of them. */
  readonly lostWindows: readonly LostWindow[];
  readonly lostWindowCount: number;
  /** Other records left behind, by key, with the reason: at most `maxLost`. */
  readonly lostRecords: readonly LostRecord[];
  readonly lostRecordCount: number;
}

/**
 * What there is room for on the disk: `all`; `unsent`: what is not known to have been sent; `named`: of that, what the lanes
 * name. What is left out and may never have been sent counts as lost.
 */
export type SalvageRoom = 'all' | 'unsent' | 'named';

/** What the next salvage does without, after one that the disk refused. */
export function withLessRoom(room: SalvageRoom, error: unknown): SalvageRoom {
  if (room === 'all') return 'unsent';
  return isFull(error) ? 'named' : room;
}

export interface SalvageOptions {
  /** Default `all`. */
  readonly room?: SalvageRoom;
  /** Messages that nothing names come along. Default: if the files are damaged. */
  readonly unnamed?: boolean;
  /** The clock by which work yields every few milliseconds. */
  readonly clock?: Clock;
}

/** `out` must be empty. All is on the disk once this resolves. */
export async function salvage(
  reader: SpoolReader,
  out: Store,
  options: SalvageOptions = {},
): Promise<SalvageReport> {
  return new Salvage(reader, out, options).run();
}

class Salvage {
  readonly #reader: SpoolReader;
  readonly #target: SalvageTarget;
  readonly #windows: SalvagedWindows;
  readonly #losses = new Losses();
  readonly #slice: TimeSlice;
  readonly #room: SalvageRoom;
  readonly #unnamed: boolean | undefined;
  readonly #lane: LaneEvidence;
  #unnamedMessages = 0;
  #highestId = 0;

  constructor(
    reader: SpoolReader,
    out: Store,
    { room = 'all', unnamed, clock = systemClock }: SalvageOptions,
  ) {
    this.#reader = reader;
    this.#target = new SalvageTarget(out, reader.codec);
    this.#windows = new SalvagedWindows(reader, this.#target);
    this.#slice = new TimeSlice(clock);
    this.#room = room;
    this.#unnamed = unnamed;
    this.#lane = laneEvidence(reader, this.#oldState());
  }

  async run(): Promise<SalvageReport> {
    await noteKey(this.#target.store, this.#reader.codec);
    for (const { key, problem } of this.#reader.damagedStreams) this.#losses.record(key, problem);
    await this.#copyMessages();
    if (this.#wantsUnnamed()) await this.#copyUnnamed();
    await this.#copyBackfillLane();
    await this.#findLostWindows();
    const journalRecords = await this.#copySpace('j');
    const jobs = await this.#copySpace('t');
    const settings = await this.#copySpace('k');
    await this.#copySpace('v');
    await this.#copySpace('d');
    await this.#windows.writeStreams();
    await this.#copyFolder();
    await this.#writeState();
    await this.#target.flush();
    const { totals } = this.#target;
    return {
      kept: { ...totals.stored, windows: this.#windows.windows },
      unsent: totals.unsent.messages,
      backfill: totals.backfill.messages,
      journalRecords,
      jobs,
      settings,
      unnamedMessages: this.#unnamedMessages,
      streams: this.#windows.streams.size,
      rebuiltStreams: this.#windows.rebuilt,
      lostMessages: this.#losses.messages,
      lostWindows: this.#losses.windows,
      lostWindowCount: this.#losses.windowCount,
      lostRecords: this.#losses.records,
      lostRecordCount: this.#losses.recordCount,
    };
  }

  /** Window by window: the parts of one have ids in a row. */
  async #copyMessages(): Promise<void> {
    let parts: SpoolMessage[] = [];
    for (const message of this.#reader.messages()) {
      if (this.#slice.isDue) await this.#slice.pause();
      this.#highestId = Math.max(this.#highestId, message.id);
      const stored = message.stored;
      if (stored === undefined || 'problem' in stored) {
        if (stored !== undefined) this.#losses.message(idKey('r', message.id), stored.problem);
        else if (message.queued.length > 0) this.#losses.messages++;
        continue;
      }
      const { header } = stored.value;
      const continues = parts.length > 0 && firstOf(parts) === header.first;
      if (parts.length > 0 && !continues) this.#loseParts(parts);
      const placed = { ...message, queued: this.#queuedOf(message.id, message, this.#lane.isWhole) };
      parts = continues ? [...parts, placed] : [placed];
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
    for (const { id } of parts) this.#losses.message(idKey('r', id), 'other parts of its window are lost');
  }

  async #keepWindow(parts: readonly SpoolMessage[]): Promise<void> {
    // A window goes as a whole: of one that was sent in part, the sent parts stay too.
    if (this.#room !== 'all' && parts.every(({ queued }) => queued.length === 0)) return;
    await this.#windows.keep(parts);
  }

  // Now, and not before: what stands wrong in the files was come across by reading the messages.
  #wantsUnnamed(): boolean {
    const { problems = [] } = this.#reader.source;
    const isDamaged = problems.some(({ severity }) => severity === 'damage') || this.#losses.messages > 0;
    return this.#unnamed ?? isDamaged;
  }

  /** Parts of a window were stored in a row, so they lie in a row. */
  async #copyUnnamed(): Promise<void> {
    let parts: SpoolMessage[] = [];
    for (const entry of this.#reader.source.values?.() ?? []) {
      if (this.#slice.isDue) await this.#slice.pause();
      const message = await this.#unnamedMessage(entry);
      if (message === undefined) continue;
      const { header } = storedIn(message);
      const continues = parts.length > 0 && firstOf(parts) === header.first;
      parts = continues ? [...parts, message] : [message];
      if (message.id - header.first !== parts.length - 1) parts = [];
      else if (parts.length === header.parts) {
        await this.#keepUnnamed(parts);
        parts = [];
      }
    }
  }

  async #unnamedMessage({ key, value }: Entry): Promise<SpoolMessage | undefined> {
    if (key.byteLength !== 7 || key[0] !== 0x72 || (await this.#target.has(key))) return undefined;
    const stored = this.#reader.read('M', key, value, decodeMessage);
    if ('problem' in stored) return undefined;
    const id = idOf(key);
    const known = this.#reader.message(id);
    const refused = known?.refused === undefined ? {} : { refused: known.refused };
    // The index named its place in the lane, and is gone or another one.
    return { id, stored, bytes: value.byteLength, queued: this.#queuedOf(id, known, false), ...refused };
  }

  /** `isNamed`: were it still to be sent, its place in the lane would be there. */
  #queuedOf(id: number, known: SpoolMessage | undefined, isNamed: boolean): SpoolMessage['queued'] {
    const queued = known?.queued ?? [];
    const isKnown = known?.refused !== undefined || queued.some(({ lane }) => lane === 'unsent');
    if (isKnown || isNamed || id < this.#lane.sentBelow) return queued;
    const pointer = { problem: 'its place in the lane is lost', fault: 'contents' } as const;
    return [...queued, { lane: 'unsent', key: idKey('u', id), pointer }];
  }

  async #keepUnnamed(parts: readonly SpoolMessage[]): Promise<void> {
    const mayWait = parts.some(({ queued }) => queued.length > 0);
    if (this.#room === 'named' && mayWait) {
      const isNew = ({ id }: SpoolMessage) => this.#reader.message(id) === undefined;
      for (const { id } of parts.filter(isNew))
        this.#losses.message(idKey('r', id), 'there is no room for it');
    }
    if (this.#room === 'named' || (this.#room === 'unsent' && !mayWait)) return;
    for (const { id } of parts) {
      this.#highestId = Math.max(this.#highestId, id);
      const known = this.#reader.message(id);
      const isRecord = known?.stored !== undefined;
      if (isRecord || (known?.queued.length ?? 0) > 0) this.#losses.takeBack(idKey('r', id), isRecord);
    }
    this.#unnamedMessages += parts.length;
    await this.#windows.keep(parts);
  }

  async #copyBackfillLane(): Promise<void> {
    await this.#target.flush();
    for (const { key, value } of this.#reader.entries('b')) {
      if (this.#slice.isDue) await this.#slice.pause();
      const pointer = this.#reader.read('P', key, value, decodePointer);
      // Its message knows the place too, if it was kept.
      if ('value' in pointer) await this.#keepEntry(idOf(key), pointer.value, keyName(key));
    }
    await this.#target.flush();
    for (const { key } of this.#reader.entries('q')) {
      if (this.#slice.isDue) await this.#slice.pause();
      const id = idOf(key);
      const sequence = Buffer.from(key).readUIntBE(7, 6);
      if (await this.#target.has(idKey('b', sequence))) continue;
      const stored = this.#reader.message(id)?.stored;
      if (stored === undefined || 'problem' in stored) continue;
      const bytes = messageBytes(markAsBackfill(stored.value.message, {}));
      const pointer = { id, bytes, queuedAt: stored.value.header.storedAt, mark: {} };
      await this.#keepEntry(sequence, pointer, keyName(key));
    }
  }

  async #keepEntry(sequence: number, pointer: Pointer, from: string): Promise<void> {
    this.#highestId = Math.max(this.#highestId, sequence);
    if (!(await this.#target.has(idKey('r', pointer.id)))) {
      this.#losses.record(from, `message ${pointer.id} is lost`);
      return;
    }
    await this.#target.put('P', idKey('b', sequence), encodePointer(pointer));
    await this.#target.put('Q', queuedKey(pointer.id, sequence), new Uint8Array(0));
    this.#target.count({ backfill: { messages: 1, bytes: pointer.bytes } });
  }

  /** Windows that the old index names and the new one does not. */
  async #findLostWindows(): Promise<void> {
    await this.#target.flush();
    if (this.#room !== 'all') return;
    for (const { key, value } of this.#reader.entries('i')) {
      if (this.#slice.isDue) await this.#slice.pause();
      if (key.byteLength !== 20 || (await this.#target.has(key))) continue;
      const { stream, start, id } = indexKeyOf(key);
      const entry = this.#reader.read('I', key, value, decodeIndexEntry);
      if ('problem' in entry || (await this.#target.has(idKey('r', id)))) continue;
      this.#losses.window(() => {
        const batchId = this.#windows.streams.get(stream)?.batchId ?? `(stream ${stream})`;
        return { batchId, window: { start, end: entry.value.end } };
      });
    }
  }

  /** Records as they are, where their sums are right. */
  async #copySpace(space: KeySpace): Promise<number> {
    let copied = 0;
    for (const { key, value } of this.#reader.entries(space)) {
      if (this.#slice.isDue) await this.#slice.pause();
      const record = this.#reader.read(kindOf[space], key, value, (payload) => payload);
      if ('problem' in record) {
        this.#losses.record(key, record.problem);
        continue;
      }
      if (space === 'j' && !this.#windows.streams.has(Buffer.from(key).readUInt32BE(1))) {
        this.#losses.record(key, 'its stream is unknown');
        continue;
      }
      if (space === 'd') this.#highestId = Math.max(this.#highestId, idOf(key));
      // Sealed again: what is read with an old key is written with the one of now.
      await this.#target.put(kindOf[space], key, record.value);
      copied++;
    }
    return copied;
  }

  /** Copies the record that identifies the spool. Where it cannot be read, the next start determines it again. */
  async #copyFolder(): Promise<void> {
    const value = this.#reader.source.get(folderKey);
    const record = value && this.#reader.read('S', folderKey, value, (payload) => payload);
    if (record !== undefined && 'value' in record) await this.#target.put('S', folderKey, record.value);
  }

  #oldState(damaged: (problem: string) => void = () => {}): SpoolState | undefined {
    const { codec, source } = this.#reader;
    const value = source.get(stateKey);
    const read = value && this.#reader.read('S', stateKey, value, () => readState(codec, value));
    if (read !== undefined && 'problem' in read) damaged(read.problem);
    return read !== undefined && 'value' in read ? read.value : undefined;
  }

  async #writeState(): Promise<void> {
    const { codec } = this.#reader;
    const old = this.#oldState((problem) => this.#losses.record(stateKey, problem));
    const nextId = Math.max(old?.nextId ?? 1, this.#highestId + 1);
    const lost = this.#losses.messages + this.#losses.recordCount;
    const target = this.#target;
    target.count({ damaged: (old?.totals.damaged ?? 0) + lost, evicted: old?.totals.evicted ?? 0 });
    const unsentHead = Math.min(this.#windows.unsentHead, nextId);
    const { totals } = target;
    const commits = old?.commits ?? 0;
    await target.add(stateOp(codec, { nextId, unsentHead, backfillHead: 0, storedHead: 0, commits, totals }));
  }
}

function firstOf(parts: readonly SpoolMessage[]): number {
  return storedIn(parts[0]!).header.first;
}
