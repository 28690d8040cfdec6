// Rows that come one after the other, in columns: what is done with many at once costs a fraction of what it costs for each.
import type { RecordValue } from '../expressions/values.ts';

/** `[from, to)` of both, in the order of time. */
export interface RowRun {
  readonly rows: readonly RecordValue[];
  readonly times: readonly number[];
  from: number;
  to: number;
}

/** Longer ones are cut. */
export const maxRun = 256;
