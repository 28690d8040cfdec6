// A store in a folder: LevelDB's files, and beside them `commits` and `bodies`.
import { join } from 'node:path';
import { openDiskFiles } from './disk-files.ts';
import { type OpenedSplitStore, openSplitStore } from './engine.ts';
import { openLevelStore } from './leveldb/level-store.ts';

export interface SplitFolderOptions {
  readonly folder: string;
  /** False: the folder must hold a store already. Default true. */
  readonly create?: boolean;
  /** What cannot be read is done without: it was tried often enough. Default false. */
  readonly insist?: boolean;
}

export const logFolder = 'commits';
export const bodiesFolder = 'bodies';

/** @throws HoldfastError as `openLevelStore` and `openSplitStore`. */
export async function openSplitFolder(options: SplitFolderOptions): Promise<OpenedSplitStore> {
  const index = await openLevelStore({ ...options, writeBufferBytes: 1024 * 1024 });
  try {
    const log = await openDiskFiles(join(options.folder, logFolder));
    const bodies = await openDiskFiles(join(options.folder, bodiesFolder));
    return await openSplitStore({ index, log, bodies, insist: options.insist ?? false });
  } catch (error) {
    await index.close();
    throw error;
  }
}
