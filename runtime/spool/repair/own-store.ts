// Checks that the store in a spool's folder is the one that the mark beside it names, and handles a store that was found in
// the place of the lock.
//
// Crash argument. What stands in the place of the lock is renamed to `lock.foreign-N` and quarantined with `-found-in-lock` in its
// name: each step is found by the next start. It loses that name once the store is known to be right (then it is a copy
// that nobody needs), or becomes `-unsalvaged`, which every start goes on with.
import { readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import { type Readable, readFolderRecord } from '../continuity/folder-record.ts';
import { type FoundMark, type Mark, readMark } from '../continuity/mark-file.ts';
import type { StoreFiles, StoreFilesOptions } from '../engine/offline/store-files.ts';
import type { FolderLayout } from '../format/folder-layout.ts';
import { folderKey, spaceBounds } from '../format/keys.ts';
import type { RecordCodec } from '../format/record.ts';
import { readSpoolFiles } from '../format/spool-engine.ts';
import { holdsTables } from './folder-lock.ts';
import { moveToQuarantine, unsalvaged } from './quarantine.ts';

export interface NotOurs {
  readonly reason: string;
  /** True: the store of another spool. False: a store of no spool, or one that lost its record of itself. */
  readonly isOther: boolean;
}

const foundInLock = '-found-in-lock';

/** A mark that a start wrote after it had updated its store; undefined where there is none, or it cannot be read. */
export async function toldMark({
  mark: path,
}: FolderLayout): Promise<(FoundMark & { mark: Mark }) | undefined> {
  const found = await readMark(path).catch(() => undefined);
  // Before a first start has told its store who it is, the mark has the number 0.
  return found?.mark === undefined || found.mark.start === 0 ? undefined : { ...found, mark: found.mark };
}

/** Why the store in `folder` is not the one that the mark beside it names; undefined where it may be. */
export async function whyNotOurs(
  store: Readable,
  codec: RecordCodec,
  layout: FolderLayout,
  folder = layout.store,
): Promise<NotOurs | undefined> {
  const told = await toldMark(layout);
  if (told === undefined) return undefined;
  const { spool, commits } = told.mark;
  const promised = `high-water.json beside it says that ${commits} batches of spool ${spool} were on the disk`;
  if ((await store.get(folderKey)) === undefined)
    return { reason: `the store is not this spool's: ${promised}, this one names no spool`, isOther: false };
  const record = await readFolderRecord(store, codec);
  if (record === undefined || record.id === spool) return undefined;
  // Where the store knows this very file, what it holds is what was changed.
  if (record.mark === told.identity || (await isPutThere(told, folder))) return undefined;
  return { reason: `the store is that of spool ${record.id}: ${promised}`, isOther: true };
}

/**
 * Whether another spool's mark may have been put beside our store, rather than another spool's store beside our mark. No
 * program can set when a file was made. A mark is older than what a spool writes into it, its copy is younger; and what was
 * copied is younger than what it was copied beside.
 */
async function isPutThere({ madeAt, mark }: FoundMark & { mark: Mark }, folder: string): Promise<boolean> {
  if (madeAt === undefined) return true;
  return madeAt > mark.at && madeAt >= (await stat(folder)).birthtimeMs;
}

/** Quarantines stores that were renamed because they stood in the place of the lock. */
export async function setAsideFromLock(layout: FolderLayout, date: string, log: Log): Promise<void> {
  for (const name of await readdir(layout.root)) {
    const path = join(layout.root, name);
    if (!/^lock\.foreign-\d+$/.test(name) || !(await holdsTables(path))) continue;
    const quarantine = await moveToQuarantine(layout, path, date + foundInLock);
    log.error(
      { code: 'spool-store-swapped', quarantine },
      'the lock folder held a store; it was quarantined',
    );
  }
}

/**
 * The files of a stopped store, as far as they are this spool's: all of them; those without the index, where that is another
 * spool's over our logs; undefined where all is another spool's. To be closed by the caller.
 * @throws HoldfastError `spool-unreadable`.
 */
export async function readOwnFiles(
  folder: string,
  codec: RecordCodec,
  layout: FolderLayout,
): Promise<StoreFiles | undefined> {
  const expected = await expectedOwner(layout, folder);
  const files = readSpoolFiles(folder, { expected });
  if (hasNothing(files)) {
    files.close();
    return undefined;
  }
  const index = { get: (key: Uint8Array) => files.inIndex(key) };
  const wrong = await whyNotOurs(index, codec, layout, folder);
  if (wrong?.isOther !== true) return files;
  const { found, astray } = files.named(...messageBounds, maxNamed);
  files.close();
  const logs = readSpoolFiles(folder, { index: false, expected });
  // Where no segment names a store: the log names its spool since the last start; where that is long ago, what the index names
  // says whose values they are.
  const spool = (await readFolderRecord(logs, codec))?.id;
  const isSaid =
    spool === undefined ? astray > 0 && found === 0 : spool === (await toldMark(layout))?.mark.spool;
  const isOurs =
    !hasNothing(logs) && (logs.names(expected?.identity) || (isSaid && logs.foreign.length === 0));
  if (isOurs) return logs;
  logs.close();
  return undefined;
}

/** All that was there is another spool's. */
const hasNothing = ({ foreign, files }: StoreFiles): boolean => foreign.length > 0 && files.size === 0;

/** The spool that the mark beside the store in `folder` names, and whether the mark is original. */
export async function expectedOwner(
  layout: FolderLayout,
  folder = layout.store,
): Promise<StoreFilesOptions['expected']> {
  const told = await toldMark(layout);
  return told && { identity: told.mark.spool, isCertain: !(await isPutThere(told, folder)) };
}

/** Enough to tell: of the values of another spool none is found where an index says. */
const maxNamed = 1000;
const messageBounds: readonly [gte: Uint8Array, lt: Uint8Array] = [spaceBounds('r').gte, spaceBounds('r').lt];

/** The path of this spool's store, where it was found in the place of the lock. */
export async function findFromLock(layout: FolderLayout, codec: RecordCodec): Promise<string | undefined> {
  const spool = (await toldMark(layout))?.mark.spool;
  for (const path of spool === undefined ? [] : await findInLock(layout)) {
    if ((await spoolIn(path, codec)) === spool) return path;
  }
  return undefined;
}

/** Once no store stands in its own place: from now on every start goes on with its salvage. */
export async function toSalvage(path: string): Promise<string> {
  const target = path.slice(0, path.lastIndexOf(foundInLock)) + unsalvaged;
  await rename(path, target);
  return target;
}

/** The store is right: the one found in the place of the lock is a copy, and is kept like other quarantined stores. */
export async function keepFromLock(layout: FolderLayout): Promise<void> {
  for (const path of await findInLock(layout)) {
    await rename(path, path.replace(foundInLock, '-kept-from-lock'));
  }
}

async function findInLock({ quarantine }: FolderLayout): Promise<readonly string[]> {
  const names = await readdir(quarantine).catch(() => []);
  return names
    .filter((name) => name.includes(foundInLock))
    .toSorted()
    .toReversed()
    .map((name) => join(quarantine, name));
}

async function spoolIn(folder: string, codec: RecordCodec): Promise<string | undefined> {
  try {
    const files = readSpoolFiles(folder);
    try {
      return (await readFolderRecord(files, codec))?.id;
    } finally {
      files.close();
    }
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return undefined;
  }
}
