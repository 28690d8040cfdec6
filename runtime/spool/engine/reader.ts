// Reads of the split store: what the index says, with the bodies in place of their places and the journal among it.
import { stateKey } from '../format/keys.ts';
import { stretchesOf } from './coalesce-reads.ts';
import { durableKey, type SplitParts } from './parts.ts';
import type { Entry, RangeOptions } from './store.ts';
import { bodyAt, bodyHeadBytes, decodePlace } from './value-record.ts';
import { isJournalKey } from './wal-contents.ts';
import type { Place } from './wal-ops.ts';
import type { JournalPlace } from './wal-values.ts';

const empty = Buffer.alloc(0);
// A file may go between reading its name and reading it: retention removed the message, or it was moved.
const maxTries = 3;

export class SplitReader {
  readonly #parts: SplitParts;

  constructor(parts: SplitParts) {
    this.#parts = parts;
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    const { index, journal, state } = this.#parts;
    if (state !== undefined && isStateKey(key)) return state;
    const place = isJournalKey(key) ? journal.find(key) : undefined;
    if (place !== undefined) return this.#journalValue(place);
    const value = await index.get(key);
    return value === undefined ? undefined : this.#resolve(key, value);
  }

  async getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    const special = keys.some((key) => isJournalKey(key) || isStateKey(key));
    if (special) return Promise.all(keys.map((key) => this.get(key)));
    const values = await this.#parts.index.getMany(keys);
    const read = await this.#readTogether(keys, values);
    return Promise.all(
      values.map((value, n) =>
        value === undefined ? undefined : (read[n] ?? this.#resolve(keys[n]!, value)),
      ),
    );
  }

  /** What is found whole at its place, several at a time; the rest is for `#resolve`, one by one. */
  async #readTogether(
    keys: readonly Uint8Array[],
    values: readonly (Uint8Array | undefined)[],
  ): Promise<readonly (Uint8Array | undefined)[]> {
    const found: (Uint8Array | undefined)[] = [];
    const wanted = keys.flatMap((key, n) => {
      const value = values[n];
      const place = value === undefined ? undefined : decodePlace(key, value);
      return place === undefined ? [] : [{ n, place, bytes: bodyHeadBytes(key) + place.length }];
    });
    await Promise.all(
      stretchesOf(wanted).map(async ({ file, offset, bytes, bodies }) => {
        const stretch = await this.#parts.bodies.readStretch(file, offset, bytes);
        for (const { n, place } of bodies) {
          const body = bodyAt(stretch, place.offset - offset);
          // Copied: a small body must not keep a stretch of a megabyte in memory.
          if (body !== undefined && isWhole(body, keys[n]!, place)) found[n] = Buffer.from(body.value);
        }
      }),
    );
    return found;
  }

  async range(options: RangeOptions): Promise<readonly Entry[]> {
    const { limit, maxBytes = Number.POSITIVE_INFINITY, keysOnly = false } = options;
    // One more, since one key is not for others.
    const indexed = await this.#parts.index.range({ ...options, limit: limit + 1 });
    const found = this.#merged(indexed, options).slice(0, limit);
    const entries: Entry[] = [];
    let bytes = 0;
    for (const { key, value, place } of found) {
      if (bytes >= maxBytes) break;
      const read = keysOnly ? empty : await this.#valueOf(key, value, place);
      // Removed in the meantime.
      if (read === undefined) continue;
      bytes += read.byteLength;
      entries.push({ key, value: read });
    }
    return entries;
  }

  #merged(
    indexed: readonly Entry[],
    { gte, lt, limit, reverse = false }: RangeOptions,
  ): readonly { key: Uint8Array; value?: Uint8Array; place?: JournalPlace }[] {
    const { journal, state } = this.#parts;
    const own = indexed.filter(({ key }) => !durableKey.equals(key));
    const logged: { key: Uint8Array; value?: Uint8Array; place?: JournalPlace }[] = [];
    for (const entry of journal.range(gte, lt)) {
      logged.push(entry);
      if (!reverse && logged.length >= limit) break;
    }
    if (state !== undefined && stateKey.compare(gte) >= 0 && stateKey.compare(lt) < 0) {
      logged.push({ key: stateKey, value: state });
    }
    if (logged.length === 0) return own;
    const keys = new Set(logged.map(({ key }) => Buffer.from(key).toString('latin1')));
    const rest = own.filter(({ key }) => !keys.has(Buffer.from(key).toString('latin1')));
    const sorted = [...logged, ...rest].sort((a, b) => Buffer.compare(a.key, b.key));
    return reverse ? sorted.toReversed() : sorted;
  }

  async #valueOf(
    key: Uint8Array,
    value: Uint8Array | undefined,
    place: JournalPlace | undefined,
  ): Promise<Uint8Array | undefined> {
    if (place !== undefined) return this.#journalValue(place);
    return value === undefined ? undefined : this.#resolve(key, value);
  }

  async #journalValue({ generation, offset, length }: JournalPlace): Promise<Buffer> {
    const name = this.#parts.log.nameOf(generation);
    return name === undefined ? empty : this.#parts.files.log.read(name, offset, length);
  }

  async #resolve(key: Uint8Array, value: Uint8Array): Promise<Uint8Array | undefined> {
    let named: Uint8Array | undefined = value;
    let body: Uint8Array = value;
    for (let tries = 0; tries < maxTries && named !== undefined; tries++) {
      const place = decodePlace(key, named);
      if (place === undefined) return named;
      const record = await this.#parts.bodies.read(place, key);
      const found = bodyAt(record, 0);
      if (found !== undefined && isWhole(found, key, place)) return found.value;
      // As it is, for the sum to tell.
      body = record.subarray(bodyHeadBytes(key));
      named = await this.#parts.index.get(key);
    }
    return named === undefined ? undefined : body;
  }
}

function isWhole(found: { key: Buffer; value: Buffer }, key: Uint8Array, place: Place): boolean {
  return found.key.equals(key) && found.value.byteLength === place.length;
}

const isStateKey = (key: Uint8Array): boolean => stateKey.equals(key);
