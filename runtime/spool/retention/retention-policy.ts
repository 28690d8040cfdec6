// What retention decides, as functions of what it sees: nothing here touches the disk.
//
// The archive goes first: it has been acknowledged once. Then what was never sent: by age, on a clock that is
// trusted, and by bytes if the policy is `drop-oldest`. Under `backpressure` nothing unsent goes for want of
// space: sources that keep their own history are asked to wait instead.

import { defaultRetention } from './config.ts';

export type RetentionPolicy = 'drop-oldest' | 'backpressure';

export interface RetentionLimits {
  /** Acknowledged windows are kept this long, to answer backfill. Default 3 days. */
  readonly archiveMs: number;
  /** And at most this many bytes of them. Default 512 MiB. */
  readonly archiveBytes: number;
  /** Unsent windows are kept this long. Default 7 days. */
  readonly unsentMs: number;
  /** All that is stored, sent or not. Default 2 GiB. */
  readonly maxBytes: number;
  /** The disk keeps this much free for others. Default 64 MiB. */
  readonly reserveBytes: number;
  /** Default `drop-oldest`. */
  readonly policy: RetentionPolicy;
  /** Deleted bytes after which the store is compacted, which is what frees the disk. Default 32 MiB. */
  readonly compactBytes: number;
  /** Between sweeps. Default 10,000. */
  readonly intervalMs: number;
}

const mib = 1024 * 1024;

/** The defaults, but for what is given. */
export function retentionLimits(
  given: { readonly [K in keyof RetentionLimits]?: RetentionLimits[K] | undefined } = {},
): RetentionLimits {
  const stated = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...defaultRetention, ...Object.fromEntries(stated) };
}

// However full others make the disk, this much of what was not sent is kept: the newest.
export const leastUnsentBytes = 8 * mib;

export interface SpaceFacts {
  /** Wall clock, epoch ms; undefined while it is not trusted. */
  readonly now: number | undefined;
  readonly storedBytes: number;
  readonly unsentBytes: number;
  /** Free bytes of the disk; undefined when it cannot be asked. */
  readonly freeBytes: number | undefined;
  /** Deleted, but not yet given back to the disk. */
  readonly deletedBytes: number;
}

export interface Removal {
  /** Stored before this go, whatever the bytes. */
  readonly olderThan: number;
  /** The oldest go until this many bytes are gone. */
  readonly bytes: number;
}

export interface Decision {
  readonly archive: Removal;
  readonly unsent: Removal;
}

const never = Number.NEGATIVE_INFINITY;

export function decide(limits: RetentionLimits, facts: SpaceFacts): Decision {
  const { now, storedBytes, unsentBytes } = facts;
  const archived = Math.max(0, storedBytes - unsentBytes);
  const tooMuch = Math.max(0, storedBytes - limits.maxBytes);
  const missing = missingFree(limits, facts);
  const archiveBytes = Math.max(tooMuch, missing, archived - limits.archiveBytes, 0);
  // What the archive cannot give.
  const fromUnsent = Math.max(
    0,
    tooMuch - archived,
    Math.min(missing - archived, unsentBytes - leastUnsentBytes),
  );
  return {
    archive: { olderThan: now === undefined ? never : now - limits.archiveMs, bytes: archiveBytes },
    unsent: {
      olderThan: now === undefined ? never : now - limits.unsentMs,
      bytes: limits.policy === 'drop-oldest' ? fromUnsent : 0,
    },
  };
}

/** Whether sources with a history should wait. Has a band, so that it does not flap. */
export function needsBackpressure(limits: RetentionLimits, facts: SpaceFacts, isActive: boolean): boolean {
  if (limits.policy !== 'backpressure') return false;
  const full = facts.unsentBytes > limits.maxBytes * (isActive ? 0.8 : 0.9);
  const short =
    missingFree({ ...limits, reserveBytes: limits.reserveBytes * (isActive ? 1.2 : 1) }, facts) > 0;
  return full || short;
}

function missingFree(limits: RetentionLimits, facts: SpaceFacts): number {
  if (facts.freeBytes === undefined) return 0;
  return Math.max(0, limits.reserveBytes - facts.freeBytes - facts.deletedBytes);
}

/** Bytes that can still be stored before anything unsent has to go: what is archived makes room. */
export function roomLeft(limits: RetentionLimits, facts: SpaceFacts): number {
  const { storedBytes, unsentBytes, freeBytes, deletedBytes } = facts;
  const byCap = limits.maxBytes - unsentBytes;
  if (freeBytes === undefined) return Math.max(0, byCap);
  const archived = Math.max(0, storedBytes - unsentBytes);
  return Math.max(0, Math.min(byCap, freeBytes + deletedBytes + archived - limits.reserveBytes));
}
