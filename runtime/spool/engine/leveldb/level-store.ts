// LevelDB as the spool's store. The only file that knows it.
//
// Why a failed batch spends the store until `reopen`: LevelDB's log writer counts its place in a block even
// when the write failed half-way, so whatever it appends after that is out of step with the blocks and
// recovery would skip it without an error. And after a failed fsync the kernel may have dropped the dirty
// pages. Opening again replays the log up to the tear, writes what it found into a new, synced table and
// starts a new log: from there on "appended and synced" means what it says.
import { statfs } from 'node:fs/promises';
import { Level } from 'level';
import { describeError, HoldfastError } from '../../../../kernel/errors.ts';
import { bytesUnder, isDiskTrouble, makeFolder } from '../disk.ts';
import type { IndexStore } from '../index-store.ts';
import type { BatchOp, Entry, RangeOptions } from '../store.ts';
import { LevelFilesReader, type LevelReading } from './level-files-reader.ts';
import { obsoleteBytes, removeObsoleteFiles } from './obsolete-files.ts';

export interface LevelStoreOptions {
  readonly folder: string;
  /** False: the folder must hold a store already. LevelDB would begin an empty one over what is left. Default true. */
  readonly create?: boolean;
  /** LevelDB keeps up to two of these in memory; each fills one log file. Default 4 MiB. */
  readonly writeBufferBytes?: number;
}

// Reads are sequential and each value is read once or twice in its life: a cache only costs memory.
const cacheBytes = 1024 * 1024;
// Each open table is mapped, so it counts as resident memory once it is read.
const maxOpenFiles = 64;
const beyondAllKeys = Buffer.alloc(8, 0xff);
// Not that one: a range in which there is something is compacted.
const neverUsed = Buffer.of(0);
const roomToOpenBytes = 1024 * 1024;

/**
 * @throws HoldfastError `store-locked` while another process holds the folder, `store-damaged` when LevelDB
 * finds its files inconsistent, `store-open-failed` (retryable) for everything else.
 */
export async function openLevelStore(options: LevelStoreOptions): Promise<IndexStore> {
  if (options.create ?? true) await makeFolder(options.folder);
  const store = new LevelStore(options);
  await store.open();
  return store;
}

/** On Node `level` is classic-level, which has one call that not every implementation has. */
type LevelDb = Level<Uint8Array, Uint8Array> & {
  compactRange(start: Uint8Array, end: Uint8Array): Promise<void>;
};

class LevelStore implements IndexStore {
  readonly identity = undefined;
  readonly #options: LevelStoreOptions;
  #level: LevelDb | undefined;
  /** Closed, and not opened again for want of room. */
  #files: LevelFilesReader | undefined;
  #spent = false;
  #closed = false;
  // Reads wait for a reopening that is under way; they never run beside it.
  #reopening: Promise<void> | undefined;
  #lastBatch: Promise<unknown> = Promise.resolve();

  constructor(options: LevelStoreOptions) {
    this.#options = options;
  }

  async open(): Promise<void> {
    const level = new Level<Uint8Array, Uint8Array>(this.#options.folder, {
      keyEncoding: 'view',
      valueEncoding: 'view',
      writeBufferSize: this.#options.writeBufferBytes ?? 4 * 1024 * 1024,
      cacheSize: cacheBytes,
      maxOpenFiles,
      createIfMissing: this.#options.create ?? true,
    }) as LevelDb;
    try {
      await level.open();
    } catch (cause) {
      throw openError(this.#options.folder, cause);
    }
    this.#level = level;
    this.#files?.close();
    this.#files = undefined;
  }

  batch(ops: readonly BatchOp[], options: { readonly sync: boolean }): Promise<void> {
    // One at a time: the binding runs each batch on any thread of its pool, in any order.
    const done = this.#lastBatch.then(() => this.#batch(ops, options.sync));
    this.#lastBatch = done.catch(() => {});
    return done;
  }

  async #batch(ops: readonly BatchOp[], sync: boolean): Promise<void> {
    this.#assertNotClosed();
    if (this.#spent) {
      throw new HoldfastError('store-needs-reopen', 'a batch failed; reopen the store first', {
        retryable: true,
      });
    }
    const level = await this.#open();
    try {
      await level.batch(ops as BatchOp[], { sync });
    } catch (cause) {
      this.#spent = true;
      throw callError('store-write-failed', `writing to ${this.#options.folder} failed`, cause);
    }
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#readAnyhow((from) => from.get(key));
  }

  async getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    if (keys.length === 0) return [];
    return this.#readAnyhow((from) => from.getMany(keys));
  }

  async range(options: RangeOptions): Promise<readonly Entry[]> {
    return this.#readAnyhow((from) => from.range(options));
  }

  async compactRange(gte: Uint8Array, lt: Uint8Array): Promise<void> {
    await this.#read((level) => level.compactRange(gte, lt));
  }

  /** Its values lie beside their keys. */
  async collectGarbage(): Promise<void> {}

  // Compacting writes what is in memory to a synced table first, whatever the range. Beyond all keys there is nothing
  // else to compact. A synced batch would not do: LevelDB syncs only the log that it is writing to, and the one
  // before it may still wait for its table.
  //
  // Compacting does not say that it failed. After it did, LevelDB takes no write any more: so one that changes nothing tells.
  async sync(): Promise<void> {
    await this.#lastBatch;
    await this.compactRange(beyondAllKeys, beyondAllKeys);
    await this.batch([{ type: 'del', key: neverUsed }], { sync: false });
  }

  async sizeBytes(): Promise<number> {
    return bytesUnder(this.#options.folder);
  }

  async reopen(): Promise<void> {
    this.#assertNotClosed();
    this.#reopening ??= this.#reopen().finally(() => {
      this.#reopening = undefined;
    });
    return this.#reopening;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#lastBatch;
    await this.#reopening?.catch(() => {});
    const level = this.#level;
    this.#level = undefined;
    this.#files?.close();
    this.#files = undefined;
    await level?.close();
  }

  // It is closed only where it can be opened again: what others took of a full disk would keep it shut, and nothing could
  // be read either, though the hub were back.
  async #reopen(): Promise<void> {
    const level = this.#level;
    if (level !== undefined) {
      if (!this.#spent) return;
      await this.#assertRoom();
    }
    this.#level = undefined;
    await level?.close();
    try {
      await this.open();
    } catch (error) {
      if (isDiskTrouble(error)) await removeObsoleteFiles(this.#options.folder);
      // Others may have taken the room since it was looked for.
      if (isDiskTrouble(error)) this.#files ??= readFiles(this.#options.folder);
      throw error;
    }
    this.#spent = false;
  }

  /** LevelDB begins a log and a MANIFEST when it opens. */
  async #assertRoom(): Promise<void> {
    const { folder } = this.#options;
    const { bavail, bsize } = await statfs(folder);
    if (bavail * bsize >= roomToOpenBytes || (await obsoleteBytes(folder)) >= roomToOpenBytes) return;
    const cause = Object.assign(new Error('No space left on device'), { code: 'ENOSPC' });
    const text = `${folder} is not opened again: there is no room for it, and what is open can still be read`;
    throw new HoldfastError('store-open-failed', text, { retryable: true, cause });
  }

  async #open(): Promise<LevelDb> {
    this.#assertNotClosed();
    await this.#reopening?.catch(() => {});
    this.#assertNotClosed();
    if (this.#level === undefined) {
      throw new HoldfastError('store-read-failed', 'the store could not be opened again yet', {
        retryable: true,
      });
    }
    return this.#level;
  }

  /** Also while it cannot be opened again. */
  async #readAnyhow<T>(work: (from: LevelReading) => Promise<T>): Promise<T> {
    await this.#reopening?.catch(() => {});
    const files = this.#files;
    if (files === undefined || this.#closed) return this.#read((level) => work(readingOf(level)));
    const found = await work(files);
    if (!files.isDamaged) return found;
    const { folder } = this.#options;
    throw new HoldfastError('store-read-failed', `${folder} cannot be read as it is`, { retryable: true });
  }

  async #read<T>(work: (level: LevelDb) => Promise<T>): Promise<T> {
    const level = await this.#open();
    try {
      return await work(level);
    } catch (cause) {
      throw callError('store-read-failed', `reading ${this.#options.folder} failed`, cause);
    }
  }

  #assertNotClosed(): void {
    if (this.#closed) throw new HoldfastError('store-closed', 'the store is closed');
  }
}

const readingOf = (level: LevelDb): LevelReading => ({
  get: (key) => level.get(key, { fillCache: false }),
  getMany: (keys) => level.getMany(keys as Uint8Array[], { fillCache: false }),
  range: (options) => readRange(level, options),
});

function readFiles(folder: string): LevelFilesReader | undefined {
  try {
    return new LevelFilesReader(folder);
  } catch (error) {
    if (error instanceof HoldfastError) return undefined;
    throw error;
  }
}

async function readRange(level: LevelDb, options: RangeOptions): Promise<readonly Entry[]> {
  const iterator = level.iterator({
    gte: options.gte,
    lt: options.lt,
    limit: options.limit,
    reverse: options.reverse ?? false,
    values: !options.keysOnly,
    // Read ahead no more than one page is worth.
    highWaterMarkBytes: 64 * 1024,
  });
  const entries: Entry[] = [];
  let bytes = 0;
  try {
    while (bytes < (options.maxBytes ?? Number.POSITIVE_INFINITY)) {
      const page = await iterator.nextv(Math.min(1000, options.limit - entries.length || 1));
      if (page.length === 0) break;
      for (const [key, value] of page) {
        entries.push({ key, value: value ?? empty });
        bytes += value?.byteLength ?? 0;
        if (bytes >= (options.maxBytes ?? Number.POSITIVE_INFINITY)) break;
      }
    }
  } finally {
    await iterator.close();
  }
  return entries;
}

const empty = new Uint8Array(0);

function openError(folder: string, cause: unknown): HoldfastError {
  const inner = (cause as { cause?: { code?: string; message?: string } }).cause;
  if (inner?.code === 'LEVEL_LOCKED') {
    return new HoldfastError('store-locked', `another process holds ${folder}`, { cause });
  }
  if (inner?.code === 'LEVEL_CORRUPTION' || /No such file|does not exist/.test(inner?.message ?? '')) {
    return new HoldfastError('store-damaged', `the files in ${folder} are damaged`, { cause });
  }
  const why = describeError(inner ?? cause);
  return new HoldfastError('store-open-failed', `${folder} does not open: ${why}`, {
    retryable: true,
    cause,
  });
}

function callError(code: string, message: string, cause: unknown): HoldfastError {
  const damaged =
    (cause as { code?: string }).code === 'LEVEL_CORRUPTION' || missingFile.test(describeError(cause));
  return new HoldfastError(damaged ? 'store-damaged' : code, message, { retryable: true, cause });
}

// A table that is gone.
const missingFile = /No such file or directory/;
