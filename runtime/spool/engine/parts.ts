// The three parts of a split store, as they are between an opening and the next.

import type { Files } from './files.ts';
import type { IndexStore } from './index-store.ts';
import type { SplitLimits } from './limits.ts';
import type { LateIndex } from './memtable.ts';
import type { BodyFiles } from './value-log.ts';
import type { CommitLog } from './wal.ts';
import type { JournalPlaces } from './wal-values.ts';

export interface SplitFiles {
  readonly index: IndexStore;
  readonly log: Files;
  readonly bodies: Files;
  /** Where they differ from `defaultLimits`. */
  readonly limits?: Partial<SplitLimits>;
  /** What cannot be read is done without, also where it is all of a file. */
  readonly insist?: boolean;
}

export interface SplitParts {
  readonly files: SplitFiles;
  readonly limits: SplitLimits;
  readonly index: LateIndex;
  readonly log: CommitLog;
  readonly bodies: BodyFiles;
  readonly journal: JournalPlaces;
  /** The spool's state: changes with every batch, so it reaches the index with others and at checkpoints. */
  state: Uint8Array | undefined;
  /** Of the last batch in the log. */
  sequence: number;
  /** Up to there the log is on the disk. */
  durable: number;
  /** The index holds journal records too, from format 1. */
  readonly indexHasJournal: boolean;
}

/** In the index, seen by nobody else: u48, a sequence up to which the log was on the disk when the index was written. */
export const durableKey = Buffer.from('\0durable', 'latin1');

export function encodeDurable(sequence: number): Buffer {
  const value = Buffer.allocUnsafe(6);
  value.writeUIntBE(sequence, 0, 6);
  return value;
}

/** 0 where the index knows of none. */
export function decodeDurable(value: Uint8Array | undefined): number {
  return value?.byteLength === 6 ? Buffer.from(value).readUIntBE(0, 6) : 0;
}
