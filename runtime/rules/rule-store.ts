// The port from rules to the disk, beside the streams that their rows become: the state that earlier processes saved, and
// the stored readings.
import type { MiniBatch } from '../../wire/mini-batch.ts';
import type { Reading } from '../../wire/reading.ts';
import type { Window } from '../../wire/window.ts';

export interface RuleStore {
  /**
   * Settings whose names begin with `prefix`, at most `limit`. They are written by `WindowStore.commitWindows`, with the rows
   * that they belong to. One that is damaged is left out, counted and logged.
   */
  settings(prefix: string, limit: number): Promise<ReadonlyMap<string, unknown>>;
  /**
   * Readings that were sent beyond the end of what the stream claims, and whose positions a window may claim yet. `unknownTo`:
   * below it something was sent that cannot be read.
   */
  ahead(batchId: string): Promise<{ readonly readings: readonly Reading[]; readonly unknownTo?: number }>;
  /**
   * Windows of the stream that claim something within `range`, by start, at most `limit`, with all of their readings: also those that
   * were sent ahead of a window that claims their positions. What came late is left out, and what answers requests, and what can no
   * longer be read: it is a hole then.
   */
  batches(batchId: string, range: Window, limit: number): Promise<readonly MiniBatch[]>;
}
