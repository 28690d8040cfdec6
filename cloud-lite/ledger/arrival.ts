import type { VoidReason } from '../../wire/mini-batch.ts';
import type { IndexKind, Window } from '../../wire/window.ts';

/** Who a stream belongs to, by the hub's own word, and its name there. */
export interface StreamKey {
  readonly deviceId: string;
  /** Empty when a device sent the message itself. */
  readonly moduleId: string;
  readonly batchId: string;
}

/** What one message says to the ledger. */
export interface Arrival {
  readonly stream: StreamKey;
  readonly index: IndexKind;
  readonly window: Window;
  readonly isBackfill: boolean;
  readonly requestId?: string;
  readonly content:
    | { readonly kind: 'batch'; readonly readings: number; readonly part?: { k: number; n: number } }
    | { readonly kind: 'void'; readonly reason: VoidReason }
    /** Readings that came late: they claim nothing. */
    | { readonly kind: 'late'; readonly readings: number };
}

/** An arrival whose stream is known to the database. */
export interface ResolvedArrival extends Arrival {
  readonly streamId: number;
}

export function streamKeyText(key: StreamKey): string {
  // None of the three can contain a newline.
  return `${key.deviceId}\n${key.moduleId}\n${key.batchId}`;
}
