// What lies in the spool's folder beside the store, and how each piece gets there durably.
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HoldfastError } from '../../kernel/errors.ts';
import { readSmallFile, replaceFile } from '../../kernel/small-file.ts';

/** 2: bodies and journal have files of their own. A store of format 1 is used as it is, and grows into it. */
export const formatVersion = 2;

export interface FolderLayout {
  readonly root: string;
  readonly store: string;
  /** A store that is being put together from a damaged one. */
  readonly newStore: string;
  readonly aside: string;
  readonly lock: string;
  readonly marker: string;
  readonly ballast: string;
  readonly starts: string;
  /** How far the spool has come: see continuity/mark-file.ts. */
  readonly mark: string;
  /** Keys of the records, wrapped: see encryption/wrapped-keys.ts. */
  readonly keys: string;
}

/** In the name of a store that was set aside for want of a key: it is never removed. */
export const keptForKey = '-sealed';

export function layoutOf(root: string): FolderLayout {
  return {
    root,
    store: join(root, 'store'),
    newStore: join(root, 'store.new'),
    aside: join(root, 'aside'),
    lock: join(root, 'lock'),
    marker: join(root, 'FORMAT.json'),
    ballast: join(root, 'ballast'),
    keys: join(root, 'keys'),
    starts: join(root, 'starts.json'),
    mark: join(root, 'high-water.json'),
  };
}

const maxMarkerBytes = 4096;

/** `newer`, `older`: written by a version that knows more, or less. `unreadable`: missing, or not ours. */
export type MarkerState = 'ours' | 'newer' | 'older' | 'unreadable';

/** `insist`: what the medium does not give back is not readable. */
export async function readMarker(layout: FolderLayout, insist = false): Promise<MarkerState> {
  try {
    const text = await readSmallFile(layout.marker, maxMarkerBytes);
    const marker = JSON.parse(text?.toString('utf8') ?? '') as { holdfast?: unknown; format?: unknown };
    if (marker.holdfast !== 'spool' || !Number.isSafeInteger(marker.format)) return 'unreadable';
    const format = marker.format as number;
    return format > formatVersion ? 'newer' : format < formatVersion ? 'older' : 'ours';
  } catch (error) {
    const isOther = error instanceof HoldfastError && error.code === 'not-a-file';
    if (error instanceof SyntaxError || error instanceof TypeError || isOther) return 'unreadable';
    if (insist && isMedium(error)) return 'unreadable';
    throw error;
  }
}

export async function writeMarker(layout: FolderLayout): Promise<void> {
  const text = `${JSON.stringify({ holdfast: 'spool', format: formatVersion })}\n`;
  await replaceFile(layout.marker, text, { sync: true });
  await syncFolder(layout.root);
}

const storeName = /^(CURRENT|MANIFEST-\d+|\d+\.(ldb|sst|log)|commits|bodies)$/;

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

/** Moves a store, or whatever stands in its place, into `aside`. Returns where it went. */
export async function setAside(layout: FolderLayout, from: string, name: string): Promise<string> {
  await mkdir(layout.aside, { recursive: true, mode: 0o700 });
  let target = join(layout.aside, name);
  for (let n = 2; await exists(target); n++) target = join(layout.aside, `${name}-${n}`);
  await rename(from, target);
  await syncFolder(layout.aside);
  await syncFolder(layout.root);
  return target;
}

/** Keeps the newest of what was set aside, within `maxBytes` and `maxCount`. Returns what was removed. */
export async function pruneAside(
  layout: FolderLayout,
  maxCount: number,
  maxBytes: number,
): Promise<readonly string[]> {
  const names = await readdir(layout.aside).catch(() => []);
  const removed: string[] = [];
  let bytes = 0;
  // Names begin with the date.
  const ours = names.filter((name) => !name.includes(keptForKey));
  for (const [n, name] of ours.toSorted().toReversed().entries()) {
    bytes += await bytesUnder(join(layout.aside, name));
    if (n < maxCount && bytes <= maxBytes) continue;
    await rm(join(layout.aside, name), { recursive: true, force: true });
    removed.push(name);
  }
  return removed;
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

export async function bytesUnder(folder: string): Promise<number> {
  let bytes = 0;
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  for (const entry of entries) {
    const facts = await stat(join(entry.parentPath, entry.name)).catch(() => undefined);
    if (facts?.isFile()) bytes += facts.blocks * 512;
  }
  return bytes;
}

/** Makes a folder and its name durable. */
export async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  let current = folder;
  while (current !== dirname(first)) {
    current = dirname(current);
    await syncFolder(current);
  }
}

export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The medium does not give it back; asking another time, or with other rights, helps as little. */
export function isMedium(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EIO' || code === 'EBADMSG' || code === 'EUCLEAN';
}

/** Codes of a disk that is full, ailing or read-only: nothing is wrong with what is on it. */
const troubles = new Set([
  'ENOSPC',
  'EDQUOT',
  'EIO',
  'EROFS',
  'EACCES',
  'EPERM',
  'EMFILE',
  'ENFILE',
  'ENOMEM',
]);
const troubleText =
  /No space left|Disk quota|Input\/output error|Read-only file system|Permission denied|Too many open/i;

export function isDiskTrouble(error: unknown): boolean {
  for (let current = error; current !== undefined && current !== null; ) {
    const { code, message, cause } = current as { code?: string; message?: string; cause?: unknown };
    if (troubles.has(code ?? '') || troubleText.test(message ?? '')) return true;
    current = cause;
  }
  return false;
}

/** Raised by the operating system, or because of that. */
export function isSystemError(error: unknown): boolean {
  for (let current = error; current !== undefined && current !== null; ) {
    const { code, cause } = current as { code?: string; cause?: unknown };
    if (/^E[A-Z0-9]+$/.test(code ?? '')) return true;
    current = cause;
  }
  return false;
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
