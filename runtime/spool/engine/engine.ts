// # The storage engine
//
// An ordered key-value store (the port is store.ts) for many small synced batches on flash: a write-ahead log with
// key-value separation over LevelDB.
//
// ## Constraints
//
// - A batch is durable after one sync of one file that, as a rule, changes no metadata of the file system.
// - A batch is atomic, and what survives a power cut is a prefix of the batches with every one whose sync was confirmed.
// - Large values are written once, short-lived values never reach the index.
// - One writer; batches are applied one at a time. Reads run beside it and see whole batches.
// - Memory grows neither with the number of keys nor with the number of large values. Of a `wal` key space each value
//   takes some 50 bytes of memory, so such a space must stay small.
// - The engine knows the bytes of no key. A policy for each key space says what to treat apart: key-spaces.ts.
//
// Why not LevelDB alone: its own log, its flush to a table and its compactions write short-lived values, and large values
// whose order never changes, several times: 5.4 times the bytes of a plain file with the same commits, of which its
// log and flush alone are 2.9 (docs/BENCHMARKS.md).
//
// ## Format
//
// - Write-ahead log, `wal/0001.wal` and so on (wal.ts, wal-record.ts, wal-ops.ts): records of batches and checkpoints,
//   numbered by a sequence. Segments of about 1 MiB are used again; a generation tells one use from another.
// - Value log, `values/00000001.values` and so on (value-log.ts, value-record.ts): key and value, one record after the
//   other. Segments of about 8 MiB are written once and removed as a whole.
// - Index (leveldb/): every key but those of `wal` key spaces. In place of a value in the value log it holds a pointer.
//   Its key `\0durable` is the engine's own: a sequence up to which the log was on the disk when the index was written.
//
// docs/FORMAT.md describes them to the byte.
//
// A segment of either log begins with the identity of the store (segment-head.ts), which the index holds too, under `\0identity`.
//
// ## Write (writer.ts)
//
// 1. Large values are given places in the value log. If together they have 32 KiB or more, they are written and synced
//    there first, and the log's record has only their pointers. Otherwise the record has the values too.
// 2. The batch is appended to the log; a synced batch waits for the disk. From here on the batch is in the store.
// 3. Smaller values are written to the value log; the batch is put into the memtable, where reads see it.
// 4. Once the log is synced the memtable is flushed to LevelDB, which is not synced.
//
// ## Read (reader.ts)
//
// The index with the memtable over it (memtable.ts) and the values of `wal` key spaces among it. Pointers are followed;
// values that lie close together are read at once.
//
// ## Delete
//
// A deletion drops the reference to the value's segment. A segment without references is removed once the batch that
// dropped the last one is on the disk. `collectGarbage` makes that so, and rewrites the segment with the smallest share of
// live bytes when garbage is more than a quarter. `compactRange` compacts LevelDB before.
//
// ## Checkpoint
//
// After each 2 MiB of log, before garbage collection and at a close: sync the log, flush the memtable, sync the value log,
// sync the index, then append a checkpoint that says so. Segments of the log before it can be used again, but for those
// that hold values of `wal` key spaces.
//
// ## Recovery (recovery.ts, wal-replay.ts)
//
// Records behind the last checkpoint are applied again in order: puts, deletions, and writes to fixed places, all of which
// may be done twice. The log ends at the first hole in the sequence, unless a later synced record proves that the hole
// is damage; then the rest counts and the damage is reported. The index may lack any batch since the checkpoint and
// never has one that the log lacks: it is given a batch only after the log was synced. An index that is older than
// the checkpoint says, a segment of the log that is another store's, or values without a pointer after damage to the log, are refused (`store-damaged`): the
// caller rebuilds the store from what can be read (runtime/spool/repair/salvage.ts).
//
// After a failed write it is unknown where the log ends, and after a failed sync what of it the disk has. So the store then
// refuses every batch until `reopen`, which recovers from the files alone, and the caller repeats the batch.
import { HoldfastError } from '../../../kernel/errors.ts';
import { EngineReader } from './reader.ts';
import { type Recovered, recover } from './recovery.ts';
import type { EngineOptions } from './state.ts';
import type { BatchOp, Entry, RangeOptions, Store } from './store.ts';

export interface OpenedEngine {
  readonly store: Store;
  /** For people: what the disk lost of the logs. */
  readonly problem?: string;
}

/**
 * Takes over the files, which it closes with the store, or when it cannot open.
 * @throws HoldfastError `store-damaged`, `store-open-failed` (retryable).
 */
export async function openEngine(options: EngineOptions): Promise<OpenedEngine> {
  try {
    const recovered = await recover(options, false);
    const { problem } = recovered;
    return { store: new Engine(options, recovered), ...(problem === undefined ? {} : { problem }) };
  } catch (error) {
    await closeAll(options);
    throw asHoldfast('store-open-failed', 'the store does not open', error);
  }
}

class Engine implements Store {
  readonly identity: string | undefined;
  readonly #options: EngineOptions;
  #recovered: Recovered;
  #reader: EngineReader;
  #needsReopen = false;
  // The next batch may have been written before.
  #repeats = false;
  #closed = false;
  // Reads wait for a reopening that is under way.
  #reopening: Promise<void> | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: EngineOptions, recovered: Recovered) {
    this.#options = options;
    this.#recovered = recovered;
    this.#reader = new EngineReader(recovered.state);
    this.identity = recovered.state.identity;
  }

  batch(ops: readonly BatchOp[], options: { readonly sync: boolean }): Promise<void> {
    return this.#inTurn(async () => {
      this.#assertWritable();
      await this.#write(() => this.#recovered.writer.batch(ops, options.sync, this.#repeats));
      this.#repeats = false;
    });
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#read((reader) => reader.get(key));
  }

  getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    return this.#read((reader) => reader.getMany(keys));
  }

  range(options: RangeOptions): Promise<readonly Entry[]> {
    return this.#read((reader) => reader.range(options));
  }

  async compactRange(gte: Uint8Array, lt: Uint8Array): Promise<void> {
    const { index, spaces } = this.#options;
    await this.#read(() => index.compactRange(gte, lt));
    const isInRange = (space: { gte: Buffer; lt: Buffer }) =>
      Buffer.compare(gte, space.lt) < 0 && Buffer.compare(lt, space.gte) > 0;
    if (spaces.valueLogRanges().some(isInRange)) await this.collectGarbage();
  }

  collectGarbage(): Promise<void> {
    return this.#inTurn(async () => {
      // Nothing is lost by leaving it to the next call.
      if (this.#needsReopen || this.#closed) return;
      await this.#write(() => this.#recovered.writer.collectGarbage());
    });
  }

  // The logs lie in the index's folder.
  async sizeBytes(): Promise<number> {
    return this.#options.index.sizeBytes();
  }

  reopen(): Promise<void> {
    if (this.#closed) return Promise.reject(closedError());
    this.#reopening ??= this.#inTurn(() => this.#reopen()).finally(() => {
      this.#reopening = undefined;
    });
    return this.#reopening;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#last;
    // The next start then has nothing to replay. If the disk refuses, it has.
    if (!this.#needsReopen) await this.#recovered.writer.checkpoint(true).catch(() => {});
    await closeAll(this.#options);
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }

  async #write(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#needsReopen = true;
      throw asHoldfast('store-write-failed', 'writing to the store failed', error);
    }
  }

  async #reopen(): Promise<void> {
    if (this.#closed) throw closedError();
    this.#needsReopen = true;
    const { wal, values, index } = this.#options;
    try {
      await wal.close();
      await values.close();
      await index.reopen();
      this.#recovered = await recover(this.#options, true);
    } catch (error) {
      throw asHoldfast('store-open-failed', 'the store does not open again', error);
    }
    this.#reader = new EngineReader(this.#recovered.state);
    this.#needsReopen = false;
    this.#repeats = true;
  }

  async #read<T>(work: (reader: EngineReader) => Promise<T>): Promise<T> {
    if (this.#closed) throw closedError();
    await this.#reopening?.catch(() => {});
    try {
      return await work(this.#reader);
    } catch (error) {
      throw asHoldfast('store-read-failed', 'reading the store failed', error);
    }
  }

  #assertWritable(): void {
    if (this.#closed) throw closedError();
    if (!this.#needsReopen) return;
    throw new HoldfastError('store-needs-reopen', 'a batch failed; reopen the store first', {
      retryable: true,
    });
  }
}

async function closeAll({ index, wal, values }: EngineOptions): Promise<void> {
  await wal.close();
  await values.close();
  await index.close();
}

function asHoldfast(code: string, message: string, cause: unknown): HoldfastError {
  if (cause instanceof HoldfastError && cause.code.startsWith('store-')) return cause;
  return new HoldfastError(code, message, { retryable: true, cause });
}

function closedError(): HoldfastError {
  return new HoldfastError('store-closed', 'the store is closed');
}
