// Reads the clock's record from the disk. A record that is malformed counts as missing.
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
    numbers.every((value) => Number.isFinite(value)) &&
    (record.leap === undefined || [record.leap?.from, record.leap?.byMs].every(Number.isFinite));
  return isOne ? (record as ClockRecord) : undefined;
}
