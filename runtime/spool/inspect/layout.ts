// Which folder a person means, and the lock on it.
import {
  accessSync,
  constants,
  existsSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { HoldfastError } from '../../../kernel/errors.ts';
import { openLevelStore } from '../level-store.ts';

/** A store that the module could not use and put beside the one that it made instead. */
export interface SetAside {
  readonly folder: string;
  readonly bytes: number;
  /** Wall clock, epoch ms: the newest of its files. */
  readonly changedAt: number;
}

export interface SpoolLayout {
  /** LevelDB's folder. */
  readonly store: string;
  readonly setAside: readonly SetAside[];
}

const storeFile = /^(CURRENT|MANIFEST-\d+|\d+\.(ldb|sst|log))$/;

/**
 * Takes the module's data folder, the `spool` folder in it, or one store's own folder (as one that was set
 * aside). @throws HoldfastError `spool-not-found`.
 */
export function findSpool(folder: string): SpoolLayout {
  const given = resolve(folder);
  const spools = [join(given, 'spool'), given].filter((spool) => holdsStore(join(spool, 'store')));
  if (spools[0] !== undefined) {
    const store = join(spools[0], 'store');
    return { store, setAside: findSetAside(spools[0]) };
  }
  if (holdsStore(given)) return { store: given, setAside: [] };
  const what = existsSync(given) ? 'holds no spool' : 'does not exist';
  throw new HoldfastError(
    'spool-not-found',
    `${folder} ${what}: name the module's data folder (dataFolder in its configuration), or the spool folder in it`,
  );
}

export interface HeldLock {
  /** Why the lock could not be taken, although nobody is known to hold it. */
  readonly warning?: string;
  release(): Promise<void>;
}

/**
 * Takes the lock that a module holds while it runs, so that none starts amid the reading. LevelDB locks a file
 * named LOCK, by its inode: an empty store elsewhere whose LOCK is a link to the real one takes the same lock,
 * and nothing in the real folder changes, not even a time.
 * @throws HoldfastError `store-locked`.
 */
export async function lockStore(store: string): Promise<HeldLock> {
  const lockFile = join(store, 'LOCK');
  // Every store that a module ever opened has one. Making one would write.
  if (!existsSync(lockFile)) return { release: async () => {} };
  try {
    accessSync(lockFile, constants.R_OK | constants.W_OK);
  } catch {
    const warning = `the lock of ${store} cannot be taken (it is not writable): make sure that no module uses it`;
    return { warning, release: async () => {} };
  }
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-lock-'));
  try {
    symlinkSync(realpathSync(lockFile), join(folder, 'LOCK'));
    const holder = await openLevelStore({ folder });
    return { release: () => holder.close() };
  } catch (cause) {
    if (!(cause instanceof HoldfastError) || cause.code !== 'store-locked') throw cause;
    throw new HoldfastError('store-locked', `a module is running on ${store}: stop it first`, { cause });
  } finally {
    // The lock lives in the open file; so nothing stays behind, however the process ends.
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Total size of the files under a folder, and the newest change. */
export function measureFolder(folder: string): { bytes: number; changedAt: number } {
  let bytes = 0;
  let changedAt = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    const facts = statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false });
    if (facts?.isFile() !== true) continue;
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

function findSetAside(spool: string): SetAside[] {
  const folders = readdirSync(spool, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return folders
    .filter((entry) => entry.name !== 'store')
    .map((entry) => ({ folder: join(spool, entry.name), ...measureFolder(join(spool, entry.name)) }));
}

function holdsStore(folder: string): boolean {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) return false;
  return readdirSync(folder).some((name) => storeFile.test(name));
}
