// The store in memory, for tests. Keeps its promises while the process lives, and fails on demand.
import { HoldfastError } from '../../../../kernel/errors.ts';
import type { BatchOp, Entry, RangeOptions, Store } from '../store.ts';

export interface MemoryStoreFaults {
  /** Rejects the next batches with this, after applying them or not. */
  failBatches?: { count: number; apply: boolean };
  /** Each batch waits for this first. */
  beforeBatch?: (sync: boolean) => Promise<void>;
  failReopen?: boolean;
}

export class MemoryStore implements Store {
  readonly identity = undefined;
  readonly faults: MemoryStoreFaults = {};
  syncedBatches = 0;
  unsyncedBatches = 0;
  #keys: Buffer[] = [];
  #values: Uint8Array[] = [];
  #spent = false;
  #closed = false;
  #last: Promise<unknown> = Promise.resolve();

  batch(ops: readonly BatchOp[], options: { readonly sync: boolean }): Promise<void> {
    const done = this.#last.then(() => this.#batch(ops, options.sync));
    this.#last = done.catch(() => {});
    return done;
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    this.#assertOpen();
    const at = this.#lowerBound(key);
    return this.#isAt(at, key) ? this.#values[at] : undefined;
  }

  async getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    return Promise.all(keys.map((key) => this.get(key)));
  }

  async range(options: RangeOptions): Promise<readonly Entry[]> {
    this.#assertOpen();
    const entries: Entry[] = [];
    const first = this.#lowerBound(options.gte);
    const end = this.#lowerBound(options.lt);
    const step = options.reverse ? -1 : 1;
    let bytes = 0;
    for (let at = options.reverse ? end - 1 : first; at >= first && at < end; at += step) {
      if (entries.length >= options.limit || bytes >= (options.maxBytes ?? Number.POSITIVE_INFINITY)) break;
      const value = options.keysOnly ? new Uint8Array(0) : (this.#values[at] as Uint8Array);
      bytes += value.byteLength;
      entries.push({ key: this.#keys[at] as Uint8Array, value });
    }
    return entries;
  }

  async compactRange(): Promise<void> {
    this.#assertOpen();
  }

  async collectGarbage(): Promise<void> {
    this.#assertOpen();
  }

  async sizeBytes(): Promise<number> {
    return this.#values.reduce((sum, value, at) => sum + value.byteLength + this.#keys[at]!.byteLength, 0);
  }

  async reopen(): Promise<void> {
    this.#assertOpen();
    if (this.faults.failReopen) {
      throw new HoldfastError('store-open-failed', 'told to fail', { retryable: true });
    }
    this.#spent = false;
  }

  async close(): Promise<void> {
    await this.#last;
    this.#closed = true;
  }

  /** The same contents under a new store: what the next start finds. */
  restarted(): MemoryStore {
    const next = new MemoryStore();
    next.#keys = [...this.#keys];
    next.#values = [...this.#values];
    return next;
  }

  /** Puts what another store holds. */
  load(entries: readonly Entry[]): void {
    for (const { key, value } of entries) this.#put(key, value);
  }

  /** For tests of damage: changes one stored value in place. */
  damage(key: Uint8Array, change: (value: Buffer) => Uint8Array | undefined): void {
    const at = this.#lowerBound(key);
    if (!this.#isAt(at, key)) throw new Error('no such key');
    const value = change(Buffer.from(this.#values[at] as Uint8Array));
    if (value === undefined) this.#remove(key);
    else this.#values[at] = value;
  }

  get entries(): readonly Entry[] {
    return this.#keys.map((key, at) => ({ key, value: this.#values[at] as Uint8Array }));
  }

  async #batch(ops: readonly BatchOp[], sync: boolean): Promise<void> {
    this.#assertOpen();
    if (this.#spent) throw new HoldfastError('store-needs-reopen', 'reopen first', { retryable: true });
    await this.faults.beforeBatch?.(sync);
    const fail = this.faults.failBatches;
    if (fail !== undefined && fail.count > 0) {
      fail.count--;
      this.#spent = true;
      if (fail.apply) this.#apply(ops);
      throw new HoldfastError('store-write-failed', 'told to fail', { retryable: true });
    }
    this.#apply(ops);
    if (sync) this.syncedBatches++;
    else this.unsyncedBatches++;
  }

  #apply(ops: readonly BatchOp[]): void {
    for (const op of ops) {
      if (op.type === 'put') this.#put(op.key, op.value);
      else this.#remove(op.key);
    }
  }

  #put(key: Uint8Array, value: Uint8Array): void {
    const at = this.#lowerBound(key);
    // Copies: a caller that reuses its buffer must not reach into the store.
    const kept = Buffer.from(value);
    if (this.#isAt(at, key)) {
      this.#values[at] = kept;
    } else {
      this.#keys.splice(at, 0, Buffer.from(key));
      this.#values.splice(at, 0, kept);
    }
  }

  #remove(key: Uint8Array): void {
    const at = this.#lowerBound(key);
    if (!this.#isAt(at, key)) return;
    this.#keys.splice(at, 1);
    this.#values.splice(at, 1);
  }

  #lowerBound(key: Uint8Array): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (Buffer.compare(this.#keys[middle] as Buffer, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #isAt(at: number, key: Uint8Array): boolean {
    return at < this.#keys.length && Buffer.compare(this.#keys[at] as Buffer, key) === 0;
  }

  #assertOpen(): void {
    if (this.#closed) throw new HoldfastError('store-closed', 'the store is closed');
  }
}
