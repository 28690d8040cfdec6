// Files that hold the messages' bodies, one value after the other. Values are never moved within the index: it holds
// a place (value-record.ts), so no compaction ever writes a body a second time.
//
// A file goes once nothing in it is named any more. Messages are deleted in about the order in which they were
// stored, so files empty one after the other; for the rest there is `sparse`.

import type { Checkpoint } from './checkpoint.ts';
import { isSystemError } from './disk.ts';
import type { Files } from './files.ts';
import type { SplitLimits } from './limits.ts';
import { bodyHeadBytes, encodeBodyHead } from './value-record.ts';
import type { Place } from './wal-ops.ts';

export interface NewBody {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly place: Place;
}

interface Use {
  /** Up to where it is written, as far as anybody relies on it. */
  bytes: number;
  /** As a start found it: with what no name reaches at its end, which may be written over. */
  size: number;
  live: number;
  liveBytes: number;
}

export const bodyFileName = (file: number): string => `${String(file).padStart(8, '0')}.bodies`;

export function bodyFileNumber(name: string): number | undefined {
  const match = /^(\d{8,10})\.bodies$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}

export class BodyFiles {
  readonly #files: Files;
  readonly #limits: SplitLimits;
  readonly #uses = new Map<number, Use>();
  readonly #unsynced = new Set<number>();
  readonly #left = new Set<number>();
  // Emptied by the batch of that sequence: until it is on the disk a power cut may bring the names back.
  readonly #emptied = new Map<number, number>();
  #current = 0;

  constructor(files: Files, limits: SplitLimits) {
    this.#files = files;
    this.#limits = limits;
  }

  /** Begins a file of its own for what comes: what the last one holds at its end is not known. */
  startNew(): void {
    this.#current = Math.max(this.#current, ...this.#uses.keys(), 0) + 1;
  }

  /** Whether what comes can be written behind what the last file holds: it may be somebody else's. */
  async canWrite(): Promise<boolean> {
    if (this.#current === 0) return true;
    try {
      await this.#files.write(bodyFileName(this.#current), 0, []);
      return true;
    } catch (error) {
      if (!isSystemError(error)) throw error;
      return false;
    }
  }

  /** A file as the disk has it, before anything in it is counted. */
  found(file: number, size: number): void {
    this.#uses.set(file, { bytes: 0, size, live: 0, liveBytes: 0 });
    this.#current = Math.max(this.#current, file);
  }

  has(file: number): boolean {
    return this.#uses.has(file);
  }

  /** Something in the index names the place. */
  name(key: Uint8Array, place: Place): void {
    const use = this.#use(place.file);
    use.live++;
    use.liveBytes += place.length;
    use.bytes = Math.max(use.bytes, place.offset + bodyHeadBytes(key) + place.length);
    this.#emptied.delete(place.file);
  }

  /** It does so no longer, from the batch `sequence` on. */
  unname(place: Place, sequence: number): void {
    const use = this.#use(place.file);
    use.live--;
    use.liveBytes -= place.length;
    if (use.live <= 0) this.#emptied.set(place.file, sequence);
  }

  /** Where the value will lie. */
  allocate(key: Uint8Array, length: number): Place {
    let use = this.#use(this.#current);
    if (use.bytes >= this.#limits.bodyFileBytes || this.#current === 0) {
      this.startNew();
      use = this.#use(this.#current);
    }
    const place = { file: this.#current, offset: use.bytes, length };
    use.bytes += bodyHeadBytes(key) + length;
    return place;
  }

  async write(bodies: readonly NewBody[]): Promise<void> {
    for (const [file, group] of Map.groupBy(bodies, ({ place }) => place.file)) {
      // Those of one batch were given places in a row.
      const pieces = group.flatMap(({ key, value }) => [encodeBodyHead(key, value.byteLength), value]);
      this.#unsynced.add(file);
      await this.#files.write(bodyFileName(file), group[0]!.place.offset, pieces);
    }
  }

  async sync(): Promise<void> {
    for (const file of this.#unsynced) {
      await this.#files.sync(bodyFileName(file));
      this.#unsynced.delete(file);
    }
  }

  /** The record at the place, head and value; cut short where the file is. */
  read(place: Place, key: Uint8Array): Promise<Buffer> {
    const length = bodyHeadBytes(key) + place.length;
    return this.#files.read(bodyFileName(place.file), place.offset, length);
  }

  /** A part of a file; cut short where the file is. */
  readStretch(file: number, offset: number, bytes: number): Promise<Buffer> {
    return this.#files.read(bodyFileName(file), offset, bytes);
  }

  /** A whole file: of bounded size. */
  readAll(file: number): Promise<Buffer> {
    return this.#files.read(bodyFileName(file), 0, this.#use(file).bytes);
  }

  /** Removes the files that were empty by the batch `sequence`, which is on the disk. */
  async removeEmptied(sequence: number): Promise<void> {
    for (const [file, since] of this.#emptied) {
      if (since > sequence || file === this.#current) continue;
      this.#emptied.delete(file);
      this.#uses.delete(file);
      this.#unsynced.delete(file);
      await this.#files.remove(bodyFileName(file));
    }
  }

  /** It cannot be read: its values stay where they are. */
  leave(file: number): void {
    this.#left.add(file);
  }

  /** Files in which nothing is named: to be removed by the next `removeEmptied`. */
  dropUnnamed(sequence: number): void {
    for (const [file, { live }] of this.#uses) if (live <= 0) this.#emptied.set(file, sequence);
  }

  /** A file of which most is no longer named, when all files together hold too much of that. */
  sparse(): number | undefined {
    let [dead, total, sparsest] = [0, 0, 1];
    let found: number | undefined;
    for (const [file, use] of this.#uses) {
      const { live, liveBytes } = use;
      if (file === this.#current || live <= 0 || this.#left.has(file)) continue;
      const bytes = Math.max(use.bytes, use.size);
      total += bytes;
      dead += bytes - liveBytes;
      if (liveBytes / bytes >= sparsest) continue;
      sparsest = liveBytes / bytes;
      found = file;
    }
    // One file is always being emptied: that is no waste.
    return dead > 2 * this.#limits.bodyFileBytes && dead > total / 4 && sparsest < 0.5 ? found : undefined;
  }

  /** Of the files that stay. What is not among them is removed by a start, even if a power cut brought it back. */
  counts(): Checkpoint['bodies'] {
    return [...this.#uses]
      .filter(([file, { live }]) => live > 0 || file === this.#current)
      .map(([file, { bytes, live, liveBytes }]) => [file, bytes, live, liveBytes]);
  }

  restore(counts: Checkpoint['bodies'], sizes: ReadonlyMap<number, number>): void {
    for (const [file, bytes, live, liveBytes] of counts) {
      this.#uses.set(file, { bytes, size: sizes.get(file) ?? 0, live, liveBytes });
    }
    this.#current = Math.max(0, ...this.#uses.keys());
  }

  #use(file: number): Use {
    let use = this.#uses.get(file);
    if (use === undefined) {
      use = { bytes: 0, size: 0, live: 0, liveBytes: 0 };
      this.#uses.set(file, use);
    }
    return use;
  }
}
