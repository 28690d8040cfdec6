// The operations that add entries to a lane and remove them.
import type { LaneName } from '../../uplink/lanes.ts';
import type { BatchOp } from '../engine/store.ts';
import { idKey, queuedKey } from '../format/keys.ts';
import type { TotalsDelta } from '../format/totals.ts';
import type { QueuedMessage } from './lane-reader.ts';

export interface NewEntries {
  readonly ops: readonly BatchOp[];
  readonly delta: TotalsDelta;
  /** Call once the ops are durable: the entries can be taken from then on. */
  readonly publish: () => void;
}

export function removalOps(lane: LaneName, entry: QueuedMessage): BatchOp[] {
  if (lane !== 'backfill') return [{ type: 'del', key: idKey('u', entry.id) }];
  return [
    { type: 'del', key: idKey('b', entry.id) },
    { type: 'del', key: queuedKey(entry.messageId, entry.id) },
  ];
}

export function lowest(ids: readonly (number | undefined)[]): number | undefined {
  let found: number | undefined;
  for (const id of ids) if (id !== undefined && (found === undefined || id < found)) found = id;
  return found;
}
