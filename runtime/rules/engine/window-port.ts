// The port of a SELECT's windows: rows go in, in the order of time, and groups come out when a window ends.
import type { Frame } from '../expressions/frame.ts';
import type { GroupKey } from './cells.ts';
import type { RowRun } from './row-run.ts';

/** What a window's groups are grouped by: found by a primitive, or by the key's text. */
export type MapKey = string | number | boolean | null;

export interface GroupOf {
  /** There is one group: all rows are of it. */
  readonly isSingle: boolean;
  /** The frame's row's group. @throws RowProblem */
  mapKey(frame: Frame): MapKey;
  /** The same in full, for a group that is new. @throws RowProblem */
  key(frame: Frame): GroupKey;
}

/** `states` of one group at the end of one window. */
export type CloseGroup = (time: number, key: GroupKey, states: readonly unknown[]) => void;

export interface WindowOperator {
  /** A row with the frame's time, which is never before that of an earlier one. @throws RowProblem, RowRefused */
  add(frame: Frame): void;
  /** Takes what it can of the run's first rows at once. Returns the place of the first that has to be added by itself. */
  addRun?(frame: Frame, run: RowRun): number;
  /**
   * When it next has something to close: rows up to and with this time belong to it. Infinity where there is nothing. A field,
   * since it is looked at for each row.
   */
  readonly dueAt: number;
  /** Closes what is due at `time`. */
  close(time: number, closeGroup: CloseGroup): void;
  save(): unknown;
  load(saved: unknown): void;
}
