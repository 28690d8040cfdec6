// The spool's counters, kept in the store and written with every batch, in the same atomic write as what
// they count. So a start reads one record instead of counting a backlog.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { BatchOp } from '../engine/store.ts';
import { stateKey } from './keys.ts';
import { openJson, type RecordCodec, sealJson } from './record.ts';

export interface Count {
  readonly messages: number;
  readonly bytes: number;
}

export interface Totals {
  /** Waiting in live and backlog; bytes as sent. */
  readonly unsent: Count;
  readonly backfill: Count;
  /** All message records; bytes as stored. */
  readonly stored: Count;
  readonly rejected: number;
  readonly damaged: number;
  /** Windows that were removed unsent. */
  readonly evicted: number;
}

export type TotalsDelta = {
  readonly [K in keyof Totals]?: Totals[K];
};

/** As stored: the counters, and where to start reading so as not to walk over what was deleted. */
export interface SpoolState {
  readonly nextId: number;
  /** No entry of the lane has a lower id. */
  readonly unsentHead: number;
  readonly backfillHead: number;
  /** No stored window has a lower id. */
  readonly storedHead: number;
  /** Batches that were ever written: which one this came with. */
  readonly commits: number;
  readonly totals: Totals;
}

export const noTotals: Totals = {
  unsent: { messages: 0, bytes: 0 },
  backfill: { messages: 0, bytes: 0 },
  stored: { messages: 0, bytes: 0 },
  rejected: 0,
  damaged: 0,
  evicted: 0,
};

const none: Count = { messages: 0, bytes: 0 };

export const addCounts = (a: Count = none, b: Count = none): Count => ({
  messages: a.messages + b.messages,
  bytes: a.bytes + b.bytes,
});

export function addTotals(totals: Totals, delta: TotalsDelta): Totals {
  return {
    unsent: addCounts(totals.unsent, delta.unsent),
    backfill: addCounts(totals.backfill, delta.backfill),
    stored: addCounts(totals.stored, delta.stored),
    rejected: totals.rejected + (delta.rejected ?? 0),
    damaged: totals.damaged + (delta.damaged ?? 0),
    evicted: totals.evicted + (delta.evicted ?? 0),
  };
}

export function stateOp(codec: RecordCodec, state: SpoolState): BatchOp {
  return { type: 'put', key: stateKey, value: sealJson(codec, 'S', stateKey, state) };
}

/** @throws HoldfastError `spool-record-damaged`. */
export function readState(codec: RecordCodec, value: Uint8Array): SpoolState {
  const state = openJson(codec, 'S', stateKey, value) as Partial<SpoolState>;
  const { nextId, unsentHead, backfillHead, storedHead, commits, totals } = state;
  const numbers = [nextId, unsentHead, backfillHead, storedHead, commits, totals?.unsent?.messages];
  if (!numbers.every((value) => Number.isSafeInteger(value))) {
    throw new HoldfastError('spool-record-damaged', "the spool's state record lacks fields");
  }
  return state as SpoolState;
}
