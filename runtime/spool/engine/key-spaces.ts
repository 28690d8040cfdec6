// Policies for keys that the engine treats apart from the rest. The caller states them once, when it opens the engine: the
// engine itself interprets no key.

/**
 * Where the values of a key space are kept:
 * - `value-log`: values of `minValueBytes` or more are appended to the value log, and the index holds a pointer to each.
 *   For large values that are written once.
 * - `wal`: in the write-ahead log alone. The index never has them. For values that are deleted within seconds. A key ends
 *   in a u48 counter; what stands before it is the key's group, and the counters of one group mostly follow one another.
 * - `memtable`: in memory until something else is flushed to the index. For one value that changes with every batch.
 */
export type Placement = 'value-log' | 'wal' | 'memtable';

export interface KeySpacePolicy {
  /** With what each key of the space begins. No prefix begins with another one. */
  readonly prefix: Uint8Array;
  /** Bytes of a whole key. A key of another length belongs to no key space, and its value stays in the index. */
  readonly keyBytes: number;
  readonly placement: Placement;
}

export class KeySpaces {
  readonly #byFirstByte = new Map<number, readonly KeySpacePolicy[]>();
  readonly #policies: readonly KeySpacePolicy[];

  constructor(policies: readonly KeySpacePolicy[]) {
    this.#policies = policies;
    for (const [first, of] of Map.groupBy(policies, ({ prefix }) => prefix[0]!))
      this.#byFirstByte.set(first, of);
  }

  /** Undefined: the value is kept in the index. */
  placementOf(key: Uint8Array): Placement | undefined {
    for (const { prefix, keyBytes, placement } of this.#byFirstByte.get(key[0]!) ?? []) {
      if (key.byteLength === keyBytes && prefix.every((byte, n) => key[n] === byte)) return placement;
    }
    return undefined;
  }

  /** Ranges of keys, from `gte` to before `lt`, whose values may be in the value log. */
  valueLogRanges(): readonly { readonly gte: Buffer; readonly lt: Buffer }[] {
    const inValueLog = this.#policies.filter(({ placement }) => placement === 'value-log');
    return inValueLog.map(({ prefix }) => ({ gte: Buffer.from(prefix), lt: endOf(prefix) }));
  }
}

/** The first key behind all that begin with `prefix`, whose last byte is below 255. */
function endOf(prefix: Uint8Array): Buffer {
  const end = Buffer.from(prefix);
  end[end.byteLength - 1]!++;
  return end;
}
