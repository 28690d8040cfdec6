// How long an outage the spool holds. Pure. What is stored is what would have been sent, and some bytes around each message;
// what was sent before gives way first, so that all of the room counts.
import type { RetentionLimits } from '../../spool/retention/retention-policy.ts';

export interface Outage {
  readonly storedPerDay: number;
  /** For what waits: the spool's own limit, or what the disk has, whichever is less. */
  readonly roomBytes: number;
  /** Until the oldest that waits is removed. */
  readonly days: number;
  readonly boundBy: 'spool.retention.maxBytes' | 'the disk' | 'spool.retention.unsentMs';
  /** The room that `unsentMs` takes to the end. */
  readonly wantedBytes: number;
}

const dayMs = 86_400_000;

/** @param diskBytes free on the data folder's disk before the spool has anything; undefined: not known */
export function planOutage(
  sent: { readonly messagesPerDay: number; readonly bytesPerDay: number },
  limits: RetentionLimits,
  diskBytes: number | undefined,
  overheadBytes: number,
): Outage {
  const storedPerDay = sent.bytesPerDay + sent.messagesPerDay * overheadBytes;
  const onDisk =
    diskBytes === undefined ? Number.POSITIVE_INFINITY : Math.max(0, diskBytes - limits.reserveBytes);
  const roomBytes = Math.min(limits.maxBytes, onDisk);
  const unsentDays = limits.unsentMs / dayMs;
  const roomDays = storedPerDay === 0 ? Number.POSITIVE_INFINITY : roomBytes / storedPerDay;
  const byRoom = onDisk < limits.maxBytes ? 'the disk' : 'spool.retention.maxBytes';
  return {
    storedPerDay,
    roomBytes,
    days: Math.min(unsentDays, roomDays),
    boundBy: roomDays < unsentDays ? byRoom : 'spool.retention.unsentMs',
    wantedBytes: storedPerDay * unsentDays,
  };
}
