// The port from backfill jobs to the spool: durable jobs, the archive, and the backfill lane.
import type { Coverage } from '../../wire/coverage.ts';
import type { LateNumber, LateNumbers } from '../../wire/late.ts';
import type { LateVoid, MiniBatch, VoidDeclaration, VoidReason } from '../../wire/mini-batch.ts';
import type { IndexKind, Window } from '../../wire/window.ts';

export type JobState = 'accepted' | 'running' | 'done' | 'cancelled';

/**
 * Why a job ended that did not answer all of its range: a caller's wish; the equipment, or what stands for it, could not
 * be asked for too long; the rest lies beyond what the stream was observed to.
 */
export type JobEnd = 'cancelled' | 'no-progress' | 'beyond-observed';

export interface JobRecord {
  readonly requestId: string;
  readonly batchId: string;
  readonly index: IndexKind;
  /** Present: the job is for late windows of this series, and all of its windows are ranges of their numbers. */
  readonly lateSeries?: string;
  readonly range: Window;
  readonly state: JobState;
  /** Disjoint, in order: what has been queued for sending (or already was), and what was declared void. */
  readonly covered: readonly Window[];
  readonly voids: readonly { readonly window: Window; readonly reason: VoidReason }[];
  /** With state `cancelled`. */
  readonly ended?: JobEnd;
  /** Wall clock, epoch ms. */
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface StoredWindow {
  /** Names the stored mini-batch or void (all of its parts) to `save`. */
  readonly id: number;
  readonly window: Window;
  /** `queued`: still in a lane, so already on its way. `archived`: was acknowledged, or skipped on purpose. */
  readonly state: 'queued' | 'archived';
  /** Set when what is stored declares the range void. */
  readonly void?: VoidReason;
  /** Readings that came late: sent again with what they complete, and no answer for their window. */
  readonly late?: true;
}

/** A late window, by its number. */
export interface StoredLate {
  readonly id: number;
  readonly number: number;
  readonly state: StoredWindow['state'];
}

/** What a job adds to the backfill lane in one step. */
export interface JobOutput {
  /** Archived windows to send again as they were encoded. */
  readonly requeue?: readonly number[];
  readonly batches?: readonly MiniBatch[];
  readonly voids?: readonly VoidDeclaration[];
  readonly lateVoids?: readonly LateVoid[];
}

export interface StreamFacts {
  readonly batchId: string;
  readonly index: IndexKind;
  /** The window now being filled, not yet closed: its readings are on their way. */
  readonly open?: Window;
  /** The last late number that was given out. */
  readonly late?: LateNumber | undefined;
  /** What was removed unsent and not declared void. */
  readonly evicted?: Coverage;
}

export interface BackfillStore {
  /** A stream that this module has or ever had; undefined otherwise. */
  stream(batchId: string): StreamFacts | undefined;
  jobs(): Promise<readonly JobRecord[]>;
  /**
   * One atomic, synced write: the job as it now stands together with what it produced. After a power cut
   * either both are there or neither, so a job resumes exactly where it stood and declares nothing twice.
   * Everything queued is marked as backfill, with the job's `requestId`.
   * @throws HoldfastError `spool-window-not-encoded`, and nothing is written, where a batch makes no message: a job must
   * not say that it answered what was not written.
   */
  save(job: JobRecord, output?: JobOutput): Promise<void>;
  forget(requestId: string): Promise<void>;
  /** Stored windows of the stream that overlap `range`, by start, at most `limit`. */
  find(batchId: string, range: Window, limit: number): Promise<readonly StoredWindow[]>;
  /** Stored late windows of the stream that have those numbers, in order, at most `limit`. */
  findLate(batchId: string, late: LateNumbers, limit: number): Promise<readonly StoredLate[]>;
}
