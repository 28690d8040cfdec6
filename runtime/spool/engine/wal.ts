// The write-ahead log: every batch, in order, before it is applied. A commit waits for one sync of this log and for
// nothing else.
//
// Segments are used again once nothing in them is needed, and zeros are written ahead of the log's end. So most syncs
// write blocks that the file has already: the file system has no new length and no new block to note, which is most
// of what a small commit makes a disk write, and a full disk does not stop it.
import type { Files } from './files.ts';
import type { EngineLimits } from './limits.ts';
import { encodeSegmentHead } from './segment-head.ts';
import { encodeHead, type RecordHead, recordHeadBytes } from './wal-record.ts';

interface Segment {
  readonly name: string;
  /** Up to where it is written. */
  end: number;
}

export const isWalSegment = (name: string): boolean => /^\d{4,}\.wal$/.test(name);

/** The log as a start found it. */
export interface FoundLog {
  /** Names of the segments that are in use, by generation. */
  readonly inUse: ReadonlyMap<number, string>;
  readonly lastGeneration: number;
  readonly all: readonly { readonly name: string; readonly bytes: number }[];
  /** Segments that the disk does not return in full. */
  readonly bad: ReadonlySet<string>;
}

export class Wal {
  readonly #files: Files;
  readonly #limits: EngineLimits;
  /** In use, by generation. */
  readonly #segments = new Map<number, Segment>();
  readonly #spare = new Set<string>();
  /** Never used again. */
  readonly #bad = new Set<string>();
  /** Bytes that each file has on the disk. */
  readonly #fileBytes = new Map<string, number>();
  /** Stands before a segment's first record. */
  readonly #head: Buffer;
  #generation = 0;
  #unsynced = false;
  #sinceCheckpoint = 0;

  constructor(files: Files, limits: EngineLimits, identity?: string) {
    this.#files = files;
    this.#limits = limits;
    this.#head = encodeSegmentHead(identity);
  }

  /** Takes over existing segments. The next record begins a new segment, of a new generation. */
  adopt({ inUse, lastGeneration, all, bad }: FoundLog): void {
    for (const name of bad) this.#bad.add(name);
    for (const [generation, name] of inUse)
      this.#segments.set(generation, { name, end: this.#limits.walSegmentBytes });
    const used = new Set(inUse.values());
    for (const { name, bytes } of all) {
      this.#fileBytes.set(name, bytes);
      if (!used.has(name)) this.#spare.add(name);
    }
    this.#generation = lastGeneration;
  }

  /** Bytes written since the last checkpoint. */
  get sinceCheckpoint(): number {
    return this.#sinceCheckpoint;
  }

  nameOf(generation: number): string | undefined {
    return this.#segments.get(generation)?.name;
  }

  /**
   * Resolves when the record is handed to the operating system, or with `synced` when it is on the disk. Returns where its
   * payload begins, and in which generation.
   */
  async append(
    head: Omit<RecordHead, 'generation'>,
    pieces: readonly Uint8Array[],
  ): Promise<{ generation: number; offset: number }> {
    const bytes = recordHeadBytes + pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
    const segment = await this.#segmentFor(bytes);
    const generation = this.#generation;
    const first = segment.end === 0 ? this.#head : Buffer.alloc(0);
    const at = segment.end + first.byteLength;
    const fileBytes = this.#fileBytes.get(segment.name) ?? 0;
    const zeros = at + bytes > fileBytes ? Buffer.alloc(this.#limits.walPreallocateBytes) : undefined;
    this.#unsynced = true;
    const record = [first, encodeHead({ ...head, generation }, pieces), ...pieces];
    await this.#files.write(segment.name, segment.end, zeros === undefined ? record : [...record, zeros]);
    segment.end = at + bytes;
    this.#sinceCheckpoint += bytes;
    if (zeros !== undefined) this.#fileBytes.set(segment.name, segment.end + zeros.byteLength);
    if (head.synced) await this.sync();
    return { generation, offset: at + recordHeadBytes };
  }

  /** After a checkpoint that is on the disk: all segments but those of `generations` and the current one can be used again. */
  async release(generations: readonly number[]): Promise<void> {
    this.#sinceCheckpoint = 0;
    for (const [generation, { name }] of this.#segments) {
      if (generation === this.#generation || generations.includes(generation)) continue;
      this.#segments.delete(generation);
      this.#spare.add(name);
    }
    const good = [...this.#spare].filter((name) => !this.#bad.has(name));
    const kept = good.slice(0, this.#limits.walSpareSegments);
    for (const name of this.#spare) {
      if (kept.includes(name)) continue;
      this.#spare.delete(name);
      this.#fileBytes.delete(name);
      this.#bad.delete(name);
      await this.#files.remove(name);
    }
  }

  /** All that was appended is on the disk when it resolves. */
  async sync(): Promise<void> {
    const segment = this.#segments.get(this.#generation);
    if (segment === undefined || !this.#unsynced) return;
    await this.#files.sync(segment.name);
    this.#unsynced = false;
  }

  async #segmentFor(bytes: number): Promise<Segment> {
    const current = this.#segments.get(this.#generation);
    if (current !== undefined && (current.end === 0 || current.end + bytes <= this.#limits.walSegmentBytes))
      return current;
    // A record in the next segment must never survive one in this segment that was lost.
    await this.sync();
    const spare = [...this.#spare].find((each) => !this.#bad.has(each));
    const name = spare ?? this.#unusedName();
    this.#spare.delete(name);
    this.#generation++;
    const segment = { name, end: 0 };
    this.#segments.set(this.#generation, segment);
    return segment;
  }

  #unusedName(): string {
    const used = new Set([...[...this.#segments.values()].map(({ name }) => name), ...this.#spare]);
    for (let n = 1; ; n++) {
      const name = `${String(n).padStart(4, '0')}.wal`;
      if (!used.has(name)) return name;
    }
  }
}
