// The new store of a salvage: values written to it are sealed, gathered into synced batches of a few MB, and counted.

import type { BatchOp, Store } from '../engine/store.ts';
import type { RecordCodec, RecordKind } from '../format/record.ts';
import { sealJson } from '../format/record.ts';
import { addTotals, noTotals, type Totals, type TotalsDelta } from '../format/totals.ts';

const batchBytes = 4 * 1024 * 1024;

export class SalvageTarget {
  readonly store: Store;
  readonly #codec: RecordCodec;
  #totals: Totals = noTotals;
  #ops: BatchOp[] = [];
  #keys = new Set<string>();
  #bytes = 0;

  constructor(store: Store, codec: RecordCodec) {
    this.store = store;
    this.#codec = codec;
  }

  get totals(): Totals {
    return this.#totals;
  }

  count(delta: TotalsDelta): void {
    this.#totals = addTotals(this.#totals, delta);
  }

  put(kind: RecordKind, key: Uint8Array, payload: Uint8Array): Promise<void> {
    return this.add({ type: 'put', key, value: this.#codec.seal(kind, key, payload) });
  }

  putJson(kind: RecordKind, key: Uint8Array, value: unknown): Promise<void> {
    return this.add({ type: 'put', key, value: sealJson(this.#codec, kind, key, value) });
  }

  async add(op: BatchOp): Promise<void> {
    this.#ops.push(op);
    this.#keys.add(nameOf(op.key));
    if (op.type === 'put') this.#bytes += op.key.byteLength + op.value.byteLength;
    if (this.#bytes >= batchBytes) await this.flush();
  }

  async has(key: Uint8Array): Promise<boolean> {
    return this.#keys.has(nameOf(key)) || (await this.store.get(key)) !== undefined;
  }

  async flush(): Promise<void> {
    if (this.#ops.length === 0) return;
    const ops = this.#ops;
    this.#ops = [];
    this.#keys = new Set();
    this.#bytes = 0;
    await this.store.batch(ops, { sync: true });
  }
}

const nameOf = (key: Uint8Array): string => Buffer.from(key).toString('latin1');
