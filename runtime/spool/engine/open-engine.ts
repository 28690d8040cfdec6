// The engine in a folder: LevelDB's files, and beside them the folders `wal` and `values`.
import { join } from 'node:path';
import { openDiskFiles } from './disk-files.ts';
import { type OpenedEngine, openEngine } from './engine.ts';
import type { KeySpaces } from './key-spaces.ts';
import { openLevelStore } from './leveldb/level-store.ts';

export interface EngineFolderOptions {
  readonly folder: string;
  readonly spaces: KeySpaces;
  /** False: the folder must hold a store already. Default true. */
  readonly create?: boolean;
  /** As `EngineOptions` has it. */
  readonly identity?: string;
  /** Opens without the data that the disk does not return, after enough retries. Default false. */
  readonly skipUnreadable?: boolean;
}

export const walFolder = 'wal';
export const valuesFolder = 'values';

/** @throws HoldfastError as `openLevelStore` and `openEngine`. */
export async function openEngineFolder(options: EngineFolderOptions): Promise<OpenedEngine> {
  const { folder, spaces, identity, skipUnreadable = false } = options;
  const index = await openLevelStore({ ...options, writeBufferBytes: 1024 * 1024 });
  try {
    const wal = await openDiskFiles(join(folder, walFolder));
    const values = await openDiskFiles(join(folder, valuesFolder));
    return await openEngine({
      index,
      wal,
      values,
      spaces,
      skipUnreadable,
      ...(identity === undefined ? {} : { identity }),
    });
  } catch (error) {
    await index.close();
    throw error;
  }
}
