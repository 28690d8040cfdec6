// The memtable: operations that the index has not been given yet, and reads of the index with them laid over it.
//
// Crash argument. LevelDB writes what it was given when it likes, and of several batches the later one may survive
// without the earlier. If it were given a batch that the log may still lose, a power cut could leave half of that batch,
// without what the log alone has of it, or a later one without an earlier one. So an unsynced batch waits here, where
// reads see it, until the log is synced: the index never holds anything that a replay does not put in order.
import type { IndexStore } from './index-store.ts';
import type { KeySpaces } from './key-spaces.ts';
import { overlay } from './overlay.ts';
import type { BatchOp, Entry, RangeOptions } from './store.ts';

const overheadBytes = 64;
// A read during which the memtable is flushed is done again; a flush comes a few times a second.
const maxTries = 4;

export class Memtable {
  readonly #index: IndexStore;
  readonly #spaces: KeySpaces;
  #ops: BatchOp[] = [];
  /** The last operation on each key, those of `memtable` key spaces too, which are not among `#ops`. */
  #byKey = new Map<string, BatchOp>();
  /** Entries of `memtable` key spaces: they are written with the next flush, and cause none themselves. */
  #deferred = new Map<string, BatchOp>();
  #bytes = 0;
  #flushes = 0;

  constructor(index: IndexStore, spaces: KeySpaces) {
    this.#index = index;
    this.#spaces = spaces;
  }

  /** Bytes that wait for a flush, with the overhead of keeping them. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Reads see it from now on. */
  add(ops: readonly BatchOp[]): void {
    for (const op of ops) {
      const name = nameOf(op.key);
      this.#byKey.set(name, op);
      if (this.#spaces.placementOf(op.key) === 'memtable') this.#deferred.set(name, op);
      else {
        this.#ops.push(op);
        this.#bytes += overheadBytes + op.key.byteLength + (op.type === 'put' ? op.value.byteLength : 0);
      }
    }
  }

  /** Gives all of it to the index, with `more`. The log must be on the disk; nothing may be added meanwhile. */
  async flush(more: readonly BatchOp[]): Promise<void> {
    await this.#index.batch([...this.#ops, ...this.#deferred.values(), ...more], { sync: false });
    this.#ops = [];
    this.#byKey = new Map();
    this.#deferred = new Map();
    this.#bytes = 0;
    this.#flushes++;
  }

  /** Resolves once flushed entries are on the disk. */
  syncIndex(): Promise<void> {
    return this.#index.sync();
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    const newer = this.#byKey.get(nameOf(key));
    return newer === undefined ? this.#index.get(key) : valueIn(newer);
  }

  async getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    if (this.#byKey.size === 0) return this.#index.getMany(keys);
    const newer = keys.map((key) => this.#byKey.get(nameOf(key)));
    const rest = await this.#index.getMany(keys.filter((_, n) => newer[n] === undefined));
    let next = 0;
    return newer.map((op) => (op === undefined ? rest[next++] : valueIn(op)));
  }

  /** As the store's, but that `maxBytes` may be exceeded. */
  async range(options: RangeOptions): Promise<readonly Entry[]> {
    for (let tries = 1; ; tries++) {
      const flushes = this.#flushes;
      const newer = this.#within(options);
      if (newer.length === 0) return this.#index.range(options);
      const { maxBytes: _, limit, ...rest } = options;
      // So many of what the index has may be deleted.
      const found = await this.#index.range({ ...rest, limit: limit + newer.length });
      if (flushes === this.#flushes || tries === maxTries) return merged(found, newer, options);
    }
  }

  #within({ gte, lt, reverse = false }: RangeOptions): readonly BatchOp[] {
    const isWithin = ({ key }: BatchOp) => Buffer.compare(key, gte) >= 0 && Buffer.compare(key, lt) < 0;
    const newer = [...this.#byKey.values()].filter(isWithin);
    return newer.sort((a, b) => Buffer.compare(a.key, b.key) * (reverse ? -1 : 1));
  }
}

function merged(
  found: readonly Entry[],
  newer: readonly BatchOp[],
  { limit, reverse }: RangeOptions,
): readonly Entry[] {
  const entries: Entry[] = [];
  for (const each of overlay(found, newer, reverse)) {
    if (entries.length >= limit) break;
    if (!('type' in each) || each.type === 'put') entries.push({ key: each.key, value: each.value });
  }
  return entries;
}

const valueIn = (op: BatchOp): Uint8Array | undefined => (op.type === 'put' ? op.value : undefined);

const nameOf = (key: Uint8Array): string =>
  Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
