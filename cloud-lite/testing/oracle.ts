// The ledger in the plainest form that can be: each message of each partition once, in order, into sets
// of windows in memory. What the real ledger must equal, whatever happened on the way.
import { type Coverage, covers, gaps, normalise, subtract, union } from '../../wire/coverage.ts';
import type { Window } from '../../wire/window.ts';
import { formatMultirange } from '../database/multirange.ts';
import type { LedgerImage } from './databases.ts';

/** A message as the history made it, before it became properties. */
export interface MadeMessage {
  readonly deviceId: string;
  readonly batchId: string;
  readonly window: Window;
  readonly isBackfill: boolean;
  readonly requestId?: string;
  readonly part?: { readonly k: number; readonly n: number };
  readonly void?: string;
  /** When the hub had it. */
  readonly at?: number;
}

interface OracleStream {
  covered: Coverage;
  voids: Map<string, Coverage>;
  messages: number;
  duplicates: number;
  /** Parts seen, by window and encoding. */
  pending: Map<string, { window: Window; seen: Set<number> }>;
}

export function expectedLedger(
  partitions: readonly (readonly MadeMessage[])[],
  moduleId: string,
): LedgerImage {
  const streams = new Map<string, OracleStream>();
  for (const message of partitions.flat()) {
    const name = `${message.deviceId}/${moduleId}/${message.batchId}`;
    const stream = streams.get(name) ?? {
      covered: [],
      voids: new Map(),
      messages: 0,
      duplicates: 0,
      pending: new Map(),
    };
    streams.set(name, stream);
    addMessage(stream, message);
  }
  return Object.fromEntries(
    [...streams].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, s]) => [name, image(s)]),
  );
}

function addMessage(stream: OracleStream, message: MadeMessage): void {
  stream.messages++;
  if (message.void !== undefined) {
    addVoid(stream, message.void, message.window);
    return;
  }
  if (covers(stream.covered, message.window)) {
    stream.duplicates++;
    return;
  }
  if (message.part !== undefined && !completes(stream, message, message.part)) return;
  stream.covered = union(stream.covered, [message.window]);
  for (const [key, { window }] of stream.pending)
    if (covers(stream.covered, window)) stream.pending.delete(key);
}

function addVoid(stream: OracleStream, reason: string, window: Window): void {
  if (covers(union(stream.covered, allVoids(stream)), window)) stream.duplicates++;
  stream.voids.set(reason, union(stream.voids.get(reason) ?? [], [window]));
}

function completes(stream: OracleStream, message: MadeMessage, part: { k: number; n: number }): boolean {
  const { window, requestId, isBackfill } = message;
  const key = `${window.start} ${window.end} ${part.n} ${requestId ?? isBackfill}`;
  const set = stream.pending.get(key) ?? { window, seen: new Set<number>() };
  stream.pending.set(key, set);
  if (set.seen.has(part.k)) stream.duplicates++;
  set.seen.add(part.k);
  return set.seen.size === part.n;
}

function allVoids(stream: OracleStream): Coverage {
  return normalise([...stream.voids.values()].flat());
}

function image(stream: OracleStream): LedgerImage[string] {
  const known = union(stream.covered, allVoids(stream));
  return {
    covered: formatMultirange(stream.covered),
    missing: formatMultirange(subtract(gaps(known), allVoids(stream))),
    voids: Object.fromEntries(
      [...stream.voids].map(([reason, coverage]) => [reason, formatMultirange(coverage)]),
    ),
    messages: stream.messages,
    duplicates: stream.duplicates,
    pendingParts: [...stream.pending.values()].reduce((sum, { seen }) => sum + seen.size, 0),
  };
}
