// The lock of a spool's folder: that of an empty LevelDB of its own.
import { existsSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../../kernel/errors.ts';
import { makeFolder } from '../engine/disk.ts';
import { openLevelStore } from '../engine/leveldb/level-store.ts';
import { sizeOfFile } from '../engine/offline/file-errors.ts';
import { valuesFolder, walFolder } from '../engine/open-engine.ts';
import type { Store } from '../engine/store.ts';
import type { FolderLayout } from '../format/folder-layout.ts';
import { lockedError } from './quarantine.ts';

/** `skipUnreadable`: a lock that the disk does not return is made again. @throws HoldfastError `spool-locked`. */
export async function lockFolder(layout: FolderLayout, skipUnreadable: boolean): Promise<Store> {
  await makeFolder(layout.root);
  // Where the disk refuses that, it refuses LevelDB, too.
  await removeWrites(layout.lock).catch(() => {});
  const open = () => openLevelStore({ folder: layout.lock, writeBufferBytes: 64 * 1024 });
  try {
    return await open();
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    if (error.code === 'store-locked') throw lockedError(layout.root, error);
    if (error.code !== 'store-damaged' && !(skipUnreadable && error.code === 'store-open-failed'))
      throw error;
    // It holds nothing. Nobody else has it: LevelDB takes its LOCK before it reads.
    await rm(layout.lock, { recursive: true, force: true });
    return open();
  }
}

/** Nothing is ever written to it, whoever has it: LevelDB may end the process over a log that somebody else put there. */
async function removeWrites(lock: string): Promise<void> {
  const names = await readdir(lock).catch(() => []);
  for (const path of names.filter((name) => /^\d+\.log$/.test(name)).map((name) => join(lock, name)))
    if ((sizeOfFile(path) ?? 0) > 0) await rm(path, { force: true });
}

/** True where the folder holds tables or one of the spool's logs: it is then a store, although it opens like a lock. */
export async function holdsTables(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch(() => []);
  return names.some((name) => name === walFolder || name === valuesFolder || /^\d+\.(ldb|sst)$/.test(name));
}

/** `scratch`: where files can be made. @throws HoldfastError `spool-locked` while a process has the store in `folder`. */
export async function expectUnused(scratch: string, root: string, folder: string): Promise<void> {
  const path = join(folder, 'LOCK');
  if (!existsSync(path)) return;
  try {
    await (await lockFile(path, scratch)).close();
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'store-locked') throw lockedError(root, error);
    throw error;
  }
}

/**
 * Takes the lock of a LevelDB that is not to be opened. LevelDB locks a file named LOCK, by its inode: an empty store
 * in `scratch` whose LOCK is a link to the real one takes the same lock, and nothing in the real folder changes, not
 * even a time. @throws HoldfastError `store-locked`.
 */
export async function lockFile(path: string, scratch: string): Promise<Store> {
  const folder = mkdtempSync(join(scratch, 'holdfast-lock-'));
  try {
    symlinkSync(realpathSync(path), join(folder, 'LOCK'));
    return await openLevelStore({ folder });
  } finally {
    // The lock lives in the open file; so nothing stays behind, however the process ends.
    rmSync(folder, { recursive: true, force: true });
  }
}
