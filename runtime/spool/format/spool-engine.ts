// Opens the storage engine with the spool's key spaces: the one file that states their policies.
import { KeySpaces } from '../engine/key-spaces.ts';
import { StoreFiles, type StoreFilesOptions } from '../engine/offline/store-files.ts';
import { type EngineFolderOptions, openEngineFolder } from '../engine/open-engine.ts';
import { stateKey } from './keys.ts';

/**
 * Messages are large, and are written and read about once: they go to the value log. Most of the journal is deleted within
 * seconds: it stays in the write-ahead log. The spool's state changes with every batch.
 */
export const spoolKeySpaces = new KeySpaces([
  { prefix: Buffer.from('r'), keyBytes: 7, placement: 'value-log' },
  { prefix: Buffer.from('j'), keyBytes: 11, placement: 'wal' },
  { prefix: stateKey, keyBytes: stateKey.byteLength, placement: 'memtable' },
]);

/** @throws HoldfastError as `openEngineFolder`. */
export function openSpoolEngine(options: Omit<EngineFolderOptions, 'spaces'>) {
  return openEngineFolder({ ...options, spaces: spoolKeySpaces });
}

/** The files of a stopped store. @throws HoldfastError `spool-unreadable`. */
export function readSpoolFiles(folder: string, options?: StoreFilesOptions): StoreFiles {
  return new StoreFiles(folder, spoolKeySpaces, options);
}
