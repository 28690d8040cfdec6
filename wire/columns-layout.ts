// columns/1 as an object, before or after JSON. docs/WIRE.md explains each member.
import type { Value } from './reading.ts';

/** Alternating [quality number, run length, ...]: qualities are numbered by the list `qs`. */
export type QualityRuns = readonly number[];

/** A tag's values where they are not simply one for each position, all `good`. */
export interface SparseColumn {
  /** One value for each position that the tag has; or `c`, the one that all of them have. */
  readonly v?: readonly Value[];
  readonly c?: Value;
  /** Alternating [skip, take, skip, take, ...] over the positions; absent: the tag has every position. */
  readonly p?: readonly number[];
  /** Absent: all `good`. */
  readonly q?: QualityRuns;
}

export interface ColumnsDocument {
  /** Number of readings. */
  readonly n: number;
  /** First index, then differences: one a position (with `cols`), or one a reading (with `g`). */
  readonly t: readonly number[];
  readonly tags: readonly string[];
  readonly qs?: readonly string[];
  /** Column layout: one for each of `tags`. */
  readonly cols?: readonly (readonly Value[] | SparseColumn)[];
  /** Row layout: for each reading the number of its tag, and its value. */
  readonly g?: readonly number[];
  readonly v?: readonly Value[];
  readonly q?: QualityRuns;
}
