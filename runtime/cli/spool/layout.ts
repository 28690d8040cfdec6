// Finds the spool in the folder that a person named, and takes its lock.
import { accessSync, constants, existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { HoldfastError } from '../../../kernel/errors.ts';
import { kindOf } from '../../../kernel/small-file.ts';
import type { Store } from '../../spool/engine/store.ts';
import { type FolderLayout, layoutOf, readMarker } from '../../spool/format/folder-layout.ts';
import { lockFile } from '../../spool/repair/folder-lock.ts';
import { toldMark } from '../../spool/repair/own-store.ts';
import { storeName } from '../../spool/repair/quarantine.ts';

/** A store that the module could not use and put beside the one that it made instead. */
export interface QuarantinedStore {
  readonly folder: string;
  readonly bytes: number;
  /** Wall clock, epoch ms: the newest of its files. */
  readonly changedAt: number;
}

export interface SpoolLayout {
  /** The spool's folder; undefined for a store that stands by itself. */
  readonly root: string | undefined;
  /** LevelDB's folder. */
  readonly store: string;
  /** The locks that a running module holds; those that exist. */
  readonly locks: readonly string[];
  readonly quarantinedStores: readonly QuarantinedStore[];
}

/**
 * Takes the module's data folder, the `spool` folder in it, or one store's own folder (as one that was set
 * quarantine). @throws HoldfastError `spool-not-found`, `spool-gone`.
 */
export async function findSpool(folder: string): Promise<SpoolLayout> {
  const given = resolve(folder);
  const spools = [join(given, 'spool'), given].map(layoutOf);
  const spool = spools.find(({ store }) => holdsStore(store));
  if (spool !== undefined) {
    const { root, store, lock } = spool;
    const locks = [join(lock, 'LOCK'), join(store, 'LOCK')];
    return { root, store, locks, quarantinedStores: findQuarantined(spool.quarantine) };
  }
  if (holdsStore(given)) {
    return { root: undefined, store: given, locks: [join(given, 'LOCK')], quarantinedStores: [] };
  }
  const gone = spools.find(({ marker }) => existsSync(marker));
  if (gone !== undefined) {
    await refuseBegun(gone);
    throw storeGone(gone.store);
  }
  const what = existsSync(given) ? 'holds no spool' : 'does not exist';
  const quarantine = spools
    .flatMap((layout) => findQuarantined(layout.quarantine))
    .map((each) => each.folder);
  const hint =
    quarantine.length === 0
      ? ''
      : `; a store that was quarantined can be named itself: ${quarantine.join(', ')}`;
  throw new HoldfastError(
    'spool-not-found',
    `${folder} ${what}: name the module's data folder (dataFolder in its configuration), or the spool folder in it${hint}`,
  );
}

/** Nothing of it is left: the next start begins a new one. */
export function storeGone(store: string): HoldfastError {
  const text = `the store is gone: ${store} is missing or empty, beside a FORMAT.json. All is lost that was in it; the next start begins a new one`;
  return new HoldfastError('spool-gone', text);
}

async function refuseBegun(layout: FolderLayout): Promise<void> {
  if ((await readMarker(layout)) !== 'begun' || (await toldMark(layout)) !== undefined) return;
  throw new HoldfastError(
    'spool-not-found',
    `${layout.root} holds no spool yet: the first start was cut off before its store was complete. Nothing was in it; the next start begins it again`,
  );
}

/** @throws HoldfastError `spool-newer-format`, `spool-not-found`. */
export async function checkFormat({ root }: SpoolLayout): Promise<void> {
  if (root === undefined) return;
  await refuseBegun(layoutOf(root));
  if ((await readMarker(layoutOf(root))) !== 'newer') return;
  throw new HoldfastError(
    'spool-newer-format',
    `${root} was written by a newer version of Holdfast: look into it with that version`,
  );
}

export interface HeldLock {
  /** Why the lock could not be taken, although no process is known to hold it. */
  readonly warning?: string;
  release(): Promise<void>;
}

/**
 * Takes the locks that a module holds while it runs, so that none starts during the reading. Nothing in the folder changes.
 * @throws HoldfastError `store-locked`.
 */
export async function lockSpool(layout: SpoolLayout): Promise<HeldLock> {
  const holders: Store[] = [];
  const unlocked = (lock: string, why: string) =>
    `${lock} ${why}, so no lock is held: make sure that no module uses this folder`;
  const release = async () => {
    for (const holder of holders.splice(0)) await holder.close();
  };
  let warning: string | undefined;
  // A module makes these files at its first start. Making one here would write.
  for (const lock of layout.locks) {
    try {
      const kind = await kindOf(lock);
      if (kind === 'missing') continue;
      // Whatever else stands there no module can lock either: its next start renames it.
      if (kind !== 'file') warning = unlocked(lock, 'is no file');
      else if (isWritable(lock)) holders.push(await lockFile(lock, tmpdir()));
      else warning = unlocked(lock, 'is not writable');
    } catch (cause) {
      await release();
      if (!(cause instanceof HoldfastError) || cause.code !== 'store-locked') throw cause;
      throw new HoldfastError('store-locked', `a module is running on ${layout.store}: stop it first`, {
        cause,
      });
    }
  }
  return { release, ...(warning === undefined ? {} : { warning }) };
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Total size of the files under a folder, and the newest change. */
export function measureFolder(folder: string): { bytes: number; changedAt: number } {
  let bytes = 0;
  let changedAt = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    // Not through links, which may lead anywhere, or nowhere.
    if (!entry.isFile()) continue;
    const facts = statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false });
    if (facts === undefined) continue;
    bytes += facts.size;
    changedAt = Math.max(changedAt, Math.floor(facts.mtimeMs));
  }
  return { bytes, changedAt };
}

/** True when `inner` is `outer` or lies in it. Paths need not exist. */
export function isInside(inner: string, outer: string): boolean {
  const [from, to] = [realPath(inner), realPath(outer)];
  return from === to || from.startsWith(to.endsWith('/') ? to : `${to}/`);
}

function realPath(path: string): string {
  const full = resolve(path);
  if (existsSync(full)) return realpathSync(full);
  const parent = dirname(full);
  return parent === full ? full : join(realPath(parent), full.slice(parent.length));
}

function findQuarantined(quarantine: string): QuarantinedStore[] {
  if (!isFolder(quarantine)) return [];
  const folders = readdirSync(quarantine, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return folders.map(({ name }) => ({
    folder: join(quarantine, name),
    ...measureFolder(join(quarantine, name)),
  }));
}

/** Links followed. What cannot be followed is none: a link in a circle, say. */
function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function holdsStore(folder: string): boolean {
  if (!isFolder(folder)) return false;
  return readdirSync(folder).some((name) => storeName.test(name));
}
