// What to do where the file system has lost a file or folder that stands beside the store: nobody gets at it any more, nor can
// anything take its place. So the whole folder is left, and what is needed of it moved to a new one.
import { readdir, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Log } from '../../../kernel/log.ts';
import { displace, kindOf } from '../../../kernel/small-file.ts';
import { isMedium, makeFolder, syncFolder } from '../engine/disk.ts';
import type { FolderLayout } from '../format/folder-layout.ts';
import { expectUnused } from './folder-lock.ts';
import { unsalvaged } from './quarantine.ts';

/** The first of the spool's folder and what stands in it that the file system has lost, with what it says. */
export async function findLost(layout: FolderLayout): Promise<{ path: string; error: unknown } | undefined> {
  for (const path of Object.values(layout)) {
    try {
      await kindOf(path);
      if (path === layout.root) await readdir(path);
    } catch (error) {
      if (isMedium(error)) return { path, error };
    }
  }
  return undefined;
}

/**
 * Renames the folder, and moves keys and store to a new one, where a start goes on with the store's salvage. `name`: of the
 * store in the quarantine. @throws HoldfastError `spool-locked` while a process has the store; what the file system says.
 */
export async function leaveFolder(layout: FolderLayout, name: string, lost: string, log: Log): Promise<void> {
  const { root, store, keys, quarantine } = layout;
  await expectUnused(dirname(root), root, store);
  const left = await displace(root);
  log.error(
    { code: 'spool-damage', lost, left },
    'the file system has lost a part of the spool, which was renamed as a whole',
  );
  await makeFolder(quarantine);
  // What is lost itself stays where it is.
  const move = (path: string, to: string) => rename(join(left, basename(path)), to).catch(() => {});
  await move(keys, keys);
  await move(store, join(quarantine, name + unsalvaged));
  for (const folder of [quarantine, root, dirname(root)]) await syncFolder(folder);
}
