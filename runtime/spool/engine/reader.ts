// Reads of the engine: what index and memtable say, with values in place of pointers and what the log alone has among it.
import { coalesceReads } from './coalesce-reads.ts';
import { overlay } from './overlay.ts';
import { type EngineState, isOwnKey } from './state.ts';
import type { Entry, RangeOptions } from './store.ts';
import { decodeValuePointer, isWhole, valueHeadBytes, valueRecordAt } from './value-record.ts';
import type { WalPointer } from './wal-values.ts';

const empty = Buffer.alloc(0);
// A segment may go between reading the pointer and reading the value: the key was deleted, or its value rewritten.
const maxTries = 3;

export class EngineReader {
  readonly #state: EngineState;

  constructor(state: EngineState) {
    this.#state = state;
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    const { memtable, walValues } = this.#state;
    const pointer = this.#isInWal(key) ? walValues.find(key) : undefined;
    if (pointer !== undefined) return this.#readWal(pointer);
    const value = await memtable.get(key);
    return value === undefined ? undefined : this.#resolve(key, value);
  }

  async getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    if (keys.some((key) => this.#isInWal(key))) return Promise.all(keys.map((key) => this.get(key)));
    const values = await this.#state.memtable.getMany(keys);
    const read = await this.#readCoalesced(keys, values);
    return Promise.all(
      values.map((value, n) =>
        value === undefined ? undefined : (read[n] ?? this.#resolve(keys[n]!, value)),
      ),
    );
  }

  async range(options: RangeOptions): Promise<readonly Entry[]> {
    const { gte, lt, limit, maxBytes = Number.POSITIVE_INFINITY, keysOnly = false, reverse } = options;
    // One more, since the engine's own key is left out.
    const indexed = await this.#state.memtable.range({ ...options, limit: limit + 1 });
    const own = indexed.filter(({ key }) => !isOwnKey(key));
    const entries: Entry[] = [];
    let bytes = 0;
    for (const entry of overlay(own, this.#inWal(gte, lt, limit, reverse), reverse)) {
      if (entries.length >= limit || bytes >= maxBytes) break;
      const value = keysOnly ? empty : await this.#valueOf(entry);
      // It was deleted in the meantime.
      if (value === undefined) continue;
      bytes += value.byteLength;
      entries.push({ key: entry.key, value });
    }
    return entries;
  }

  /** At most `limit`, as they are now: the caller awaits between one entry and the next. */
  #inWal(gte: Uint8Array, lt: Uint8Array, limit: number, reverse = false) {
    const found: { key: Buffer; pointer: WalPointer }[] = [];
    for (const entry of this.#state.walValues.range(gte, lt)) {
      found.push(entry);
      if (!reverse && found.length >= limit) break;
    }
    return reverse ? found.reverse() : found;
  }

  async #valueOf(entry: Entry | { key: Uint8Array; pointer: WalPointer }): Promise<Uint8Array | undefined> {
    return 'pointer' in entry ? this.#readWal(entry.pointer) : this.#resolve(entry.key, entry.value);
  }

  async #readWal({ generation, offset, length }: WalPointer): Promise<Buffer> {
    const name = this.#state.wal.nameOf(generation);
    return name === undefined ? empty : this.#state.options.wal.read(name, offset, length);
  }

  /** Values that are found whole where their pointers lead, several in one read. The rest is left to `#resolve`. */
  async #readCoalesced(
    keys: readonly Uint8Array[],
    values: readonly (Uint8Array | undefined)[],
  ): Promise<readonly (Uint8Array | undefined)[]> {
    const found: (Uint8Array | undefined)[] = [];
    const wanted = keys.flatMap((key, n) => {
      const value = values[n];
      const pointer = value === undefined ? undefined : decodeValuePointer(key, value);
      return pointer === undefined ? [] : [{ n, pointer, bytes: valueHeadBytes(key) + pointer.length }];
    });
    await Promise.all(
      coalesceReads(wanted).map(async ({ segment, offset, bytes, values: inRead }) => {
        const read = await this.#state.valueLog.read(segment, offset, bytes);
        for (const { n, pointer } of inRead) {
          const record = valueRecordAt(read, pointer.offset - offset);
          // Copied: a small value must not keep a megabyte in memory.
          if (record !== undefined && isWhole(record, keys[n]!, pointer))
            found[n] = Buffer.from(record.value);
        }
      }),
    );
    return found;
  }

  /** The value itself, or the one to which it points. */
  async #resolve(key: Uint8Array, value: Uint8Array): Promise<Uint8Array | undefined> {
    let indexed: Uint8Array | undefined = value;
    let found: Uint8Array = value;
    for (let tries = 0; tries < maxTries && indexed !== undefined; tries++) {
      const pointer = decodeValuePointer(key, indexed);
      if (pointer === undefined) return indexed;
      const headBytes = valueHeadBytes(key);
      const bytes = await this.#state.valueLog.read(
        pointer.segment,
        pointer.offset,
        headBytes + pointer.length,
      );
      const record = valueRecordAt(bytes, 0);
      if (record !== undefined && isWhole(record, key, pointer)) return record.value;
      // As it is: the caller's own sum shows the damage.
      found = bytes.subarray(headBytes);
      indexed = await this.#state.memtable.get(key);
    }
    return indexed === undefined ? undefined : found;
  }

  #isInWal(key: Uint8Array): boolean {
    return this.#state.options.spaces.placementOf(key) === 'wal';
  }
}
