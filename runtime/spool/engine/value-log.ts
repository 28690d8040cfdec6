// The value log: large values, appended to segments and never moved by a compaction, since the index holds only pointers
// to them.
//
// Each segment counts the pointers in the index that lead into it. A segment is removed once its count is zero and the
// batch that brought it there is on the disk. Values are deleted in about the order in which they were written, so
// segments empty one after the other; `sparsestSegment` names one to rewrite where they do not.
import type { Checkpoint } from './checkpoint.ts';
import { isSystemError } from './disk.ts';
import type { Files } from './files.ts';
import type { EngineLimits } from './limits.ts';
import { encodeSegmentHead } from './segment-head.ts';
import { encodeValueHead, type ValuePointer, valueHeadBytes } from './value-record.ts';

export interface NewValue {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly pointer: ValuePointer;
}

interface Usage {
  /** Up to where records are, as far as a pointer tells. */
  bytes: number;
  /** The file's size at the start. Behind `bytes` may be values without a pointer, which may be overwritten. */
  size: number;
  /** References from the index, and the bytes of those values. */
  live: number;
  liveBytes: number;
}

export const valueSegmentName = (segment: number): string => `${String(segment).padStart(8, '0')}.values`;

export function valueSegmentNumber(name: string): number | undefined {
  const match = /^(\d{8,10})\.values$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}

export class ValueLog {
  readonly #files: Files;
  readonly #limits: EngineLimits;
  readonly #usage = new Map<number, Usage>();
  readonly #unsynced = new Set<number>();
  /** They cannot be read, so garbage collection leaves them alone. */
  readonly #unreadable = new Set<number>();
  // Without references since the batch of that sequence: until it is on the disk, a power cut may bring the pointers back.
  readonly #unreferenced = new Map<number, number>();
  /** Stands before a segment's first record. */
  readonly #head: Buffer;
  #current = 0;

  constructor(files: Files, limits: EngineLimits, identity?: string) {
    this.#files = files;
    this.#limits = limits;
    this.#head = encodeSegmentHead(identity);
  }

  /** Continues in a new segment: what stands at the end of the current one is not known. */
  rotate(): void {
    this.#current = Math.max(this.#current, ...this.#usage.keys(), 0) + 1;
  }

  /** Whether the current segment can be written to: its file may belong to another user. */
  async canWrite(): Promise<boolean> {
    if (this.#current === 0) return true;
    try {
      await this.#files.write(valueSegmentName(this.#current), 0, []);
      return true;
    } catch (error) {
      if (!isSystemError(error)) throw error;
      return false;
    }
  }

  /** A segment as the disk has it, before any reference to it is counted. */
  add(segment: number, size: number): void {
    this.#usage.set(segment, { bytes: 0, size, live: 0, liveBytes: 0 });
    this.#current = Math.max(this.#current, segment);
  }

  has(segment: number): boolean {
    return this.#usage.has(segment);
  }

  /** The index has a pointer into it. */
  isNeeded(segment: number): boolean {
    return (this.#usage.get(segment)?.live ?? 0) > 0;
  }

  addReference(key: Uint8Array, pointer: ValuePointer): void {
    const usage = this.#usageOf(pointer.segment);
    usage.live++;
    usage.liveBytes += pointer.length;
    usage.bytes = Math.max(usage.bytes, pointer.offset + valueHeadBytes(key) + pointer.length);
    this.#unreferenced.delete(pointer.segment);
  }

  /** The pointer is deleted or replaced by the batch `sequence`. */
  dropReference(pointer: ValuePointer, sequence: number): void {
    const usage = this.#usageOf(pointer.segment);
    usage.live--;
    usage.liveBytes -= pointer.length;
    if (usage.live <= 0) this.#unreferenced.set(pointer.segment, sequence);
  }

  /** Where the value will be written. */
  allocate(key: Uint8Array, length: number): ValuePointer {
    let usage = this.#usageOf(this.#current);
    if (usage.bytes >= this.#limits.valueSegmentBytes || this.#current === 0) {
      this.rotate();
      usage = this.#usageOf(this.#current);
    }
    if (usage.bytes === 0) usage.bytes = this.#head.byteLength;
    const pointer = { segment: this.#current, offset: usage.bytes, length };
    usage.bytes += valueHeadBytes(key) + length;
    return pointer;
  }

  /** The values of one batch, which were allocated one after the other. */
  async write(values: readonly NewValue[]): Promise<void> {
    for (const [segment, group] of Map.groupBy(values, ({ pointer }) => pointer.segment)) {
      const pieces = group.flatMap(({ key, value }) => [encodeValueHead(key, value.byteLength), value]);
      this.#unsynced.add(segment);
      const { offset } = group[0]!.pointer;
      if (offset === this.#head.byteLength)
        await this.#files.write(valueSegmentName(segment), 0, [this.#head, ...pieces]);
      else await this.#files.write(valueSegmentName(segment), offset, pieces);
    }
  }

  async sync(): Promise<void> {
    for (const segment of this.#unsynced) {
      await this.#files.sync(valueSegmentName(segment));
      this.#unsynced.delete(segment);
    }
  }

  /** Bytes of a segment; fewer where its file ends. */
  read(segment: number, offset: number, bytes: number): Promise<Buffer> {
    return this.#files.read(valueSegmentName(segment), offset, bytes);
  }

  /** All records of a segment: of bounded size. */
  readSegment(segment: number): Promise<Buffer> {
    return this.read(segment, 0, this.#usageOf(segment).bytes);
  }

  /** Removes the segments that have had no reference since a batch up to `sequence`, which is on the disk. */
  async removeUnreferenced(sequence: number): Promise<void> {
    for (const [segment, since] of this.#unreferenced) {
      if (since > sequence || segment === this.#current) continue;
      this.#unreferenced.delete(segment);
      this.#usage.delete(segment);
      this.#unsynced.delete(segment);
      await this.#files.remove(valueSegmentName(segment));
    }
  }

  /** Its values stay where they are. */
  markUnreadable(segment: number): void {
    this.#unreadable.add(segment);
  }

  /** After references were counted again: the next `removeUnreferenced` removes all segments without one. */
  findUnreferenced(sequence: number): void {
    for (const [segment, { live }] of this.#usage) if (live <= 0) this.#unreferenced.set(segment, sequence);
  }

  /** The segment with the smallest share of referenced bytes, when garbage takes too much room altogether. */
  sparsestSegment(): number | undefined {
    let [garbage, total, smallest] = [0, 0, 1];
    let found: number | undefined;
    for (const [segment, usage] of this.#usage) {
      const { live, liveBytes } = usage;
      if (segment === this.#current || live <= 0 || this.#unreadable.has(segment)) continue;
      const bytes = Math.max(usage.bytes, usage.size);
      total += bytes;
      garbage += bytes - liveBytes;
      if (liveBytes / bytes >= smallest) continue;
      smallest = liveBytes / bytes;
      found = segment;
    }
    // The oldest segment is always being emptied: that alone is no reason to rewrite it.
    const isTooMuch = garbage > 2 * this.#limits.valueSegmentBytes && garbage > total / 4;
    return isTooMuch && smallest < 0.5 ? found : undefined;
  }

  /** Usage of the segments that stay. A start removes all others, even if a power cut brought one back. */
  usage(): Checkpoint['values'] {
    return [...this.#usage]
      .filter(([segment, { live }]) => live > 0 || segment === this.#current)
      .map(([segment, { bytes, live, liveBytes }]) => [segment, bytes, live, liveBytes]);
  }

  /** As a clean checkpoint has it. `sizes`: of the files, by segment. */
  restore(usage: Checkpoint['values'], sizes: ReadonlyMap<number, number>): void {
    for (const [segment, bytes, live, liveBytes] of usage) {
      this.#usage.set(segment, { bytes, size: sizes.get(segment) ?? 0, live, liveBytes });
    }
    this.#current = Math.max(0, ...this.#usage.keys());
  }

  #usageOf(segment: number): Usage {
    let usage = this.#usage.get(segment);
    if (usage === undefined) {
      usage = { bytes: 0, size: 0, live: 0, liveBytes: 0 };
      this.#usage.set(segment, usage);
    }
    return usage;
  }
}
