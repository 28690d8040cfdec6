// The ordered key-value store under the spool: keys and values are bytes, keys are ordered bytewise.
//
// What every implementation owes:
// - Atomic: of a batch, all operations take effect or none, across process death and power loss. Within
//   a batch later operations win over earlier ones on the same key.
// - Ordered: batches take effect in the order of the calls. What survives a power cut is a prefix of
//   them that holds every batch whose `sync` promise had resolved. An unsynced batch survives the death
//   of the process, once resolved, but maybe not a power cut.
// - Visible: what `batch` resolved is seen by every later read. A read sees whole batches only.
// - Errors: a batch that rejects may have taken effect or not, and may do so after the next open. From
//   then on every batch rejects with `store-needs-reopen`, until `reopen` has resolved: after a failed
//   write it is unknown where the store's log ends. To go on, reopen and repeat the same batch.
// - Damage: values may come back changed if the medium is bad. Callers check their own sums. Where the store
//   itself finds its files damaged, any call may reject with `store-damaged`; `reopen` then repairs what can
//   be repaired, or rejects.
export type BatchOp =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array };

export interface RangeOptions {
  readonly gte: Uint8Array;
  readonly lt: Uint8Array;
  /** Entries at most; ranges are never read without a bound. */
  readonly limit: number;
  /** Stops after the entry that reaches this many bytes of values. */
  readonly maxBytes?: number;
  readonly reverse?: boolean;
  /** Leaves `value` empty. */
  readonly keysOnly?: boolean;
}

export interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export interface Store {
  /** A UUID that its files name; undefined where they name none. */
  readonly identity: string | undefined;
  /** @throws HoldfastError `store-write-failed` (retryable, after `reopen`), `store-needs-reopen`, `store-closed`. */
  batch(ops: readonly BatchOp[], options: { readonly sync: boolean }): Promise<void>;
  /** @throws HoldfastError `store-read-failed` (retryable), `store-closed`. */
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  /** In the order of `keys`. */
  getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]>;
  /** One consistent view of the range, in key order (or backwards). */
  range(options: RangeOptions): Promise<readonly Entry[]>;
  /** Gives back the space of what was deleted in `[gte, lt)`. May take long; reads and writes go on. */
  compactRange(gte: Uint8Array, lt: Uint8Array): Promise<void>;
  /** Gives back the space of large values that were deleted; their keys' waits for `compactRange`. Reads go on. */
  collectGarbage(): Promise<void>;
  /** Bytes that the store takes on the disk now. */
  sizeBytes(): Promise<number>;
  /** Makes the store writable again after a failed batch. @throws HoldfastError `store-open-failed` (retryable). */
  reopen(): Promise<void>;
  /** Waits for calls under way. Idempotent. */
  close(): Promise<void>;
}
