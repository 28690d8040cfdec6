// The clock's record as it comes back from the disk: what does not look like one is as good as none.
import type { ClockRecord } from './time-store.ts';

const modes: readonly unknown[] = ['trusted', 'waiting', 'marked'];

export function readClockRecord(stored: unknown): ClockRecord | undefined {
  if (typeof stored !== 'object' || stored === null) return undefined;
  const record = stored as Partial<ClockRecord>;
  const numbers = [record.seenOffsetMs, record.offset?.offsetMs, record.watchedSinceLocal];
  const isOne =
    record.version === 1 &&
    typeof record.bootId === 'string' &&
    modes.includes(record.mode) &&
    numbers.every((value) => Number.isFinite(value));
  return isOne ? (record as ClockRecord) : undefined;
}
