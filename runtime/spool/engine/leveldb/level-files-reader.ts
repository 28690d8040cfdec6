// Reads a LevelDB folder that no process has open, as LevelDB would. So stored messages can still be sent where LevelDB was
// closed and cannot open again because the disk is full.

import type { Entry, RangeOptions } from '../store.ts';
import { LevelFiles } from './level-files.ts';

export interface LevelReading {
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]>;
  range(options: RangeOptions): Promise<readonly Entry[]>;
}

export class LevelFilesReader implements LevelReading {
  readonly #files: LevelFiles;

  /** @throws HoldfastError `spool-unreadable`. */
  constructor(folder: string) {
    this.#files = new LevelFiles(folder);
  }

  /** Then reads may show less than there was, and must not be used. */
  get isDamaged(): boolean {
    return this.#files.problems.some(({ severity }) => severity === 'damage');
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#files.get(key);
  }

  async getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    return keys.map((key) => this.#files.get(key));
  }

  async range(options: RangeOptions): Promise<readonly Entry[]> {
    const {
      gte,
      lt,
      limit,
      reverse = false,
      keysOnly = false,
      maxBytes = Number.POSITIVE_INFINITY,
    } = options;
    const entries: Entry[] = [];
    let bytes = 0;
    for (const { key, value } of this.#files.scan(gte, lt)) {
      if (!reverse && (entries.length >= limit || bytes >= maxBytes)) break;
      entries.push({ key, value: keysOnly ? nothing : value });
      bytes += keysOnly ? 0 : value.byteLength;
      // It is read from the beginning: of the last ones no more are kept than are asked for.
      if (reverse && entries.length > limit) entries.shift();
    }
    return reverse ? entries.reverse() : entries;
  }

  close(): void {
    this.#files.close();
  }
}

const nothing = new Uint8Array(0);
