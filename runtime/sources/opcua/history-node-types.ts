// What is asked of one node's history, and what came of it.
import type { Times, WireValue } from './opcua-session.ts';

export interface HistoryAsk {
  readonly start: number;
  readonly end: number;
  readonly valuesPerNode: number;
  readonly continuation?: Uint8Array;
}

/**
 * `moved`: what was known is no longer there: the server's memory moved on, or was changed. `refused`: this node has no
 * history any more. `failed`: an answer that proves nothing. In each case the same may be asked later, anew.
 */
export type NodeOutcome = 'ok' | 'moved' | 'refused' | 'failed';

export interface HistoryNodeOptions {
  readonly tag: string;
  readonly nodeId: string;
  readonly times: Times;
  readonly range: { readonly start: number; readonly end: number };
  readonly valuesPerNode: number;
  /** The node's history reaches back to before the range. */
  readonly reaches: boolean;
  /** The newest value from before the range, where one is known. */
  readonly anchor?: WireValue | undefined;
}

/** Values of one time that came over several answers, by places; or that fill each answer, and no word says of more. */
export interface Run {
  readonly at: number;
  readonly values: readonly WireValue[];
  /** So many came with the first answer: all of them, where there are no places. */
  readonly atOnce: number;
}
