// Small files of our own, at paths where anything may stand instead: a directory, a broken link, a pipe that never answers,
// a device, a file of gigabytes. Such a thing is never read or waited for, and never blocks the file: it is renamed, and
// stays beside it.
import { constants, type Stats } from 'node:fs';
import { lstat, open, rename, rm, stat } from 'node:fs/promises';
import { HoldfastError } from './errors.ts';

export type FileKind = 'file' | 'folder' | 'missing' | 'foreign';

/**
 * What a path leads to, links followed. `foreign`: neither file nor folder, a link that leads nowhere or in a circle, or a
 * file that is larger than `maxBytes`. @throws what the file system says, where it cannot tell.
 */
export async function kindOf(path: string, maxBytes = Number.POSITIVE_INFINITY): Promise<FileKind> {
  const facts = await unlessGone(() => stat(path));
  if (facts === undefined) return (await unlessGone(() => lstat(path))) === undefined ? 'missing' : 'foreign';
  if (facts.isDirectory()) return 'folder';
  return facts.isFile() && facts.size <= maxBytes ? 'file' : 'foreign';
}

/**
 * Renames what stands there to `NAME.foreign-N`, whatever it is. Returns the new path.
 * @throws what the file system says.
 */
export async function displace(path: string): Promise<string> {
  for (let n = 1; ; n++) {
    const target = `${path}.foreign-${n}`;
    if ((await unlessGone(() => lstat(target))) !== undefined) continue;
    await rename(path, target);
    return target;
  }
}

/**
 * The file's bytes; undefined when there is none.
 * @throws HoldfastError `not-a-file` for anything else than a regular file of at most `maxBytes`; what the file system says.
 */
export async function readSmallFile(path: string, maxBytes: number): Promise<Buffer | undefined> {
  const kind = await kindOf(path);
  if (kind === 'missing') return undefined;
  if (kind !== 'file') throw notAFile(path, 'no regular file');
  // Between the two looks it may have become a pipe.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!(await file.stat()).isFile()) throw notAFile(path, 'no regular file');
    const bytes = Buffer.alloc(maxBytes + 1);
    let done = 0;
    while (done <= maxBytes) {
      const { bytesRead } = await file.read(bytes, done, bytes.byteLength - done, done);
      if (bytesRead === 0) return bytes.subarray(0, done);
      done += bytesRead;
    }
    throw notAFile(path, `larger than ${maxBytes} bytes`);
  } finally {
    await file.close();
  }
}

/**
 * As `readSmallFile`, of a file that has to be there: a path that a person named.
 * @throws HoldfastError `not-a-file`; what the file system says, ENOENT included.
 */
export async function readNamedFile(path: string, maxBytes: number): Promise<Buffer> {
  const bytes = await readSmallFile(path, maxBytes);
  if (bytes !== undefined) return bytes;
  throw Object.assign(new Error(`ENOENT: no such file: ${path}`), { code: 'ENOENT' });
}

/**
 * Replaces the file by a rename, so that a reader finds the old contents or the new ones. `sync`: they are on the disk before
 * the rename. What is no file and stands in its place is displaced. @throws what the file system says.
 */
export async function replaceFile(
  path: string,
  contents: string | Uint8Array,
  options: { readonly sync: boolean; readonly mode?: number },
) {
  const temporary = `${path}.new`;
  await rm(temporary, { recursive: true, force: true });
  const file = await open(temporary, 'wx', options.mode ?? 0o600);
  try {
    await file.writeFile(contents);
    if (options.sync) await file.sync();
  } finally {
    await file.close();
  }
  if ((await kindOf(path)) === 'folder') await displace(path);
  await rename(temporary, path);
}

function notAFile(path: string, why: string): HoldfastError {
  return new HoldfastError('not-a-file', `${path} is ${why}`);
}

/** Undefined for a path that does not exist, and for a link that leads nowhere or in a circle. */
async function unlessGone(look: () => Promise<Stats>): Promise<Stats | undefined> {
  try {
    return await look();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ELOOP' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
