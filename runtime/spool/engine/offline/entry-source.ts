// The port to a stopped store's entries, for tools that inspect it.
import type { Entry } from '../store.ts';

export interface FileProblem {
  /** `note`: left by a power cut, without loss of anything that was promised. */
  readonly severity: 'damage' | 'note';
  /** Below the store's folder. */
  readonly file: string;
  readonly reason: string;
}

/** Entries in key order, as the last write left them. */
export interface EntrySource {
  scan(gte: Uint8Array, lt: Uint8Array): Iterable<Entry>;
  get(key: Uint8Array): Uint8Array | undefined;
  /** Grows while damaged places are come across. */
  readonly problems?: readonly FileProblem[];
  /** All values in the value log, those without a pointer in the index too, in no order. */
  values?(): Iterable<Entry>;
}

export interface StoreSource extends EntrySource {
  readonly folder: string;
  /** Sizes by name, below the folder. */
  readonly files: ReadonlyMap<string, number>;
  readonly bytes: number;
  readonly problems: readonly FileProblem[];
  /** Reads every block of every file in use. */
  check(): void;
  close(): void;
}
