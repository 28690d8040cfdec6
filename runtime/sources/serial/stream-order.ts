// What orders a stream.
import type { SourceShape } from './config-shapes.ts';

/** `number`: the instrument's record numbers; `time`: its clock; `arrival`: ours. */
export type Order = 'number' | 'time' | 'arrival';

export function isNumbered({ stamp }: Pick<SourceShape, 'stamp'>): boolean {
  return stamp?.number !== undefined && stamp.index !== 'time';
}

export function orderOf(config: Pick<SourceShape, 'stamp'>): Order {
  if (isNumbered(config)) return 'number';
  return config.stamp?.timestamp ? 'time' : 'arrival';
}
