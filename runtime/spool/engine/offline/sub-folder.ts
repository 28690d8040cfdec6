// Lists and reads the files of one sub-folder of the store: the segments of one of the two logs.
import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { isMedium } from '../disk.ts';
import { pageBytes } from '../read-around.ts';
import { segmentHeadBytes, segmentIdentity } from '../segment-head.ts';
import type { FileProblem } from './entry-source.ts';
import { describeFileError, isFileError, sizeOfFile } from './file-errors.ts';

const maxOpen = 4;
// One damaged file can be wrong in very many places.
const maxProblems = 1000;

export class SubFolder {
  /** Sizes by name. */
  readonly sizes: Map<string, number>;
  readonly #folder: string;
  readonly #name: string;
  readonly #handles = new Map<string, number>();
  readonly #problems = new Map<string, FileProblem>();

  /** `wanted` tells by its name whether a file belongs there. A folder that is missing is empty. */
  constructor(store: string, name: string, wanted: (name: string) => boolean) {
    this.#folder = join(store, name);
    this.#name = name;
    this.sizes = this.#list(wanted);
  }

  get problems(): readonly FileProblem[] {
    return [...this.#problems.values()];
  }

  get bytes(): number {
    return [...this.sizes.values()].reduce((sum, size) => sum + size, 0);
  }

  /** As `files` of a store names it. */
  pathOf(name: string): string {
    return `${this.#name}/${name}`;
  }

  report(severity: FileProblem['severity'], name: string, reason: string): void {
    const file = name === '' ? this.#name : this.pathOf(name);
    if (this.#problems.size < maxProblems)
      this.#problems.set(`${file} ${reason}`, { severity, file, reason });
  }

  /** At most `length` bytes; fewer where the file ends. What cannot be read is noted: zeros stand for pages that the disk does not return. */
  read(name: string, offset: number, length: number): Buffer {
    try {
      return this.#readFrom(name, offset, length);
    } catch (error) {
      if (!isFileError(error)) throw error;
      this.report('damage', name, describeFileError(error));
      return isMedium(error) ? this.#readPages(name, offset, length) : Buffer.alloc(0);
    }
  }

  /** As the module reads around bad sectors: see read-around.ts. */
  #readPages(name: string, offset: number, length: number): Buffer {
    const bytes = Buffer.alloc(Math.max(0, Math.min(length, (this.sizes.get(name) ?? 0) - offset)));
    for (let at = 0; at < bytes.byteLength; at += pageBytes) {
      try {
        this.#readFrom(name, offset + at, Math.min(pageBytes, bytes.byteLength - at)).copy(bytes, at);
      } catch (error) {
        if (!isMedium(error)) throw error;
      }
    }
    return bytes;
  }

  #readFrom(name: string, offset: number, length: number): Buffer {
    const size = this.sizes.get(name) ?? 0;
    const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(length, size - offset)));
    const handle = this.#open(name);
    let done = 0;
    while (done < bytes.byteLength) {
      const got = readSync(handle, bytes, done, bytes.byteLength - done, offset + done);
      if (got === 0) break;
      done += got;
    }
    return bytes.subarray(0, done);
  }

  /** The stores that the segments name, by name of the segment. What cannot be read names none; it is reported where it is needed. */
  identities(): ReadonlyMap<string, string> {
    const named = [...this.sizes.keys()].map((name) => [name, segmentIdentity(this.#headOf(name))]);
    return new Map(named.filter((each): each is [string, string] => each[1] !== undefined));
  }

  #headOf(name: string): Buffer {
    try {
      return this.#readFrom(name, 0, segmentHeadBytes);
    } catch (error) {
      if (!isFileError(error)) throw error;
      return Buffer.alloc(0);
    }
  }

  /** From here on the file is not there. */
  leaveOut(name: string): void {
    this.sizes.delete(name);
  }

  close(): void {
    for (const handle of this.#handles.values()) closeSync(handle);
    this.#handles.clear();
  }

  #open(name: string): number {
    const known = this.#handles.get(name);
    if (known !== undefined) return known;
    const handle = openSync(join(this.#folder, name), 'r');
    this.#handles.set(name, handle);
    const [oldest] = this.#handles;
    if (this.#handles.size > maxOpen && oldest !== undefined) {
      closeSync(oldest[1]);
      this.#handles.delete(oldest[0]);
    }
    return handle;
  }

  #sizeOf(name: string): number | undefined {
    try {
      return sizeOfFile(join(this.#folder, name));
    } catch (error) {
      if (!isMedium(error)) throw error;
      this.report('damage', name, describeFileError(error));
      return undefined;
    }
  }

  #list(wanted: (name: string) => boolean): Map<string, number> {
    const sizes = new Map<string, number>();
    try {
      for (const name of readdirSync(this.#folder).filter(wanted).sort()) {
        const size = this.#sizeOf(name);
        if (size !== undefined) sizes.set(name, size);
      }
    } catch (error) {
      if (!isFileError(error)) throw error;
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        this.report('damage', '', describeFileError(error));
      }
    }
    return sizes;
  }
}
