// Where in the commit log the journal of open windows lies. The index never hears of it: most of what is written to
// the disk is dead within seconds, and would be sorted and written again there for nothing.
import { journalKey, journalKeyOf } from '../format/keys.ts';
import type { Checkpoint } from './checkpoint.ts';

export interface JournalPlace {
  readonly generation: number;
  /** Of the value, in the file of that generation. */
  readonly offset: number;
  readonly length: number;
}

// A thousand streams have tens of thousands of records at times: three numbers a record, and no objects.
type Places = Map<number, number>;
const lengthBits = 2 ** 25;

interface Extent {
  generation: number;
  places: Places;
}

export class JournalPlaces {
  // By stream, then by generation: a file can be used again once no stream has an extent in it.
  readonly #streams = new Map<number, Extent[]>();
  readonly #perGeneration = new Map<number, number>();
  // The streams in order, while that is known.
  #sorted: readonly number[] | undefined;

  put(key: Uint8Array, place: JournalPlace): void {
    this.remove(key);
    const { stream, sequence } = journalKeyOf(key);
    const extents = this.#streams.get(stream) ?? [];
    if (extents.length === 0) {
      this.#streams.set(stream, extents);
      this.#sorted = undefined;
    }
    let extent = extents.at(-1);
    if (extent?.generation !== place.generation) {
      extent = { generation: place.generation, places: new Map() };
      extents.push(extent);
    }
    extent.places.set(sequence, place.offset * lengthBits + place.length);
    this.#count(place.generation, 1);
  }

  remove(key: Uint8Array): boolean {
    const { stream, sequence } = journalKeyOf(key);
    const extents = this.#streams.get(stream);
    if (extents === undefined) return false;
    for (const [at, { generation, places }] of extents.entries()) {
      if (!places.delete(sequence)) continue;
      this.#count(generation, -1);
      if (places.size === 0) extents.splice(at, 1);
      if (extents.length === 0) {
        this.#streams.delete(stream);
        this.#sorted = undefined;
      }
      return true;
    }
    return false;
  }

  find(key: Uint8Array): JournalPlace | undefined {
    const { stream, sequence } = journalKeyOf(key);
    for (const { generation, places } of this.#streams.get(stream) ?? []) {
      const packed = places.get(sequence);
      if (packed !== undefined) return unpack(generation, packed);
    }
    return undefined;
  }

  get isEmpty(): boolean {
    return this.#streams.size === 0;
  }

  /** Generations that hold a record that counts. */
  generations(): readonly number[] {
    return [...this.#perGeneration.keys()];
  }

  /** Keys `[gte, lt)` in order. */
  *range(gte: Uint8Array, lt: Uint8Array): Generator<{ readonly key: Buffer; readonly place: JournalPlace }> {
    const lowest = streamFrom(gte);
    this.#sorted ??= [...this.#streams.keys()].sort((a, b) => a - b);
    for (const stream of this.#sorted.filter((each) => each >= lowest)) {
      for (const [sequence, place] of this.#ofStream(stream)) {
        const key = journalKey(stream, sequence);
        if (key.compare(lt) >= 0) return;
        if (key.compare(gte) >= 0) yield { key, place };
      }
    }
  }

  /** What counts, for a checkpoint. */
  ranges(): Checkpoint['journal'] {
    const ranges: [number, number, number][] = [];
    for (const { key } of this.range(Buffer.of(0x6a), Buffer.of(0x6b))) {
      const { stream, sequence } = journalKeyOf(key);
      const last = ranges.at(-1);
      if (last?.[0] === stream && last[2] === sequence) last[2]++;
      else ranges.push([stream, sequence, sequence + 1]);
    }
    return ranges;
  }

  #ofStream(stream: number): readonly (readonly [number, JournalPlace])[] {
    const all = (this.#streams.get(stream) ?? []).flatMap(({ generation, places }) =>
      [...places].map(([sequence, packed]) => [sequence, unpack(generation, packed)] as const),
    );
    return all.sort(([a], [b]) => a - b);
  }

  #count(generation: number, by: number): void {
    const count = (this.#perGeneration.get(generation) ?? 0) + by;
    if (count === 0) this.#perGeneration.delete(generation);
    else this.#perGeneration.set(generation, count);
  }
}

function unpack(generation: number, packed: number): JournalPlace {
  return { generation, offset: Math.floor(packed / lengthBits), length: packed % lengthBits };
}

function streamFrom(key: Uint8Array): number {
  const bytes = Buffer.alloc(5);
  bytes.set(key.subarray(0, 5));
  return key[0] === 0x6a ? bytes.readUInt32BE(1) : 0;
}

/** Says, of the ranges of a checkpoint, whether a record counts. */
export function inRanges(ranges: Checkpoint['journal']): (key: Uint8Array) => boolean {
  const byStream = Map.groupBy(ranges, ([stream]) => stream);
  return (key) => {
    const { stream, sequence } = journalKeyOf(key);
    return (byStream.get(stream) ?? []).some(([, from, to]) => from <= sequence && sequence < to);
  };
}
