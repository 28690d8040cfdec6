// The commit log: every batch, in order, before it is done. One sync here is all that a commit waits for.
//
// Files are used again once nothing in them is needed, and are filled with zeros ahead of what is written. So a sync
// as a rule writes blocks that the file has already: no file system has to note a new length or new blocks
// with it, which on small commits is most of what a disk is made to write, and a full disk does not stop it.

import type { Files } from './files.ts';
import type { SplitLimits } from './limits.ts';
import { encodeHead, type RecordHead, recordHeadBytes } from './wal-record.ts';

interface LogPart {
  readonly name: string;
  /** Up to where it is written. */
  end: number;
}

export const isLogFile = (name: string): boolean => /^\d{4,}\.commits$/.test(name);

export class CommitLog {
  readonly #files: Files;
  readonly #limits: SplitLimits;
  readonly #parts = new Map<number, LogPart>();
  readonly #spare = new Set<string>();
  /** The medium does not give all of them back: they are not used again. */
  readonly #bad = new Set<string>();
  /** Bytes that each file has on the disk. */
  readonly #filled = new Map<string, number>();
  #generation = 0;
  #unsynced = false;
  #sinceCheckpoint = 0;

  constructor(files: Files, limits: SplitLimits) {
    this.#files = files;
    this.#limits = limits;
  }

  /** Takes over what is there. What comes goes into a file of its own, of a new generation. */
  adopt(
    inUse: ReadonlyMap<number, string>,
    lastGeneration: number,
    all: readonly { name: string; bytes: number }[],
    bad: ReadonlySet<string>,
  ): void {
    for (const name of bad) this.#bad.add(name);
    for (const [generation, name] of inUse)
      this.#parts.set(generation, { name, end: this.#limits.logFileBytes });
    const used = new Set(inUse.values());
    for (const { name, bytes } of all) {
      this.#filled.set(name, bytes);
      if (!used.has(name)) this.#spare.add(name);
    }
    this.#generation = lastGeneration;
  }

  /** Bytes written since the last checkpoint. */
  get sinceCheckpoint(): number {
    return this.#sinceCheckpoint;
  }

  nameOf(generation: number): string | undefined {
    return this.#parts.get(generation)?.name;
  }

  /** Resolves when it is handed over, or with `synced` when it is on the disk. Where the payload begins, and in which generation. */
  async append(
    head: Omit<RecordHead, 'generation'>,
    pieces: readonly Uint8Array[],
  ): Promise<{ generation: number; offset: number }> {
    const bytes = recordHeadBytes + pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
    const part = await this.#partFor(bytes);
    const generation = this.#generation;
    const at = part.end;
    const filledTo = this.#filled.get(part.name) ?? 0;
    const zeros = at + bytes > filledTo ? Buffer.alloc(this.#limits.aheadBytes) : undefined;
    this.#unsynced = true;
    const record = [encodeHead({ ...head, generation }, pieces), ...pieces];
    await this.#files.write(part.name, at, zeros === undefined ? record : [...record, zeros]);
    part.end += bytes;
    this.#sinceCheckpoint += bytes;
    if (zeros !== undefined) this.#filled.set(part.name, part.end + zeros.byteLength);
    if (head.synced) await this.sync();
    return { generation, offset: at + recordHeadBytes };
  }

  /** After a checkpoint that is on the disk: all but `generations` and the current one may be written over. */
  async release(generations: readonly number[]): Promise<void> {
    this.#sinceCheckpoint = 0;
    for (const [generation, { name }] of this.#parts) {
      if (generation === this.#generation || generations.includes(generation)) continue;
      this.#parts.delete(generation);
      this.#spare.add(name);
    }
    const good = [...this.#spare].filter((name) => !this.#bad.has(name)).slice(0, this.#limits.spareFiles);
    for (const name of this.#spare) {
      if (good.includes(name)) continue;
      this.#spare.delete(name);
      this.#filled.delete(name);
      this.#bad.delete(name);
      await this.#files.remove(name);
    }
  }

  async #partFor(bytes: number): Promise<LogPart> {
    const current = this.#parts.get(this.#generation);
    if (current !== undefined && (current.end === 0 || current.end + bytes <= this.#limits.logFileBytes))
      return current;
    // What is in the next file must never outlive what is in this one.
    await this.sync();
    const spare = [...this.#spare].find((each) => !this.#bad.has(each));
    const name = spare ?? this.#unusedName();
    this.#spare.delete(name);
    this.#generation++;
    const part = { name, end: 0 };
    this.#parts.set(this.#generation, part);
    return part;
  }

  #unusedName(): string {
    const used = new Set([...[...this.#parts.values()].map(({ name }) => name), ...this.#spare]);
    for (let n = 1; ; n++) {
      const name = `${String(n).padStart(4, '0')}.commits`;
      if (!used.has(name)) return name;
    }
  }

  /** All that was appended is on the disk when it resolves. */
  async sync(): Promise<void> {
    const part = this.#parts.get(this.#generation);
    if (part === undefined || !this.#unsynced) return;
    await this.#files.sync(part.name);
    this.#unsynced = false;
  }
}
