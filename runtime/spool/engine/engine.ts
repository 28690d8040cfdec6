// The spool's store, in three parts by what each is good at:
//
// - the commit log takes every batch first, in one sync: what is durable is decided there alone;
// - bodies of messages lie one after the other in files of their own, written once;
// - the index (LevelDB) has all the rest, unsynced: lost pieces of it are done again from the log.
//
// Why not all of it in LevelDB: its log, its flush of the log's contents to a table and its compactions write what
// is dead within seconds, and bodies that never change their order, over and over: 5.4 times the bytes of a plain
// file with the same commits, of which log and flush alone are 2.9. See docs/BENCHMARKS.md.
//
// Crash argument. Order of one batch: bodies that do not go through the log are synced; the log's record is written
// and synced; the index follows. Whatever point the power goes at, the log has the batch or has not, and a replay
// does to the index, from the last checkpoint on, what the records say: puts, deletions and writes to fixed
// places, which may be done twice. A checkpoint syncs the bodies and the index before it says so in the log.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { SplitFiles } from './parts.ts';
import { SplitReader } from './reader.ts';
import { type Recovered, recoverParts } from './recovery.ts';
import type { BatchOp, Entry, RangeOptions, Store } from './store.ts';

export interface OpenedSplitStore {
  readonly store: Store;
  /** For people: what the medium lost of the log or the bodies. What is gone with it is a hole. */
  readonly problem?: string;
}

/**
 * Takes over the files, which it closes with the store, or when it cannot open.
 * @throws HoldfastError `store-damaged`, `store-open-failed` (retryable).
 */
export async function openSplitStore(files: SplitFiles): Promise<OpenedSplitStore> {
  try {
    const recovered = await recoverParts(files, false);
    const { problem } = recovered;
    return { store: new SplitStore(files, recovered), ...(problem === undefined ? {} : { problem }) };
  } catch (error) {
    await closeAll(files);
    throw asHoldfast('store-open-failed', 'the store does not open', error);
  }
}

class SplitStore implements Store {
  readonly #files: SplitFiles;
  #recovered: Recovered;
  #reader: SplitReader;
  #spent = false;
  #again = false;
  #closed = false;
  // Reads wait for a reopening that is under way.
  #reopening: Promise<void> | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(files: SplitFiles, recovered: Recovered) {
    this.#files = files;
    this.#recovered = recovered;
    this.#reader = new SplitReader(recovered.parts);
  }

  batch(ops: readonly BatchOp[], options: { readonly sync: boolean }): Promise<void> {
    return this.#inTurn(async () => {
      this.#assertWritable();
      await this.#write(() => this.#recovered.writer.batch(ops, options.sync, this.#again));
      this.#again = false;
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
    await this.#read(() => this.#files.index.compactRange(gte, lt));
    if (!coversMessages(gte, lt)) return;
    await this.#inTurn(async () => {
      // Nothing is lost by leaving it: the next one does it.
      if (this.#spent || this.#closed) return;
      await this.#write(() => this.#recovered.writer.giveBack());
    });
  }

  // Log and bodies lie in the index's folder.
  async sizeBytes(): Promise<number> {
    return this.#files.index.sizeBytes();
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
    // A start after this one then has nothing to do again. If the disk refuses, it has.
    if (!this.#spent) await this.#recovered.writer.checkpoint(true).catch(() => {});
    await closeAll(this.#files);
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }

  // After a failed write nobody knows where the log ends, and after a failed sync not what of it the disk has: from
  // here on only what is read back from the files counts.
  async #write(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#spent = true;
      throw asHoldfast('store-write-failed', 'writing to the store failed', error);
    }
  }

  async #reopen(): Promise<void> {
    if (this.#closed) throw closedError();
    this.#spent = true;
    try {
      await this.#files.log.close();
      await this.#files.bodies.close();
      await this.#files.index.reopen();
      this.#recovered = await recoverParts(this.#files, true);
    } catch (error) {
      throw asHoldfast('store-open-failed', 'the store does not open again', error);
    }
    this.#reader = new SplitReader(this.#recovered.parts);
    this.#spent = false;
    this.#again = true;
  }

  async #read<T>(work: (reader: SplitReader) => Promise<T>): Promise<T> {
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
    if (!this.#spent) return;
    throw new HoldfastError('store-needs-reopen', 'a batch failed; reopen the store first', {
      retryable: true,
    });
  }
}

async function closeAll({ index, log, bodies }: SplitFiles): Promise<void> {
  await log.close();
  await bodies.close();
  await index.close();
}

function coversMessages(gte: Uint8Array, lt: Uint8Array): boolean {
  return (gte[0] ?? 0) <= 0x72 && (lt[0] ?? 0) >= 0x72;
}

function asHoldfast(code: string, message: string, cause: unknown): HoldfastError {
  if (cause instanceof HoldfastError && cause.code.startsWith('store-')) return cause;
  return new HoldfastError(code, message, { retryable: true, cause });
}

function closedError(): HoldfastError {
  return new HoldfastError('store-closed', 'the store is closed');
}
