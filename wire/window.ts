// Windows: half-open ranges of a stream's index. The arithmetic that everything else rests on.

/**
 * What orders a stream: `time` is UTC epoch milliseconds, `sequence` is the source's own record number.
 * Both are integers within +-(2^53 - 1): JSON numbers, and so JavaScript's, hold no more.
 */
export type IndexKind = 'time' | 'sequence';

/** `[start, end)`, `start < end`. */
export interface Window {
  readonly start: number;
  readonly end: number;
}
