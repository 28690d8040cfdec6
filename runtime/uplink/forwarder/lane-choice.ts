// Chooses the lane to send from. Live data goes first; backlog and backfill each have a share that live data cannot take
// from them, so that after an outage live data is current at once while the backlog still drains. Pure: a ledger of bytes
// owed to each lane, a choice, and a charge for what was sent.
import type { LaneName } from '../lanes.ts';

export type GuaranteedLane = Exclude<LaneName, 'live'>;

/** Part of the bytes that each lane gets at least while it has something to send. Their sum is below 1. */
export type Shares = Readonly<Record<GuaranteedLane, number>>;

export const defaultShares: Shares = { backlog: 0.3, backfill: 0.15 };

/** Bytes that each lane is behind (positive) or ahead of its share. */
export type ShareLedger = Readonly<Record<GuaranteedLane, number>>;

export const emptyLedger: ShareLedger = { backlog: 0, backfill: 0 };

/** A lane behind by this much goes before live data; below, live data is not held up for crumbs. */
export const quantumBytes = 64 * 1024;
/** Bound of the ledger: what a lane can claim at once, however long it was kept from sending. */
const maxOwedBytes = 4 * quantumBytes;

const guaranteed: readonly GuaranteedLane[] = ['backlog', 'backfill'];

/** The lane to take from, of those that have something waiting. */
export function chooseLane(
  ledger: ShareLedger,
  waiting: Readonly<Record<LaneName, boolean>>,
): LaneName | undefined {
  const owed = guaranteed.filter((lane) => waiting[lane]).sort((a, b) => ledger[b] - ledger[a])[0];
  if (waiting.live && (owed === undefined || ledger[owed] < quantumBytes)) return 'live';
  return owed;
}

/** The ledger after `bytes` were sent from `lane`. `waiting` as it was when that lane was chosen. */
export function charge(
  ledger: ShareLedger,
  shares: Shares,
  lane: LaneName,
  bytes: number,
  waiting: Readonly<Record<LaneName, boolean>>,
): ShareLedger {
  const claims = guaranteed.filter((other) => waiting[other]);
  // Without live data the waiting lanes divide everything, in the proportion of their shares.
  const whole = waiting.live || lane === 'live' ? 1 : claims.reduce((sum, other) => sum + shares[other], 0);
  const next = { ...ledger };
  for (const other of guaranteed) {
    // A lane without work saves up nothing, and its debts are forgiven.
    if (!waiting[other]) next[other] = 0;
    else next[other] += (shares[other] / (whole || 1)) * bytes - (other === lane ? bytes : 0);
    next[other] = Math.min(maxOwedBytes, Math.max(-maxOwedBytes, next[other]));
  }
  return next;
}
