// The port of writing: what a write is told to a source, and which tags of a source may be written.
import type { Value } from '../../wire/reading.ts';

export interface TagWrite {
  readonly tag: string;
  readonly value: Value;
  /**
   * What the equipment must hold at this moment, as readings show it: read in the same turn at the connection, and nothing is
   * written where it holds something else. Another master of the same equipment may still come between.
   */
  readonly expected?: Value | undefined;
  /**
   * Called by the adapter right before the bytes of the write go out: a write may have waited long for its turn. Throws
   * where it is too late, and then nothing is sent. What was sent may have been taken, whatever comes back.
   */
  onSend(): void;
  /**
   * Called by the adapter where the equipment answered that it did not take what was sent, before the write rejects. Not for an answer
   * that leaves it open, as "a failure while it was carried out" does.
   */
  onRefused?(): void;
}

/** Of one tag that may be written: both ends belong to what is allowed. */
export interface WriteLimits {
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  /** Why the tag's type takes no such value, as `must be ..`; undefined where it does. Absent: the equipment alone can say. Pure. */
  readonly problemOf?: (value: Value) => string | undefined;
}

/** The tags of a source that may be written, by name. */
export type WritableTags = ReadonlyMap<string, WriteLimits>;
