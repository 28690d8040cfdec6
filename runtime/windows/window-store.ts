// The port from windows to the disk: one atomic, synced write for all streams, and where each stream's claims ended before
// this start.
import type { MiniBatch } from '../../wire/mini-batch.ts';
import type { Reading } from '../../wire/reading.ts';
import type { IndexKind } from '../../wire/window.ts';

/** A window whose bounds are final. */
export interface ClosedWindow {
  /** Its readings are made anew each time that they are asked for. */
  readonly batch: MiniBatch;
  /** True for readings that came after their window had closed: sent marked as backfill. */
  readonly late: boolean;
  /** `lane`: to be sent. `archive`: kept unsent, on purpose. */
  readonly to: 'lane' | 'archive';
  /** Estimated size as plain JSON, given back with the true size. */
  readonly plainBytes: number;
}

/** How large a window came out, all of its messages together. */
export interface EncodedWindow {
  readonly batchId: string;
  readonly plainBytes: number;
  readonly encodedBytes: number;
}

/** What the journal learns about a stream's open window in one commit. */
export interface JournalAppend {
  /** Start of the open window. */
  readonly start: number;
  /** Every reading in `[start, end)` is in the journal once this is: none comes later. May equal `start`. */
  readonly end: number;
  /** Readings since the previous append (all that the open window holds, if `restart`), as they arrived. Made anew each time. */
  readonly readings: readonly Reading[];
}

export interface StreamChange {
  readonly batchId: string;
  readonly index: IndexKind;
  readonly closed: readonly ClosedWindow[];
  /** The journal's records of this stream up to now are superseded by this change: delete them. */
  readonly restart: boolean;
  readonly append?: JournalAppend;
  /** No window of this stream may ever claim anything below this (late windows excepted). */
  readonly floor?: number;
  /**
   * Above the floor: readings below this, and at or above the floor, went up late. Whether others are missing among them
   * is not known yet: only a window that is proven to go on from the floor may claim anything there.
   */
  readonly seen?: number;
  /**
   * The equipment's or sender's own number of the last sample or message whose readings are in the stream; null where what
   * was known before is of other equipment.
   */
  readonly number?: number | null;
}

/**
 * Whether all that a stream ever claimed, and all that its senders were told is safe, is known to lie below its floor.
 * `lost`: the disk lost some of it, or was put back to an earlier state, or nobody can say; what the floor says is
 * then too low, perhaps, and nothing may be observed across it. A stream is `proven` again once it has claimed again.
 */
export type Continuity = 'proven' | 'lost';

export interface StreamStart {
  /** As `StreamChange.floor`, from before this start; undefined for a stream of which nothing was ever observed. */
  readonly floor?: number;
  /** As `StreamChange.seen`. */
  readonly seen?: number;
  /** The floor was reached at most so long ago. Undefined where that is not known. */
  readonly ageMs?: number;
  /** The age is by the machine's own count of time, which nobody sets. Default: by a wall clock. */
  readonly isAgeSure?: boolean;
  /** By so much our wall clock was set since. Undefined where that is not known. */
  readonly setByMs?: number;
  readonly continuity: Continuity;
  /** As `StreamChange.number`, from the last commit that had one. */
  readonly number?: number;
}

/** Settings that are written with a commit, or not at all: JSON values by name; undefined removes one. */
export type SettingChanges = ReadonlyMap<string, unknown>;

export interface WindowStore {
  /**
   * Makes the stream known. Whatever its journal held at the last stop or crash has been closed already.
   * @throws HoldfastError `spool-index-changed` if the stream was ordered by another kind of index.
   */
  openStream(batchId: string, index: IndexKind): StreamStart;
  /**
   * Writes all changes in one atomic, synced batch. While the disk refuses, it is tried again, exactly the
   * same, for ever; so this rejects only with `spool-closed`. Call again only after it has settled.
   */
  commitWindows(
    changes: readonly StreamChange[],
    settings?: SettingChanges,
  ): Promise<readonly EncodedWindow[]>;
}
