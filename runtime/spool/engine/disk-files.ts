// The files of one folder, on a real disk.
import { constants } from 'node:fs';
import { type FileHandle, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { displace, kindOf } from '../../../kernel/small-file.ts';
import { makeFolder, syncFolder } from './disk.ts';
import type { FileFacts, Files } from './files.ts';

// Each open file costs a descriptor; those that were used least recently are closed first.
const maxOpen = 16;

/** Makes the folder when missing. */
export async function openDiskFiles(folder: string): Promise<Files> {
  await makeFolder(folder);
  return new DiskFiles(folder);
}

function unlessGone(error: NodeJS.ErrnoException): undefined {
  // A link that leads nowhere, or in a circle; or the file was removed just now.
  if (error.code !== 'ENOENT' && error.code !== 'ELOOP') throw error;
}

class DiskFiles implements Files {
  readonly #folder: string;
  readonly #handles = new Map<string, Promise<FileHandle>>();
  // Their names are not on the disk yet.
  readonly #created = new Set<string>();
  readonly #busy = new Map<string, number>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  async list(): Promise<readonly FileFacts[]> {
    const files: FileFacts[] = [];
    for (const name of await readdir(this.#folder)) {
      const facts = await stat(join(this.#folder, name)).catch(unlessGone);
      if (facts?.isFile()) files.push({ name, bytes: facts.size });
    }
    return files;
  }

  write(name: string, offset: number, pieces: readonly Uint8Array[]): Promise<void> {
    const bytes = Buffer.concat(pieces);
    return this.#use(name, true, async (handle) => {
      for (let done = 0; done < bytes.byteLength; ) {
        const { bytesWritten } = await handle.write(bytes, done, bytes.byteLength - done, offset + done);
        done += bytesWritten;
      }
    });
  }

  async read(name: string, offset: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(length);
    let done = 0;
    try {
      await this.#use(name, false, async (handle) => {
        while (done < length) {
          const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
          if (bytesRead === 0) break;
          done += bytesRead;
        }
      });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    return bytes.subarray(0, done);
  }

  sync(name: string): Promise<void> {
    return this.#use(name, true, async (handle) => {
      // Length included, times not: so an overwritten block costs no write of the file system's own.
      await handle.datasync();
      if (!this.#created.has(name)) return;
      await syncFolder(this.#folder);
      this.#created.delete(name);
    });
  }

  async remove(name: string): Promise<void> {
    const handle = this.#handles.get(name);
    this.#handles.delete(name);
    this.#created.delete(name);
    await (await handle?.catch(() => undefined))?.close();
    await rm(join(this.#folder, name), { force: true });
  }

  async close(): Promise<void> {
    const handles = [...this.#handles.values()];
    this.#handles.clear();
    for (const handle of handles) await (await handle.catch(() => undefined))?.close();
  }

  async #use<T>(name: string, create: boolean, work: (handle: FileHandle) => Promise<T>): Promise<T> {
    this.#busy.set(name, (this.#busy.get(name) ?? 0) + 1);
    try {
      return await work(await this.#handle(name, create));
    } finally {
      const left = (this.#busy.get(name) ?? 1) - 1;
      if (left === 0) this.#busy.delete(name);
      else this.#busy.set(name, left);
      this.#closeOld();
    }
  }

  #handle(name: string, create: boolean): Promise<FileHandle> {
    const known = this.#handles.get(name);
    // Last used stands last.
    this.#handles.delete(name);
    // A read makes no file. If it found none, a write that comes later must still make it.
    const opening = () => this.#open(name, create);
    const handle = known === undefined ? opening() : create ? known.catch(opening) : known;
    this.#handles.set(name, handle);
    handle.catch(() => {
      if (this.#handles.get(name) === handle) this.#handles.delete(name);
    });
    return handle;
  }

  async #open(name: string, create: boolean): Promise<FileHandle> {
    const path = join(this.#folder, name);
    const kind = await kindOf(path);
    if (kind === 'file') return open(path, constants.O_RDWR | constants.O_NONBLOCK);
    if (!create) throw Object.assign(new Error(`no such file: ${path}`), { code: 'ENOENT' });
    // Something else may have been put here while the module runs: it is renamed before anything is written.
    if (kind !== 'missing') await displace(path);
    this.#created.add(name);
    return open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  }

  #closeOld(): void {
    for (const [name, handle] of this.#handles) {
      if (this.#handles.size <= maxOpen) return;
      if (this.#busy.has(name)) continue;
      this.#handles.delete(name);
      void handle.then((opened) => opened.close()).catch(() => {});
    }
  }
}
