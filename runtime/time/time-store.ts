// What the site clock needs of the disk: one small record about the clock, and the journal of readings that wait
// for it. Implemented by the spool.
import type { Offset } from './stream-scale.ts';

/** Times that end in `Local` are ms since the machine started; others wall clock, epoch ms. */
export interface ClockRecord {
  readonly version: 1;
  /** The run of the machine that it speaks of. */
  readonly bootId: string;
  readonly mode: 'trusted' | 'waiting' | 'marked';
  /** The wall clock's offset as last seen, and the one that readings are placed with. */
  readonly seenOffsetMs: number;
  readonly offset: Offset;
  /** End of the records of earlier boots. */
  readonly recordedTo?: number;
  /** That is sure: a record of an earlier run said so. */
  readonly recordedBeforeStart: boolean;
  /** End of the records of this boot, at the least. */
  readonly reached?: number;
  /** The clock was set since the machine started. */
  readonly wasSet: boolean;
  /** The clock was set forward while it was trusted, and not back since: what was stored before `from` is younger by that. */
  readonly leap?: { readonly from: number; readonly byMs: number };
  /** Since when the clock is watched, and since when it is not trusted. */
  readonly watchedSinceLocal: number;
  readonly doubtedSinceLocal?: number;
  /** When the clock last became trusted: what was stored before, without a time, counts from here. */
  readonly cameRightAt?: number;
  /** Taken and not yet carried out: the journal's records below `before` are to be placed like this. */
  readonly decision?: Decision;
}

export interface Decision {
  readonly before: number;
  readonly offset: Offset;
  /** By stream: the lowest index that was free. */
  readonly positions: Readonly<Record<string, number>>;
}

export interface ProvisionalRecord {
  readonly sequence: number;
  readonly payload: Uint8Array;
}

export interface TimeStore {
  /** Undefined when none was saved, or it is damaged. */
  loadClock(): Promise<unknown>;
  /** Synced before it resolves. Calls take effect in their order. Rejects only with `spool-closed`. */
  saveClock(record: ClockRecord): Promise<void>;
  /** In order of sequence; damaged records are left out. */
  readProvisional(): Promise<readonly ProvisionalRecord[]>;
  /** Synced before it resolves. Rejects only with `spool-closed`. */
  appendProvisional(record: ProvisionalRecord): Promise<void>;
  /** Removes the records with a sequence in `[from, before)`. */
  removeProvisional(from: number, before: number): Promise<void>;
}
