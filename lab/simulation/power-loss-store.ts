// A store on a disk that loses what was not synced. It keeps the contract of runtime/spool/store.ts as long as
// there is power; `cutPower` ends its life, and `survivor` is what the next start finds: every batch up to the
// last one whose sync was promised, and of those after it all, none, or a prefix. A batch that was being
// written when the power went may be there as a whole or not at all: LevelDB sums each write, so a torn
// one counts as never made.
import { type Random, randomInt } from '../../kernel/random.ts';
import type { BatchOp, Entry, RangeOptions, Store } from '../../runtime/spool/store.ts';
import { MemoryStore } from '../../runtime/spool/testing/memory-store.ts';

export interface PowerCut {
  /** Cuts the power at the n-th batch from now, counted from 1. */
  readonly atBatch: number;
}

/** Nothing that was asked of a store without power is ever answered. */
const silence = new Promise<never>(() => {});

export class PowerLossStore implements Store {
  readonly #visible: MemoryStore;
  readonly #durable: MemoryStore;
  readonly #random: Random;
  /** In order; not promised to survive. */
  #tail: (readonly BatchOp[])[] = [];
  #batchesLeft = Number.POSITIVE_INFINITY;
  #dead = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(random: Random, contents: MemoryStore = new MemoryStore()) {
    this.#random = random;
    this.#visible = contents;
    this.#durable = contents.restarted();
  }

  get isDead(): boolean {
    return this.#dead;
  }

  plan(cut: PowerCut): void {
    this.#batchesLeft = cut.atBatch;
  }

  cutPower(): void {
    this.#dead = true;
  }

  batch(ops: readonly BatchOp[], options: { readonly sync: boolean }): Promise<void> {
    const done = this.#last.then(() => this.#batch(ops, options.sync));
    this.#last = done.catch(() => {});
    return done;
  }

  async #batch(ops: readonly BatchOp[], sync: boolean): Promise<void> {
    // A disk takes its time, and others go on meanwhile.
    for (let turns = randomInt(this.#random, 4); turns > 0; turns--) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (this.#dead) return silence;
    this.#batchesLeft--;
    if (this.#batchesLeft <= 0) {
      // It had reached the disk, or had not. Nobody hears of it.
      if (this.#random.next() < 0.5) this.#tail.push(ops);
      this.cutPower();
      return silence;
    }
    await this.#visible.batch(ops, { sync });
    if (this.#dead) return silence;
    this.#tail.push(ops);
    if (!sync) return;
    for (const batch of this.#tail) await this.#durable.batch(batch, { sync: true });
    this.#tail = [];
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#dead ? silence : this.#visible.get(key);
  }

  getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    return this.#dead ? silence : this.#visible.getMany(keys);
  }

  range(options: RangeOptions): Promise<readonly Entry[]> {
    return this.#dead ? silence : this.#visible.range(options);
  }

  compactRange(): Promise<void> {
    return this.#dead ? silence : this.#visible.compactRange();
  }

  sizeBytes(): Promise<number> {
    return this.#dead ? silence : this.#visible.sizeBytes();
  }

  reopen(): Promise<void> {
    return this.#dead ? silence : this.#visible.reopen();
  }

  async close(): Promise<void> {
    if (this.#dead) return;
    await this.#last;
    await this.#visible.close();
  }

  /** What the disk holds now that the power is back. */
  async survivor(): Promise<PowerLossStore> {
    const kept = this.#random.next();
    const count =
      kept < 0.3 ? 0 : kept < 0.6 ? this.#tail.length : randomInt(this.#random, this.#tail.length + 1);
    const contents = this.#durable.restarted();
    for (const batch of this.#tail.slice(0, count)) await contents.batch(batch, { sync: true });
    return new PowerLossStore(this.#random, contents);
  }

  /** The same, of a process that ended without a power cut: all is there. */
  restarted(): PowerLossStore {
    return new PowerLossStore(this.#random, this.#visible.restarted());
  }
}
