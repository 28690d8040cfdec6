// What to do where the file system has lost a file or folder that stands beside the store: nobody gets at it any more, nor can
// anything take its place. So the whole folder is left, and what is needed of it moved to a new one.
//
// Crash argument. The new folder is made beside the old one, says from its beginning that there was a store, and takes its place by a
// rename, once it has all. A start that finds a new one that did not get so far goes on with that, whatever the file system
// says by then.
import { readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Log } from '../../../kernel/log.ts';
import { displace, kindOf } from '../../../kernel/small-file.ts';
import { exists, isMedium, makeFolder, syncFolder } from '../engine/disk.ts';
import { type FolderLayout, layoutOf, readMarker, writeMarker } from '../format/folder-layout.ts';
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

/** Where the new folder is made. */
const nextOf = ({ root }: FolderLayout): FolderLayout => layoutOf(`${root}.next`);

/** A start was cut off while it left the folder. */
export const isBeingLeft = (layout: FolderLayout): Promise<boolean> => exists(nextOf(layout).root);

/**
 * Renames the folder, and puts a new one in its place, with its keys and its store, with the salvage of which a start goes on. `name`:
 * of the store in the quarantine. @throws HoldfastError `spool-locked` while a process has the store; what the file system says.
 */
export async function leaveFolder(layout: FolderLayout, name: string, why: string, log: Log): Promise<void> {
  const { root, store, keys } = layout;
  await expectUnused(dirname(root), root, store);
  const next = nextOf(layout);
  await makeFolder(next.quarantine);
  // It says that there was a store: should that be lost, too, it is told.
  await writeMarker(next);
  const isNewer = (await readMarker(layout, true)) === 'newer';
  const kept = join(next.quarantine, isNewer ? name : name + unsalvaged);
  // What is lost itself stays where it is.
  const move = (path: string, to: string) => rename(path, to).catch(() => {});
  await move(keys, next.keys);
  await move(store, kept);
  for (const folder of [next.quarantine, next.root]) await syncFolder(folder);
  const left = await displaceOr(root, async () => {
    await move(kept, store);
    await move(next.keys, keys);
    // A store that a start before this one moved is not in the way.
    if ((await readdir(next.quarantine)).length === 0) await rm(next.root, { recursive: true });
  });
  await rename(next.root, root);
  await syncFolder(dirname(root));
  log.error({ code: 'spool-damage', why, left }, 'the folder of the spool was renamed, and a new one made');
}

/** Undefined where nothing stands there. `undo`: where it cannot be renamed, as a folder that is mounted. */
async function displaceOr(path: string, undo: () => Promise<void>): Promise<string | undefined> {
  if ((await kindOf(path)) === 'missing') return undefined;
  try {
    return await displace(path);
  } catch (error) {
    await undo();
    throw error;
  }
}
