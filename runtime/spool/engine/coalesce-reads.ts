// Reads values that lie next to each other with one read: a lane is drained in the order in which it was stored, and a
// separate read costs more than the value that it returns.
import type { ValuePointer } from './value-record.ts';

/** Fewer bytes are read in vain than a read of its own costs. */
const maxGapBytes = 4096;
const maxReadBytes = 1024 * 1024;

export interface WantedValue {
  /** The position of its key in the request. */
  readonly n: number;
  readonly pointer: ValuePointer;
  /** Size of the record, head and value. */
  readonly bytes: number;
}

export interface CoalescedRead {
  readonly segment: number;
  readonly offset: number;
  readonly bytes: number;
  readonly values: readonly WantedValue[];
}

/** As few reads as bring all of them; each of bounded size, unless one value alone is larger. */
export function coalesceReads(wanted: readonly WantedValue[]): readonly CoalescedRead[] {
  const sorted = wanted.toSorted(
    (a, b) => a.pointer.segment - b.pointer.segment || a.pointer.offset - b.pointer.offset,
  );
  const reads: { segment: number; offset: number; bytes: number; values: WantedValue[] }[] = [];
  for (const value of sorted) {
    const { segment, offset } = value.pointer;
    const last = reads.at(-1);
    const end = last && last.offset + last.bytes;
    const bytes = last ? offset + value.bytes - last.offset : 0;
    if (last && last.segment === segment && offset - end! <= maxGapBytes && bytes <= maxReadBytes) {
      last.bytes = Math.max(last.bytes, bytes);
      last.values.push(value);
    } else reads.push({ segment, offset, bytes: value.bytes, values: [value] });
  }
  return reads;
}
