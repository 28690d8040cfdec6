// A stopped spool as it is read.
import type { StoreFiles } from '../../spool/engine/offline/store-files.ts';
import type { SpoolReader } from '../../spool/repair/spool-reader.ts';

export interface ReadSpool {
  readonly files: StoreFiles;
  readonly reader: SpoolReader;
}

/** Whether a salvage that the next start would do is rehearsed. */
export type Rehearse = 'needed' | 'if-there-is-room' | 'no';
