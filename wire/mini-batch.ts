import type { LateNumbers } from './late.ts';
import type { Reading } from './reading.ts';
import type { IndexKind, Window } from './window.ts';

export const voidReasons = [
  'no-history',
  'history-expired',
  'evicted',
  'source-refused',
  'cancelled',
] as const;
export type VoidReason = (typeof voidReasons)[number];

/** All readings of one window of one stream, in index order. None is "verified empty". Of a late window: those that came late. */
export interface MiniBatch {
  /** The stream's id. */
  readonly batchId: string;
  readonly index: IndexKind;
  readonly window: Window;
  readonly readings: readonly Reading[];
}

/** A range that is declared unrecoverable. */
export interface VoidDeclaration {
  readonly batchId: string;
  readonly index: IndexKind;
  readonly window: Window;
  readonly reason: VoidReason;
}

/** Late windows that are declared unrecoverable. What they held is not known any more, nor from where to where. */
export interface LateVoid {
  readonly batchId: string;
  readonly index: IndexKind;
  readonly late: LateNumbers;
  readonly reason: VoidReason;
}

/** Set on what answers a backfill request. Without a request: on late windows that an earlier version stored. */
export interface BackfillMark {
  readonly requestId?: string;
}

/** What one IoT message carries, before any client library sees it. */
export interface WireMessage {
  readonly messageId: string;
  /** Application properties: those of docs/WIRE.md, nothing else. */
  readonly properties: Readonly<Record<string, string>>;
  readonly contentEncoding: 'utf-8' | 'gzip';
  /** UTC epoch ms. */
  readonly creationTime: number;
  /** Empty for a void declaration. */
  readonly body: Uint8Array;
}
