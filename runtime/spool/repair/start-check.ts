// Checks a store's files before LevelDB opens them: opening one writes, removes files that its MANIFEST does not name, and
// skips damaged parts of its log without an error; or it ends the process.

import { HoldfastError } from '../../../kernel/errors.ts';
import { isDiskTrouble } from '../engine/disk.ts';
import { unsoundWrites } from '../engine/leveldb/level-files.ts';
import type { FileProblem } from '../engine/offline/entry-source.ts';
import type { StoreFiles, StoreFilesOptions } from '../engine/offline/store-files.ts';
import { readSpoolFiles } from '../format/spool-engine.ts';

export interface StoreDamage {
  /** The store has to be replaced. */
  readonly store?: string;
  /** LevelDB skips it without an error. */
  readonly log?: string;
  /** Not every block of every table was read. */
  readonly isUnchecked?: boolean;
  /** The store's own, where its files name it; and segments of another one among its logs. */
  readonly identity?: string;
  readonly foreign: readonly string[];
}

// What keeps a file from being read without anything being wrong with it.
const notDamage = /\((EACCES|EPERM|EMFILE|ENFILE|ENOMEM)\)/;

// LevelDB does not check the sums of what it reads: of a damaged block it may show less than there was, without an error. So
// all of an index is read that costs no more than some tenths of a second.
const smallIndexBytes = 8 * 1024 * 1024;

/**
 * `thorough`: every block of every table is read. `expected` as `StoreFiles` has it. What is wrong with the
 * two logs is for the opening to say, but for segments of another store.
 * @throws HoldfastError `store-open-failed` (retryable) while a file may not be read.
 */
export function damageOf(
  folder: string,
  thorough: boolean,
  expected?: StoreFilesOptions['expected'],
): StoreDamage {
  const files = openFiles(folder, expected);
  if (files === undefined) return { store: 'the index is missing altogether', foreign: [] };
  try {
    return damageIn(files, thorough);
  } finally {
    files.close();
  }
}

/** As `damageOf`, of files that are open already. */
export function damageIn(files: StoreFiles, thorough: boolean): StoreDamage {
  const isUnchecked = !thorough && files.shares.index > smallIndexBytes;
  if (!isUnchecked) files.check();
  const { problems, shares, foreign } = files;
  // All that LevelDB's log holds is replayed from the write-ahead log. A power cut may leave it in any state, but no
  // record whose sum is right and that is none.
  const hasWal = shares.wal > 0;
  const damaged = problems.filter(({ severity }) => severity === 'damage');
  const forbidden = damaged.find(({ reason }) => notDamage.test(reason));
  if (forbidden !== undefined) {
    const text = `Permission denied: ${forbidden.file}: ${forbidden.reason}`;
    throw new HoldfastError('store-open-failed', text, { retryable: true });
  }
  const ofIndex = damaged.filter(({ file }) => !/^(wal|values)(\/|$)/.test(file));
  const isPassedOver = (reason: string) => !reason.includes('missing') && !reason.includes(unsoundWrites);
  const inLogs = ofIndex.filter(({ file, reason }) => /^\d+\.log$/.test(file) && isPassedOver(reason));
  const elsewhere = ofIndex.filter((problem) => !inLogs.includes(problem));
  return {
    foreign,
    ...(files.identity === undefined ? {} : { identity: files.identity }),
    ...(elsewhere.length === 0 ? {} : { store: elsewhere.map(textOf).join('; ') }),
    ...(inLogs.length === 0 || hasWal ? {} : { log: inLogs.map(textOf).join('; ') }),
    ...(isUnchecked ? { isUnchecked } : {}),
  };
}

const textOf = ({ file, reason }: FileProblem): string => `${file}: ${reason}`;

/** Undefined: nothing is left. */
function openFiles(folder: string, expected: StoreFilesOptions['expected']): StoreFiles | undefined {
  try {
    return readSpoolFiles(folder, { expected });
  } catch (error) {
    const isGone = error instanceof HoldfastError && error.code === 'spool-unreadable';
    if (isGone && !isDiskTrouble(error)) return undefined;
    throw error;
  }
}
