// Renames things that stand at the names of the spool's files or folders and are none, before anything is opened: LevelDB
// would wait for a pipe for ever, read gigabytes into memory, or not open at all. Then the file counts as missing, and the
// part that needs it reports what is lost. What the file system itself has lost cannot be renamed either: the folder around it is.
import { constants } from 'node:fs';
import { access, chmod, readdir, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { Log } from '../../../kernel/log.ts';
import { displace, kindOf } from '../../../kernel/small-file.ts';
import { isMedium } from '../engine/disk.ts';
import { maxCurrentBytes, maxLevelLogBytes } from '../engine/limits.ts';
import { valuesFolder, walFolder } from '../engine/open-engine.ts';
import { valueSegmentNumber } from '../engine/value-log.ts';
import { isWalSegment } from '../engine/wal.ts';
import type { FolderLayout } from '../format/folder-layout.ts';
import { expectUnused, holdsTables } from './folder-lock.ts';

const kib = 1024;

interface Expected {
  readonly kind: 'file' | 'folder';
  /** A larger file is not the spool's. */
  readonly maxBytes?: number;
}

const smallFile: Expected = { kind: 'file', maxBytes: 64 * kib };
const folder: Expected = { kind: 'folder' };

/** Files that LevelDB reads whole have a size limit; a table is read by blocks. */
function expectedInLevel(name: string): Expected | undefined {
  if (name === 'CURRENT') return { kind: 'file', maxBytes: maxCurrentBytes };
  if (/^(MANIFEST-\d+|\d+\.log)$/.test(name)) return { kind: 'file', maxBytes: maxLevelLogBytes };
  return /^(\d+\.(ldb|sst|dbtmp)|LOCK|LOG|LOG\.old)$/.test(name) ? { kind: 'file' } : undefined;
}

function expectedInStore(name: string): Expected | undefined {
  return name === walFolder || name === valuesFolder ? folder : expectedInLevel(name);
}

/** What was done about a foreign file. */
export interface Cleared {
  /** As it is called now. */
  readonly path: string;
  readonly what: 'renamed' | 'made accessible';
}

class Clearing {
  readonly done: Cleared[] = [];
  /** What the file system has lost: nobody gets at it, or at the names in it. */
  readonly lost: string[] = [];
  readonly #skipUnreadable: boolean;
  readonly #isDry: boolean;

  /** `isDry`: nothing is done but noted. */
  constructor(skipUnreadable: boolean, isDry = false) {
    this.#skipUnreadable = skipUnreadable;
    this.#isDry = isDry;
  }

  async clear(path: string, expected: Expected): Promise<void> {
    const kind = await this.#unlessLost(path, () => kindOf(path, expected.maxBytes));
    if (kind === undefined || kind === 'missing') return;
    if (kind !== expected.kind) await this.rename(path);
    else if (!(await isAccessible(path, kind))) await this.#open(path, kind);
  }

  async clearIn(path: string, expectedFor: (name: string) => Expected | undefined): Promise<void> {
    if ((await this.#unlessLost(path, () => kindOf(path))) !== 'folder') return;
    for (const name of (await this.#unlessLost(path, () => readdir(path))) ?? []) {
      const expected = expectedFor(name);
      if (expected !== undefined) await this.clear(join(path, name), expected);
    }
  }

  async #unlessLost<T>(path: string, look: () => Promise<T>): Promise<T | undefined> {
    try {
      return await look();
    } catch (error) {
      if (!(this.#skipUnreadable || this.#isDry) || !isMedium(error)) throw error;
      this.lost.push(path);
      return undefined;
    }
  }

  async rename(path: string): Promise<void> {
    this.done.push({ path: this.#isDry ? path : await displace(path), what: 'renamed' });
  }

  // The owner may change the mode. Otherwise it is waited for, but not for ever.
  async #open(path: string, kind: 'file' | 'folder'): Promise<void> {
    if (this.#isDry) return void this.done.push({ path, what: 'made accessible' });
    await chmod(path, modes[kind]).catch(() => {});
    if (await isAccessible(path, kind)) this.done.push({ path, what: 'made accessible' });
    else if (this.#skipUnreadable) await this.rename(path);
  }
}

export const modes = { file: 0o600, folder: 0o700 } as const;

async function isAccessible(path: string, kind: 'file' | 'folder'): Promise<boolean> {
  const { R_OK, W_OK, X_OK } = constants;
  try {
    await access(path, kind === 'folder' ? R_OK | W_OK | X_OK : R_OK | W_OK);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EPERM') return false;
    throw error;
  }
}

/**
 * What is needed to take the folder's lock. `skipUnreadable`: what may not be read is renamed, too.
 * @throws what the file system says; HoldfastError `spool-locked`.
 */
export async function clearForLock(
  layout: FolderLayout,
  skipUnreadable: boolean,
): Promise<readonly Cleared[]> {
  const { root, lock } = layout;
  const clearing = new Clearing(skipUnreadable);
  await clearing.clear(root, folder);
  await clearing.clear(lock, folder);
  // A store opens as a lock does: it would be written to, and never be found.
  if (await holdsTables(lock)) {
    await expectUnused(root, root, lock);
    await clearing.rename(lock);
  }
  await clearing.clearIn(lock, expectedInLevel);
  if (clearing.lost.length > 0) await clearing.rename(lock);
  return clearing.done;
}

export function tellCleared(log: Log, cleared: readonly Cleared[]): void {
  for (const { path, what } of cleared) {
    const renamed =
      'the path of a file or folder of the spool was taken by something else, which was renamed';
    if (what === 'renamed') log.error({ code: 'not-a-file', path }, renamed);
    else
      log.info({ path }, 'a file or folder of the spool could not be read and written: its mode was changed');
  }
}

export interface ClearedFolder {
  readonly cleared: readonly Cleared[];
  /** What the file system has lost of the store. */
  readonly lost: readonly string[];
}

/** All the rest, once the lock is held. As `clearForLock`. */
export async function clearFolder(layout: FolderLayout, skipUnreadable: boolean): Promise<ClearedFolder> {
  const clearing = new Clearing(skipUnreadable);
  await clearAll(clearing, layout);
  const { store, quarantine } = layout;
  const isNamesLost = (path: string) => clearing.lost.includes(path);
  for (const path of [store, quarantine].filter(isNamesLost)) await clearing.rename(path);
  const lost = isNamesLost(store) ? [] : clearing.lost.filter((path) => path.startsWith(store + sep));
  return { cleared: clearing.done, lost };
}

/** What a start would rename, or make accessible; nothing is done. */
export async function findForeign(layout: FolderLayout): Promise<readonly Cleared[]> {
  const clearing = new Clearing(false, true);
  await clearing.clear(layout.lock, folder);
  await clearing.clearIn(layout.lock, expectedInLevel);
  await clearAll(clearing, layout);
  return clearing.done;
}

async function clearAll(clearing: Clearing, layout: FolderLayout): Promise<void> {
  const { store, quarantine, keys, marker, starts, mark, ballast, reserve, newStore } = layout;
  // Through a link the lock would be taken for the store.
  if (await isSame(store, layout.lock)) await clearing.rename(store);
  for (const path of [store, newStore, quarantine, keys]) await clearing.clear(path, folder);
  for (const path of [marker, starts, mark]) await clearing.clear(path, smallFile);
  for (const path of [ballast, reserve]) await clearing.clear(path, { kind: 'file' });
  await clearing.clearIn(store, expectedInStore);
  await clearing.clearIn(join(store, walFolder), expectedIn(isWalSegment));
  await clearing.clearIn(join(store, valuesFolder), expectedIn(isBodyFile));
  await clearing.clearIn(quarantine, () => undefined);
}

async function isSame(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([one, other].map((path) => realpath(path).catch(() => undefined)));
  return a !== undefined && a === b;
}

/** Restricts files of earlier runs to their user, too: the spool holds the equipment's data. */
export async function closeToOthers({ root }: FolderLayout): Promise<void> {
  const tighten = async (path: string, kind: 'file' | 'folder') => {
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0) await chmod(path, modes[kind]);
  };
  await tighten(root, 'folder').catch(() => {});
  const entries = await readdir(root, { withFileTypes: true, recursive: true }).catch(() => []);
  for (const entry of entries) {
    if (!entry.isFile() && !entry.isDirectory()) continue;
    // Somebody else's, or gone: then it is as it was.
    await tighten(join(entry.parentPath, entry.name), entry.isFile() ? 'file' : 'folder').catch(() => {});
  }
}

const isBodyFile = (name: string): boolean => valueSegmentNumber(name) !== undefined;

// Read in pieces, so of any size.
const expectedIn = (isOurs: (name: string) => boolean) => (name: string) =>
  isOurs(name) ? ({ kind: 'file' } as const) : undefined;
