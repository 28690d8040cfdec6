// The quarantine: what a start moves out of the way is kept, within bounds, for people to look at.
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { HoldfastError } from '../../../kernel/errors.ts';
import { displace } from '../../../kernel/small-file.ts';
import { bytesUnder, exists, syncFolder } from '../engine/disk.ts';
import { type FolderLayout, keptForKey, keptForOwner } from '../format/folder-layout.ts';

/** At the end of the name of a store that is not salvaged yet. */
export const unsalvaged = '-unsalvaged';

/** Names of what is in a store's folder. */
export const storeName = /^(CURRENT|MANIFEST-\d+|\d+\.(ldb|sst|log)|wal|values)$/;

/** What is in a store's folder: `none` (no such folder, or empty), a `store` (or pieces of one), `foreign`. */
export async function lookAt(folder: string): Promise<'none' | 'store' | 'foreign'> {
  try {
    const names = await readdir(folder);
    if (names.some((name) => storeName.test(name))) return 'store';
    return names.every((name) => name === 'LOCK' || name === 'LOG' || name === 'LOG.old')
      ? 'none'
      : 'foreign';
  } catch (error) {
    if (isMissing(error)) return 'none';
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return 'foreign';
    throw error;
  }
}

/** Moves a store, or whatever stands in its place, into `quarantine`. Returns where it went. */
export async function moveToQuarantine(layout: FolderLayout, from: string, name: string): Promise<string> {
  const target = await newInQuarantine(layout, name);
  await rename(from, target);
  await syncFolder(layout.quarantine);
  await syncFolder(layout.root);
  return target;
}

/** Nothing can be moved to another file system: a link that leads to one is renamed. */
async function makeQuarantine({ root, quarantine }: FolderLayout): Promise<void> {
  await mkdir(quarantine, { recursive: true, mode: 0o700 });
  if ((await stat(quarantine)).dev === (await stat(root)).dev) return;
  await displace(quarantine);
  await mkdir(quarantine, { mode: 0o700 });
}

/** A path in the quarantine where nothing stands yet. */
export async function newInQuarantine(layout: FolderLayout, name: string): Promise<string> {
  await makeQuarantine(layout);
  let target = join(layout.quarantine, name);
  for (let n = 2; await exists(target); n++) target = join(layout.quarantine, `${name}-${n}`);
  return target;
}

/** Moves the mark of how far a store has come to where that store goes. */
export async function keepMark(layout: FolderLayout, name: string): Promise<void> {
  await makeQuarantine(layout);
  await rename(layout.mark, join(layout.quarantine, `${name}-${basename(layout.mark)}`)).catch((error) => {
    if (!isMissing(error)) throw error;
  });
}

/** Keeps the newest quarantined items, within `maxBytes` and `maxCount`. Returns those that were removed. */
export async function pruneQuarantine(
  layout: FolderLayout,
  maxCount: number,
  maxBytes: number,
): Promise<readonly string[]> {
  const names = await readdir(layout.quarantine).catch(() => []);
  const removed: string[] = [];
  let bytes = 0;
  // Names begin with the date.
  const ours = names.filter((name) => !name.includes(keptForKey) && !name.includes(keptForOwner));
  for (const [n, name] of ours.toSorted().toReversed().entries()) {
    bytes += await bytesUnder(join(layout.quarantine, name));
    if (n < maxCount && bytes <= maxBytes) continue;
    // What the file system has lost cannot be removed either, and stays.
    const isGone = await rm(join(layout.quarantine, name), { recursive: true, force: true }).then(
      () => true,
      () => false,
    );
    if (isGone) removed.push(name);
  }
  return removed;
}

export async function findUnsalvaged(layout: FolderLayout): Promise<string | undefined> {
  const names = await readdir(layout.quarantine).catch(() => []);
  const name = names.toSorted().findLast((each) => each.endsWith(unsalvaged));
  return name === undefined ? undefined : join(layout.quarantine, name);
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

export function lockedError(root: string, cause: unknown): HoldfastError {
  return new HoldfastError(
    'spool-locked',
    `another process uses the spool in ${root}; two modules must never share a data folder`,
    { cause },
  );
}
