// Counts what a salvage could not keep, and names it within bounds.
import type { Window } from '../../../wire/window.ts';
import { keyName } from './record-reading.ts';

export interface LostWindow {
  readonly batchId: string;
  readonly window: Window;
}

export interface LostRecord {
  readonly key: string;
  readonly reason: string;
}

/** The most windows and records that are named. */
export const maxLost = 1000;

export class Losses {
  messages = 0;
  windowCount = 0;
  recordCount = 0;
  readonly windows: LostWindow[] = [];
  readonly records: LostRecord[] = [];

  /** `key` as a record's, or its name. */
  record(key: Uint8Array | string, reason: string): void {
    this.recordCount++;
    if (this.records.length >= maxLost) return;
    this.records.push({ key: typeof key === 'string' ? key : keyName(key), reason });
  }

  message(key: Uint8Array, reason: string): void {
    this.messages++;
    this.record(key, reason);
  }

  /** A message that was counted turned up elsewhere. `asRecord`: it was named as a record too. */
  takeBack(key: Uint8Array, asRecord: boolean): void {
    this.messages--;
    if (!asRecord) return;
    this.recordCount--;
    const at = this.records.findIndex((record) => record.key === keyName(key));
    if (at >= 0) this.records.splice(at, 1);
  }

  window(lost: () => LostWindow): void {
    this.windowCount++;
    if (this.windows.length < maxLost) this.windows.push(lost());
  }
}
