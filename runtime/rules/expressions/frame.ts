// The evaluation frame of an expression: one object for each SELECT, filled again for each row, so that no closure
// allocates.
import type { RecordValue, StaticType, Value } from './values.ts';

export class Frame {
  row: RecordValue = {};
  /** System.Timestamp, epoch ms. */
  time = 0;
  /** Nothing that the row rests on has an earlier time: lowered by each function that looked back. */
  restsFrom = 0;
  /** The same for what turns the short form on: what turns it off may look back further. */
  onFrom = 0;
  /** How far before its time the row rests on others by itself: that of a step on the window it is of. */
  depthMs = 0;
  /** Results of analytic functions, for this row. */
  readonly analytics: Value[] = [];
  /** Rows of APPLY, by its position. */
  readonly applied: RecordValue[] = [];
  /** The window that closes: its group's key and aggregates, and the identity that `Windows()` gave it. */
  keys: readonly Value[] = [];
  aggregates: Value[] = [];
  windowId: string | null = null;
}

export interface Compiled {
  readonly run: (frame: Frame) => Value;
  readonly type: StaticType;
  /** Where the value is always a date: the same in epoch ms, without making one. */
  readonly ms?: (frame: Frame) => number;
}

/** System.Timestamp. */
export const timestamp: Compiled = {
  run: (frame) => new Date(frame.time),
  ms: (frame) => frame.time,
  type: 'datetime',
};

/** A compiled condition: null is unknown. */
export type Condition = (frame: Frame) => boolean | null;
