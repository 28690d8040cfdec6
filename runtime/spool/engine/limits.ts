// Sizes that decide when the split store does what. Tests make them small, so that a short story meets every turn.
export interface SplitLimits {
  /** Of a file of the commit log; a record that is longer has one of its own. */
  readonly logFileBytes: number;
  /** Zeros that are written ahead of the log's end. */
  readonly aheadBytes: number;
  /** Unused files of the log that are kept: what a burst needed once is given back. */
  readonly spareFiles: number;
  /** A file of bodies that has reached it takes no more. */
  readonly bodyFileBytes: number;
  /** Smaller ones stay in the index: a place takes 17 bytes, and a file's record some 20 more. */
  readonly minBodyBytes: number;
  /**
   * Below that, bodies of a batch go through the log as well: their bytes twice are fewer than what a second sync
   * makes the file system write.
   */
  readonly directBytes: number;
  /** Of the log: then there is a checkpoint. */
  readonly checkpointBytes: number;
  /** Of operations that wait for a sync of the log: then there is one, asked for or not. */
  readonly lateBytes: number;
  /** In one batch, when a sparse file of bodies is emptied. */
  readonly moveBytes: number;
}

export const defaultLimits: SplitLimits = {
  logFileBytes: 1024 * 1024,
  aheadBytes: 128 * 1024,
  spareFiles: 2,
  bodyFileBytes: 8 * 1024 * 1024,
  minBodyBytes: 256,
  directBytes: 32 * 1024,
  checkpointBytes: 2 * 1024 * 1024,
  lateBytes: 128 * 1024,
  moveBytes: 4 * 1024 * 1024,
};
