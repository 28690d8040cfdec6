// The high-water mark: a small file that says which spool it belongs to, the number of its last start, and how many
// batches were on the disk.
// It is overwritten in place after each synced batch, and not synced itself: when the process dies the operating system has
// it, and after a power cut it may be behind. So on a disk that keeps what it synced it is never ahead of the store, and
// a store that has less than it says has lost something.
//
// A copy can be told from the original. No program can set when a file was created, nor when it was last changed. So a file
// that was restored from a backup was created at another time than the store says, or changed at another time than the
// file itself says.
import type { Stats } from 'node:fs';
import { constants, mkdirSync } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { syncFolder } from '../engine/disk.ts';

export interface Mark {
  /** Id of the spool. */
  readonly spool: string;
  /** Number of the start that wrote it. */
  readonly start: number;
  /** Batches that were on the disk. */
  readonly commits: number;
  /** Identifies the start of the machine. */
  readonly boot: string;
  /** Wall clock, epoch ms, when it was written. */
  readonly at: number;
  /** The spool was closed; the file was synced. */
  readonly closed: boolean;
}

export interface FoundMark {
  /** Undefined: the file is empty, or holds no mark. */
  readonly mark?: Mark;
  readonly isEmpty: boolean;
  /** Identity of the file: differs from that of every copy. */
  readonly identity: string;
  /** Wall clock, epoch ms, when the file was made; undefined where the file system does not know. */
  readonly madeAt?: number;
  /** Wall clock, epoch ms, of its last change, as the file system says. */
  readonly changedAt: number;
}

const markBytes = 512;
// Between asking for the time and the write may lie what the operating system does meanwhile.
const slowMs = 500;
const maxTries = 3;

/** Undefined when there is no mark, or no regular file of its size. @throws the file system's error. */
export async function readMark(path: string): Promise<FoundMark | undefined> {
  const file = await openFile(path, constants.O_RDONLY);
  if (file === undefined) return undefined;
  try {
    return await readFrom(file);
  } finally {
    await file.close();
  }
}

export class MarkFile {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #now: () => number;
  readonly found: FoundMark;
  #last: Promise<void> = Promise.resolve();

  private constructor(file: FileHandle, path: string, found: FoundMark, now: () => number) {
    this.#file = file;
    this.#path = path;
    this.found = found;
    this.#now = now;
  }

  /** Creates the file when it is missing. Undefined when the path is no regular file. @throws the file system's error. */
  static async open(path: string, now: () => number): Promise<MarkFile | undefined> {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const file = await openFile(path, constants.O_RDWR | constants.O_CREAT);
    if (file === undefined) return undefined;
    try {
      return new MarkFile(file, path, await readFrom(file), now);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Readable by every later process once it resolves. */
  write(mark: Omit<Mark, 'at'>): Promise<void> {
    const written = this.#last.then(() => this.#write(mark));
    this.#last = written.catch(() => {});
    return written;
  }

  /** Resolves once the contents and the file's name are on the disk. */
  async sync(): Promise<void> {
    await this.#last;
    await this.#file.sync();
    await syncFolder(dirname(this.#path));
  }

  async close(mark?: Omit<Mark, 'at'>): Promise<void> {
    try {
      if (mark !== undefined) {
        await this.write(mark);
        await this.#file.sync();
      }
    } finally {
      await this.#file.close();
    }
  }

  async #write(mark: Omit<Mark, 'at'>): Promise<void> {
    for (let tries = 0; tries < maxTries; tries++) {
      const at = this.#now();
      await this.#file.write(encodeMark({ ...mark, at }), 0, markBytes, 0);
      if (this.#now() - at <= slowMs) return;
    }
  }
}

/** Undefined where the path does not exist (unless it is to be created) or is no regular file. */
async function openFile(path: string, flags: number): Promise<FileHandle | undefined> {
  let facts: Stats | undefined;
  try {
    facts = await lstat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  if (facts === undefined && (flags & constants.O_CREAT) === 0) return undefined;
  if (facts !== undefined && !facts.isFile()) return undefined;
  return open(path, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o600);
}

async function readFrom(file: FileHandle): Promise<FoundMark> {
  const bytes = Buffer.alloc(markBytes);
  const { bytesRead } = await file.read(bytes, 0, markBytes, 0);
  const { birthtimeNs, ino, ctimeNs } = await file.stat({ bigint: true });
  const mark = decodeMark(bytes.toString('utf8', 0, bytesRead));
  return {
    ...(mark === undefined ? {} : { mark }),
    isEmpty: bytesRead === 0,
    // Inode numbers are reused, and some file systems do not know when a file was made.
    identity: birthtimeNs > 0n ? `made ${birthtimeNs}` : `inode ${ino}`,
    ...(birthtimeNs > 0n ? { madeAt: Number(birthtimeNs) / 1e6 } : {}),
    changedAt: Number(ctimeNs / 1_000_000n),
  };
}

/** One line of JSON, filled up with blanks: `sum` is the CRC-32 of the same without it. */
function encodeMark(mark: Mark): Buffer {
  const { spool, start, commits, boot, at, closed } = mark;
  const known = { spool, start, commits, boot, at, closed };
  const text = JSON.stringify({ ...known, sum: crc32(JSON.stringify(known)) });
  return Buffer.from(`${text.padEnd(markBytes - 1)}\n`);
}

function decodeMark(text: string): Mark | undefined {
  try {
    const { sum, ...mark } = JSON.parse(text) as Mark & { sum: number };
    return sum === crc32(JSON.stringify(mark)) ? mark : undefined;
  } catch {
    return undefined;
  }
}
