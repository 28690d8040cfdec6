// The streams that this spool has or ever had. Their number is small and bounded; all are in memory.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Random } from '../../../kernel/random.ts';
import { type Coverage, subtract, union } from '../../../wire/coverage.ts';
import type { LateNumber } from '../../../wire/late.ts';
import type { IndexKind, Window } from '../../../wire/window.ts';
import type { Continuity } from '../../windows/window-store.ts';
import type { BatchOp, Entry, Store } from '../engine/store.ts';
import {
  indexClassKey,
  indexKeyOf,
  maxSizeClass,
  sizeClassOf,
  spaceBounds,
  streamKey,
  streamNumberOf,
  textKey,
  textOf,
} from '../format/keys.ts';
import { decodeIndexEntry } from '../format/message-record.ts';
import { openJson, type RecordCodec, sealJson } from '../format/record.ts';

/** As stored, one record a stream. */
export interface StreamRecord {
  readonly number: number;
  readonly index: IndexKind;
  /** Where its first window began. Absent before there was one, and where the record was lost since. */
  readonly start?: number;
  readonly floor?: number;
  /** As `StreamStart.seen`. */
  readonly seen?: number | undefined;
  readonly lastWindow?: Window;
  /** The equipment's or sender's own number of the last sample or message in the stream. */
  readonly lastNumber?: number | undefined;
  /** Size classes (see format/keys.ts) that the stream's index entries use. */
  readonly classes: readonly number[];
  readonly createdAt: number;
  /** When a commit last claimed more of it, as the spool's clock told the time. */
  readonly committedAt?: number;
  /** The same by the machine's own count, ms since it started, and what tells this start from others. */
  readonly committedUp?: readonly [boot: string, ms: number] | undefined;
  /**
   * The count of its late windows: its name, and the last number given out. Where the last ones may have been
   * forgotten, another count begins, so that no number ever names two windows.
   */
  readonly late?: LateNumber | undefined;
  /** What was removed unsent and not declared void, since its equipment could perhaps be asked again: at most `maxEvicted` ranges, the last ones. */
  readonly evicted?: Coverage;
  /** Number of the spool's start that moved the floor last. */
  readonly reachedIn?: number;
  /** Absent in a record: `proven`. It is kept, since nothing may have been claimed between two starts. */
  readonly continuity?: Continuity;
}

export interface Stream extends StreamRecord {
  readonly batchId: string;
  /**
   * Journal records of the open window: sequences `from` (inclusive) to `to` (exclusive), and below which index their
   * readings are.
   */
  readonly journal: { readonly from: number; readonly to: number; readonly readTo?: number };
  /** The open window as the journal has it; `end` may equal `start`. */
  readonly open?: Window;
  /** False until a batch has held its record. */
  readonly stored: boolean;
}

/** As stored under the stream's number. */
interface StreamName {
  readonly batchId: string;
  readonly index: IndexKind;
  readonly createdAt: number;
}

type OnDamage = (key: Uint8Array, value: Uint8Array, error: HoldfastError) => void;

export const maxStreams = 10_000;
/** What touches is one range; holes of the equipment divide them. */
const maxEvicted = 64;
/** Lower values of a clock are no times of day. UTC epoch ms. */
export const earliestTime = Date.UTC(2020, 0, 1);
const noJournal = { from: 0, to: 0 };

export class StreamTable {
  readonly #codec: RecordCodec;
  readonly #random: Random;
  readonly #byId = new Map<string, Stream>();
  /** As the disk has them. */
  readonly #durable = new Map<string, Stream>();
  readonly #byNumber = new Map<number, Stream>();
  #nextNumber = 1;
  // Of a stream without a record: the disk may have lost it.
  #unknown: Continuity = 'proven';

  constructor(codec: RecordCodec, random: Random) {
    this.#codec = codec;
    this.#random = random;
  }

  /**
   * Reads all streams. One whose record is damaged or gone is rebuilt from the name of its number
   * and from what the index holds of it: messages and journal name streams by number alone. `doubtful`: newer
   * records may be gone, so the index is asked for every stream.
   */
  async load(store: Store, doubtful: boolean, onDamage: OnDamage): Promise<void> {
    for (const entry of await readSpace(store, 's')) {
      const record = this.#open('S', entry, onDamage) as StreamRecord | undefined;
      if (record === undefined) continue;
      this.replace({ ...record, batchId: textOf(entry.key), journal: noJournal, stored: false });
    }
    for (const entry of await readSpace(store, 'n')) {
      const name = this.#open('N', entry, onDamage) as StreamName | undefined;
      if (name === undefined) continue;
      const number = streamNumberOf(entry.key);
      const known = this.#byNumber.get(number);
      if (known !== undefined) this.update(known, { stored: !doubtful });
      else this.replace({ ...(await restore(store, this.#codec, number)), ...name, number });
    }
    // A stream may have lost both of its records while the index still names its number: that number is not used again.
    const [last] = await store.range({ ...spaceBounds('i'), limit: 1, reverse: true, keysOnly: true });
    if (last !== undefined) this.#nextNumber = Math.max(this.#nextNumber, indexKeyOf(last.key).stream + 1);
    if (!doubtful) return;
    await this.refresh(store);
    this.lose();
  }

  /**
   * After damage: nothing may be claimed below what is stored, and every class is searched. What is known here of the
   * streams' ends was read before, and stays as good as it was.
   */
  async refresh(store: Store): Promise<void> {
    for (const { batchId, number } of this.all()) {
      const { floor, classes } = await restore(store, this.#codec, number);
      // A commit may have changed it meanwhile.
      const stream = this.#byId.get(batchId)!;
      const highest = floor === undefined ? stream.floor : Math.max(floor, stream.floor ?? floor);
      this.update(stream, {
        classes: [...new Set([...classes, ...stream.classes])].sort((a, b) => a - b),
        stored: false,
        late: undefined,
        ...(highest === undefined ? {} : { floor: highest }),
      });
    }
  }

  /** Nobody knows what any of them claimed last, which late numbers were given out, nor which streams there were. */
  lose(): void {
    this.#unknown = 'lost';
    for (const stream of this.all()) this.update(stream, { continuity: 'lost', late: undefined });
  }

  get(batchId: string): Stream | undefined {
    return this.#byId.get(batchId);
  }

  byNumber(number: number): Stream | undefined {
    return this.#byNumber.get(number);
  }

  all(): readonly Stream[] {
    return [...this.#byId.values()];
  }

  /** These are on the disk as they are now; without names, all. */
  markDurable(batchIds: Iterable<string> = this.#byId.keys()): void {
    for (const batchId of batchIds) {
      const stream = this.#byId.get(batchId);
      if (stream !== undefined) this.#durable.set(batchId, stream);
    }
  }

  /** The stream as the disk has it, without a commit that is under way. */
  durable(batchId: string): Stream | undefined {
    return this.#durable.get(batchId) ?? this.#byId.get(batchId);
  }

  /** @throws HoldfastError `spool-index-changed`, `spool-too-many-streams`. */
  openOrCreate(batchId: string, index: IndexKind, now: number): Stream {
    const known = this.#byId.get(batchId);
    if (known !== undefined) {
      if (known.index === index) return known;
      throw new HoldfastError(
        'spool-index-changed',
        `stream ${batchId} was ordered by ${known.index} so far; give it a new batchId to order it by ${index}`,
      );
    }
    if (this.#byId.size >= maxStreams) {
      throw new HoldfastError('spool-too-many-streams', `the spool knows ${maxStreams} streams already`);
    }
    const number = this.#nextNumber++;
    return this.replace({
      batchId,
      number,
      index,
      classes: [],
      createdAt: now,
      continuity: this.#unknown,
      journal: noJournal,
      stored: false,
    });
  }

  update(stream: Stream, change: Partial<Stream>): Stream {
    return this.replace({ ...stream, ...change });
  }

  replace(stream: Stream): Stream {
    this.#byId.set(stream.batchId, stream);
    this.#byNumber.set(stream.number, stream);
    this.#nextNumber = Math.max(this.#nextNumber, stream.number + 1);
    return stream;
  }

  /** The stream with the size class of `window` among its classes. */
  withClass(stream: Stream, window: Window): Stream {
    const sizeClass = sizeClassOf(window);
    if (stream.classes.includes(sizeClass)) return stream;
    return this.update(stream, { classes: [...stream.classes, sizeClass].sort((a, b) => a - b) });
  }

  /** The stream with `ranges` among what was removed unsent and not declared. */
  withEvicted(stream: Stream, ranges: Coverage): Stream {
    return this.update(stream, { evicted: union(stream.evicted ?? [], ranges).slice(-maxEvicted) });
  }

  /** `ranges` were answered or declared: what is stored of them says by now what became of them. */
  settleEvicted(batchId: string, ranges: Coverage): void {
    const stream = this.get(batchId);
    if (stream?.evicted === undefined) return;
    const { evicted, ...rest } = stream;
    const left = subtract(evicted, ranges);
    this.replace(left.length > 0 ? { ...rest, evicted: left } : rest);
  }

  /** The number of the stream's next late window; `update` the stream with it once that is encoded. */
  nextLate(stream: Stream): LateNumber {
    const { series, number } = stream.late ?? { series: this.#random.uuid().slice(0, 8), number: 0 };
    return { series, number: number + 1 };
  }

  /** The operations that a batch needs when it changes the stream: its record, and at the first time the name of its number. */
  recordOps(stream: Stream): readonly BatchOp[] {
    const key = textKey('s', stream.batchId);
    const { batchId, journal: _, open: __, stored, continuity, ...known } = stream;
    const { number, index, createdAt } = known;
    const record = { ...known, ...(continuity === 'lost' ? { continuity } : {}) };
    const ops: BatchOp[] = [{ type: 'put', key, value: sealJson(this.#codec, 'S', key, record) }];
    if (!stored) {
      const name = streamKey(number);
      ops.push({
        type: 'put',
        key: name,
        value: sealJson(this.#codec, 'N', name, { batchId, index, createdAt }),
      });
      this.update(stream, { stored: true });
    }
    return ops;
  }

  #open(kind: 'S' | 'N', entry: Entry, onDamage: OnDamage): unknown {
    try {
      return openJson(this.#codec, kind, entry.key, entry.value);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      onDamage(entry.key, entry.value, error);
      return undefined;
    }
  }
}

function readSpace(store: Store, space: 's' | 'n'): Promise<readonly Entry[]> {
  return store.range({ ...spaceBounds(space), limit: maxStreams });
}

/** Restores a stream from the index: the size classes that it uses, and the ends of its last windows. */
async function restore(store: Store, codec: RecordCodec, number: number) {
  const classes: number[] = [];
  let floor: number | undefined;
  for (let sizeClass = 0; sizeClass <= maxSizeClass; sizeClass++) {
    const gte = indexClassKey(number, sizeClass);
    const lt = indexClassKey(number, sizeClass + 1);
    const [last] = await store.range({ gte, lt, limit: 1, reverse: true });
    if (last === undefined) continue;
    classes.push(sizeClass);
    const end = readEnd(codec, last);
    if (end !== undefined) floor = Math.max(floor ?? end, end);
  }
  return {
    classes,
    journal: noJournal,
    stored: false,
    continuity: 'lost' as const,
    ...(floor === undefined ? {} : { floor }),
  };
}

function readEnd(codec: RecordCodec, entry: Entry): number | undefined {
  try {
    return decodeIndexEntry(codec.open('I', entry.key, entry.value)).end;
  } catch (error) {
    if (error instanceof HoldfastError) return undefined;
    throw error;
  }
}
