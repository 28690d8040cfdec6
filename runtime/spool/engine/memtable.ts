// The index, and what it will be told once the log is on the disk.
//
// Crash argument. LevelDB writes what it was given when it likes, and of several batches the later one may survive
// without the earlier. If it were told of a batch that the log may still lose, a power cut could leave half of that
// batch, without its journal, or a later one without an earlier one. So an unsynced batch waits here, where reads
// see it, until the log's next sync: the index then never holds anything that a replay does not put in order.

import type { IndexStore } from './index-store.ts';
import type { BatchOp, Entry, RangeOptions } from './store.ts';

const overheadBytes = 64;
// A read that settling disturbs is done again; settling comes a few times a second.
const maxTries = 4;

export class LateIndex {
  readonly #index: IndexStore;
  #ops: BatchOp[] = [];
  /** The last operation on each key. */
  #byKey = new Map<string, BatchOp>();
  #bytes = 0;
  #settled = 0;

  constructor(index: IndexStore) {
    this.#index = index;
  }

  /** Of what waits, with what keeping it costs. */
  get lateBytes(): number {
    return this.#bytes;
  }

  /** To be seen from now on. */
  add(ops: readonly BatchOp[]): void {
    for (const op of ops) {
      this.#ops.push(op);
      this.#byKey.set(nameOf(op.key), op);
      this.#bytes += overheadBytes + op.key.byteLength + (op.type === 'put' ? op.value.byteLength : 0);
    }
  }

  /** What waits goes to the index, with `more`. The log must be on the disk; nothing is added meanwhile. */
  async settle(more: readonly BatchOp[]): Promise<void> {
    await this.#index.batch([...this.#ops, ...more], { sync: false });
    this.#ops = [];
    this.#byKey = new Map();
    this.#bytes = 0;
    this.#settled++;
  }

  flush(): Promise<void> {
    return this.#index.flush();
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    const late = this.#byKey.get(nameOf(key));
    return late === undefined ? this.#index.get(key) : putBy(late);
  }

  async getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    if (this.#byKey.size === 0) return this.#index.getMany(keys);
    const late = keys.map((key) => this.#byKey.get(nameOf(key)));
    const rest = await this.#index.getMany(keys.filter((_, n) => late[n] === undefined));
    let next = 0;
    return late.map((op) => (op === undefined ? rest[next++] : putBy(op)));
  }

  /** As the store's; `maxBytes` may be passed over. */
  async range(options: RangeOptions): Promise<readonly Entry[]> {
    for (let tries = 1; ; tries++) {
      const settled = this.#settled;
      const late = this.#lateIn(options);
      if (late.length === 0) return this.#index.range(options);
      const { maxBytes: _, limit, ...rest } = options;
      // Of what the index has, so many may be deleted.
      const found = await this.#index.range({ ...rest, limit: limit + late.length });
      if (settled === this.#settled || tries === maxTries) return merged(found, late, options);
    }
  }

  #lateIn({ gte, lt }: RangeOptions): readonly BatchOp[] {
    const isWithin = ({ key }: BatchOp) => Buffer.compare(key, gte) >= 0 && Buffer.compare(key, lt) < 0;
    return [...this.#byKey.values()].filter(isWithin);
  }
}

function merged(
  found: readonly Entry[],
  late: readonly BatchOp[],
  { limit, reverse = false }: RangeOptions,
): readonly Entry[] {
  const keys = new Set(late.map(({ key }) => nameOf(key)));
  const entries = found.filter(({ key }) => !keys.has(nameOf(key)));
  for (const op of late) if (op.type === 'put') entries.push({ key: op.key, value: op.value });
  entries.sort((a, b) => Buffer.compare(a.key, b.key) * (reverse ? -1 : 1));
  return entries.slice(0, limit);
}

const putBy = (op: BatchOp): Uint8Array | undefined => (op.type === 'put' ? op.value : undefined);

const nameOf = (key: Uint8Array): string =>
  Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
