// The streams that this spool has or ever had. Their number is small and bounded; all are in memory.
import { HoldfastError } from '../../kernel/errors.ts';
import type { IndexKind, Window } from '../../wire/window.ts';
import { sizeClassOf, spaceBounds, textKey, textOf } from './keys.ts';
import { openJson, type RecordCodec, sealJson } from './record.ts';
import type { BatchOp, Store } from './store.ts';

/** As stored, one record a stream. */
export interface StreamRecord {
  readonly number: number;
  readonly index: IndexKind;
  readonly floor?: number;
  readonly lastWindow?: Window;
  /** Size classes (see keys.ts) that the stream's index entries use. */
  readonly classes: readonly number[];
  readonly createdAt: number;
}

export interface Stream extends StreamRecord {
  readonly batchId: string;
  /** Journal records of the open window: sequences `from` (inclusive) to `to` (exclusive). */
  readonly journal: { readonly from: number; readonly to: number };
  /** The open window as the journal has it; `end` may equal `start`. */
  readonly open?: Window;
  /** False until a batch has held its record. */
  readonly stored: boolean;
}

export const maxStreams = 10_000;

export class StreamTable {
  readonly #codec: RecordCodec;
  readonly #byId = new Map<string, Stream>();
  readonly #byNumber = new Map<number, Stream>();
  #nextNumber = 1;

  constructor(codec: RecordCodec) {
    this.#codec = codec;
  }

  /** Reads all streams. A damaged record is reported and passed over: the stream gets a new number. */
  async load(store: Store, onDamage: (key: Uint8Array, value: Uint8Array, error: HoldfastError) => void) {
    const { gte, lt } = spaceBounds('s');
    const found = await store.range({ gte, lt, limit: maxStreams });
    for (const entry of found) {
      try {
        const record = openJson(this.#codec, 'S', entry.key, entry.value) as StreamRecord;
        this.replace({ ...record, batchId: textOf(entry.key), journal: { from: 0, to: 0 }, stored: true });
      } catch (error) {
        if (!(error instanceof HoldfastError)) throw error;
        onDamage(entry.key, entry.value, error);
      }
    }
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
    const journal = { from: 0, to: 0 };
    return this.replace({ batchId, number, index, classes: [], createdAt: now, journal, stored: false });
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

  recordOp(stream: Stream): BatchOp {
    const key = textKey('s', stream.batchId);
    const { number, index, floor, lastWindow, classes, createdAt } = stream;
    const record = { number, index, floor, lastWindow, classes, createdAt };
    return { type: 'put', key, value: sealJson(this.#codec, 'S', key, record) };
  }
}
