// The bounds of backfill jobs.

export interface BackfillLimits {
  /** Jobs that are accepted or running; more are answered 429. */
  readonly maxOpenJobs: number;
  /** Finished jobs are kept this long, and at most this many, for `getBackfill` and repeated requests. */
  readonly keepFinishedMs: number;
  readonly maxFinishedJobs: number;
  /** Jobs wait while the backfill lane holds this many messages: live data and memory come first. */
  readonly maxQueued: number;
  /** Windows of re-read history are cut at this age and at about this many bytes. */
  readonly windowMs: number;
  readonly windowBytes: number;
  /** Stored windows looked at in one step. */
  readonly archivePage: number;
  /** Limit for one page of a source's history. */
  readonly pageTimeoutMs: number;
  /** Streams that are worked on at once, beside those whose equipment does not answer for a while. */
  readonly concurrentStreams: number;
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /**
   * A job without progress for so long is given up, its rest neither answered nor declared lost: the detector
   * has let the request expire long before and asks again.
   */
  readonly giveUpMs: number;
  /** A stream whose source was removed for so long has no history. Spans a reload of the configuration. */
  readonly sourceGoneMs: number;
  /**
   * What lies beyond the stream's frontier is waited for so long after the job was accepted. Then the job ends: what
   * is observed later goes up by itself, and a gap in it is asked for when it shows.
   */
  readonly aheadMs: number;
}

export const defaultBackfillLimits: BackfillLimits = {
  maxOpenJobs: 64,
  keepFinishedMs: 24 * 3_600_000,
  maxFinishedJobs: 256,
  maxQueued: 32,
  windowMs: 600_000,
  windowBytes: 256 * 1024,
  archivePage: 32,
  pageTimeoutMs: 120_000,
  concurrentStreams: 4,
  retryMinMs: 1_000,
  retryMaxMs: 60_000,
  giveUpMs: 6 * 3_600_000,
  sourceGoneMs: 5_000,
  aheadMs: 900_000,
};
