// The store of a folder, which repairs itself. Damage may show only when a table is read or compacted, long after
// the start. Then this store stops taking batches, so that its one writer reopens it, and reopening
// replaces the damaged store by what can be salvaged of it. Reads reject meanwhile; they are retryable.
import { HoldfastError } from '../../kernel/errors.ts';
import type { OpenedFolder, Repair } from './open-folder.ts';
import type { BatchOp, Entry, RangeOptions, Store } from './store.ts';

export interface GuardedStoreEvents {
  /** Damage has shown: submit something, so that the writer reopens the store. */
  onDamage(reason: string): void;
  /** The store was replaced; whatever is known of its contents must be read again. */
  onRepair(repair: Repair): void;
}

export class GuardedStore implements Store {
  readonly #folder: OpenedFolder;
  readonly #events: GuardedStoreEvents;
  #store: Store;
  #damage: string | undefined;
  #closed = false;

  constructor(folder: OpenedFolder, events: GuardedStoreEvents) {
    this.#folder = folder;
    this.#store = folder.store;
    this.#events = events;
  }

  batch(ops: readonly BatchOp[], options: { readonly sync: boolean }): Promise<void> {
    if (this.#damage !== undefined && !this.#closed) {
      const text = 'the store is damaged; reopening repairs it';
      return Promise.reject(new HoldfastError('store-needs-reopen', text, { retryable: true }));
    }
    return this.#watch((store) => store.batch(ops, options));
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#watch((store) => store.get(key));
  }

  getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    return this.#watch((store) => store.getMany(keys));
  }

  range(options: RangeOptions): Promise<readonly Entry[]> {
    return this.#watch((store) => store.range(options));
  }

  compactRange(gte: Uint8Array, lt: Uint8Array): Promise<void> {
    return this.#watch((store) => store.compactRange(gte, lt));
  }

  sizeBytes(): Promise<number> {
    return this.#store.sizeBytes();
  }

  async reopen(): Promise<void> {
    if (this.#damage === undefined) return this.#watch((store) => store.reopen());
    await this.#store.close();
    const { store, repair } = await this.#folder.rebuild(this.#damage);
    this.#store = store;
    this.#damage = undefined;
    this.#events.onRepair(repair);
    // Closed meanwhile: nobody else will.
    if (this.#closed) await store.close();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#store.close();
    await this.#folder.release();
  }

  async #watch<T>(work: (store: Store) => Promise<T>): Promise<T> {
    const store = this.#store;
    try {
      return await work(store);
    } catch (error) {
      const isDamage = error instanceof HoldfastError && error.code === 'store-damaged';
      // Of the store that was replaced in the meantime nothing matters any more.
      if (isDamage && store === this.#store && this.#damage === undefined && !this.#closed) {
        this.#damage = error.message;
        this.#events.onDamage(error.message);
      }
      throw error;
    }
  }
}
