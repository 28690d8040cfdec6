// The store of a folder, which repairs itself. Damage may show only when a table is read or compacted, long after
// the start. Then the damaged store is closed and replaced by what can be salvaged of it. Reads wait for that
// and are done again; batches reject, so that their one writer repeats them on the new store.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { BatchOp, Entry, RangeOptions, Store } from '../engine/store.ts';
import type { OpenedFolder, Repair } from './open-folder.ts';

export interface RepairEvents {
  onDamage(reason: string): void;
  /** The store was replaced; whatever is known of its contents must be read again. */
  onRepair(repair: Repair): void;
}

export class SelfRepairingStore implements Store {
  readonly #folder: OpenedFolder;
  readonly #events: RepairEvents;
  #store: Store;
  #damage: string | undefined;
  #repairing: Promise<void> | undefined;
  #closed = false;

  constructor(folder: OpenedFolder, events: RepairEvents) {
    this.#folder = folder;
    this.#store = folder.store;
    this.#events = events;
  }

  get identity(): string | undefined {
    return this.#store.identity;
  }

  batch(ops: readonly BatchOp[], options: { readonly sync: boolean }): Promise<void> {
    if (this.#damage !== undefined && !this.#closed) {
      const text = 'the store is damaged; reopening repairs it';
      return Promise.reject(new HoldfastError('store-needs-reopen', text, { retryable: true }));
    }
    return this.#watch((store) => store.batch(ops, options));
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#read((store) => store.get(key));
  }

  getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    return this.#read((store) => store.getMany(keys));
  }

  range(options: RangeOptions): Promise<readonly Entry[]> {
    return this.#read((store) => store.range(options));
  }

  compactRange(gte: Uint8Array, lt: Uint8Array): Promise<void> {
    return this.#read((store) => store.compactRange(gte, lt));
  }

  collectGarbage(): Promise<void> {
    return this.#read((store) => store.collectGarbage());
  }

  /** Something is missing that was written: the store is rebuilt. */
  async reportDamage(reason: string): Promise<void> {
    if (this.#damage !== undefined || this.#closed) return;
    this.#damage = reason;
    this.#events.onDamage(reason);
    await this.#repair(reason);
  }

  sizeBytes(): Promise<number> {
    return this.#store.sizeBytes();
  }

  async reopen(): Promise<void> {
    if (this.#damage === undefined) await this.#watch((store) => store.reopen());
    else await this.#repair(this.#damage);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#repairing?.catch(() => {});
    await this.#store.close();
    await this.#folder.release();
  }

  async #read<T>(work: (store: Store) => Promise<T>): Promise<T> {
    if (this.#damage !== undefined) await this.#repair(this.#damage);
    try {
      return await this.#watch(work);
    } catch (error) {
      if (this.#damage === undefined || this.#closed) throw error;
      await this.#repair(this.#damage);
      return this.#watch(work);
    }
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

  /** Shared by all who wait for it. @throws while the disk does not allow it; who comes next tries again. */
  #repair(reason: string): Promise<void> {
    this.#repairing ??= this.#rebuild(reason).finally(() => {
      this.#repairing = undefined;
    });
    return this.#repairing;
  }

  async #rebuild(reason: string): Promise<void> {
    await this.#store.close();
    const { store, repair } = await this.#folder.rebuild(reason);
    this.#store = store;
    this.#damage = undefined;
    this.#events.onRepair(repair);
  }
}
