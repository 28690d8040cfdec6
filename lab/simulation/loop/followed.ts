// What is known of one stream of a world.
import type { Reading } from '../../../wire/reading.ts';
import type { Window } from '../../../wire/window.ts';
import type { Equipment, Sample } from './equipment.ts';
import type { Gateway } from './gateway.ts';
import type { RequestJudge } from './request-judge.ts';

export interface Followed {
  readonly equipment: Equipment;
  readonly delivered: Set<number>;
  /** What went up late: its number is missed, should it be lost. */
  readonly sentLate: Set<number>;
  /** Samples that were given out, whether they came or not. */
  readonly sent: Set<number>;
  /** Ranges that the module called evicted, whether that came or not. */
  readonly calledEvicted: Window[];
  /** Ranges that came as never to be had from the equipment. */
  readonly calledUnhad: Window[];
  /** The module declared late readings lost, by their numbers. */
  lostLate: boolean;
  /** Parts that have come, by window and set. */
  readonly parts: Map<string, { readonly came: Map<number, readonly Reading[]>; readonly n: number }>;
  /** Samples that a window claimed without them, and that are to come as late ones. */
  readonly owed: { readonly window: Window; readonly number: number }[];
  claimed: Window[];
  voids: Window[];
  /** How far windows that are no answers reach. */
  reached: number;
  readonly requests: RequestJudge;
  readonly gateway: Gateway;
  /** Its spool has less room than it may need, or drops what waits for long: what was promised may be declared lost. */
  readonly isTight: boolean;
}

/** What was promised, of a sample or of all, may be declared lost. */
export function mayLose({ isTight, gateway }: Followed, { at }: Pick<Sample, 'at'> = { at: 0 }): boolean {
  return isTight || at < gateway.lostStorageAt;
}
