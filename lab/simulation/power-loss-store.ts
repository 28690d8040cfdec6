// An ordered store on a disk that loses what was not synced. It keeps the contract of runtime/spool/engine/store.ts as long
// as there is power; `survivor` is what the next start finds: every batch up to the last one whose sync was
// promised, and of those after it all, none, or a prefix. A batch that was being written when the power went
// may be there as a whole or not at all: LevelDB sums each write, so a torn one counts as never made.
//
// With `holes` a stretch amid those may be missing too: LevelDB has two logs at times, of which the older may be the
// one that is lost, and passes over a damaged stretch of one without a word.
import { HoldfastError } from '../../kernel/errors.ts';
import type { Random } from '../../kernel/random.ts';
import type { IndexStore } from '../../runtime/spool/engine/index-store.ts';
import type { BatchOp, Entry, RangeOptions } from '../../runtime/spool/engine/store.ts';
import { MemoryStore } from '../../runtime/spool/engine/testing/memory-store.ts';
import { PowerSupply, silence } from './power-supply.ts';
import { type Survival, survivalByChance } from './survival.ts';

export interface PowerLossStoreOptions {
  readonly random: Random;
  readonly supply: PowerSupply;
  readonly holes?: boolean;
}

type Batch = readonly BatchOp[];

export class PowerLossStore implements IndexStore {
  readonly identity = undefined;
  readonly #options: PowerLossStoreOptions;
  #seen: MemoryStore;
  readonly #disk: MemoryStore;
  /** In order; not promised to survive. */
  #tail: Batch[] = [];
  #spent = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: PowerLossStoreOptions, contents: MemoryStore = new MemoryStore()) {
    this.#options = options;
    this.#seen = contents;
    this.#disk = contents.restarted();
  }

  batch(ops: Batch, options: { readonly sync: boolean }): Promise<void> {
    return this.#inTurn(() => this.#batch(ops, options.sync));
  }

  async #batch(ops: Batch, sync: boolean): Promise<void> {
    this.#assertNotSpent();
    const fate = await this.#options.supply.operation();
    const reached = fate === 'done' || this.#options.random.next() < 0.5;
    if (fate === 'cut') {
      if (reached) this.#tail.push(ops);
      return silence();
    }
    if (fate === 'done') await this.#seen.batch(ops, { sync });
    if (reached) this.#tail.push(ops);
    if (typeof fate === 'object') this.#refuse('store-write-failed', fate.refused);
    if (sync) await this.#sync();
  }

  async sync(): Promise<void> {
    await this.#last;
    await this.#compact();
  }

  collectGarbage(): Promise<void> {
    return this.#read(async () => {});
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#read(() => this.#seen.get(key));
  }

  getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    return this.#read(() => this.#seen.getMany(keys));
  }

  range(options: RangeOptions): Promise<readonly Entry[]> {
    return this.#read(() => this.#seen.range(options));
  }

  async compactRange(): Promise<void> {
    await this.#read(async () => {});
    await this.#compact();
  }

  sizeBytes(): Promise<number> {
    return this.#read(() => this.#seen.sizeBytes());
  }

  /** As LevelDB does: what its log has goes into a table, which is synced. A batch that failed is in it or is not. */
  async reopen(): Promise<void> {
    await this.#last;
    await this.#read(() => this.#seen.get(new Uint8Array(1)));
    const fate = await this.#options.supply.operation();
    if (fate === 'cut') return silence();
    if (typeof fate === 'object') this.#refuse('store-open-failed', fate.refused);
    await this.#sync();
    this.#seen = this.#disk.restarted();
    this.#spent = false;
  }

  async close(): Promise<void> {
    if (this.#options.supply.isDead) return;
    await this.#last;
    await this.#seen.close();
  }

  /** What the disk holds now that the power is back. */
  async survivor(supply: PowerSupply, survival?: Survival): Promise<PowerLossStore> {
    const { random, holes = false } = this.#options;
    const contents = this.#disk.restarted();
    const { batches } = survival ?? survivalByChance(random, holes);
    for (const batch of batches(this.#tail)) await contents.batch(batch, { sync: true });
    return new PowerLossStore({ ...this.#options, supply }, contents);
  }

  /** What the next process finds after this one ended without a power cut: all that was written. */
  async restarted(supply: PowerSupply): Promise<PowerLossStore> {
    const contents = this.#disk.restarted();
    for (const batch of this.#tail) await contents.batch(batch, { sync: true });
    return new PowerLossStore({ ...this.#options, supply }, contents);
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }

  async #compact(): Promise<void> {
    this.#assertNotSpent();
    const fate = await this.#options.supply.operation();
    if (fate === 'cut') return silence();
    if (typeof fate === 'object') this.#refuse('store-read-failed', fate.refused);
    await this.#sync();
  }

  async #sync(): Promise<void> {
    for (const batch of this.#tail) await this.#disk.batch(batch, { sync: true });
    this.#tail = [];
  }

  #read<T>(work: () => Promise<T>): Promise<T> {
    return this.#options.supply.isDead ? silence() : work();
  }

  #refuse(code: string, cause: Error): never {
    this.#spent = true;
    throw new HoldfastError(code, cause.message, { retryable: true, cause });
  }

  #assertNotSpent(): void {
    if (!this.#spent) return;
    throw new HoldfastError('store-needs-reopen', 'reopen first', { retryable: true });
  }
}

/** On a supply of its own. */
export function newPowerLossStore(random: Random): PowerLossStore {
  return new PowerLossStore({ random, supply: new PowerSupply(random) });
}
