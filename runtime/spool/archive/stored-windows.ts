// All stored windows in the order of storing (key space `a`).
import { HoldfastError } from '../../../kernel/errors.ts';
import type { SpoolCore } from '../core/core.ts';
import type { BatchOp, Entry } from '../engine/store.ts';
import { idKey, idOf, maxId } from '../format/keys.ts';
import {
  decodeMessage,
  decodeStoredEntry,
  encodeStoredEntry,
  type StoredEntry,
} from '../format/message-record.ts';
import { indexKeysOf } from '../format/window-records.ts';

export interface StoredWindowAt extends StoredEntry {
  /** Id of its first message. */
  readonly id: number;
}

/** From `from` on, at most `limit`. Damaged entries are quarantined and left out. */
export async function readStoredWindows(
  core: SpoolCore,
  from: number,
  limit: number,
): Promise<readonly StoredWindowAt[]> {
  let start = from;
  for (;;) {
    const page = await core.store.range({ gte: idKey('a', start), lt: idKey('a', maxId), limit });
    const opened = await Promise.all(page.map((entry) => openStored(core, entry)));
    const windows = opened.filter((window) => window !== undefined);
    const last = page.at(-1);
    // A page of nothing but damage must not look like the end.
    if (last === undefined || windows.length > 0) return windows;
    start = idOf(last.key) + 1;
  }
}

/** The window that message `id` belongs to. */
export async function storedWindowOf(core: SpoolCore, id: number): Promise<StoredWindowAt | undefined> {
  const [entry] = await core.store.range({
    gte: idKey('a', 0),
    lt: idKey('a', id + 1),
    limit: 1,
    reverse: true,
  });
  const window = entry === undefined ? undefined : await openStored(core, entry);
  return window !== undefined && id < window.id + window.parts ? window : undefined;
}

async function openStored(core: SpoolCore, { key, value }: Entry): Promise<StoredWindowAt | undefined> {
  const id = idOf(key);
  try {
    return { id, ...decodeStoredEntry(core.codec.open('A', key, value)) };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    const rebuilt = await rebuild(core, id);
    const ops = core.quarantine(key, value, error);
    const put = rebuilt === undefined ? [] : [core.put('A', key, encodeStoredEntry(rebuilt))];
    void core.submit({ ops: [...ops, ...put], sync: false, delta: { damaged: 1 } }).catch(() => {});
    return rebuilt;
  }
}

// The window's first message says all of it but the size of the other parts.
async function rebuild(core: SpoolCore, id: number): Promise<StoredWindowAt | undefined> {
  const key = idKey('r', id);
  const value = await core.store.get(key);
  if (value === undefined) return undefined;
  try {
    const { header } = decodeMessage(core.codec.open('M', key, value));
    const { stream, window, parts, storedAt, late } = header;
    return {
      id,
      stream,
      window,
      parts,
      bytes: value.byteLength * parts,
      storedAt,
      void: header.void !== undefined,
      ...(late === undefined ? {} : { late }),
    };
  } catch (error) {
    if (error instanceof HoldfastError) return undefined;
    throw error;
  }
}

/** Ids of a window's messages. */
export function idsOf({ id, parts }: StoredWindowAt): number[] {
  return Array.from({ length: parts }, (_, part) => id + part);
}

/** Deletes all records of a window but its places in the lanes. */
export function removalOps(window: StoredWindowAt): BatchOp[] {
  const keys = [idKey('a', window.id), ...indexKeysOf(window, window.id)];
  const ops = keys.map((key): BatchOp => ({ type: 'del', key }));
  for (const message of idsOf(window)) {
    ops.push({ type: 'del', key: idKey('r', message) }, { type: 'del', key: idKey('x', message) });
  }
  return ops;
}

/** The change of the counters when these windows are removed. */
export function minus(windows: readonly StoredWindowAt[]) {
  return {
    messages: -windows.reduce((sum, { parts }) => sum + parts, 0),
    bytes: -windows.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}
