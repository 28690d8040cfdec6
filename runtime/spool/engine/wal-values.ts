// Where the values of `wal` key spaces lie in the log. The index never has them: most are deleted within seconds, and
// it would sort and write them again for nothing.
import type { Checkpoint } from './checkpoint.ts';
import type { KeySpaces } from './key-spaces.ts';
import { decodeOps } from './wal-ops.ts';
import type { FiledRecord, WalContents } from './wal-replay.ts';

export interface WalPointer {
  readonly generation: number;
  /** Offset of the value in the segment of that generation. */
  readonly offset: number;
  readonly length: number;
}

// There may be tens of thousands of values: three numbers each, and no objects.
type Pointers = Map<number, number>;
const lengthBits = 2 ** 25;
const counterBytes = 6;

/** Values of one group in one generation. */
interface Extent {
  generation: number;
  pointers: Pointers;
}

export class WalValues {
  // By group, then by generation: a segment can be used again once no group has an extent in it.
  readonly #groups = new Map<string, Extent[]>();
  readonly #perGeneration = new Map<number, number>();
  // The groups in order, while that is known.
  #sorted: readonly string[] | undefined;

  put(key: Uint8Array, pointer: WalPointer): void {
    this.remove(key);
    const { group, counter } = partsOf(key);
    const extents = this.#groups.get(group) ?? [];
    if (extents.length === 0) {
      this.#groups.set(group, extents);
      this.#sorted = undefined;
    }
    let extent = extents.at(-1);
    if (extent?.generation !== pointer.generation) {
      extent = { generation: pointer.generation, pointers: new Map() };
      extents.push(extent);
    }
    extent.pointers.set(counter, pointer.offset * lengthBits + pointer.length);
    this.#count(pointer.generation, 1);
  }

  remove(key: Uint8Array): boolean {
    const { group, counter } = partsOf(key);
    const extents = this.#groups.get(group);
    if (extents === undefined) return false;
    for (const [at, { generation, pointers }] of extents.entries()) {
      if (!pointers.delete(counter)) continue;
      this.#count(generation, -1);
      if (pointers.size === 0) extents.splice(at, 1);
      if (extents.length === 0) {
        this.#groups.delete(group);
        this.#sorted = undefined;
      }
      return true;
    }
    return false;
  }

  find(key: Uint8Array): WalPointer | undefined {
    const { group, counter } = partsOf(key);
    for (const { generation, pointers } of this.#groups.get(group) ?? []) {
      const packed = pointers.get(counter);
      if (packed !== undefined) return unpack(generation, packed);
    }
    return undefined;
  }

  /** Generations that hold a value that counts. */
  generations(): readonly number[] {
    return [...this.#perGeneration.keys()];
  }

  /** Keys `[gte, lt)` in order; without bounds all. */
  *range(
    gte: Uint8Array = Buffer.alloc(0),
    lt?: Uint8Array,
  ): Generator<{ readonly key: Buffer; readonly pointer: WalPointer }> {
    this.#sorted ??= [...this.#groups.keys()].sort();
    for (const group of this.#sorted) {
      if (keyOf(group, 2 ** 48 - 1).compare(gte) < 0) continue;
      if (lt !== undefined && keyOf(group, 0).compare(lt) >= 0) return;
      for (const [counter, pointer] of this.#inGroup(group)) {
        const key = keyOf(group, counter);
        if (lt !== undefined && key.compare(lt) >= 0) return;
        if (key.compare(gte) >= 0) yield { key, pointer };
      }
    }
  }

  /** The values that still count, for a checkpoint. */
  retained(): Checkpoint['retained'] {
    const ranges: [string, number, number][] = [];
    for (const { key } of this.range()) {
      const { group, counter } = partsOf(key);
      const name = hexOf(group);
      const last = ranges.at(-1);
      if (last?.[0] === name && last[2] === counter) last[2]++;
      else ranges.push([name, counter, counter + 1]);
    }
    return ranges;
  }

  #inGroup(group: string): readonly (readonly [number, WalPointer])[] {
    const all = (this.#groups.get(group) ?? []).flatMap(({ generation, pointers }) =>
      [...pointers].map(([counter, packed]) => [counter, unpack(generation, packed)] as const),
    );
    return all.sort(([a], [b]) => a - b);
  }

  #count(generation: number, by: number): void {
    const count = (this.#perGeneration.get(generation) ?? 0) + by;
    if (count === 0) this.#perGeneration.delete(generation);
    else this.#perGeneration.set(generation, count);
  }
}

/** The values that a replay finds. `missing`: values that the last checkpoint counts and the files no longer hold. */
export function walValuesOf(
  contents: WalContents,
  spaces: KeySpaces,
): { values: WalValues; missing: number } {
  const values = new WalValues();
  const retained = contents.checkpoint?.retained ?? [];
  const counts = isRetained(retained);
  let found = 0;
  for (const record of contents.before) {
    for (const { op, valueAt } of walOps(record, spaces)) {
      if (op.type !== 'put' || !counts(op.key)) continue;
      if (values.find(op.key) === undefined) found++;
      values.put(op.key, pointerTo(record, valueAt, op.value.byteLength));
    }
  }
  for (const record of contents.after) {
    for (const { op, valueAt } of walOps(record, spaces)) {
      if (op.type === 'put') values.put(op.key, pointerTo(record, valueAt, op.value.byteLength));
      else values.remove(op.key);
    }
  }
  const counted = retained.reduce((sum, [, from, to]) => sum + to - from, 0);
  return { values, missing: counted - found };
}

function* walOps(record: FiledRecord, spaces: KeySpaces) {
  if (record.kind !== 'batch') return;
  for (const each of decodeOps(record.payload)) {
    if (spaces.placementOf(each.op.key) === 'wal' && each.op.type !== 'put-pointer') yield each;
  }
}

function pointerTo(record: FiledRecord, valueAt: number, length: number): WalPointer {
  return { generation: record.generation, offset: record.offset + valueAt, length };
}

function isRetained(retained: Checkpoint['retained']): (key: Uint8Array) => boolean {
  const byGroup = Map.groupBy(retained, ([group]) => group);
  return (key) => {
    const { group, counter } = partsOf(key);
    return (byGroup.get(hexOf(group)) ?? []).some(([, from, to]) => from <= counter && counter < to);
  };
}

function unpack(generation: number, packed: number): WalPointer {
  return { generation, offset: Math.floor(packed / lengthBits), length: packed % lengthBits };
}

function partsOf(key: Uint8Array): { group: string; counter: number } {
  const bytes = Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  const at = bytes.byteLength - counterBytes;
  return { group: bytes.toString('latin1', 0, at), counter: bytes.readUIntBE(at, counterBytes) };
}

function keyOf(group: string, counter: number): Buffer {
  const key = Buffer.allocUnsafe(group.length + counterBytes);
  key.write(group, 'latin1');
  key.writeUIntBE(counter, group.length, counterBytes);
  return key;
}

const hexOf = (group: string): string => Buffer.from(group, 'latin1').toString('hex');
