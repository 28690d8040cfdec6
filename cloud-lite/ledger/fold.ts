// Folds the arrivals of one batch into one change per stream, so that one statement writes them all.
//
// Coverage is a union, so order does not matter to it. What depends on order is which arrivals are
// duplicates: those whose window was wholly covered before. It is decided exactly, without reading the
// stored coverage: take from each window what earlier arrivals of the batch cover. If nothing is left it
// is a duplicate; if something is, it is one exactly when the stored coverage holds all that is left.

import { type Coverage, covers, span, subtract, union } from '../../wire/coverage.ts';
import type { VoidReason } from '../../wire/mini-batch.ts';
import type { Window } from '../../wire/window.ts';
import { formatRange } from '../database/multirange.ts';

export interface FoldInput {
  readonly streamId: number;
  readonly window: Window;
  readonly isBackfill: boolean;
  readonly readings: number;
  /** When the hub had it. */
  readonly heardAt: number;
  readonly voidReason?: VoidReason;
}

/** What an arrival adds to the earlier ones of its batch: a duplicate if the ledger holds all of it already. */
export interface Fragment {
  readonly coverage: Coverage;
  readonly readings: number;
  /** A void is a duplicate also where data is there already. */
  readonly isVoid: boolean;
}

export interface StreamChange {
  readonly streamId: number;
  covered: Coverage;
  /** Windows that are known to exist, of which not all has come: they belong to the span. */
  claimed: Coverage;
  backfilled: Coverage;
  readonly voids: Map<VoidReason, Coverage>;
  messages: number;
  /** Certain ones; each of `fragments` may be another. */
  duplicates: number;
  /** Readings of parts whose window is not complete. */
  heldReadings: number;
  hasBackfill: boolean;
  /** When the hub had the newest of the messages; 0 where there is none. */
  heardAt: number;
  readonly fragments: Fragment[];
}

export function fold(arrivals: readonly FoldInput[]): readonly StreamChange[] {
  const changes = new Map<number, StreamChange>();
  for (const arrival of arrivals) {
    let change = changes.get(arrival.streamId);
    if (change === undefined) {
      change = emptyChange(arrival.streamId);
      changes.set(arrival.streamId, change);
    }
    add(change, arrival);
  }
  // One order for all transactions: two that lock the same streams then cannot deadlock.
  return [...changes.values()].sort((a, b) => a.streamId - b.streamId);
}

export function emptyChange(streamId: number): StreamChange {
  return {
    streamId,
    covered: [],
    claimed: [],
    backfilled: [],
    voids: new Map(),
    messages: 0,
    duplicates: 0,
    heldReadings: 0,
    hasBackfill: false,
    heardAt: 0,
    fragments: [],
  };
}

function add(change: StreamChange, arrival: FoldInput): void {
  change.messages++;
  change.hasBackfill ||= arrival.isBackfill;
  change.heardAt = Math.max(change.heardAt, arrival.heardAt);
  const isVoid = arrival.voidReason !== undefined;
  const before = isVoid ? union(change.covered, allVoids(change)) : change.covered;
  if (covers(before, arrival.window)) {
    change.duplicates++;
    if (!isVoid) return;
  }
  const coverage = subtract([arrival.window], before);
  if (coverage.length > 0) change.fragments.push({ coverage, readings: arrival.readings, isVoid });
  if (arrival.voidReason !== undefined) {
    change.voids.set(arrival.voidReason, union(change.voids.get(arrival.voidReason) ?? [], [arrival.window]));
    return;
  }
  if (arrival.isBackfill) change.backfilled = union(change.backfilled, coverage);
  change.covered = union(change.covered, [arrival.window]);
}

export function allVoids(change: StreamChange): Coverage {
  let all: Coverage = [];
  for (const coverage of change.voids.values()) all = union(all, coverage);
  return all;
}

/** From the first position of which the change tells anything to the last, as the database writes it. */
export function spanText(change: StreamChange): string {
  const reach = span(union(union(change.covered, change.claimed), allVoids(change)));
  return reach === undefined ? 'empty' : formatRange(reach);
}
