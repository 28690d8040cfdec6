// The records of one stored window beside its messages: its place in the order of storing, and its index entry.
import type { LateNumber } from '../../../wire/late.ts';
import type { Window } from '../../../wire/window.ts';
import { idKey, indexKey, lateKey, sizeClassOf } from './keys.ts';
import { encodeIndexEntry, encodeStoredEntry, hasWindow, type MessageHeader } from './message-record.ts';
import type { RecordKind } from './record.ts';

export interface NewRecord {
  readonly kind: RecordKind;
  readonly key: Uint8Array;
  readonly payload: Uint8Array;
}

/** Key of the entry that finds the window by its range; undefined for a declaration without a window. */
function rangeKeyOf(stream: number, window: Window, first: number): Buffer | undefined {
  return hasWindow(window) ? indexKey(stream, sizeClassOf(window), window.start, first) : undefined;
}

/** Keys of all entries that find the window: by its range, and a late one by its number. */
export function indexKeysOf(
  { stream, window, late }: { stream: number; window: Window; late?: LateNumber },
  first: number,
): readonly Uint8Array[] {
  const byRange = rangeKeyOf(stream, window, first);
  const byNumber = late === undefined ? undefined : lateKey(stream, late, first);
  return [byRange, byNumber].filter((key) => key !== undefined);
}

/** `bytes`: of all parts, as stored. `isIndexed`: false for a window that the hub refused, which is not to be found. */
export function windowRecords(header: MessageHeader, bytes: number, isIndexed = true): readonly NewRecord[] {
  const { stream, window, first, parts, void: reason, late, answer } = header;
  const stored = encodeStoredEntry({ ...header, bytes, void: reason !== undefined });
  const records: NewRecord[] = [{ kind: 'A', key: idKey('a', first), payload: stored }];
  const byRange = rangeKeyOf(stream, window, first);
  if (!isIndexed || byRange === undefined) return records;
  const entry = encodeIndexEntry({
    end: window.end,
    parts,
    ...(reason === undefined ? {} : { void: reason }),
    ...(late === undefined ? {} : { late: true }),
    ...(answer === undefined ? {} : { answer }),
  });
  records.push({ kind: 'I', key: byRange, payload: entry });
  if (late !== undefined)
    records.push({ kind: 'L', key: lateKey(stream, late, first), payload: new Uint8Array(0) });
  return records;
}
