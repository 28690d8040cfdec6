import type { LateNumber, LateNumbers } from '../../wire/late.ts';
import type { VoidReason } from '../../wire/mini-batch.ts';
import type { IndexKind, Window } from '../../wire/window.ts';

/** The device and module of a stream, as the hub states them, and its name there. */
export interface StreamKey {
  readonly deviceId: string;
  /** Empty when a device sent the message itself. */
  readonly moduleId: string;
  readonly batchId: string;
}

/** One of several messages of a window. */
export interface Part {
  readonly k: number;
  readonly n: number;
  /** Names the encoding: parts of two encodings never make up one window. Absent: the request tells them apart. */
  readonly set?: string;
}

/** A window, and its state. Only claims cover or void anything. */
export type Claim =
  | {
      readonly kind: 'batch';
      readonly window: Window;
      readonly readings: number;
      readonly part?: Part;
    }
  | { readonly kind: 'void'; readonly window: Window; readonly reason: VoidReason };

/** Of late windows: they are known by their numbers, and claim none of the stream's positions. */
export type Late =
  | {
      readonly kind: 'late';
      readonly late: LateNumber;
      readonly readings: number;
      readonly part?: Part;
    }
  | { readonly kind: 'late-void'; readonly late: LateNumbers; readonly reason: VoidReason };

/** One message, as the ledger takes it. */
export interface Arrival {
  readonly stream: StreamKey;
  readonly index: IndexKind;
  readonly isBackfill: boolean;
  readonly requestId?: string;
  /** When the hub had it, UTC epoch ms: the stream was heard of then, whenever this is read or accepted. */
  readonly heardAt: number;
  readonly content: Claim | Late;
  /** The last late number that the stream had given out by then. */
  readonly lateThrough?: LateNumber;
  /** Of claims: where the stream says that it began. */
  readonly streamStart?: number;
}

/** An arrival whose stream is known to the database. */
export interface ResolvedArrival extends Omit<Arrival, 'content'> {
  /** `unclaimed`: of a void of which nothing can be so yet (ingest/plausible.ts). */
  readonly content: Arrival['content'] | { readonly kind: 'unclaimed' };
  readonly streamId: number;
  /** The count that its late numbers are of. */
  readonly countId?: number;
}

export function streamKeyText(key: StreamKey): string {
  // None of the three can contain a newline.
  return `${key.deviceId}\n${key.moduleId}\n${key.batchId}`;
}

/** The series of late numbers that the arrival names, if any. */
export function seriesOf({ content, lateThrough }: Arrival): string | undefined {
  return content.kind === 'late' || content.kind === 'late-void' ? content.late.series : lateThrough?.series;
}
