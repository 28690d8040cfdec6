// Sizes that decide when the engine does what. Tests make them small, so that a few batches reach every case.
export interface EngineLimits {
  /** A segment of the write-ahead log takes no record that would make it larger; a larger record has one of its own. */
  readonly walSegmentBytes: number;
  /** Zeros that are written ahead of the log's end, so that a later sync changes no metadata of the file system. */
  readonly walPreallocateBytes: number;
  /** Unused segments of the log that are kept for use again. The rest of what a burst needed is removed. */
  readonly walSpareSegments: number;
  /** A segment of the value log that has reached it takes no more. */
  readonly valueSegmentBytes: number;
  /** Smaller values stay in the index: a pointer takes 17 bytes, and a record of the value log some 20 more. */
  readonly minValueBytes: number;
  /**
   * Values of one batch that together are smaller go through the write-ahead log as well: their bytes twice are fewer
   * than what a second sync makes the file system write.
   */
  readonly directValueBytes: number;
  /** Records of the log after which there is a checkpoint. */
  readonly checkpointBytes: number;
  /** Operations in the memtable after which the log is synced and the memtable flushed, even if no batch asks for it. */
  readonly memtableBytes: number;
  /** Values in one batch when garbage collection rewrites a segment. */
  readonly gcBatchBytes: number;
}

export const defaultLimits: EngineLimits = {
  walSegmentBytes: 1024 * 1024,
  walPreallocateBytes: 128 * 1024,
  walSpareSegments: 2,
  valueSegmentBytes: 8 * 1024 * 1024,
  minValueBytes: 256,
  directValueBytes: 32 * 1024,
  checkpointBytes: 2 * 1024 * 1024,
  memtableBytes: 128 * 1024,
  gcBatchBytes: 4 * 1024 * 1024,
};

/** LevelDB reads these whole: larger ones are none of its own. */
export const maxCurrentBytes = 1024;
export const maxLevelLogBytes = 256 * 1024 * 1024;

/** No segment of the log is longer: it holds one record at least, and a record is a batch. */
export const maxWalSegmentBytes = 64 * 1024 * 1024;
/** No segment of the value log is longer: it ends with the value that goes beyond `valueSegmentBytes`. */
export const maxValueSegmentBytes = 64 * 1024 * 1024;
